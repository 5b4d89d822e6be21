"""The files of CIFAR-10, whole, broken and hostile: read, unpacked or refused, and nothing that they name is called."""

import contextlib
import copy
import gzip
import os
import pickle
import random
import re
import sys
import tarfile
import tracemalloc
from collections import Counter
from types import SimpleNamespace

import numpy as np
import pytest
from cifar10_files import IMAGE, LABELS, batch, files, text

from helpers.cifar10 import read, unpack

IMAGES, NUMBERS = np.empty((10_000, 32, 32, 3), np.uint8), np.empty(10_000, np.int64)

# A file can be made that keeps an unpickler busy for ever: such a test is stopped.
pytestmark = pytest.mark.timeout(120, method="thread")  # which also ends what does not return to Python


# Batches.


class Trap:
    """Unpickles into a call of `function`, which marks that it ran."""

    def __init__(self, function, *arguments):
        self.call = (function, arguments)

    def __reduce__(self):
        return self.call


def dumped(value):
    return pickle.dumps(value, protocol=2)


def written_over(new):
    """A whole batch in which other opcodes stand in place of the array's dtype."""
    return batch(raw=b"").replace(b"cnumpy\ndtype\n", new)


def nested_pairs(depth):
    """A tuple of a tuple of …, each twice: 4 bytes per level, and twice the work to look at all of it."""
    return b"(t" + b"".join(b"q" + bytes([n]) + b"h" + bytes([n]) + b"\x86" for n in range(depth))


# What would run or build something, or take memory or time without bound, in Python's own unpickler.
HOSTILE = {
    "os.system": lambda mark: dumped(Trap(os.system, f'echo > "{mark}"')),
    "eval": lambda mark: dumped(Trap(eval, f"open({mark!r}, 'w')")),
    "nested": lambda mark: dumped({b"labels": LABELS, b"data": [[Trap(eval, f"open({mark!r}, 'w')")]]}),
    "numpy.fromfile": lambda mark: written_over(b"cnumpy\nfromfile\n"),
    "nested global": lambda mark: written_over(b"cnumpy\ncore.os.system\n"),
    "name by stack": lambda mark: b"\x80\x02" + text(b"os") + text(b"system") + b"\x93.",
    "the newest protocol": lambda mark: pickle.dumps(Trap(os.system, f'echo > "{mark}"')),
    "instance": lambda mark: b"\x80\x02(" + text(mark.encode()) + b"ios\nmkdir\n.",
    "object": lambda mark: b"\x80\x02(cos\nmkdir\n" + text(mark.encode()) + b"o.",
    "new object": lambda mark: b"\x80\x02cnumpy\ndtype\n(t\x81.",
    "extension registry": lambda mark: b"\x80\x02\x82\x01.",
    "long name": lambda mark: b"\x80\x02c" + b"x" * 100_000 + b"\ny\n.",
    "call of what was made": lambda mark: written_over(b"cnumpy\ndtype\n(tR(tR"),
    "state of a name": lambda mark: b"\x80\x02cnumpy\ndtype\n}b.",
    "memo beyond memory": lambda mark: b"\x80\x02]r" + b"\xff" * 4 + b".",
    "memo that is empty": lambda mark: b"\x80\x02j\x05\x00\x00\x00.",
    "string that is not there": lambda mark: b"\x80\x02T\xff\xff\xff\x7f.",
    "string of negative size": lambda mark: b"\x80\x02T\xff\xff\xff\xff.",
    "hash for ever": lambda mark: b"\x80\x02}(" + nested_pairs(60) + b"Nu.",
    "a name that nothing uses": lambda mark: batch().replace(b"}(", b"}(" + text(b"x") + b"cos\nsystem\n", 1),
    "a million lists": lambda mark: b"\x80\x02" + b"]" * 30_000_000 + b".",
    "a list of itself": lambda mark: b"\x80\x02]q\x00(h\x00h\x00e.",
    "nothing on the stack": lambda mark: b"\x80\x02R.",
}

BROKEN = {
    "empty": b"",
    "text": b"<html>Not found</html>",
    "cut": batch()[:-1_000_000],
    "no dictionary": pickle.dumps([1, 2]),
    "no pixels": pickle.dumps({b"labels": LABELS}),
    "pixels are a list": pickle.dumps({b"labels": LABELS, b"data": [[0] * 3072]}),
    "too few pixels": batch(raw=b"123"),
    "another shape": batch(shape=(3072, 10_000)),
    "fewer images": batch(shape=(5_000, 3072), raw=bytes(5_000 * 3072)),
    "another number format": batch(code=b"i1"),
    "another order": batch(fortran=True),
    "too few labels": batch(labels=LABELS[1:]),
    "one label": batch(labels=[3]),
    "too many labels": batch(labels=[*LABELS, 0]),
    "label 10": batch(labels=[*LABELS[1:], 10]),
    "label -1": batch(labels=[*LABELS[1:], -1]),
    "truth as a label": batch(labels=LABELS[1:]).replace(b"](", b"](\x88"),
}


