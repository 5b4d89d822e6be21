"""How long a class waits for a cell, and how long without a sign of life: measured in the lecture edition, and kept.

`python -m helpers.editions lecture --measure` runs the core of every notebook on a machine that does nothing else, as
`make lecture` does. A test judges what it kept.
"""

import hashlib
import itertools
import json
import os
import tempfile
import time
from pathlib import Path

from . import clock, lecture

KEPT = Path(__file__).with_name("waiting.json")
LONGEST_CELL = 8  # seconds, for every cell but the live training run
LONGEST_SILENCE = 3  # seconds without a new line, picture or step of a progress bar, for every cell
SIGNS = ("stream", "display_data", "update_display_data", "execute_result", "clear_output")


def measured():
    """What was measured last, nothing if it never was, by notebook.

    {"code": digest, "start": seconds until the kernel was ready, "cells": [[first line, seconds, silent, live], …]}
    """
    return json.loads(KEPT.read_text(encoding="utf-8"))["notebooks"] if KEPT.exists() else {}


def seconds(found):
    """For how long a class waits in a notebook: for its kernel, and for every cell but the live training run."""
    return found["start"] + sum(lasted for _, lasted, _, live in found["cells"] if not live)


def complaints(found):
    """What a class should not wait for in a notebook, one line each."""
    wrong = []
    for cell, lasted, silent, live in found["cells"]:
        if lasted > LONGEST_CELL and not live:
            wrong.append(f"{cell}: {lasted:.1f} s; make it faster, or read a record")
        if silent > LONGEST_SILENCE:
            wrong.append(f"{cell}: {silent:.1f} s without a sign of life; show its progress")
    return wrong


def code(book):
    """A digest of the core's code, which tells whether a measurement is of this notebook."""
    sources = [cell.source for cell in clock.core(book) if cell.cell_type == "code"]
    return hashlib.sha256("\0".join(sources).encode()).hexdigest()[:16]


def measure(books):
    """Run the core of each notebook in a kernel of the lecture, and keep for each cell what `measured` returns."""
    found = {}
    with tempfile.TemporaryDirectory() as folder:
        lecture.write(Path(folder), books)
        _, environment = lecture.server(Path(folder))
        for name, book in books.items():
            start, cells = run(book, Path(folder), environment)
            found[name] = {"code": code(book), "start": start, "cells": cells}
    lines = [f'  "{name}": {json.dumps(one)}' for name, one in found.items()]
    head = json.dumps({"date": time.strftime("%Y-%m-%d"), "processors": os.cpu_count()})[:-1]
    text = f'{head}, "notebooks": {{\n' + ",\n".join(lines) + "\n}}\n"
    KEPT.write_text(text.replace('"], [', '"],\n    ['), encoding="utf-8", newline="\n")
    return found


def run(book, folder, environment):
    """Seconds until a kernel is ready, and what `measured` says of each code cell of a notebook's core."""
    from nbclient import NotebookClient

    class Client(NotebookClient):
        def process_message(self, message, *arguments):
            if message["msg_type"] in SIGNS:
                signs.append(time.perf_counter())
            return super().process_message(message, *arguments)

    edition = lecture.edition(book)
    edition.cells = clock.core(edition)
    client = Client(edition, timeout=1800, kernel_name="python3", resources={"metadata": {"path": str(folder)}})
    begin, cells = time.perf_counter(), []
    with client.setup_kernel(env=environment):
        start = round(time.perf_counter() - begin, 1)
        for place, cell in enumerate(edition.cells):
            signs = [time.perf_counter()]
            client.execute_cell(cell, place)
            signs.append(time.perf_counter())
            silent = max(after - before for before, after in itertools.pairwise(signs))
            if cell.cell_type == "code":
                first = cell.source.splitlines()[0]
                cells.append([first, round(signs[-1] - signs[0], 1), round(silent, 1), clock.LIVE in cell.source])
    return start, cells
