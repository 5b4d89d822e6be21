"""What all checks share: they fetch no data and leave nothing behind but the caches that the README names."""

import hashlib
import os
import socket
import subprocess
import sys
import tarfile
import tempfile

import cifar10_files
import memory
import pytest

os.environ["LECTURE_DOWNLOAD"] = "0"

SCRATCH = ("TMPDIR", "TEMP", "TMP", "IPYTHONDIR", "JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR", "JUPYTER_RUNTIME_DIR")
SCRATCH += ("npm_config_cache",)  # JupyterLab asks npm, where there is one, which language servers it has


# What takes longest begins first, so that no worker is left alone with it in the end: names of test files.
LONGEST = (
    "test_site test_faults test_browser test_attack_page 03-training test_exercises test_fetch 05-fgsm test_claims"
)


def pytest_collection_modifyitems(items):
    places = {name: place for place, name in enumerate(LONGEST.split())}
    items.sort(key=lambda item: places.get(item.path.stem, len(places)))


class NotebookMemory:
    """What the project promises of each notebook's memory, while nbval runs its cells: what is too much fails the cell."""

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_call(self, item):
        done = yield
        if pid := self.pid(item):
            assert memory.peak(pid) < memory.PEAK, f"this notebook has taken {memory.peak(pid) / 1e9:.2f} GB"
        return done

    @pytest.hookimpl(tryfirst=True)  # before nbval ends the kernel
    def pytest_runtest_teardown(self, item, nextitem):
        if (pid := self.pid(item)) and getattr(nextitem, "parent", None) is not item.parent:
            assert memory.own(pid) < memory.OWN, (
                f"this notebook keeps {memory.own(pid) / 1e9:.2f} GB: too much for a hub"
            )

    def pid(self, item):
        """The process of the notebook's kernel; None where the item is no cell."""
        kernel = getattr(item.parent, "kernel", None)
        return kernel.km.provisioner.pid if kernel and sys.platform == "linux" else None


def pytest_configure(config):
    """Give every process of this run one temporary folder, which goes when the run ends."""
    config.pluginmanager.register(NotebookMemory())
    if hasattr(config, "workerinput"):  # a worker of pytest-xdist inherits it
        return
    scratch = tempfile.TemporaryDirectory(prefix="lecture-", ignore_cleanup_errors=True)
    os.environ.update(dict.fromkeys(SCRATCH, scratch.name))
    os.environ.setdefault("MPLCONFIGDIR", str(config.rootpath / ".pytest_cache" / "matplotlib"))
    tempfile.tempdir = None  # ask the environment again
    config.add_cleanup(scratch.cleanup)


# The networks and pictures that several modules' tests share. Imports stay inside, so that collecting is quick.


@pytest.fixture(scope="session")
def dataset():
    from helpers import data

    return data.load()


@pytest.fixture(scope="session")
def run(dataset):
    from helpers import runs

    return runs.load("vgg3", dataset.name)


@pytest.fixture(scope="session")
def network(run):
    return run.model


@pytest.fixture(scope="session")
def pictures(dataset):
    """Forty test images as floats, and their labels."""
    from helpers import data

    return data.to_float(dataset.x_test[:40]), dataset.y_test[:40]


@pytest.fixture(scope="session")
def own_mounts():
    """The words before a command that let it mount file systems which no other process sees."""
    words = ("unshare", "-m") if hasattr(os, "getuid") and os.getuid() == 0 else ("unshare", "-rm")
    if sys.platform != "linux" or subprocess.run([*words, "true"], capture_output=True).returncode:
        pytest.skip("no file system can be mounted here: needs Linux, and root or user namespaces")
    return words


# Machines with and without CIFAR-10.


@pytest.fixture
def machine(tmp_path, monkeypatch):
    """A machine with empty caches, without a network and without settings. Returns Keras' folder for data sets."""
    from helpers import data
    from helpers.cifar10 import fetch

    for name in ("CIFAR10_DIR", "LECTURE_DATASET", "LECTURE_DOWNLOAD"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "keras"))
    monkeypatch.setenv("LECTURE_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(data, "SKETCHES", {"train": (30, 0), "test": (20, 1)})
    with socket.socket() as nobody_listens:
        nobody_listens.bind(("127.0.0.1", 0))
        monkeypatch.setattr(fetch, "MIRRORS", (f"http://127.0.0.1:{nobody_listens.getsockname()[1]}/",))
        yield tmp_path / "keras" / "datasets"


@pytest.fixture(scope="session")
def folder(tmp_path_factory):
    """A folder with six batches of the official layout; cifar10_files.write says what they hold."""
    return cifar10_files.write(tmp_path_factory.mktemp("cifar") / "cifar-10-batches-py")


@pytest.fixture(scope="session")
def archive(folder):
    """The archive of that folder, a megabyte."""
    path = folder.parent / "cifar-10-python.tar.gz"
    with tarfile.open(path, "w:gz", compresslevel=1) as tar:
        tar.add(folder, "cifar-10-batches-py")
    return path


@pytest.fixture(scope="session")
def official_cifar10(tmp_path_factory):
    """Settings under which a Python process takes this machine's CIFAR-10 for the official one.

    One pixel in each file is changed, so that the data set is one on which no run was recorded, and the checksums of
    the files are made the official ones. The first 1,017 test images stay as they are.
    """
    from helpers import cifar10

    try:
        _, folder = cifar10.locate(download=False)
    except FileNotFoundError as reason:
        pytest.skip(f"CIFAR-10 is not on this machine: {reason}")
    base, md5 = tmp_path_factory.mktemp("official"), {}
    for name in cifar10.read.BATCHES:
        content = bytearray((folder / name).read_bytes())
        content[len(content) // 2] ^= 1
        (base / name).write_bytes(content)
        md5[name] = hashlib.md5(content).hexdigest()
    # Python imports a module of this name whenever it starts.
    (base / "sitecustomize.py").write_text(f"from helpers.cifar10 import read\nread.BATCHES.update({md5!r})\n")
    paths = base, cifar10_files.ROOT
    return {
        "CIFAR10_DIR": str(base),
        "LECTURE_DATASET": "cifar10",
        "LECTURE_CACHE": str(base / "cache"),
        "PYTHONPATH": os.pathsep.join(map(str, paths)),
    }
