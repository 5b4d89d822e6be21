import functools
import hashlib
import http.server
import os
import pickle
import shutil
import subprocess
import sys
import tarfile
import threading
import time
import tracemalloc
from collections import Counter
from pathlib import Path

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
    """The archive of that folder, and one more member that would climb out if it were unpacked."""
    path = folder.parent / "cifar-10-python.tar.gz"
    with tarfile.open(path, "w:gz", compresslevel=1) as tar:
        tar.add(folder, "cifar-10-batches-py")
        tar.add(__file__, "../../climbed-out")
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


@pytest.fixture
def server(tmp_path, archive, monkeypatch):
    """A real server on this machine. `server.urls(*names)` makes these its mirrors; `server.asked` is the log."""
    served, over = tmp_path / "served", threading.Event()
    served.mkdir()
    os.link(archive, served / "right")
    (served / "wrong").write_bytes(b"not the archive")

    class Handler(http.server.SimpleHTTPRequestHandler):
        def do_GET(self):
            self.server.asked.append(self.path[1:])
            if self.path not in ("/stall", "/cut"):
                return super().do_GET()
            self.send_response(200)
            self.send_header("Content-Length", "1000000")
            self.end_headers()
            self.wfile.write(b"the first bytes")
            self.wfile.flush()
            if self.path == "/stall":
                over.wait(20)

        def log_message(self, *_):
            pass

    handler = functools.partial(Handler, directory=served)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        server.asked = []
        server.urls = lambda *names: monkeypatch.setattr(
            data, "MIRRORS", tuple(f"http://127.0.0.1:{server.server_port}/{name}" for name in names)
        )
        threading.Thread(target=server.serve_forever, daemon=True).start()
        monkeypatch.setattr(data, "ARCHIVE_SHA256", hashlib.sha256(archive.read_bytes()).hexdigest())
        yield server
        over.set()
        server.shutdown()


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


def test_photographs_are_read_in_two_seconds_and_little_memory(folder, monkeypatch):
    monkeypatch.setenv("CIFAR10_DIR", str(folder))
    begin = time.process_time()  # of this processor: from a warm disk there is nothing else to wait for
    dataset = data.load()
    assert time.process_time() - begin < 2
    assert_is_the_folder(dataset)
    assert dataset.source == "CIFAR10_DIR, 6 of 6 batches are not the official bytes"
    size = dataset.x_train.nbytes + dataset.x_test.nbytes
    del dataset
    tracemalloc.start()
    data.load()
    assert tracemalloc.get_traced_memory()[1] < 1.4 * size
    tracemalloc.stop()


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


def test_a_download_is_kept(server, machine, capsys):
    server.urls("missing", "wrong", "cut", "right", "never-asked")
    dataset = data.load()
    assert dataset.source.startswith("download, ")
    assert_is_the_folder(dataset)
    assert server.asked == ["missing", "wrong", "cut", "right"]
    assert capsys.readouterr().out.count("Fetching CIFAR-10, 170 MB, from 127.0.0.1") == 4
    batches = [f"cifar-10-batches-py-target/cifar-10-batches-py/{name}" for name in data.BATCHES]
    kept = sorted(f"keras/datasets/{path}" for path in (*batches, data.KERAS_ARCHIVE))
    assert [path for path in files(machine.parents[1]) if not path.startswith("served")] == kept
    assert data._find(download=False)[0] == "Keras cache"

    # A batch that is missing is unpacked again, from the archive that is there.
    (machine / batches[0]).unlink()
    assert data._find(download=True) == ("download", (machine / batches[0]).parent)
    assert (machine / batches[0]).exists() and len(server.asked) == 4


@pytest.mark.filterwarnings("ignore:Skipping invalid path")
def test_keras_finds_what_we_downloaded(server, machine, monkeypatch):
    server.urls("right")
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


def test_a_server_that_stalls_gives_way(server, monkeypatch):
    monkeypatch.setattr(data, "TIMEOUTS", (0.3, 0.3))
    server.urls("stall", "right")
    assert data._find(download=True)[0] == "download"
    assert server.asked == ["stall", "right"]


def test_no_server_delivers(server, machine, monkeypatch, capsys):
    monkeypatch.setattr(data, "TIMEOUTS", (0.3, 0.3))
    server.urls("missing", "wrong", "stall")
    with pytest.raises(FileNotFoundError) as error:
        data.load("cifar10")
    reasons = "HTTP 404 from 1 of 3 servers, wrong checksum from 1 of 3 servers, ConnectionError from 1 of 3 servers"
    for part in (reasons, "make data", "CIFAR10_DIR"):
        assert part in str(error.value)
    assert files(machine) == []
    assert data.load().name == "sketches"
    assert files(machine) == []
    (line,) = [line for line in capsys.readouterr().out.splitlines() if "stand-in" in line]
    assert "sketches" in line and "HTTP 404" in line


