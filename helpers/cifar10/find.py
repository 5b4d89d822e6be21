"""Where the six batches of CIFAR-10 lie on this machine: in CIFAR10_DIR, or in Keras' cache."""

import os
from pathlib import Path

from .read import BATCHES

# Below Keras' folder for data sets: the archive, and the batches as Keras leaves them today and left them up to 3.4.
ARCHIVE = "cifar-10-batches-py-target_archive"
FOLDERS = ("cifar-10-batches-py-target/cifar-10-batches-py", "cifar-10-batches-py")


def find():
    """In words, where the batches are, and their folder; or None.

    Raises ValueError where CIFAR10_DIR names another folder, FileNotFoundError where there is no home folder.
    """
    if os.environ.get("CIFAR10_DIR"):
        return "CIFAR10_DIR", _own_folder(Path(os.path.expanduser(os.environ["CIFAR10_DIR"])))
    for folder in FOLDERS:
        if not missing(keras_folder() / folder):
            return "Keras' cache", keras_folder() / folder
    return None


def keras_folder():
    """Where Keras keeps data sets: below KERAS_HOME, or below ~/.keras. FileNotFoundError where there is no home."""
    try:
        return Path(os.environ.get("KERAS_HOME") or "~/.keras").expanduser() / "datasets"
    except RuntimeError:
        raise FileNotFoundError("no home folder; KERAS_HOME can name another") from None


def missing(folder):
    """The batches that `folder` lacks, or that this user may not read."""
    # Not Path.is_file, which raises PermissionError where a folder above belongs to somebody else.
    return [name for name in BATCHES if not (os.path.isfile(folder / name) and os.access(folder / name, os.R_OK))]


def _own_folder(folder):
    if not (lacking := missing(folder)):
        return folder
    inner = folder / "cifar-10-batches-py"
    right = "an extracted cifar-10-batches-py that this user may read" if missing(inner) else inner
    raise ValueError(f"CIFAR10_DIR={folder}: no {', '.join(lacking)} there; set it to {right}, or unset it")
