"""The data set: images, labels, and the parts that they are divided into. Taught in notebooks/01-data.

    python -m helpers.data

fetches CIFAR-10 before the lecture, and says what was found and where.
"""

import hashlib
import os
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from . import cache, cifar10
from .commands import replace_what_cannot_be_printed

CLASS_NAMES = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")

# Copies of CIFAR-10 are about whose pixels went through JPEG once. In every copy known to us the first 1,017 test
# images are the original ones, as all are in the official files: images shown are taken from these, and accuracy on
# them is reported beside the accuracy on all 10,000, so that numbers from any two copies can be compared.
ORIGINAL_TEST_IMAGES = 1017

# What sentences call a data set.
TITLES = {"cifar10": "CIFAR-10", "sketches": "the sketches"}

# How many sketches are drawn, and from which seed.
SKETCHES = {"train": (5_000, 0), "test": (1_000, 1)}


class _Parts:
    """What a Dataset and a Split have in common: training images, and a part that networks are evaluated on."""

    @property
    def title(self):
        """What sentences call the data set: "CIFAR-10" or "the sketches"."""
        return TITLES.get(self.name, self.name)

    def evaluation_part(self):
        """What a network is evaluated on after each epoch: the part's name in records, its images, its labels."""
        return self.PART, *self._arrays()[:1:-1]

    def digest(self):
        """SHA-256 over labels and pixels: records are comparable only where this agrees."""
        total = hashlib.sha256()
        for array in self._arrays():
            total.update(np.ascontiguousarray(array))
        return total.hexdigest()

    def description(self):
        """What a record says of the data set."""
        sizes = {"train_size": len(self.y_train), f"{self.PART}_size": len(self._arrays()[-1])}
        return {"name": self.name, "source": self.source, "digest": self.digest()} | sizes


