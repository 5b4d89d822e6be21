"""Arrays that processes share: whole or made anew, whatever happens to the files, and no memory of a process's own."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from cifar10_files import files

from helpers import cache

ROOT = Path(cache.__file__).parents[1]
LAYOUT = [("images", "u1", (1_000, 32)), ("labels", "i8", (1_000,)), ("flag", "?", (1,))]


@pytest.fixture
def make(tmp_path, monkeypatch):
    """make(state) asks for arrays that `state` determines; make.filled lists the states that were made for it."""
    monkeypatch.setenv("LECTURE_CACHE", str(tmp_path / "cache"))

    def make(state=1, layout=LAYOUT):
        def fill(arrays):
            make.filled.append(state)
            for name, array in arrays.items():
                array[:] = np.random.default_rng(state).integers(0, 256 if name == "images" else 2, array.shape)

        return cache.arrays("things", layout, state, fill)

    make.filled = []
    return make


def same(one, other):
    return one.keys() == other.keys() and all(np.array_equal(one[name], other[name]) for name in one)


def is_mapped(array):
    while isinstance(array, np.ndarray) and not isinstance(array, np.memmap):
        array = array.base
    return isinstance(array, np.memmap)


def test_made_once_and_mapped_read_only(make, tmp_path):
    first, second = make(), make()
    assert make.filled == [1] and same(first, second)
    assert {name: (str(array.dtype), array.shape) for name, array in first.items()} == {
        "images": ("uint8", (1_000, 32)),
        "labels": ("int64", (1_000,)),
        "flag": ("bool", (1,)),
    }
    assert all(is_mapped(array) and type(array) is np.ndarray for array in (*first.values(), *second.values()))
    assert first["images"].ctypes.data == second["images"].ctypes.data, "one map: two would count twice as memory"
    with pytest.raises(ValueError, match="read-only"):
        first["labels"][0] = 1
    assert set(files(tmp_path / "cache")) - {"things.lock"} == {"things.bin", "things.json"}


def test_another_state_or_layout_is_made_anew_and_who_holds_the_old_one_keeps_it(make):
    first = make(1)
    copy = {name: array.copy() for name, array in first.items()}
    second = make(2)
    assert make.filled == [1, 2] and not same(first, second) and same(first, copy)
    assert len(make(2, LAYOUT[:1])) == 1 and make.filled == [1, 2, 2]


def flipped(path):
    with open(path, "r+b") as file:
        file.seek(20_000)
        byte = file.read(1)[0]
        file.seek(20_000)
        file.write(bytes([byte ^ 1]))


def flipped_in_secret(path):
    """As a disk or a tool does that puts the time of the last change back."""
    before = path.stat()
    flipped(path)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


def exchanged(path):
    """By another whole file of the same size, and the same time."""
    before, content = path.stat(), path.read_bytes()
    path.unlink()
    path.write_bytes(content[::-1])
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


HARM = {
    "flipped": flipped,
    "exchanged": exchanged,
    "empty": lambda path: path.write_bytes(b""),
    "cut": lambda path: os.truncate(path, 30_000),
    "cut by a byte": lambda path: os.truncate(path, path.stat().st_size - 1),
    "gone": lambda path: path.unlink(),
    "a folder": lambda path: (path.unlink(), path.mkdir())[0],
    "seal is gone": lambda path: path.with_suffix(".json").unlink(),
    "seal is cut": lambda path: os.truncate(path.with_suffix(".json"), 50),
    "seal is a list": lambda path: path.with_suffix(".json").write_text("[1]"),
    "seal lacks the sum": lambda path: path.with_suffix(".json").write_text('{"state": "", "file": []}'),
    "seal is not text": lambda path: path.with_suffix(".json").write_bytes(b"\xff"),
}
if sys.platform != "win32":
    HARM["flipped in secret"] = flipped_in_secret


@pytest.mark.parametrize("harm", HARM.values(), ids=HARM)
def test_a_changed_file_is_noticed_and_made_anew(harm, make, tmp_path):
    wanted = {name: array.copy() for name, array in make().items()}
    harm(tmp_path / "cache" / "things.bin")
    assert same(make(), wanted) and make.filled == [1, 1]
    if harm is not HARM["a folder"]:  # which only a person can clear away
        assert same(make(), wanted) and make.filled == [1, 1]


def test_whole_arrays_whose_times_changed_are_kept(make, tmp_path):
    """As a copied or restored home folder brings them."""
    first = {name: array.copy() for name, array in make().items()}
    shutil.copytree(tmp_path / "cache", tmp_path / "copy")
    shutil.rmtree(tmp_path / "cache")
    (tmp_path / "copy").rename(tmp_path / "cache")
    assert same(make(), first) and make.filled == [1]
    seal = json.loads((tmp_path / "cache" / "things.json").read_text())
    found = (tmp_path / "cache" / "things.bin").stat()
    assert seal["file"] == [found.st_size, found.st_mtime_ns, found.st_ctime_ns], "the next look is a quick one"


def test_what_fill_raises_is_passed_on_and_nothing_is_kept(make, tmp_path):
    def fill(arrays):
        raise FileNotFoundError("no batch")

    with pytest.raises(FileNotFoundError, match="no batch"):
        cache.arrays("things", LAYOUT, 1, fill)
    assert set(files(tmp_path / "cache")) <= {"things.lock"}
    make()
    assert make.filled == [1]


@pytest.mark.parametrize("trouble", ["a file in its place", "a full disk", "no home"])
def test_without_a_cache_they_are_made_in_memory_once(trouble, make, tmp_path, monkeypatch):
    if trouble == "a file in its place":
        (tmp_path / "cache").write_text("a file where the folder should be")
    elif trouble == "a full disk":
        monkeypatch.setattr(cache.os, "fsync", lambda _: (_ for _ in ()).throw(OSError(28, "No space left on device")))
    else:
        monkeypatch.setattr(cache, "folder", lambda: None)
    first = make()
    second = make()
    assert make.filled == [1] and same(first, second) and first["images"].base is second["images"].base
    with pytest.raises(ValueError, match="read-only"):
        first["labels"][0] = 1
    assert not [name for name in files(tmp_path) if not name.endswith(("lock", "cache"))]
    del first, second
    make()
    assert make.filled == [1, 1], "without a holder they leave the memory"


def process(tmp_path, before="", after=""):
    """A Python process that runs `before`, asks for 40 MB of arrays, says when it fills them, and runs `after`."""
    body = f"""