def test_without_a_network_the_stand_in_comes_at_once(capsys):
    begin = time.monotonic()
    assert data.load().name == "sketches"
    assert time.monotonic() - begin < 5
    assert "ConnectionError from 1 of 1 servers" in capsys.readouterr().out


def test_a_cache_that_cannot_be_written(server, machine, capsys):
    machine.parent.write_text("a file where the folder should be")
    server.urls("right")
    assert data.load().name == "sketches"
    assert f"{machine} cannot keep it" in capsys.readouterr().out


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


HOSTILE = {
    "os.system": lambda mark: pickle.dumps(Trap(os.system, f'echo > "{mark}"')),
    "eval": lambda mark: pickle.dumps(Trap(eval, f"open({mark!r}, 'w')")),
    "nested": lambda mark: pickle.dumps({b"labels": LABELS, b"data": [[Trap(eval, f"open({mark!r}, 'w')")]]}),
    "getattr": lambda mark: pickle.dumps(Trap(getattr, "text", "upper")),
    "numpy.savetxt": lambda mark: pickle.dumps(Trap(np.savetxt, mark, [1])),
    "numpy.dtype replaced": lambda mark: batch(raw=b"").replace(b"cnumpy\ndtype\n", b"cnumpy\nfromfile\n"),
    "old opcode": lambda mark: b"(S'echo > " + mark.encode() + b"'\nios\nsystem\n.",
    "long name": lambda mark: b"c" + b"x" * 100_000 + b"\ny\n.",
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


def read(content, tmp_path):
    path = tmp_path / "data_batch_1"
    path.write_bytes(content)
    return data._read_batch(path, np.empty((10_000, 32, 32, 3), np.uint8), np.empty(10_000, np.int64))


def test_the_batches_of_these_tests_are_what_python_and_numpy_read():
    content = pickle.loads(batch(), encoding="bytes")
    assert content[b"labels"] == LABELS
    assert content[b"data"].dtype == np.uint8 and (content[b"data"] == PICTURE).all()


@pytest.mark.parametrize("hostile", HOSTILE.values(), ids=HOSTILE)
def test_hostile_files_run_nothing(hostile, tmp_path):
    mark = tmp_path / "mark"
    with pytest.raises(ValueError, match="data_batch_1 is not a batch .*has no place in it.*make data") as error:
        read(hostile(str(mark)), tmp_path)
    assert not mark.exists() and len(str(error.value)) < 400


@pytest.mark.parametrize("content", BROKEN.values(), ids=BROKEN)
def test_broken_files_are_named_with_the_fix(content, tmp_path):
    with pytest.raises(ValueError, match="data_batch_1 is not a batch .*delete it.*make data") as error:
        read(content, tmp_path)
    assert len(str(error.value)) < 400 and error.value.__suppress_context__


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
    few = whole.first(20, 10)
    assert len(few.x_train) == len(few.y_train) == 20 and len(few.x_test) == len(few.y_test) == 10
    assert few.name == "sketches" and "first 20 training and 10 test images" in few.source
    assert few.digest() != whole.digest() and whole.first(30, 20).digest() == whole.digest()
    for counts in ((31, 1), (1, 21), (-1, 1)):
        with pytest.raises(ValueError, match="expected 0 to"):
            whole.first(*counts)


def test_to_float():
    every = np.arange(256, dtype=np.uint8)
    assert data.to_float(every).dtype == np.float32
    np.testing.assert_array_equal(data.to_float(every), every.astype(np.float32) / np.float32(255))
    for wrong in (every / 255, every.astype(np.int64), [1, 2]):
        with pytest.raises(TypeError, match="images: expected uint8 in 0–255, got (float|int)"):
            data.to_float(wrong)


def test_importing_is_quick_and_leaves_tensorflow_alone():
    code = (
        "import sys, time; begin = time.process_time(); import helpers, helpers.data; "
        "print(time.process_time() - begin, *(name in sys.modules for name in ('tensorflow', 'keras', 'pooch')))"
    )
    runs = [subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True) for _ in range(3)]
    assert all(run.stdout.split()[1:] == ["False"] * 3 for run in runs), runs[0].stderr
    assert min(float(run.stdout.split()[0]) for run in runs) < 0.3