@pytest.fixture(scope="module")
def watch():
    """`watch.seen` lists what Python's audit hooks report while `watch.on`: files opened, code run and the like."""
    watch = SimpleNamespace(on=False, seen=[])
    sys.addaudithook(lambda event, arguments: watch.seen.append((event, *map(str, arguments))) if watch.on else None)
    return watch


HARMLESS = ("gc.collect", "builtins.id")  # what Python does by itself, or a debugger that looks on


@contextlib.contextmanager
def bounded(watch, path):
    """Fails where the body does more than open `path`, or takes 100 MB."""
    watch.seen, watch.on = [], True
    tracemalloc.start()
    try:
        yield
    finally:
        watch.on, peak = False, tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    assert [event[:2] for event in watch.seen if event[0] not in HARMLESS] in ([], [("open", str(path))])
    assert peak < 100e6


def test_reading_takes_little_more_memory_than_the_arrays(folder):
    arrays = {name: np.zeros(shape, dtype) for name, dtype, shape in read.LAYOUT}
    tracemalloc.start()
    read.fill(folder, arrays)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 80e6 and not arrays["official"].any()


def test_the_batches_of_these_tests_are_what_python_and_numpy_read():
    content = pickle.loads(batch(), encoding="bytes")
    assert content[b"labels"] == LABELS
    assert content[b"data"].dtype == np.uint8 and (content[b"data"] == IMAGE).all()


@pytest.mark.parametrize("hostile", HOSTILE.values(), ids=HOSTILE)
def test_hostile_files_run_nothing(hostile, tmp_path, watch):
    mark, path = tmp_path / "mark", tmp_path / "data_batch_1"
    path.write_bytes(hostile(str(mark)))
    with bounded(watch, path), pytest.raises(ValueError, match="data_batch_1 is not a batch .*make data") as error:
        read.read_batch(path, IMAGES, NUMBERS)
    assert not mark.exists() and len(str(error.value)) < 400 + len(str(path))


def test_a_file_too_large_is_not_read_to_its_end(tmp_path, watch):
    path = tmp_path / "data_batch_1"
    path.write_bytes(batch())
    os.truncate(path, 100_000_000_000)  # on most file systems without taking that place
    with bounded(watch, path):  # and read as what its beginning says
        read.read_batch(path, IMAGES, NUMBERS)


SPLICES = [hostile("/nowhere")[2:-1] for name, hostile in HOSTILE.items() if name != "a million lists"]
SPLICES += [bytes([code]) for code in range(256)] + [b"\xff" * 4, b"\x7f\xff\xff\xff", b"\x00" * 4]


def mutated(content, seed, most):
    """`content` with one to `most` changes, most of them outside of the pixels."""
    chance = random.Random(seed)
    for _ in range(chance.randint(1, most)):
        whole = len(content)
        place = chance.choice((chance.randrange(400), whole - 1 - chance.randrange(400), chance.randrange(whole or 1)))
        place = max(0, min(place, whole - 1))
        piece, size = chance.choice(SPLICES), chance.choice((1, 1, 2, 4, 50, 60_000))
        removed, inserted = chance.choice(
            (
                (1, bytes([content[place] ^ (1 << chance.randrange(8))])) if whole else (0, b""),
                (len(piece), piece),
                (0, piece),
                (size, b""),
                (0, content[place : place + size]),
                (whole, b""),
            )
        )
        content = content[:place] + inserted + content[place + removed :]
    return content


@pytest.mark.parametrize("count", [300, pytest.param(10_000, marks=pytest.mark.long)])
def test_mutated_batches_are_read_or_refused(count, tmp_path, watch, capsys):
    """Every tenth is a whole one, so that some are read; the others are short, so that there can be many."""
    path, outcomes = tmp_path / "data_batch_1", Counter()
    whole, small = batch(), batch(raw=b"12345", labels=LABELS[:50])
    for seed in range(count):
        path.write_bytes(mutated(small, seed, 4) if seed % 10 else mutated(whole, seed, 1))
        with bounded(watch, path):
            try:
                read.read_batch(path, IMAGES, NUMBERS)
                outcomes["read"] += 1
            except ValueError as error:
                assert "is not a batch of CIFAR-10" in str(error), seed
                outcomes["refused"] += 1
    with capsys.disabled():
        print(f"\n{count:,} mutated batches: {dict(outcomes)}")
    assert outcomes["read"] > count / 100 and outcomes["refused"] > count / 2


