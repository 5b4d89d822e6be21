"""The stored notebooks: NN-name.ipynb from NN-name.py, every cell run in a fresh kernel on CIFAR-10."""

import os
import re
import time

import nbformat

from . import cells, readme, schedule

WIDGET = "application/vnd.jupyter.widget-view+json"
NO_KERNEL = "Run this cell: what it shows needs a running kernel."


def build(source):
    """Run a .py beside itself and write its .ipynb; raise CellExecutionError, writing nothing, where a cell fails."""
    from nbclient import NotebookClient

    from . import pairs

    pairs.reconcile(source, building=True)
    write_minutes(source)
    book = cells.read(source)
    client = NotebookClient(
        book,
        timeout=1800,
        iopub_timeout=120,  # by default an output that comes late on a busy machine is dropped after four seconds
        kernel_name="python3",
        resources={"metadata": {"path": source.parent}},
        record_timing=False,
        store_widget_state=False,
        coalesce_streams=True,
    )
    metadata = book.metadata.copy()
    client.execute()
    book.metadata = metadata  # the kernel adds its machine's versions
    for output in (output for cell in book.cells for output in cell.get("outputs", ())):
        if WIDGET in output.get("data", {}):  # without a kernel a widget is an error message
            output.data = {"text/plain": NO_KERNEL}
    nbformat.validate(book)
    part = source.with_suffix(".ipynb.part")
    cells.save(book, part)
    os.replace(part, source.with_suffix(".ipynb"))


def write_minutes(source):
    """Write the minutes of the schedule into the first cell of a .py, after "**Time:**"; other notebooks have none."""
    minutes, text = schedule.MINUTES.get(source.stem), source.read_text(encoding="utf-8")
    if minutes:
        text = re.sub(r"(\*\*Time:\*\* )\d+ minutes", rf"\g<1>{minutes} minutes", text, count=1)
        source.write_text(text, encoding="utf-8", newline="\n")


def write(names):
    """Build the notebooks called `names`, or all, one after the other, and write the README's parts anew."""
    from .. import data

    known = cells.names()
    if unknown := set(names) - set(known):
        raise ValueError(f"no notebook is called {', '.join(sorted(unknown))}; there are {', '.join(known)}")
    if untimed := set(known) - set(schedule.MINUTES):
        raise ValueError(f"no minutes for {', '.join(sorted(untimed))}: add a Section to helpers/editions/schedule.py")
    os.environ["LECTURE_DATASET"] = "cifar10"
    print(data.load("cifar10", download=False).source)
    for name in names or known:
        start, source = time.perf_counter(), cells.NOTEBOOKS / f"{name}.py"
        build(source)
        size = source.with_suffix(".ipynb").stat().st_size
        print(f"{name}: {time.perf_counter() - start:.0f} s, {size / 1e6:.2f} MB")
    readme.renew()