@dataclass(frozen=True)
class Dataset(_Parts):
    """Images uint8 (n, 32, 32, 3), labels int64 (n,), the set's name, and where its bytes came from."""

    name: str
    source: str
    x_train: np.ndarray
    y_train: np.ndarray
    x_test: np.ndarray
    y_test: np.ndarray
    PART = "test"

    def _arrays(self):
        return self.y_train, self.x_train, self.y_test, self.x_test

    def subset(self, train, test):
        """The same data set with only its first `train` and `test` images.

        Raises ValueError where it has fewer.
        """
        for name, count, labels in (("train", train, self.y_train), ("test", test, self.y_test)):
            if not 0 <= count <= len(labels):
                raise ValueError(f"{name}={count}: expected 0 to {len(labels):,}, as many as {self.name} has")
        return Dataset(
            self.name,
            f"{self.source}, first {train:,} training and {test:,} test images",
            self.x_train[:train],
            self.y_train[:train],
            self.x_test[:test],
            self.y_test[:test],
        )

    def validation_split(self):
        """The training images without a tenth of them, and that tenth as the validation set: a Split.

        What is chosen, is chosen on the validation set. It holds the same images each time. Taught in 01-data.
        """
        validation, training = np.split(
            np.random.default_rng(0).permutation(len(self.y_train)), [len(self.y_train) // 10]
        )
        source = f"{self.source}; {len(validation):,} training images as validation set"
        return Split(self.name, source, self, training, validation)


@dataclass(frozen=True)
class Split(_Parts):
    """A data set for choosing: x_train, y_train, x_val and y_val as in `Dataset`, and no test images.

    Each is copied from `dataset` when it is first asked for: of CIFAR-10's training images that takes 138 MB.
    """

    name: str
    source: str
    dataset: Dataset
    training: np.ndarray
    validation: np.ndarray
    PART = "validation"

    x_train = cached_property(lambda self: self.dataset.x_train[self.training])
    y_train = cached_property(lambda self: self.dataset.y_train[self.training])
    x_val = cached_property(lambda self: self.dataset.x_train[self.validation])
    y_val = cached_property(lambda self: self.dataset.y_train[self.validation])

    def _arrays(self):
        return self.y_train, self.x_train, self.y_val, self.x_val


def to_float(images):
    """uint8 images in 0–255 as float32 in [0, 1], the scale on which networks, gradients and epsilon live.

    Raises TypeError unless `images` is a uint8 array.
    """
    images = np.asarray(images)
    if images.dtype != np.uint8:
        raise TypeError(
            f"images: expected uint8 in 0–255, got {images.dtype}; floats in [0, 1] need no conversion, "
            "whole numbers in 0–255 need .astype(np.uint8) first"
        )
    return np.divide(images, 255, dtype=np.float32)


def load(name=None, download=True):
    """The data set: CIFAR-10 where it can be had, else the drawn stand-in, with a printed line that says so.

    CIFAR-10 is looked for in the folder that CIFAR10_DIR names, in Keras' cache, and on the network. It has 50,000
    training and 10,000 test images, uint8 in 0–255. `name`, or else LECTURE_DATASET, "cifar10" or "sketches", forces
    one of the two. `download=False`, or LECTURE_DOWNLOAD=0, keeps off the network.
    Raises ValueError for another name and for files that are not what they should be, and FileNotFoundError where
    "cifar10" is forced and cannot be had.
    The arrays are read-only (`.copy()` makes one that is not), because they are mapped from a cache, `cache.folder()`,
    and shared by all processes on a machine.
    Source: Krizhevsky, Learning Multiple Layers of Features from Tiny Images, 2009. Taught in notebooks/01-data.
    """
    name, forced = _chosen(name), name is not None
    if name == "sketches":
        return _sketches()
    try:
        source, arrays = cifar10.load(download)
    except FileNotFoundError as reason:
        if name == "cifar10":
            raise FileNotFoundError(
                f"CIFAR-10 is not on this machine ({reason}). Run `make data` where there is a network, or point "
                "CIFAR10_DIR at an extracted cifar-10-batches-py"
                + ("" if forced else "; LECTURE_DATASET=sketches chooses the stand-in")
            ) from None
        print(
            f"CIFAR-10 is not on this machine ({reason}): this is the drawn stand-in, `sketches`, instead. `make data` "
            "fetches CIFAR-10 where there is a network."
        )
        return _sketches()
    return Dataset("cifar10", source, **arrays)


def _chosen(name):
    origin = "name"
    if name is None:
        origin, name = "LECTURE_DATASET", os.environ.get("LECTURE_DATASET") or None
    if name not in (None, "cifar10", "sketches"):
        raise ValueError(f"{origin}={name!r}: expected 'cifar10' or 'sketches', or nothing for what can be had")
    return name


def _sketches():
    """5,000 training and 1,000 test drawings, kept after the first time."""
    # Here, because Pillow is needed only where there is no CIFAR-10.
    import PIL

    from . import sketches

    def fill(arrays):
        print("Drawing the sketches; this takes a few seconds, once on this machine.", flush=True)
        for part, (count, seed) in SKETCHES.items():
            arrays[f"x_{part}"][:], arrays[f"y_{part}"][:] = sketches.draw(count, seed)

    layout = [("x_train", "u1", (SKETCHES["train"][0], 32, 32, 3)), ("y_train", "i8", (SKETCHES["train"][0],))]
    layout += [("x_test", "u1", (SKETCHES["test"][0], 32, 32, 3)), ("y_test", "i8", (SKETCHES["test"][0],))]
    # All that could change a drawing.
    code = hashlib.sha256(Path(sketches.__file__).read_bytes()).hexdigest()
    arrays = cache.arrays("sketches", layout, [SKETCHES, PIL.__version__, np.__version__, code], fill)
    return Dataset("sketches", "drawings made by helpers/sketches.py, in place of CIFAR-10", **arrays)


def main():
    replace_what_cannot_be_printed()
    try:
        dataset = load("cifar10")
    except (FileNotFoundError, ValueError) as error:
        raise SystemExit(str(error)) from None
    except KeyboardInterrupt:
        raise SystemExit("interrupted; the same command continues from there") from None
    _, folder = cifar10.locate(download=False)
    print(f"{dataset.source}: {len(dataset.x_train):,} training and {len(dataset.x_test):,} test images")
    print(f"in {folder}")


if __name__ == "__main__":
    main()
