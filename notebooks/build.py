"""Build NN-name.ipynb from NN-name.py: run every cell in a fresh kernel on CIFAR-10 and keep what it shows.

    python notebooks/build.py [NN-name ...]        without a name: every notebook

A notebook is written only once all of its cells have run; until then the old one stays. The README's results are
written anew from the records as well.
"""

import argparse
import hashlib
import os
import sys
import time
from collections import Counter
from pathlib import Path

import jupytext
import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError

from helpers import data, runs

NOTEBOOKS = Path(__file__).resolve().parent
KEPT = ("tags", "slideshow", "jupyter")
WIDGET = "application/vnd.jupyter.widget-view+json"
NO_KERNEL = "Run this cell: what it shows needs a running kernel."


def read(source):
    """The notebook that a .py describes: sources and the KEPT metadata, with ids that depend on the content alone."""
    book = nbformat.v4.new_notebook(
        metadata={
            "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
            "language_info": {"name": "python"},
        }
    )
    cells = jupytext.read(source, fmt="py:percent").cells
    for cell, name in zip(cells, identifiers(cells), strict=True):
        cell.id = name
        cell.metadata = nbformat.from_dict({key: cell.metadata[key] for key in KEPT if key in cell.metadata})
        book.cells.append(cell)
    return book


def identifiers(cells):
    """An id for each cell that depends on its kind and its source alone."""
    seen = Counter()
    for cell in cells:
        digest = hashlib.sha256(f"{cell.cell_type}\n{cell.source}".encode()).hexdigest()[:8]
        seen[digest] += 1
        yield digest if seen[digest] == 1 else f"{digest}-{seen[digest]}"


def build(source):
    """Run a .py beside itself and write its .ipynb; raise CellExecutionError, writing nothing, where a cell fails."""
    book = read(source)
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
    part.write_text(nbformat.writes(book) + "\n", encoding="utf-8", newline="\n")
    os.replace(part, source.with_suffix(".ipynb"))


def with_part(text, name, part):
    """A text with what stands between <!-- name --> and <!-- /name --> replaced by `part`."""
    before, rest = text.split(f"<!-- {name} -->\n", 1)
    _, after = rest.split(f"<!-- /{name} -->", 1)
    return f"{before}<!-- {name} -->\n{part}<!-- /{name} -->{after}"


def with_results(readme):
    """The README's text with its results written anew from the records."""
    return with_part(readme, "results", runs.results_table())


def main():
    sources = {source.stem: source for source in sorted(NOTEBOOKS.glob("[0-9]*.py"))}
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", metavar="NN-name", help=f"any of {', '.join(sources)}; all if left out")
    names = parser.parse_args().names or list(sources)
    if unknown := set(names) - set(sources):
        parser.error(f"no source called {', '.join(sorted(unknown))}; there are {', '.join(sources)}")
    os.environ.update(LECTURE_DATASET="cifar10", LECTURE_DOWNLOAD="0")
    try:
        print(data.load().source)
        for name in names:
            start = time.perf_counter()
            build(sources[name])
            size = sources[name].with_suffix(".ipynb").stat().st_size
            print(f"{name}: {time.perf_counter() - start:.0f} s, {size / 1e6:.2f} MB")
        readme = NOTEBOOKS.parent / "README.md"
        readme.write_text(with_results(readme.read_text(encoding="utf-8")), encoding="utf-8", newline="\n")
    except (CellExecutionError, OSError, ValueError) as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
