"""CIFAR-10: find, fetch, unpack and safely read the official files, one module for each. Used by helpers.data alone."""

import os

from .. import cache
from . import fetch, find, read


def load(download=True):
    """In words, what was found, and the arrays x_train, y_train, x_test, y_test by name, read-only.

    They are read once on a machine and mapped from the cache after that. Raises FileNotFoundError where CIFAR-10 is not
    to be had, and ValueError where the files are not what they should be.
    """
    where, folder = locate(download)
    files = [(name, md5, os.stat(folder / name)) for name, md5 in read.BATCHES.items()]
    state = [str(folder.resolve()), *((name, md5, found.st_size, found.st_mtime_ns) for name, md5, found in files)]
    arrays = cache.arrays("cifar10", read.LAYOUT, state, lambda arrays: read.fill(folder, arrays))
    kind = "the official files" if arrays.pop("official").all() else "a copy that is not byte for byte the official one"
    return f"CIFAR-10 from {where}, {kind}", arrays


def locate(download=True):
    """In words, where the six batches are, and their folder; they are fetched where `download` and the user allow it.

    Raises FileNotFoundError, which says why there are none, and ValueError where CIFAR10_DIR names another folder.
    """
    if found := find.find():
        return found
    if not download:
        raise FileNotFoundError("nothing was fetched")
    if (said := os.environ.get("LECTURE_DOWNLOAD", "")).strip().lower() in ("0", "false", "no", "off"):
        raise FileNotFoundError(f"LECTURE_DOWNLOAD={said} forbids fetching it")
    return "a download", fetch.into(find.keras_folder())
