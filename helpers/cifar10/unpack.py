"""Unpack the archive of CIFAR-10: the six batches, and nothing else that it might hold."""

import gzip
import shutil
import tarfile
import zlib

from .read import BATCHES, LARGEST_BATCH

# What the archive holds beside the batches. Anything else is refused.
OTHER_MEMBERS = ("cifar-10-batches-py", "cifar-10-batches-py/batches.meta", "cifar-10-batches-py/readme.html")
# How far it is followed before it is refused: unpacked it has 186 MB.
LARGEST_ARCHIVE = 250_000_000


def unpack(archive, folder):
    """Unpack the six batches beside `folder` and move them there in one step: a folder that is there is whole.

    Raises ValueError if `archive` is not that of CIFAR-10, and OSError if the disk does not take them.
    """
    beside = folder.parent / f"{folder.name}.new"
    shutil.rmtree(beside, ignore_errors=True)  # left by a process that was killed here
    beside.mkdir(parents=True)
    try:
        with gzip.open(archive) as unzipped, tarfile.open(fileobj=_UpTo(unzipped, LARGEST_ARCHIVE), mode="r|") as tar:
            for member in tar:
                _unpack_member(tar, member, beside)
        if missing := [name for name in BATCHES if not (beside / name).is_file()]:
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
