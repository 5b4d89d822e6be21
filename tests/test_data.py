import contextlib
import copy
import gzip
import hashlib
import http.server
import os
import pickle
import random
import re
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tarfile
import threading
import time
import tracemalloc
import weakref
from collections import Counter
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from helpers import data, sketches

ROOT = Path(data.__file__).parents[1]

# One picture as a batch holds it, 3,072 bytes, with another value in every channel and row; and labels in turn.
PICTURE = np.arange(3072, dtype=np.uint32) // 12 % 256
LABELS = list(range(10)) * 1_000
PINNED_SHA256 = data.ARCHIVE_SHA256


def number(value):
    return b"J" + value.to_bytes(4, "little", signed=True)


def text(value):
    return b"U" + bytes([len(value)]) + value


def batch(picture=PICTURE, labels=LABELS, *, shape=(10_000, 3072), code=b"u1", fortran=False, raw=None):
    """A batch as CIFAR-10's authors wrote it with Python 2: pickle protocol 2, strings as bytes."""
    raw = np.tile(picture.astype(np.uint8), 10_000).tobytes() if raw is None else raw
    array = b"cnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\n" + number(0) + b"\x85" + text(b"b") + b"tR"
    dtype = b"cnumpy\ndtype\n(" + text(code) + number(0) + number(1) + b"tR"
    dtype += b"(" + number(3) + text(b"|") + b"NNN" + number(-1) + number(-1) + number(0) + b"tb"
    state = b"(" + number(1) + b"(" + b"".join(map(number, shape)) + b"t" + dtype + (b"\x88" if fortran else b"\x89")
    state += b"T" + len(raw).to_bytes(4, "little") + raw + b"t"
    listed = b"](" + b"".join(map(number, labels)) + b"e"
    return b"\x80\x02}(" + text(b"labels") + listed + text(b"data") + array + state + b"bu."


@pytest.fixture(scope="session")
def folder(tmp_path_factory):
    """Six batches of the official layout: training picture number n of a batch is all the same, brighter by n."""
    folder = tmp_path_factory.mktemp("cifar") / "cifar-10-batches-py"
    folder.mkdir()
    for number, name in enumerate(data.BATCHES):
        (folder / name).write_bytes(batch((PICTURE + number) % 256))
    return folder


@pytest.fixture(scope="session")
def archive(folder):
    """The archive of that folder, a megabyte."""
    path = folder.parent / "cifar-10-python.tar.gz"
    with tarfile.open(path, "w:gz", compresslevel=1) as tar:
        tar.add(folder, "cifar-10-batches-py")
    return path


@pytest.fixture(scope="session")
def photographs():
    """CIFAR-10 where this machine has it; asked for before the other fixtures hide it."""
    try:
        return data.load("cifar10", download=False)
    except FileNotFoundError as error:
        pytest.skip(str(error))


