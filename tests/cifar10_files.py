"""Small files in the format of CIFAR-10, for the tests of what finds, fetches, unpacks and reads them."""

import os
import shutil
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parents[1]

# One image as a batch holds it, 3,072 bytes, with another value in every channel and row; and labels in turn.
IMAGE = np.arange(3072, dtype=np.uint32) // 12 % 256
LABELS = list(range(10)) * 1_000


def number(value):
    return b"J" + value.to_bytes(4, "little", signed=True)


def text(value):
    return b"U" + bytes([len(value)]) + value


def batch(image=IMAGE, labels=LABELS, *, shape=(10_000, 3072), code=b"u1", fortran=False, raw=None):
    """A batch as CIFAR-10's authors wrote it with Python 2: pickle protocol 2, strings as bytes."""
    raw = np.tile(image.astype(np.uint8), 10_000).tobytes() if raw is None else raw
    array = b"cnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\n" + number(0) + b"\x85" + text(b"b") + b"tR"
    dtype = b"cnumpy\ndtype\n(" + text(code) + number(0) + number(1) + b"tR"
    dtype += b"(" + number(3) + text(b"|") + b"NNN" + number(-1) + number(-1) + number(0) + b"tb"
    state = b"(" + number(1) + b"(" + b"".join(map(number, shape)) + b"t" + dtype + (b"\x88" if fortran else b"\x89")
    state += b"T" + len(raw).to_bytes(4, "little") + raw + b"t"
    listed = b"](" + b"".join(map(number, labels)) + b"e"
    return b"\x80\x02}(" + text(b"labels") + listed + text(b"data") + array + state + b"bu."


def write(folder):
    """Six batches in `folder`: all images of batch number n are the same, brighter by n."""
    from helpers.cifar10 import read

    folder.mkdir(parents=True)
    for number, name in enumerate(read.BATCHES):
        (folder / name).write_bytes(batch((IMAGE + number) % 256))
    return folder


def is_what_was_written(dataset):
    """Fails unless `dataset` holds what `write` wrote."""
    assert dataset.name == "cifar10" and dataset.x_train.shape == (50_000, 32, 32, 3)
    assert dataset.x_test.shape == (10_000, 32, 32, 3)
    assert dataset.x_train.dtype == dataset.x_test.dtype == np.uint8
    assert dataset.y_train.dtype == dataset.y_test.dtype == np.int64
    assert dataset.y_train.tolist() == LABELS * 5 and dataset.y_test.tolist() == LABELS
    parts = [dataset.x_train[n * 10_000 : (n + 1) * 10_000] for n in range(5)] + [dataset.x_test]
    for number, images in enumerate(parts):
        expected = ((IMAGE + number) % 256).reshape(3, 32, 32)
        assert all((images[..., c] == expected[c]).all() for c in range(3)), number


def place(folder, target):
    shutil.copytree(folder, target, copy_function=os.link)


def files(folder):
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())
