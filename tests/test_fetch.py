"""The download, from a real server that breaks off, stalls, lies and redirects; and in processes that are killed."""

import contextlib
import gzip
import hashlib
import http.server
import os
import re
import signal
import socket
import struct
import subprocess
import sys
import tarfile
import threading
from pathlib import Path

import numpy as np
import pytest
import urllib3
from cifar10_files import IMAGE, LABELS, files, is_what_was_written

from helpers import data
from helpers.cifar10 import fetch, locate, read

ROOT = Path(data.__file__).parents[1]
PINNED_SHA256 = fetch.ARCHIVE_SHA256

pytestmark = pytest.mark.usefixtures("machine")


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
        """The headers of an answer that begins where the client asked."""
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

    def paused(self):
        """Stops after a third of the whole until the test is over."""
        self.partial()
        self.wfile.write(self.content[self.start :][: len(self.content) // 3])
        self.server.over.wait()

    def held(self):
        """Nothing, until the test says so."""
        self.partial()
        self.server.go.wait()
        self.wfile.write(self.content[self.start :])

    def circle(self):
        self.head(302, 0, Location="/circle")

    def elsewhere(self):
        self.head(302, 0, Location="/right")

    def to_a_file(self):
        self.head(302, 0, Location=Path(__file__).as_uri())


@pytest.fixture
def server(machine, monkeypatch):
    """A real server on this machine. `server.urls(*names)` makes these its mirrors; `server.asked` is the log."""
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:

        def serves(content):
            server.content = content
            monkeypatch.setattr(fetch, "ARCHIVE_BYTES", len(content))
            monkeypatch.setattr(fetch, "ARCHIVE_SHA256", hashlib.sha256(content).hexdigest())

        server.asked, server.over, server.go, server.serves = [], threading.Event(), threading.Event(), serves
        server.urls = lambda *names: monkeypatch.setattr(
            fetch, "MIRRORS", tuple(f"http://127.0.0.1:{server.server_port}/{name}" for name in names)
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


@pytest.fixture
def target(server, tmp_path, monkeypatch):
    """Where `fetch` is to put 300 kB that stand in for the archive; some seconds are a long time here."""
    server.serves(np.random.default_rng(0).bytes(300_000))
    for name, value in (("CONNECT_SECONDS", 2), ("HEADER_SECONDS", 1), ("WORTH_ANOTHER_TRY", 10_000)):
        monkeypatch.setattr(fetch, name, value)
    monkeypatch.setattr(fetch, "SLOWEST", (300_000, 1))
    monkeypatch.setattr(fetch, "SLOWEST_OF_THE_LAST", (1, 3))
    (tmp_path / "fetched").mkdir()
    return tmp_path / "fetched" / "archive"


def names(server):
    """Who was asked, without where the answer was to begin."""
    return [name.split()[0] for name in server.asked]


# What servers do. Each fault: why it gives way to the next server, and whether what it sent is worth keeping.

FAULTS = {
    "missing": ("HTTP 404", False),
    "page": ("wrong length", False),
    "page_unsized": ("wrong length", False),
    "longer": ("wrong length", False),
    "endless": ("wrong length", False),
    "tampered": ("wrong checksum", False),
    "reset": ("broken off", True),
    "stalled": ("too slow", True),
    "silent": ("too slow", False),
    "slow_headers": ("too slow", False),
    "circle": ("redirects in circles", False),
    "to_a_file": ("off the web", False),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_server_that_fails_gives_way_and_the_reason_is_said(fault, server, target):
    server.urls(fault)
    (reason,) = fetch.fetch(target)
    said, kept = FAULTS[fault]
    assert said in reason
    part = target.with_name("archive.part")
    assert (part.exists() and part.stat().st_size > 0) == kept
    server.asked.clear()
    server.urls(fault, "right")
    assert fetch.fetch(target) == {}
    assert target.read_bytes() == server.content and files(target.parent) == ["archive"]
    assert list(dict.fromkeys(names(server))) == [fault, "right"] and len(server.asked) < 10


def test_a_slow_server_gives_way_unless_it_is_the_last(server, target):
    server.serves(server.content[:100_000])
    server.urls("trickle", "right")
    assert fetch.fetch(target) == {} and names(server) == ["trickle", "right"]
    target.unlink()
    server.asked.clear()
    server.urls("trickle")
    assert fetch.fetch(target) == {} and server.asked == ["trickle"]


def test_a_transfer_continues_where_it_broke_off(server, target):
    server.urls("dropped")
    assert fetch.fetch(target) == {}
    assert server.asked == ["dropped", "dropped from 100,000", "dropped from 200,000"]
    assert target.read_bytes() == server.content


def test_a_later_call_continues_too(server, target):
    server.urls("stalled")
    assert fetch.fetch(target) == {"too slow": 1}
    server.urls("elsewhere")
    assert fetch.fetch(target) == {}
    assert server.asked[1:] == ["elsewhere from 5,000", "right from 5,000"]


@pytest.mark.parametrize("name", ["whole", "unsized", "another_part"])
def test_servers_that_cannot_continue_are_asked_from_the_beginning(name, server, target):
    target.write_bytes(server.content[:200_000])
    server.urls("missing", name)
    assert fetch.fetch(target) == {} and target.read_bytes() == server.content
    assert server.asked == ["missing from 200,000", f"{name} from 200,000", "missing", name]


def test_a_server_that_can_continue_is_preferred(server, target):
    """Half an archive, as Keras leaves it, is what it continues with."""
    target.write_bytes(server.content[:200_000])
    server.urls("whole", "right")
    assert fetch.fetch(target) == {} and server.asked == ["whole from 200,000", "right from 200,000"]
    assert target.read_bytes() == server.content


@pytest.mark.parametrize("kept", [bytes(100), bytes(299_999), bytes(300_000), bytes(400_000)], ids=len)
def test_wrong_bytes_from_elsewhere_do_not_spoil_it(kept, server, target):
    target.write_bytes(kept)
    server.urls("right")
    assert fetch.fetch(target) == {}
    assert target.read_bytes() == server.content and server.asked[-1] == "right"


# What the machine's own settings do.


@pytest.mark.parametrize(
    ("variables", "reason"),
    [
        ({"REQUESTS_CA_BUNDLE": "/no/such/file.pem"}, "/no/such/file.pem"),
        ({"https_proxy": "socks5://127.0.0.1:1080", "all_proxy": ""}, "SOCKS.* PySocks"),
        ({"https_proxy": "http://127.0.0.1:NOBODY"}, "proxy"),
    ],
)
def test_a_setting_that_leads_nowhere_is_named_at_once(variables, reason, target, monkeypatch, recwarn):
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        for name, value in variables.items():
            monkeypatch.setenv(name, value.replace("NOBODY", str(nobody.getsockname()[1])))
        monkeypatch.setattr(fetch, "MIRRORS", (f"https://localhost:{nobody.getsockname()[1]}/archive",))
        monkeypatch.delenv("no_proxy", raising=False)
        (found,) = fetch.fetch(target)
    warned = [one for one in recwarn if issubclass(one.category, urllib3.exceptions.HTTPWarning)]
    assert re.search(reason, found) and not warned


# The archive's way to the six batches.

KEPT = [
    *(f"cifar-10-batches-py-target/cifar-10-batches-py/{name}" for name in sorted(read.BATCHES)),
    "cifar-10-batches-py-target_archive",
    "cifar-10.lock",
]


def test_a_download_is_kept(mirrors, machine, capsys):
    mirrors.urls("missing", "tampered", "dropped", "right", "never_asked")
    dataset = data.load()
    assert dataset.source.startswith("CIFAR-10 from a download, a copy")
    is_what_was_written(dataset)
    assert mirrors.asked[:3] == ["missing", "tampered", "dropped"] and mirrors.asked[3].startswith("right from ")
    printed = capsys.readouterr()
    assert len(printed.out.splitlines()) == 1 and "asking 5 servers" in printed.out
    assert re.search(r"127.0.0.1: .*\d\.\d\dM/\d\.\d\dM \[.*B/s\]", printed.err), "server, speed and time left"
    assert files(machine) == KEPT
    assert locate(download=False)[0] == "Keras' cache"

    # A batch that is missing is unpacked again, from the archive that is there.
    (machine / KEPT[0]).unlink()
    assert locate() == ("a download", (machine / KEPT[0]).parent)
    assert (machine / KEPT[0]).exists() and len(mirrors.asked) == 4 and files(machine) == KEPT


@pytest.mark.filterwarnings("ignore:Skipping invalid path")
def test_keras_finds_what_we_downloaded(mirrors, machine, monkeypatch):
    """Here in a process that has imported TensorFlow, as every notebook has."""
    import keras

    mirrors.urls("right")
    locate()
    module = sys.modules[keras.datasets.cifar10.load_data.__module__]

    def get_file(file_hash, **arguments):
        assert file_hash == PINNED_SHA256
        return keras.utils.get_file(file_hash=fetch.ARCHIVE_SHA256, cache_dir=machine.parent, **arguments)

    monkeypatch.setattr(module, "get_file", get_file)
    monkeypatch.setattr("urllib.request.urlopen", lambda *_, **__: pytest.fail("Keras fetched it again"))
    _, (x_test, y_test) = keras.datasets.cifar10.load_data()
    assert (x_test[:, :, :, 0] == ((IMAGE + 5) % 256)[:1024].reshape(32, 32)).all()
    assert y_test.ravel().tolist() == LABELS


def test_a_hostile_archive_is_not_opened(mirrors, machine, monkeypatch):
    mirrors.content = gzip.compress(bytes(1000)).ljust(fetch.ARCHIVE_BYTES)
    mirrors.urls("right")
    monkeypatch.setattr(tarfile, "open", lambda *_, **__: pytest.fail("opened before its checksum was known"))
    with pytest.raises(FileNotFoundError, match="wrong checksum"):
        data.load("cifar10")
    assert files(machine) == ["cifar-10.lock"]


def test_no_server_delivers(mirrors, machine, monkeypatch, capsys):
    monkeypatch.setattr(fetch, "SLOWEST_OF_THE_LAST", (1, 1))
    mirrors.urls("missing", "tampered", "missing", "stalled")
    with pytest.raises(FileNotFoundError) as error:
        data.load("cifar10")
    for part in (
        "HTTP 404 from 2 of 4 servers",
        "wrong checksum from 1",
        "too slow from 1",
        "make data",
        "CIFAR10_DIR",
    ):
        assert part in str(error.value)
    assert files(machine) == ["cifar-10-batches-py-target_archive.part", "cifar-10.lock"]
    mirrors.urls("missing")
    assert data.load().name == "sketches"
    (line,) = [line for line in capsys.readouterr().out.splitlines() if "stand-in" in line]
    assert "sketches" in line and "HTTP 404" in line


# The download in processes of its own.


def start(body, machine, before=()):
    """A Python process that has this process's mirrors and runs `body`; what it prints can be read as text."""
    names = ("MIRRORS", "ARCHIVE_BYTES", "ARCHIVE_SHA256", "SLOWEST", "SLOWEST_OF_THE_LAST")
    facts = [f"fetch.{name} = {getattr(fetch, name)!r}" for name in names] + [f"data.SKETCHES = {data.SKETCHES}"]
    setup = ["import os, signal, subprocess, sys", "from helpers import data", "from helpers.cifar10 import *", *facts]
    return subprocess.Popen(
        [*before, sys.executable, "-c", "\n".join([*setup, body])],
        cwd=machine.parents[1],
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_processes_that_start_at_once_download_once(mirrors, machine, monkeypatch):
    mirrors.urls("held")
    processes = [start("print(locate()[0])", machine) for _ in range(3)]
    first = [process.stdout.readline() for process in processes]  # each is at the lock
    mirrors.go.set()
    printed = [line + process.communicate()[0] for line, process in zip(first, processes, strict=True)]
    assert mirrors.asked == ["held"]
    assert sorted("Another process" in text for text in printed) == [False, True, True]
    assert files(machine) == KEPT
    # Nor is it unpacked again, under the hands of the one that reads it.
    monkeypatch.setattr(fetch, "unpack", lambda *_: pytest.fail("unpacked again"))
    assert fetch.into(machine) == (machine / KEPT[0]).parent


STOPPED_WHILE_UNPACKING = """
def stop(*_):
    print("unpacking", flush=True)
    sys.stdin.read()
unpack.shutil.copyfileobj = stop
"""
TARGET = "cifar-10-batches-py-target"


@pytest.mark.parametrize(
    ("moment", "blow"), [("transfer", "SIGKILL"), ("transfer", "SIGINT"), ("unpacking", "SIGKILL")]
)
@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such signals")
def test_an_interrupted_download_is_taken_up(moment, blow, mirrors, machine):
    # Where the tests themselves run in the background, Ctrl-C is ignored unless asked for.
    body = "signal.signal(signal.SIGINT, signal.default_int_handler)\ndata.main()"
    mirrors.urls("paused" if moment == "transfer" else "right")
    process = start(body if moment == "transfer" else STOPPED_WHILE_UNPACKING + body, machine)
    part = machine / f"{TARGET}_archive.part"
    if moment == "transfer":
        while not (part.exists() and part.stat().st_size):
            assert process.poll() is None
    else:
        while process.stdout.readline() != "unpacking\n":
            assert process.poll() is None
    process.send_signal(getattr(signal, blow))
    _, errors = process.communicate()
    if blow == "SIGINT":
        assert process.returncode and re.fullmatch("interrupted; .*", errors.splitlines()[-1])
        assert "Traceback" not in errors
    left = (
        [part.name] if moment == "transfer" else [f"{TARGET}/cifar-10-batches-py.new/data_batch_1", f"{TARGET}_archive"]
    )
    assert files(machine) == [*left, "cifar-10.lock"]
    mirrors.urls("right")
    assert locate()[0] == "a download"
    # What had arrived is not fetched again.
    assert re.fullmatch(r"right from [\d,]+" if moment == "transfer" else "right", mirrors.asked[-1])
    assert len(mirrors.asked) == (2 if moment == "transfer" else 1) and files(machine) == KEPT
    is_what_was_written(data.load("cifar10", download=False))


ON_A_SMALL_DISK = """
def mount(*options): subprocess.run(["mount", *options, os.environ["KERAS_HOME"]], check=True)
def attempt():
    try: print(data.load("cifar10").source)
    except FileNotFoundError as error: print(error)
    print(sorted(name for _, _, names in os.walk(os.environ["KERAS_HOME"]) for name in names))
mount("-t", "tmpfs", "-o", "size=SIZE", "tmpfs")
attempt()
print(data.load().name)
mount("-o", "remount,rw,size=400m")
attempt()
"""


@pytest.mark.parametrize(
    ("size", "reason", "left"),
    [
        ("200k", "No space left on device", [f"{TARGET}_archive.part", "cifar-10.lock"]),
        ("100m", "No space left on device", [f"{TARGET}_archive", "cifar-10.lock"]),
        ("400m,ro", "Read-only file system", []),
    ],
)
def test_a_full_or_read_only_disk(size, reason, left, own_mounts, mirrors, machine):
    """Seen by that process alone. With room, the same call finishes from where it was."""
    mirrors.urls("right")
    machine.parent.mkdir()
    process = start(ON_A_SMALL_DISK.replace("SIZE", size), machine, own_mounts)
    printed, errors = process.communicate()
    assert process.returncode == 0 and "Traceback" not in errors, errors
    assert f"{machine} cannot keep it, which takes 350 MB: {reason}" in printed
    lines = printed.splitlines()
    assert str(left) in lines and "sketches" in lines
    assert lines[-2].startswith("CIFAR-10 from a download, ")
    assert lines[-1] == str(sorted(Path(name).name for name in KEPT))
    assert all(" from " in name for name in mirrors.asked[1:]) and (len(mirrors.asked) > 1) == (size == "200k")