import re, sys, time
from helpers import cache
def wait(*_):
    print("waiting", flush=True)
    sys.stdin.read()
def fill(arrays):
    print("filling", flush=True)
    arrays["x"][:] = 7
def own_memory():
    return re.search(r"RssAnon:\\s+(\\d+)", open("/proc/self/status").read())[1]
{before}
arrays = cache.arrays("large", [("x", "u1", (40_000_000,))], 1, fill)
{after}
print(arrays["x"].min(), arrays["x"].max(), len(arrays["x"]))
"""
    return subprocess.Popen(
        [sys.executable, "-c", body],
        env=os.environ | {"PYTHONPATH": str(ROOT), "LECTURE_CACHE": str(tmp_path / "cache")},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


WHOLE = ["7 7 40000000"]


def printed(process):
    return process.communicate(timeout=300)[0].splitlines()


def test_several_processes_at_once_make_them_once(tmp_path):
    slow = "quick = fill\ndef fill(arrays): quick(arrays); time.sleep(0.3)"
    lines = [printed(one) for one in [process(tmp_path, slow) for _ in range(4)]]
    assert sorted(lines) == [WHOLE, WHOLE, WHOLE, ["filling", *WHOLE]]


@pytest.mark.parametrize("moment", ["fill", "cache.os.fsync", "cache._seal"])
def test_a_killed_process_leaves_nothing_that_counts(moment, tmp_path):
    killed = process(tmp_path, f"{moment} = wait")
    while (line := killed.stdout.readline()) != "waiting\n":
        assert line or killed.poll() is None
    killed.kill()
    killed.communicate()
    assert printed(process(tmp_path)) == ["filling", *WHOLE]
    assert set(files(tmp_path / "cache")) - {"large.lock"} == {"large.bin", "large.json"}


@pytest.mark.skipif(sys.platform != "linux", reason="reads a process's memory from /proc")
def test_a_map_takes_no_memory_of_its_own(tmp_path):
    look = "before = own_memory()", "print(int(own_memory()) - int(before))"
    first, second = printed(process(tmp_path, *look)), printed(process(tmp_path, *look))
    assert first[0] == "filling" and second[1:] == WHOLE
    assert int(second[0]) < 4_000  # kilobytes
