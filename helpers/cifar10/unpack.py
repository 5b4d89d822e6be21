"""Unpack the archive of CIFAR-10: the six batches, and nothing else that it might hold."""

import gzip
import shutil
import tarfile
import zlib

from .read import BATCHES

# How far an archive is followed before it is refused: unpacked it has 186 MB.
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
                # By its exact name, and as a file: what else there is, a link or a device, is written nowhere.
                if (name := member.name.removeprefix("cifar-10-batches-py/")) in BATCHES and member.isfile():
                    with open(beside / name, "wb") as file:
                        shutil.copyfileobj(tar.extractfile(member), file)
        if missing := [name for name in BATCHES if not (beside / name).is_file()]:
            raise ValueError(f"it holds no {', '.join(missing)}")
        shutil.rmtree(folder, ignore_errors=True)
        beside.replace(folder)
    except (ValueError, tarfile.TarError, EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise ValueError(f"{archive} is not the archive of CIFAR-10 ({error}); delete it") from None
    finally:
        shutil.rmtree(beside, ignore_errors=True)


class _UpTo:
    """A file that ends in an error after so many bytes: an archive of zeros unpacks to a thousand times its size."""

    def __init__(self, file, most):
        self.file, self.left = file, most

    def read(self, size):
        self.left -= size
        if self.left < 0:
            raise ValueError("it holds more than CIFAR-10")
        return self.file.read(size)