@pytest.mark.parametrize("content", BROKEN.values(), ids=BROKEN)
def test_broken_files_are_named_with_the_fix(content, tmp_path):
    (path := tmp_path / "data_batch_1").write_bytes(content)
    with pytest.raises(ValueError, match="data_batch_1 is not a batch .*delete it.*make data") as error:
        read.read_batch(path, IMAGES, NUMBERS)
    assert len(str(error.value)) < 400 and error.value.__suppress_context__


# What an archive may hold.


def member(name, kind=tarfile.REGTYPE, size=0, **more):
    info = tarfile.TarInfo(name)
    info.type, info.size = kind, size
    for key, value in more.items():
        setattr(info, key, value)
    return info


INSIDE = "cifar-10-batches-py/"
HOSTILE_MEMBERS = {
    "absolute path": member("{outside}", size=5),
    "absolute path of a batch": member("{outside}/data_batch_1", size=5),
    "climbs out": member(INSIDE + "../../climbed-out", size=5),
    "climbs out and in again": member("../cifar-10-batches-py/data_batch_1", size=5),
    "another file": member(INSIDE + "usercustomize.py", size=5),
    "symbolic link": member(INSIDE + "data_batch_1", tarfile.SYMTYPE, linkname="{outside}"),
    "hard link": member(INSIDE + "data_batch_1", tarfile.LNKTYPE, linkname="{outside}"),
    "link in place of the folder": member("cifar-10-batches-py", tarfile.SYMTYPE, linkname="{outside}"),
    "character device": member(INSIDE + "data_batch_1", tarfile.CHRTYPE, devmajor=1, devminor=5),
    "pipe": member(INSIDE + "data_batch_1", tarfile.FIFOTYPE),
    "batch of 8 GB": member(INSIDE + "data_batch_1", size=8 << 30),
    "other file of 8 GB": member(INSIDE + "batches.meta", size=8 << 30),
    "header of 8 GB": member(INSIDE + "data_batch_1", tarfile.XHDTYPE, size=8 << 30),
    "name of 8 GB": member(INSIDE + "data_batch_1", tarfile.GNUTYPE_LONGNAME, size=8 << 30),
}


ZEROS = gzip.compress(bytes(10_000_000)) * 100  # a gigabyte of zeros as gzip has it: one megabyte


@pytest.mark.parametrize("hostile", HOSTILE_MEMBERS.values(), ids=HOSTILE_MEMBERS)
def test_hostile_archives_are_refused(hostile, tmp_path, monkeypatch):
    """The SHA-256 keeps them away before; this is the second line of defence."""
    monkeypatch.setattr(unpack, "LARGEST_ARCHIVE", 30_000_000)
    outside = tmp_path / "outside"
    info = copy.copy(hostile)
    info.name, info.linkname = (word.format(outside=outside) for word in (info.name, info.linkname))
    archive, inside = tmp_path / "archive", tmp_path / "datasets" / "whole"
    archive.write_bytes(gzip.compress(info.tobuf(tarfile.GNU_FORMAT)) + ZEROS)
    tracemalloc.start()
    with pytest.raises(ValueError, match=f"{re.escape(str(archive))} .*delete it"):
        unpack.unpack(archive, inside)
    assert tracemalloc.get_traced_memory()[1] < 80e6
    tracemalloc.stop()
    assert files(tmp_path) == ["archive"] and not list((tmp_path / "datasets").iterdir())


def test_the_archive_is_unpacked_in_one_step(archive, folder, tmp_path):
    whole = tmp_path / "datasets" / "whole"
    (tmp_path / "datasets" / "whole.new").mkdir(parents=True)
    (tmp_path / "datasets" / "whole.new" / "half").write_text("left by a killed process")
    unpack.unpack(archive, whole)
    assert files(tmp_path / "datasets") == [f"whole/{name}" for name in sorted(read.BATCHES)]
    assert all((whole / name).read_bytes() == (folder / name).read_bytes() for name in read.BATCHES)


def test_an_archive_that_lacks_a_batch_is_refused(folder, tmp_path):
    with tarfile.open(tmp_path / "archive", "w:gz", compresslevel=1) as tar:
        for name in list(read.BATCHES)[1:]:
            tar.add(folder / name, INSIDE + name)
    with pytest.raises(ValueError, match="no data_batch_1.*delete it"):
        unpack.unpack(tmp_path / "archive", tmp_path / "datasets" / "whole")
    assert files(tmp_path) == ["archive"]


@pytest.mark.parametrize("cut", [0, 1, 512, 0.9, -1_000])
def test_cut_archives_are_refused(cut, archive, tmp_path):
    content = archive.read_bytes()
    short = tmp_path / "archive"
    short.write_bytes(content[: cut if isinstance(cut, int) else int(cut * len(content))])
    with pytest.raises(ValueError, match="delete it"):
        unpack.unpack(short, tmp_path / "datasets" / "whole")
    assert files(tmp_path) == ["archive"]
