"""Arrays that take a while to make: made once on a machine, then mapped read-only by every process that wants them.

A map takes no memory of a process's own: thirty kernels on one machine hold CIFAR-10 once. Beside the arrays, NAME.bin,
lies a seal, NAME.json: what they were made from, their SHA-256, and size and times of the file. Where the latter have
changed, the SHA-256 decides whether the arrays are still whole.
"""

import contextlib
import hashlib
import json
import os
import weakref
from pathlib import Path

import numpy as np

# Records while somebody holds them, by path and state, and for a map also by the state of its file: a cell that is run
# again needs no second one, and a second map would count as memory of this process once more.
_HELD = weakref.WeakValueDictionary()


def folder():
    """Where arrays are kept: LECTURE_CACHE, or a folder in this user's cache; None where there is no home."""
    import platformdirs

    with contextlib.suppress(RuntimeError):
        return Path(os.environ.get("LECTURE_CACHE") or platformdirs.user_cache_path("cnn-fgsm-lecture")).expanduser()


def arrays(name, layout, state, fill):
    """Read-only arrays by name, as `fill(arrays)` leaves them, kept as `name` until `state` is another.

    `layout` lists (name, dtype, shape) for each; `state` is what `fill` reads from, as JSON can hold it. Where there is
    no cache to write to, they are made in memory. Passes on what `fill` raises.
    """
    dtype, state = np.dtype(list(layout)), hashlib.sha256(json.dumps([layout, state]).encode()).hexdigest()
    path = folder() and folder() / f"{name}.bin"
    record = _mapped(path, dtype, state) if path else None
    if record is None:
        record = _made(path, dtype, state, fill)
    # As plain arrays; they hold on to the map beneath them.
    return {key: np.asarray(record[key][0]) for key in dtype.names}


def _mapped(path, dtype, state):
    """The record at `path`, if it is whole and of this `state`, or None."""
    try:
        seal = json.loads(path.with_suffix(".json").read_text(encoding="utf-8"))
        if seal["state"] != state:
            return None
        with open(path, "rb") as file:
            file_state = _file_state(file)
            record = np.memmap(file, dtype, "r", shape=1)
        if file_state != seal["file"]:
            if hashlib.sha256(record.view("u1")).hexdigest() != seal["sha256"]:
                return None
            _seal(path, seal | {"file": file_state})
        return _HELD.setdefault((path, state, *file_state), record)
    except (OSError, ValueError, KeyError, TypeError):  # no file, or a broken one
        return None


def _made(path, dtype, state, fill):
    """A record that `fill` has filled: mapped from the cache, or in memory where it cannot be kept."""
    with contextlib.ExitStack() as stack:
        kept = path and _locked(path, stack)
        if kept and (record := _mapped(path, dtype, state)) is not None:  # another process has just made it
            return record
        record = _HELD.get((path, state))
        if record is None:
            record = np.zeros(1, dtype)
            fill({key: record[key][0] for key in dtype.names})
            record.flags.writeable = False
        if kept and _keep(path, record, state) and (mapped := _mapped(path, dtype, state)) is not None:
            return mapped
    _HELD[path, state] = record
    return record


def _locked(path, stack):
    """Whether `stack` holds the lock of `path`, which the system lets go of when a process ends, however it ends."""
    import filelock

    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        stack.enter_context(filelock.FileLock(path.with_suffix(".lock")))
    except (OSError, NotImplementedError):  # a folder, or a file system, in which nothing can be locked
        return False
    return True


def _keep(path, record, state):
    """Write `record` beside `path`, move it there and seal it. Returns whether that was possible."""
    beside = path.with_suffix(".new")  # the same name each time: what a killed process leaves is written over
    try:
        try:
            with open(beside, "wb") as file:
                file.write(record.view("u1").data)
                file.flush()
                os.fsync(file.fileno())
            beside.replace(path)
        finally:
            beside.unlink(missing_ok=True)
        with open(path, "rb") as file:
            sha256 = hashlib.sha256(record.view("u1")).hexdigest()
            _seal(path, {"state": state, "sha256": sha256, "file": _file_state(file)})
    except OSError:
        return False
    return True


def _file_state(file):
    """What changes when a file is written to. On Windows the last time is that of its creation."""
    found = os.fstat(file.fileno())
    return [found.st_size, found.st_mtime_ns, found.st_ctime_ns]


def _seal(path, seal):
    beside = path.with_suffix(f".{os.getpid()}.json")
    with contextlib.suppress(OSError):  # without a seal, or with an old one, the next process takes longer
        beside.write_text(json.dumps(seal), encoding="utf-8")
        beside.replace(path.with_suffix(".json"))
