"""How much memory a process has taken, from /proc, on Linux alone; its limits are those of a notebook's kernel."""

import re
from pathlib import Path

from helpers import check

PEAK = check.MEMORY  # bytes, and a promise to who runs the notebooks
OWN = 0.65e9  # bytes that a kernel may hold for itself: thirty then fit into 24 GB (HUB.md)


def peak(pid):
    """The most bytes that a process ever had in memory: its resident set, with all files that it maps.

    TensorFlow's libraries (about 0.4 GB) and the images are files, which the system may drop when memory is short; they
    count here because the limit of a place, as of Binder's container, counts them while they are there.
    """
    status = (Path("/proc") / str(pid) / "status").read_text()
    return 1024 * int(re.search(r"VmHWM:\s+(\d+) kB", status)[1])


def own(pid):
    """Bytes that belong to a process alone: what one more seat on a hub takes. Files that it maps are everybody's."""
    rollup = (Path("/proc") / str(pid) / "smaps_rollup").read_text()
    return 1024 * int(re.search(r"^Anonymous:\s+(\d+) kB", rollup, re.MULTILINE)[1])