@pytest.fixture(autouse=True)
def machine(request, tmp_path, monkeypatch):
    """A machine with empty caches, without a network and without settings. Returns Keras' folder for data sets."""
    if "photographs" in request.fixturenames:
        request.getfixturevalue("photographs")
    for name in ("CIFAR10_DIR", "LECTURE_DATASET", "LECTURE_DOWNLOAD"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "keras"))
    monkeypatch.setenv("LECTURE_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(data, "MIRRORS", ("http://127.0.0.1:9/nobody-listens",))
    monkeypatch.setattr(data, "SKETCHES", {"train": (30, 0), "test": (20, 1)})
    return tmp_path / "keras" / "datasets"


class Handler(http.server.BaseHTTPRequestHandler):
    """Serves one archive, and what can go wrong with it: one method for each name."""

    def do_GET(self):
        name = self.path[1:]
        span = re.match(r"bytes=(\d+)-", self.headers.get("Range", ""))
        self.start = int(span[1]) if span else 0
        self.server.asked.append(f"{name} from {self.start:,}" if self.start else name)
        self.content = self.server.content
        with contextlib.suppress(OSError):  # the client has gone
            getattr(self, name)()

    def log_message(self, *_):
        pass

    def head(self, status=200, length=None, **headers):
        self.send_response(status)
        if length is not None:
            headers["Content-Length"] = length
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()

    def partial(self, whole=None):
        """The headers of an answer that goes on where the client asked."""
        size = whole or len(self.content)
        span = {"Content_Range": f"bytes {self.start}-{size - 1}/{size}"} if self.start else {}
        self.head(206 if self.start else 200, size - self.start, **span)

    def slowly(self, content, pause):
        for place in range(0, len(content), 5_000):
            self.wfile.write(content[place : place + 5_000])
            if self.server.over.wait(pause):
                return

    def right(self):
        self.partial()
        self.wfile.write(self.content[self.start :])

    def whole(self):
        """Knows no ranges."""
        self.head(200, len(self.content))
        self.wfile.write(self.content)

    def unsized(self):
        """Does not say how long it is."""
        self.head()
        self.wfile.write(self.content)

    def tampered(self):
        self.partial()
        self.wfile.write(bytes([self.content[self.start] ^ 1]) + self.content[self.start + 1 :])

    def missing(self):
        self.send_error(404)

    def page(self):
        """What a network's login page looks like from here."""
        self.head(200, 20)
        self.wfile.write(b"<html>Log in</html>\n")

    def page_unsized(self):
        self.head()
        self.wfile.write(b"<html>Log in</html>\n")

    def longer(self):
        self.partial(len(self.content) + 5)
        self.wfile.write(self.content[self.start :] + b"12345")

    def endless(self):
        self.head()
        while not self.server.over.is_set():
            self.wfile.write(bytes(1 << 20))

    def dropped(self):
        """Breaks off after a third of the whole."""
        self.partial()
        self.wfile.write(self.content[self.start :][: len(self.content) // 3])

    def reset(self):
        """Breaks off with a reset instead of an end."""
        self.partial()
        self.wfile.write(self.content[self.start :][:5_000])
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.connection.close()

    def another_part(self):
        """Sends the beginning, whatever was asked for."""
        self.head(206, len(self.content) - self.start, Content_Range=f"bytes 0-{len(self.content) - 1}/*")
        self.wfile.write(self.content[: len(self.content) - self.start])

    def stalled(self):
        self.partial()
        self.wfile.write(self.content[self.start :][:5_000])
        self.server.over.wait(20)

    def silent(self):
        self.server.over.wait(20)

    def slow_headers(self):
        for byte in b"HTTP/1.1 200 OK\r\nX: " + b"x" * 200:
            self.wfile.write(bytes([byte]))
            if self.server.over.wait(0.1):
                return

    def trickle(self):
        """50 kB a second."""
        self.partial()
        self.slowly(self.content[self.start :], 0.1)

    def paced(self):
        """The whole in about a second."""
        self.partial()
        for place in range(self.start, len(self.content), len(self.content) // 20 + 1):
            self.wfile.write(self.content[place : place + len(self.content) // 20 + 1])
            time.sleep(0.05)

    def held(self):
        """Nothing, until the test says so."""
        self.partial()
        self.server.go.wait(25)
        self.wfile.write(self.content[self.start :])

    def circle(self):
        self.head(302, 0, Location="/circle")

    def elsewhere(self):
        self.head(302, 0, Location="/right")

    def to_a_file(self):
        self.head(302, 0, Location=Path(__file__).as_uri())


@pytest.fixture
def server(monkeypatch):
    """A real server on this machine. `server.urls(*names)` makes these its mirrors; `server.asked` is the log."""
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:

        def serves(content):
            server.content = content
            monkeypatch.setattr(data, "ARCHIVE_BYTES", len(content))
            monkeypatch.setattr(data, "ARCHIVE_SHA256", hashlib.sha256(content).hexdigest())

        server.asked, server.over, server.serves = [], threading.Event(), serves
        server.urls = lambda *names: monkeypatch.setattr(
            data, "MIRRORS", tuple(f"http://127.0.0.1:{server.server_port}/{name}" for name in names)
        )
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.over.set()
        server.shutdown()


@pytest.fixture
def mirrors(server, archive):
    """The server, delivering the archive of the `folder`."""
    server.serves(archive.read_bytes())
    return server


def files(folder):
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


def place(folder, target):
    shutil.copytree(folder, target, copy_function=os.link)


def assert_is_the_folder(dataset):
    assert dataset.name == "cifar10" and dataset.x_train.shape == (50_000, 32, 32, 3)
    assert dataset.x_test.shape == (10_000, 32, 32, 3)
    assert dataset.x_train.dtype == dataset.x_test.dtype == np.uint8
    assert dataset.y_train.dtype == dataset.y_test.dtype == np.int64
    assert dataset.y_train.tolist() == LABELS * 5 and dataset.y_test.tolist() == LABELS
    for images, number in ((dataset.x_train[10_000:20_000], 1), (dataset.x_test, 5)):
        expected = ((PICTURE + number) % 256).reshape(3, 32, 32)
        assert all((images[..., c] == expected[c]).all() for c in range(3))


# Photographs.


def test_the_photographs_are_cifar10(photographs):
    assert photographs.y_train[:10].tolist() == [6, 9, 9, 4, 1, 1, 2, 7, 8, 3]
    assert photographs.y_test[:10].tolist() == [3, 8, 8, 0, 6, 6, 1, 6, 3, 1]
    assert set(Counter(photographs.y_train.tolist()).values()) == {5_000}
    assert set(Counter(photographs.y_test.tolist()).values()) == {1_000}
    # The first test picture, a cat: its first pixel, and the hash of the pixels that all copies share.
    assert photographs.x_test[0, 0, 0].tolist() == [158, 112, 49]
    original = np.ascontiguousarray(photographs.x_test[: data.ORIGINAL_TEST_IMAGES])
    assert hashlib.sha256(original).hexdigest().startswith("48bde46fb9080c13")


def test_photographs_are_read_in_seconds_and_little_memory(folder, monkeypatch):
    monkeypatch.setenv("CIFAR10_DIR", str(folder))
    begin = time.process_time()  # of this processor: from a warm disk there is nothing else to wait for
    dataset = data.load()
    assert time.process_time() - begin < 5
    assert_is_the_folder(dataset)
    assert dataset.source == "CIFAR10_DIR, 6 of 6 batches are not the official bytes"
    size = dataset.x_train.nbytes + dataset.x_test.nbytes
    del dataset
    tracemalloc.start()
    data.load()
    assert tracemalloc.get_traced_memory()[1] < 1.4 * size
    tracemalloc.stop()


def test_a_second_load_hands_out_what_is_in_memory(folder, tmp_path, monkeypatch):
    """A cell that is run again holds the old data set while it asks for the new one: two take 370 MB."""
    own = shutil.copytree(folder, tmp_path / "own")
    monkeypatch.setenv("CIFAR10_DIR", str(own))
    dataset = data.load()
    assert data.load() is dataset
    assert data.load("cifar10", download=False) is dataset
    (own / "test_batch").write_bytes(batch(labels=LABELS[::-1]))
    changed = data.load()
    assert changed.y_test.tolist() == LABELS[::-1] and dataset.y_test.tolist() == LABELS
    alive = weakref.ref(changed)
    del changed
    assert alive() is None, "without a holder it leaves the memory"


@pytest.mark.parametrize("name", ["cifar10", "sketches"])
def test_nobody_changes_what_another_cell_holds(name, folder, monkeypatch):
    monkeypatch.setenv("CIFAR10_DIR", str(folder))
    monkeypatch.setattr(data, "SKETCHES", {"train": (20, 0), "test": (10, 1)})
    dataset = data.load(name)
    for array in (dataset.x_train, dataset.y_train, dataset.x_test, dataset.y_test, dataset.subset(10, 10).x_train[:1]):
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 0
        array.copy()[0] = 0


# Where CIFAR-10 is found.


def test_bytes_with_the_right_md5_are_called_official(folder, monkeypatch):
    monkeypatch.setenv("CIFAR10_DIR", str(folder))
    md5 = {name: hashlib.md5((folder / name).read_bytes()).hexdigest() for name in data.BATCHES}
    monkeypatch.setattr(data, "BATCHES", md5)
    assert data.load().source == "CIFAR10_DIR, official bytes"
    monkeypatch.setattr(data, "BATCHES", md5 | {"test_batch": "0" * 32})
    assert data.load().source == "CIFAR10_DIR, 1 of 6 batches are not the official bytes"


def test_a_broken_cifar10_dir_is_an_error_even_where_another_copy_lies(folder, machine, tmp_path, monkeypatch):
    place(folder, machine / "cifar-10-batches-py")
    monkeypatch.setenv("CIFAR10_DIR", str(tmp_path / "nowhere"))
    with pytest.raises(ValueError, match="CIFAR10_DIR=.*nowhere: no data_batch_1, .*test_batch there; .*unset"):
        data.load()
    monkeypatch.setenv("CIFAR10_DIR", str(folder.parent))
    with pytest.raises(ValueError, match="set it to .*cifar-10-batches-py, or unset it"):
        data.load()


@pytest.mark.parametrize("layout", ["cifar-10-batches-py-target/cifar-10-batches-py", "cifar-10-batches-py"])
def test_both_layouts_of_keras_cache(layout, folder, machine):
    place(folder, machine / layout)
    dataset = data.load(download=False)
    assert dataset.source.startswith("Keras cache, ")
    assert_is_the_folder(dataset)


def test_keras_cache_in_the_home_folder(folder, tmp_path, monkeypatch):
    monkeypatch.delenv("KERAS_HOME")
    for name in ("HOME", "USERPROFILE"):
        monkeypatch.setenv(name, str(tmp_path))
    place(folder, tmp_path / ".keras" / "datasets" / "cifar-10-batches-py")
    assert data._find(download=False)[0] == "Keras cache"


# The download.


KEPT = [
    *(f"cifar-10-batches-py-target/cifar-10-batches-py/{name}" for name in sorted(data.BATCHES)),
    "cifar-10-batches-py-target_archive",
    "cifar-10.lock",
]


def test_a_download_after_tensorflow_was_imported(server, target):
    """As in every notebook: a downloader that shares a library with TensorFlow, such as pycurl, fails only then."""
    import tensorflow  # noqa: F401

    server.urls("right")
    assert data._fetch(target) == {}


def test_a_download_is_kept(mirrors, machine, capsys):
    mirrors.urls("missing", "tampered", "dropped", "right", "never_asked")
    dataset = data.load()
    assert dataset.source.startswith("download, ")
    assert_is_the_folder(dataset)
    assert mirrors.asked[:3] == ["missing", "tampered", "dropped"] and mirrors.asked[3].startswith("right from ")
    printed = capsys.readouterr()
    assert printed.out.count("Fetching CIFAR-10, 170 MB, from 127.0.0.1") == 4
    assert re.search(r"\d\.\d\dM/\d\.\d\dM \[.*B/s\]", printed.err), "speed and time left"
    assert files(machine) == KEPT
    assert data._find(download=False)[0] == "Keras cache"

    # A batch that is missing is unpacked again, from the archive that is there.
    (machine / KEPT[0]).unlink()
    assert data._find(download=True) == ("download", (machine / KEPT[0]).parent)
    assert (machine / KEPT[0]).exists() and len(mirrors.asked) == 4 and files(machine) == KEPT


@pytest.mark.filterwarnings("ignore:Skipping invalid path")
def test_keras_finds_what_we_downloaded(mirrors, machine, monkeypatch):
    mirrors.urls("right")
    data._find(download=True)
    keras = pytest.importorskip("keras")
    from keras.src.datasets import cifar10

    def get_file(file_hash, **arguments):
        assert file_hash == PINNED_SHA256
        return keras.utils.get_file(file_hash=data.ARCHIVE_SHA256, cache_dir=machine.parent, **arguments)

    monkeypatch.setattr(cifar10, "get_file", get_file)
    monkeypatch.setattr("keras.src.utils.file_utils.urlretrieve", lambda *_: pytest.fail("Keras fetched it again"))
    _, (x_test, y_test) = cifar10.load_data()
    assert (x_test[:, :, :, 0] == ((PICTURE + 5) % 256)[:1024].reshape(32, 32)).all()
    assert y_test.ravel().tolist() == LABELS


@pytest.fixture
def target(server, tmp_path, monkeypatch):
    """Where `_fetch` is to put 300 kB that stand in for the archive; some seconds are a long time here."""
    server.serves(np.random.default_rng(0).bytes(300_000))
    monkeypatch.setattr(data, "CONNECT_SECONDS", 2)
    monkeypatch.setattr(data, "SLOWEST", (300_000, 1))
    monkeypatch.setattr(data, "SLOWEST_OF_THE_LAST", (1, 3))
    monkeypatch.setattr(data, "WORTH_ANOTHER_TRY", 10_000)
    return tmp_path / "archive"


FAULTS = {
    "missing": "HTTP 404",
    "page": "wrong length",
    "page_unsized": "wrong length",
    "longer": "wrong length",
    "endless": "wrong length",
    "tampered": "wrong checksum",
    "reset": "broken off",
    "stalled": "too slow",
    "silent": "too slow",
    "slow_headers": "too slow",
    "trickle": "too slow",
    "circle": "redirects in circles",
    "to_a_file": "off the web",
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_server_that_fails_gives_way(fault, server, target):
    server.urls(fault, "right")
    begin = time.monotonic()
    assert data._fetch(target) == {}
    assert time.monotonic() - begin < 15
    assert target.read_bytes() == server.content and files(target.parent) == ["archive"]
    assert [name.split()[0] for name in server.asked if name != "circle"] == [fault, "right"][fault == "circle" :]
    assert fault != "circle" or len(server.asked) < 10


@pytest.mark.parametrize("fault", sorted(set(FAULTS) - {"trickle"}))
def test_the_reason_is_said(fault, server, target):
    server.urls(fault)
    (reason,) = data._fetch(target)
    assert FAULTS[fault] in reason
    junk = fault in ("page", "page_unsized", "longer", "endless", "tampered", "missing", "circle", "to_a_file")
    left = (target.parent / "archive.part").stat().st_size if (target.parent / "archive.part").exists() else 0
    assert (left == 0) == (junk or fault in ("silent", "slow_headers"))  # what is no archive is not gone on with


def test_the_last_server_may_be_slow(server, target):
    server.serves(server.content[:100_000])
    server.urls("trickle")
    assert data._fetch(target) == {} and server.asked == ["trickle"]


def test_a_transfer_goes_on_where_it_broke_off(server, target):
    server.urls("dropped")
    assert data._fetch(target) == {}
    assert server.asked == ["dropped", "dropped from 100,000", "dropped from 200,000"]
    assert target.read_bytes() == server.content


def test_a_later_call_goes_on_too(server, target):
    server.urls("stalled")
    assert data._fetch(target) == {"too slow": 1}
    server.urls("elsewhere")
    assert data._fetch(target) == {}
    assert server.asked[1:] == ["elsewhere from 5,000", "right from 5,000"]


def test_half_an_archive_of_keras_is_gone_on_with(server, target):
    target.write_bytes(server.content[:200_000])
    server.urls("right")
    assert data._fetch(target) == {} and server.asked == ["right from 200,000"]


@pytest.mark.parametrize("name", ["whole", "unsized", "another_part"])
def test_servers_that_cannot_continue_are_asked_from_the_beginning(name, server, target):
    target.write_bytes(server.content[:200_000])
    server.urls("missing", name)
    assert data._fetch(target) == {} and target.read_bytes() == server.content
    assert server.asked == ["missing from 200,000", f"{name} from 200,000", "missing", name]


def test_a_server_that_can_continue_is_preferred(server, target):
    target.write_bytes(server.content[:200_000])
    server.urls("whole", "right")
    assert data._fetch(target) == {} and server.asked == ["whole from 200,000", "right from 200,000"]


@pytest.mark.parametrize("kept", [bytes(100), bytes(299_999), bytes(300_000), bytes(400_000)])
def test_wrong_bytes_from_elsewhere_do_not_spoil_it(kept, server, target):
    target.write_bytes(kept)
    server.urls("right")
    assert data._fetch(target) == {}
    assert target.read_bytes() == server.content and server.asked[-1] == "right"


def test_no_server_delivers(mirrors, machine, monkeypatch, capsys):
    monkeypatch.setattr(data, "SLOWEST_OF_THE_LAST", (1, 1))
    mirrors.urls("missing", "tampered", "missing", "stalled")
    with pytest.raises(FileNotFoundError) as error:
        data.load("cifar10")
    reasons = "HTTP 404 from 2 of 4 servers, wrong checksum from 1 of 4 servers, too slow from 1 of 4 servers"
    for part in (reasons, "make data", "CIFAR10_DIR"):
        assert part in str(error.value)
    assert files(machine) == ["cifar-10-batches-py-target_archive.part", "cifar-10.lock"]
    mirrors.urls("missing")
    assert data.load().name == "sketches"
    (line,) = [line for line in capsys.readouterr().out.splitlines() if "stand-in" in line]
    assert "sketches" in line and "HTTP 404" in line


def test_without_a_network_the_stand_in_comes_at_once(capsys):
    begin = time.monotonic()
    assert data.load().name == "sketches"
    assert time.monotonic() - begin < 5
    assert "no connection from 1 of 1 servers" in capsys.readouterr().out


def test_a_cache_that_cannot_be_written(mirrors, machine, capsys):
    machine.parent.write_text("a file where the folder should be")
    mirrors.urls("right")
    assert data.load().name == "sketches"
    assert f"{machine} cannot keep it" in capsys.readouterr().out


# The download in processes of its own.


def start(body, machine, **options):
    """A Python process that has this process's mirrors, runs `body`, and prints to pipes as text."""
    names = ("MIRRORS", "ARCHIVE_BYTES", "ARCHIVE_SHA256", "SLOWEST", "SLOWEST_OF_THE_LAST", "SKETCHES")
    facts = "".join(f"data.{name} = {getattr(data, name)!r}\n" for name in names)
    return subprocess.Popen(
        [*options.pop("before", ()), sys.executable, "-c", f"from helpers import data\n{facts}{body}"],
        cwd=machine.parents[1],
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        **options,
    )


def wait_until(condition, seconds=30):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_processes_that_start_at_once_download_once(mirrors, machine):
    mirrors.urls("held")
    mirrors.go = threading.Event()
    processes = [start("print(data._find(download=True)[0])", machine) for _ in range(3)]
    first = [process.stdout.readline() for process in processes]  # each is at the lock
    mirrors.go.set()
    printed = [line + process.communicate(timeout=60)[0] for line, process in zip(first, processes, strict=True)]
    assert mirrors.asked == ["held"]
    assert sorted("Another process" in text for text in printed) == [False, True, True]
    assert files(machine) == KEPT


@pytest.mark.skipif(sys.platform == "win32", reason="no SIGINT to send on Windows")
def test_ctrl_c_leaves_what_the_next_call_goes_on_with(mirrors, machine):
    mirrors.urls("trickle")
    # Where the tests themselves run in the background, Ctrl-C is ignored unless asked for.
    process = start("import signal\nsignal.signal(signal.SIGINT, signal.default_int_handler)\ndata.main()", machine)
    part = machine / "cifar-10-batches-py-target_archive.part"
    wait_until(lambda: part.exists() and part.stat().st_size)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=10)
    assert process.returncode and errors.splitlines()[-1] == "interrupted; the same command goes on from there"
    assert "Traceback" not in errors and files(machine) == [part.name, "cifar-10.lock"]
    mirrors.urls("right")
    assert data._find(download=True)[0] == "download"
    assert re.fullmatch(r"right from [\d,]+", mirrors.asked[-1]) and files(machine) == KEPT


def stage(machine):
    """How far a download has come, by what lies there."""
    left = files(machine) if machine.exists() else []
    for part, name in ((".new/", "unpacking"), ("-target/", "finished"), (".part", "transfer"), ("archive", "archive")):
        if any(part in path for path in left):
            return name
    return "nothing"


@pytest.mark.parametrize("kills", [3, pytest.param(50, marks=pytest.mark.long)])
def test_a_killed_download_is_taken_up(kills, mirrors, machine, capsys):
    """SIGKILL at a random moment of the transfer or of unpacking; what was finished by then is begun anew."""
    chance, found = random.Random(0), Counter()
    mirrors.urls("paced")
    for _ in range(kills):
        before = stage(machine)
        process = start("data._find(download=True)", machine)
        # Once the archive is there, only unpacking is left.
        wanted = (
            "unpacking" if before in ("archive", "unpacking") else chance.choice(("transfer", "transfer", "unpacking"))
        )
        wait_until(lambda wanted=wanted, process=process: stage(machine) == wanted or process.poll() is not None)
        time.sleep(chance.uniform(0, {"transfer": 0.6, "unpacking": 0.15}[wanted]))
        process.kill()
        process.communicate()
        found[stage(machine)] += 1
        # Nothing that had arrived was lost.
        assert before not in ("archive", "unpacking") or stage(machine) != "transfer"
        if stage(machine) == "finished":
            assert_is_the_folder(data.load("cifar10", download=False))
        if stage(machine) in ("finished", "unpacking") and chance.random() < 0.7:
            shutil.rmtree(machine)
    assert data._find(download=True)[0] in ("download", "Keras cache")
    with capsys.disabled():
        print(f"\n{kills} downloads killed, which left {dict(found)}")
    assert found["transfer"] and found["transfer"] + found["unpacking"] > kills / 2
    assert files(machine) == KEPT
    assert_is_the_folder(data.load("cifar10", download=False))


def in_small_disk(own_mounts, machine, size, *steps):
    """Run Python steps where Keras' folder is a file system of its own, of `size`, seen by that process alone."""
    machine.parent.mkdir()
    home = str(machine.parent)
    mount = (
        "import os, subprocess, sys\n"
        "def mount(*options): subprocess.run(['mount', *options], check=True)\n"
        f"home = {home!r}; mount('-t', 'tmpfs', '-o', 'size={size}', 'tmpfs', home)\n"
        "def left(): return sorted(os.path.relpath(os.path.join(top, name), home)"
        " for top, _, names in os.walk(home) for name in names)\n"
    )
    process = start(mount + "\n".join(steps), machine, before=own_mounts)
    printed, errors = process.communicate()
    assert process.returncode == 0, errors
    return printed, errors


TRY = "try: data.load('cifar10')\nexcept FileNotFoundError as error: print(error)"
ROOM = "mount('-o', 'remount,size=400m', home)\nprint(data.load('cifar10').source)\nprint(left())"


@pytest.mark.parametrize("size", ["200k", "100m"], ids=["transfer", "unpacking"])
def test_a_full_disk(size, own_mounts, mirrors, machine):
    mirrors.urls("right")
    printed, errors = in_small_disk(own_mounts, machine, size, TRY, "print(data.load().name)", "print(left())", ROOM)
    assert f"{machine} cannot keep it, which takes 350 MB: No space left on device" in printed
    kept = "target_archive.part" if size == "200k" else "target_archive"
    lines = printed.splitlines()
    assert "sketches" in lines
    assert f"['datasets/cifar-10-batches-py-{kept}', 'datasets/cifar-10.lock']" in lines
    # With room, the same call finishes from there.
    assert lines[-2].startswith("download, ") and lines[-1] == str([f"datasets/{name}" for name in KEPT])
    assert "Traceback" not in errors
    again = mirrors.asked[1:]
    assert all(" from " in name for name in again) and bool(again) == (size == "200k")


def test_a_read_only_disk(own_mounts, mirrors, machine):
    mirrors.urls("right")
    printed, errors = in_small_disk(
        own_mounts,
        machine,
        "400m",
        "mount('-o', 'remount,ro', home)",
        TRY,
        "os.environ['LECTURE_CACHE'] = home",
        "print(data.load().name, left())",
    )
    assert f"{machine} cannot keep it, which takes 350 MB: Read-only file system" in printed
    assert printed.splitlines()[-1] == "sketches []" and not mirrors.asked and "Traceback" not in errors


@pytest.mark.skipif(not hasattr(os, "getuid") or os.getuid() != 0, reason="only root can become a user without a home")
def test_a_user_without_a_home(machine):
    body = """
import os, platformdirs
from helpers import sketches
sketches.draw(1, 0)  # imports what that user may not be allowed to read
for name in ("HOME", "KERAS_HOME", "LECTURE_CACHE"):
    os.environ.pop(name, None)
os.setuid(54321)
print(data.load().name, data.load("sketches").name)
"""
    machine.parents[1].chmod(0o777)
    process = start(body, machine)
    printed, errors = process.communicate()
    assert process.returncode == 0, errors
    assert "no home folder; KERAS_HOME can name another" in printed and printed.endswith("sketches sketches\n")
    assert files(machine.parents[1]) == []


@pytest.mark.parametrize("way", ["argument", "variable"])
def test_a_forbidden_download_asks_nobody(way, server, monkeypatch, capsys):
    server.urls("right")
    if way == "variable":
        monkeypatch.setenv("LECTURE_DOWNLOAD", "0")
    assert data.load(download=way == "variable").name == "sketches"
    reason = {"argument": "download=False", "variable": "LECTURE_DOWNLOAD=0"}[way]
    assert f"{reason} forbids" in capsys.readouterr().out
    assert server.asked == []
    monkeypatch.setenv("LECTURE_DATASET", "cifar10")
    with pytest.raises(FileNotFoundError, match=f"{reason} forbids"):
        data.load(download=way == "variable")


def test_make_data_says_what_was_found_and_where(folder, monkeypatch, capsys):
    with pytest.raises(SystemExit, match="CIFAR-10 is not on this machine"):
        data.main()
    monkeypatch.setenv("CIFAR10_DIR", str(folder))
    monkeypatch.setenv("LECTURE_DATASET", "sketches")
    data.main()
    printed = capsys.readouterr().out
    assert "50,000" in printed and "6 of 6 batches are not the official bytes" in printed and str(folder) in printed


# What a file may hold.


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
    """A tuple of a tuple of …, each twice: 4 bytes a level, and twice the work to look at all of it."""
    return b")" + b"".join(b"q" + bytes([n]) + b"h" + bytes([n]) + b"\x86" for n in range(depth))


# What would run or build something, or take memory or time without bound, in Python's own unpickler.
HOSTILE = {
    "os.system": lambda mark: dumped(Trap(os.system, f'echo > "{mark}"')),
    "eval": lambda mark: dumped(Trap(eval, f"open({mark!r}, 'w')")),
    "exec": lambda mark: dumped(Trap(exec, f"open({mark!r}, 'w')")),
    "nested": lambda mark: dumped({b"labels": LABELS, b"data": [[Trap(eval, f"open({mark!r}, 'w')")]]}),
    "getattr": lambda mark: dumped(Trap(getattr, "text", "upper")),
    "import": lambda mark: dumped(Trap(__import__, "antigravity")),
    "numpy.savetxt": lambda mark: dumped(Trap(np.savetxt, mark, [1])),
    "numpy.fromfile": lambda mark: written_over(b"cnumpy\nfromfile\n"),
    "nested global": lambda mark: written_over(b"cnumpy\ncore.os.system\n"),
    "name by stack": lambda mark: b"\x80\x02" + text(b"os") + text(b"system") + b"\x93.",
    "the newest protocol": lambda mark: pickle.dumps(Trap(os.system, f'echo > "{mark}"')),
    "instance": lambda mark: b"\x80\x02(" + text(mark.encode()) + b"ios\nmkdir\n.",
    "object": lambda mark: b"\x80\x02(cos\nmkdir\n" + text(mark.encode()) + b"o.",
    "new object": lambda mark: b"\x80\x02cnumpy\ndtype\n(t\x81.",
    "extension registry": lambda mark: b"\x80\x02\x82\x01.",
    "persistent id": lambda mark: b"\x80\x02" + text(mark.encode()) + b"Q.",
    "without protocol": lambda mark: b"(S'echo > " + mark.encode() + b"'\nios\nsystem\n.",
    "long name": lambda mark: b"\x80\x02c" + b"x" * 100_000 + b"\ny\n.",
    "call of what was made": lambda mark: written_over(b"cnumpy\ndtype\n(tR(tR"),
    "state of a name": lambda mark: b"\x80\x02cnumpy\ndtype\n}b.",
    "state of a list": lambda mark: b"\x80\x02]}b.",
    "memo beyond memory": lambda mark: b"\x80\x02]r" + b"\xff" * 4 + b".",
    "memo that is empty": lambda mark: b"\x80\x02j\x05\x00\x00\x00.",
    "string that is not there": lambda mark: b"\x80\x02T\xff\xff\xff\x7f.",
    "string of negative size": lambda mark: b"\x80\x02T\xff\xff\xff\xff.",
    "hash for ever": lambda mark: b"\x80\x02}(" + nested_pairs(60) + b"Nu.",
    "comparison for ever": lambda mark: batch(raw=b"").replace(
        b"".join(map(number, (10_000, 3072))), b"0" + nested_pairs(60)[1:]
    ),
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
    "fewer pictures": batch(shape=(5_000, 3072), raw=bytes(5_000 * 3072)),
    "another number format": batch(code=b"i1"),
    "another order": batch(fortran=True),
    "too few labels": batch(labels=LABELS[1:]),
    "one label": batch(labels=[3]),
    "too many labels": batch(labels=[*LABELS, 0]),
    "label 10": batch(labels=[*LABELS[1:], 10]),
    "label -1": batch(labels=[*LABELS[1:], -1]),
    "truth as a label": batch(labels=LABELS[1:]).replace(b"](", b"](\x88"),
}


IMAGES, NUMBERS = np.empty((10_000, 32, 32, 3), np.uint8), np.empty(10_000, np.int64)


def read(content, tmp_path):
    path = tmp_path / "data_batch_1"
    path.write_bytes(content)
    return data._read_batch(path, IMAGES, NUMBERS)


@pytest.fixture(scope="module")
def watch():
    """`watch.seen` lists what Python's audit hooks report while `watch.on`: files opened, code run and the like."""
    watch = SimpleNamespace(on=False, seen=[])
    sys.addaudithook(lambda event, arguments: watch.seen.append((event, *map(str, arguments))) if watch.on else None)
    return watch


@contextlib.contextmanager
def bounded(watch, path):
    """Fails where the body does more than open `path`, or takes 10 seconds or 100 MB."""
    watch.seen, watch.on, begin = [], True, time.process_time()
    tracemalloc.start()
    try:
        yield
    finally:
        watch.on, peak = False, tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    assert [event[:2] for event in watch.seen if event[0] != "gc.collect"] in ([], [("open", str(path))])
    assert time.process_time() - begin < 10 and peak < 100e6


def test_the_batches_of_these_tests_are_what_python_and_numpy_read():
    content = pickle.loads(batch(), encoding="bytes")
    assert content[b"labels"] == LABELS
    assert content[b"data"].dtype == np.uint8 and (content[b"data"] == PICTURE).all()


@pytest.mark.parametrize("hostile", HOSTILE.values(), ids=HOSTILE)
def test_hostile_files_run_nothing(hostile, tmp_path, watch):
    mark, path = tmp_path / "mark", tmp_path / "data_batch_1"
    path.write_bytes(hostile(str(mark)))
    with bounded(watch, path), pytest.raises(ValueError, match="data_batch_1 is not a batch .*make data") as error:
        data._read_batch(path, IMAGES, NUMBERS)
    assert not mark.exists() and len(str(error.value)) < 400 + len(str(path))


def test_a_file_too_large_is_not_read_to_its_end(tmp_path, watch):
    path = tmp_path / "data_batch_1"
    path.write_bytes(batch())
    os.truncate(path, 100_000_000_000)  # on most file systems without taking that place
    with bounded(watch, path):  # and read as what its beginning says
        data._read_batch(path, IMAGES, NUMBERS)


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
                data._read_batch(path, IMAGES, NUMBERS)
                outcomes["read"] += 1
            except ValueError as error:
                assert "is not a batch of CIFAR-10" in str(error), seed
                outcomes["refused"] += 1
    with capsys.disabled():
        print(f"\n{count:,} mutated batches: {dict(outcomes)}")
    assert outcomes["read"] > count / 100 and outcomes["refused"] > count / 2


@pytest.mark.parametrize("content", BROKEN.values(), ids=BROKEN)
def test_broken_files_are_named_with_the_fix(content, tmp_path):
    with pytest.raises(ValueError, match="data_batch_1 is not a batch .*delete it.*make data") as error:
        read(content, tmp_path)
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
    """The SHA-256 keeps them away before; this is what stands behind it."""
    monkeypatch.setattr(data, "LARGEST_ARCHIVE", 30_000_000)
    outside = tmp_path / "outside"
    info = copy.copy(hostile)
    info.name, info.linkname = (word.format(outside=outside) for word in (info.name, info.linkname))
    archive, inside = tmp_path / "archive", tmp_path / "datasets" / "whole"
    archive.write_bytes(gzip.compress(info.tobuf(tarfile.GNU_FORMAT)) + ZEROS)
    tracemalloc.start()
    begin = time.process_time()
    with pytest.raises(ValueError, match=f"{re.escape(str(archive))} .*delete it"):
        data._unpack(archive, inside)
    assert time.process_time() - begin < 10 and tracemalloc.get_traced_memory()[1] < 80e6
    tracemalloc.stop()
    assert files(tmp_path) == ["archive"] and not list((tmp_path / "datasets").iterdir())


@pytest.mark.parametrize("cut", [0, 1, 10, 512, 0.3, 0.9, -1_000])
def test_cut_archives_are_refused(cut, archive, tmp_path):
    content = archive.read_bytes()
    short = tmp_path / "archive"
    short.write_bytes(content[: cut if isinstance(cut, int) else int(cut * len(content))])
    with pytest.raises(ValueError, match="delete it"):
        data._unpack(short, tmp_path / "datasets" / "whole")
    assert files(tmp_path) == ["archive"]


def test_a_hostile_archive_from_a_server_is_not_opened(mirrors, machine, monkeypatch):
    mirrors.content = gzip.compress(HOSTILE_MEMBERS["symbolic link"].tobuf()).ljust(data.ARCHIVE_BYTES)
    mirrors.urls("right")
    monkeypatch.setattr(tarfile, "open", lambda *_, **__: pytest.fail("opened before its checksum was known"))
    with pytest.raises(FileNotFoundError, match="wrong checksum"):
        data.load("cifar10")
    assert files(machine) == ["cifar-10.lock"]


# The sketches.


def test_the_sketches_are_drawn_once(tmp_path, monkeypatch):
    first = data.load("sketches")
    assert first.name == "sketches" and len(first.x_train) == 30 and len(first.x_test) == 20
    assert first.x_train.dtype == np.uint8 and first.y_test.dtype == np.int64
    images, labels = sketches.draw(20, 1)
    assert (first.x_test == images).all() and (first.y_test == labels).all()
    (cache,) = files(tmp_path / "cache")

    monkeypatch.setattr(sketches, "draw", lambda *_: pytest.fail("drawn again"))
    again = data.load("sketches")
    assert again.digest() == first.digest() and again.source == first.source
    monkeypatch.setattr(data, "SKETCHES", {"train": (40, 0), "test": (20, 1)})
    with pytest.raises(pytest.fail.Exception):
        data.load("sketches")


def test_a_changed_drawing_is_drawn_anew(tmp_path, monkeypatch):
    data.load("sketches")
    changed = tmp_path / "sketches.py"
    changed.write_text(Path(sketches.__file__).read_text(encoding="utf-8") + "# changed", encoding="utf-8")
    monkeypatch.setattr(sketches, "__file__", str(changed))
    data.load("sketches")
    assert len(files(tmp_path / "cache")) == 2


@pytest.mark.parametrize("harm", ["empty", "cut", "flipped", "pickle", "one array"])
def test_a_broken_cache_is_drawn_anew(harm, tmp_path):
    first = data.load("sketches")
    (cache,) = (tmp_path / "cache").iterdir()
    whole = cache.read_bytes()
    middle = len(whole) // 2
    if harm == "one array":
        np.savez(cache, x_train=first.x_train)
    else:
        cache.write_bytes(
            {
                "empty": b"",
                "cut": whole[:middle],
                "flipped": whole[:middle] + bytes([whole[middle] ^ 255]) + whole[middle + 1 :],
                "pickle": pickle.dumps(Trap(os.mkdir, str(tmp_path / "mark"))),
            }[harm]
        )
    assert data.load("sketches").digest() == first.digest()
    assert cache.read_bytes() == whole and not (tmp_path / "mark").exists()


def test_a_cache_folder_that_cannot_be_written_is_no_error(tmp_path):
    (tmp_path / "cache").write_text("a file where the folder should be")
    assert len(data.load("sketches").x_train) == 30


@pytest.mark.parametrize("names", [("sketches", ""), (None, "sketches")])
def test_the_sketches_can_be_forced(names, folder, monkeypatch):
    monkeypatch.setenv("CIFAR10_DIR", str(folder))
    monkeypatch.setenv("LECTURE_DATASET", names[1])
    assert data.load(names[0]).name == "sketches"


def test_another_name_is_refused(monkeypatch):
    with pytest.raises(ValueError, match="name='cifar100': expected 'cifar10' or 'sketches'"):
        data.load("cifar100")
    monkeypatch.setenv("LECTURE_DATASET", "CIFAR")
    with pytest.raises(ValueError, match="LECTURE_DATASET='CIFAR'"):
        data.load()


# The small things.


def test_first():
    whole = data.load("sketches")
    few = whole.subset(20, 10)
    assert len(few.x_train) == len(few.y_train) == 20 and len(few.x_test) == len(few.y_test) == 10
    assert few.name == "sketches" and "first 20 training and 10 test images" in few.source
    assert few.digest() != whole.digest() and whole.subset(30, 20).digest() == whole.digest()
    for counts in ((31, 1), (1, 21), (-1, 1)):
        with pytest.raises(ValueError, match="expected 0 to"):
            whole.subset(*counts)


def test_to_float():
    every = np.arange(256, dtype=np.uint8)
    assert data.to_float(every).dtype == np.float32
    np.testing.assert_array_equal(data.to_float(every), every.astype(np.float32) / np.float32(255))
    for wrong in (every / 255, every.astype(np.int64), [1, 2]):
        with pytest.raises(TypeError, match="images: expected uint8 in 0–255, got (float|int)"):
            data.to_float(wrong)


def test_importing_is_quick_and_leaves_tensorflow_alone():
    code = (
        "import sys, time, numpy; begin = time.process_time(); import helpers, helpers.data; "
        "print(time.process_time() - begin, *(name in sys.modules for name in ('tensorflow', 'keras', 'requests')))"
    )
    runs = [subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True) for _ in range(3)]
    assert all(run.stdout.split()[1:] == ["False"] * 3 for run in runs), runs[0].stderr
    assert min(float(run.stdout.split()[0]) for run in runs) < 0.3
