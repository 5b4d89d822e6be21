"""What a hub needs for a class: several kernels at once run the core of 05-fgsm, then one of them the rest as well.

    python tests/benchmarks/hub.py

writes the measured part of HUB.md. Linux alone says what a process shares: /proc/PID/smaps_rollup.
"""

import datetime
import os
import re
import subprocess
import sys
import threading
import time
from pathlib import Path

import nbformat
from nbclient import NotebookClient

from helpers.editions import schedule
from helpers.editions.parts import with_part

ROOT = Path(__file__).resolve().parents[2]
HUB, NOTEBOOK = ROOT / "HUB.md", ROOT / "notebooks" / "05-fgsm.ipynb"
AT_ONCE, SEATS, SYSTEM = (
    8,
    30,
    1.5,
)  # kernels measured; seats to be served; GB for the system and the hub's own processes
MINUTES = schedule.MINUTES[NOTEBOOK.stem]


def gigabytes(pid):
    """(own, shared, peak): what no file holds and no other process has, the files that it maps, and its most of both."""
    rollup, status = (Path(f"/proc/{pid}/{name}").read_text() for name in ("smaps_rollup", "status"))
    found = dict(re.findall(r"^(\w+):\s+(\d+) kB", rollup + status, re.MULTILINE))
    own, rss, peak = (int(found[name]) * 1024 / 1e9 for name in ("Anonymous", "Rss", "VmHWM"))
    return own, rss - own, peak


def seconds(pid):
    """Seconds of a processor that a process has used."""
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


class Seat:
    """A kernel with 05-fgsm, and how much of a processor the dearest cell of its core took."""

    def __init__(self):
        self.client = NotebookClient(nbformat.read(NOTEBOOK, 4), timeout=3600, iopub_timeout=600)
        self.client.resources = {"metadata": {"path": str(NOTEBOOK.parent)}}
        self.dearest = 0.0

    def run(self, core):
        for index, cell in enumerate(self.client.nb.cells):
            if cell.cell_type == "code" and ("core" in cell.metadata.get("tags", ())) == core:
                before = seconds(self.pid)
                self.client.execute_cell(cell, index)
                if core and "setup" not in cell.metadata.tags:
                    self.dearest = max(self.dearest, seconds(self.pid) - before)

    @property
    def pid(self):
        return self.client.km.provisioner.pid


def class_of(count):
    """`count` kernels at once: rows (own, shared, peak), seconds of a processor, dearest cell; and one that ran all."""
    seats, running, go_home = [Seat() for _ in range(count)], threading.Barrier(count + 1), threading.Event()

    def sit(seat):
        with seat.client.setup_kernel():
            seat.run(core=True)
            running.wait()
            go_home.wait()

    threads = [threading.Thread(target=sit, args=(seat,), daemon=True) for seat in seats]
    for thread in threads:
        thread.start()
    running.wait()
    rows = [gigabytes(seat.pid) for seat in seats]
    worked, dearest = max(seconds(seat.pid) for seat in seats), max(seat.dearest for seat in seats)
    go_home.set()
    for thread in threads:
        thread.join()
    alone = Seat()
    with alone.client.setup_kernel():
        alone.run(core=True)
        alone.run(core=False)
        return rows, worked, dearest, gigabytes(alone.pid)


def server():
    """GB of its own of a JupyterLab that has a page open: on a hub each seat has one beside its kernel."""
    command = [sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root", "--ServerApp.port=0"]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    time.sleep(30)
    own, _, _ = gigabytes(process.pid)
    process.terminate()
    process.wait(60)
    return own


def measured(rows, worked, dearest, alone, lab):
    """The part of HUB.md, as Markdown."""
    own, _, peak = (max(column) for column in zip(*rows))
    need = SEATS * (alone[0] + lab) + alone[1] + SYSTEM
    cpus = max(4, round(SEATS * worked / (60 * MINUTES) + 0.5))
    return f"""Measured on {datetime.date.today()} with {len(rows)} kernels at once, {os.cpu_count()} processors:

| | GB |
| --- | ---: |
| own memory of a kernel after the core of 05, the largest of {len(rows)} | {own:.2f} |
| own memory of a kernel that has run all of 05 | {alone[0]:.2f} |
| its peak, with everything that it maps | {max(peak, alone[2]):.2f} |
| what all kernels share: TensorFlow's files and the images, once per machine | {alone[1]:.2f} |
| own memory of the JupyterLab server that each seat has as well | {lab:.2f} |

**Memory for {SEATS} seats:** {SEATS} × ({alone[0]:.2f} + {lab:.2f}) GB + {alone[1]:.2f} GB shared + {SYSTEM} GB for system and hub \
= **{need:.0f} GB**, if every student runs all of 05. With the core alone: \
{SEATS} × ({own:.2f} + {lab:.2f}) + {alone[1]:.2f} + {SYSTEM} = {SEATS * (own + lab) + alone[1] + SYSTEM:.0f} GB.

**Processors:** the core of 05 takes {worked:.0f} seconds of a processor per seat, within {MINUTES} minutes: \
{SEATS} × {worked:.0f} s / ({MINUTES} × 60 s) = {SEATS * worked / (60 * MINUTES):.1f} processors on average. \
If all {SEATS} run the most expensive cell ({dearest:.0f} s) at the same moment, {cpus} processors need \
{SEATS} × {dearest:.0f} / {cpus} = {SEATS * round(dearest) / cpus:.0f} seconds for it.
"""


def main():
    rows, worked, dearest, alone = class_of(AT_ONCE)
    part = measured(rows, worked, dearest, alone, server())
    HUB.write_text(with_part(HUB.read_text(encoding="utf-8"), "measured", part), encoding="utf-8", newline="\n")
    print(part)


if __name__ == "__main__":
    main()
