"""What all checks share: they fetch no data and leave nothing behind but the caches that the README names."""

import os
import subprocess
import sys
import tempfile

import pytest

os.environ["LECTURE_DOWNLOAD"] = "0"

SCRATCH = ("TMPDIR", "TEMP", "TMP", "IPYTHONDIR", "JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR", "JUPYTER_RUNTIME_DIR")
SCRATCH += ("npm_config_cache",)  # JupyterLab asks npm, where there is one, which language servers it has


def pytest_configure(config):
    """Give every process of this run one temporary folder, which goes when the run ends."""
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
