"""Faults that take a whole process: trainings that are killed or run out of disk, notebooks on odd machines.

pytest -m long --timeout=0        the same with many more repetitions, here and in test_cifar10.py: about an hour
"""

import os
import random
import re
import shutil
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections import Counter
from contextlib import contextmanager
from pathlib import Path

import memory
import nbformat
import numpy as np
import psutil
import pytest
import servers
from nbclient import NotebookClient

from helpers import runs

ROOT = Path(__file__).resolve().parents[1]
EPOCHS = 6

# Trains in the folder that is its argument by the real command, on so few images that an epoch takes a moment.
TRAINING = f"""
import dataclasses, pathlib, sys
from helpers import data, recipes, training
few = data.load("sketches").subset(320, 100)
data.load = lambda name: few
recipes.RECIPES["vgg3"] = dataclasses.replace(
    recipes.RECIPES["vgg3"], learning_rate=0.01, epochs={{"sketches": {EPOCHS}}})
training.main(["vgg3", "--dataset", "sketches"], root=pathlib.Path(sys.argv[1]))
"""


def training(root, **options):
    return subprocess.Popen(
        [*options.pop("before", ()), sys.executable, "-u", "-c", options.pop("first", "") + TRAINING, str(root)],
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        **options,
    )


def epochs(printed):
    return [int(number) for number in re.findall(rf"epoch +(\d+)/{EPOCHS}", printed)]


def left_in(folder):
    return sorted(path.name for path in folder.iterdir())


WHOLE = ["model.weights.h5", "record.json"]


@pytest.fixture(scope="module")
def straight(tmp_path_factory):
    """The Run of a training that nothing disturbs."""
    root = tmp_path_factory.mktemp("straight")
    printed, errors = training(root).communicate()
    assert epochs(printed) == list(range(1, EPOCHS + 1)), errors
    return runs.load("vgg3", "sketches", root)


@pytest.mark.parametrize("kills", [1, pytest.param(50, marks=pytest.mark.long)])
def test_a_killed_training_loses_at_most_an_epoch(kills, straight, tmp_path, capsys):
    """SIGKILL, first in the second epoch, then at random moments of training and saving; after its end it starts anew."""
    chance, folder, done, moments = random.Random(0), tmp_path / "sketches" / "vgg3", 0, Counter()
    for number in range(kills):
        process = training(tmp_path)
        printed = process.stdout.readline()
        if number == 0 or chance.random() < 0.7:  # with the first epoch of this process behind it
            printed += process.stdout.readline()
        time.sleep(chance.uniform(0, 1.5) if number else 0)
        process.kill()
        printed += process.stdout.read()  # communicate() would miss what readline() took in ahead
        process.communicate()
        seen = epochs(printed)
        # It went on where the one before stopped: what that one said to have finished was not lost.
        assert not seen or done + 1 <= seen[0] <= done + 2
        done = seen[-1] if seen else done
        moments[f"after epoch {done}"] += 1
        assert set(left_in(folder)) <= {*WHOLE, "checkpoint.npz", "checkpoint.new", "new.weights.h5", "new.record.json"}
        if "checkpoint.npz" not in left_in(folder) and done:
            assert left_in(folder) == WHOLE  # it had ended before the blow
            done = 0
    printed, errors = training(tmp_path).communicate()
    assert "kept in" in printed, errors
    run = runs.load("vgg3", "sketches", tmp_path)
    with capsys.disabled():
        print(f"\n{kills} trainings killed: {dict(sorted(moments.items()))}")
    assert left_in(folder) == WHOLE
    assert len(run.history["loss"]) == EPOCHS
    assert run.history["loss"] == pytest.approx(straight.history["loss"], rel=1e-3)
    for one, other in zip(run.model.get_weights(), straight.model.get_weights()):
        np.testing.assert_allclose(one, other, rtol=1e-3, atol=1e-5)


# A full disk during training.

FULL_DISK = """
import os, pathlib, subprocess, sys
root = pathlib.Path(sys.argv[1])
def mount(*options): subprocess.run(["mount", *options], check=True)
def attempt():
    try: training.main(["vgg3", "--dataset", "sketches"], root=root)
    except SystemExit as error: print("SAID:", error)
    print("LEFT:", *sorted(path.name for path in (root / "sketches" / "vgg3").iterdir()))
mount("-t", "tmpfs", "-o", "size=6m", "tmpfs", str(root))
"""
# A checkpoint has 4.4 MB: the first one fits into 6 MB, the second does not fit beside it.
THEN = """
attempt()
mount("-o", "remount,size=40m", str(root))
attempt()
room = os.statvfs(root)
(root / "filler").write_bytes(bytes(room.f_bavail * room.f_frsize - 1_000_000))
from helpers import runs
before = runs.load("vgg3", "sketches", root)
try: runs.save(before, "vgg3", "sketches", root)
except OSError as error: print("SAVE:", type(error).__name__)
print("LEFT:", *sorted(path.name for path in (root / "sketches" / "vgg3").iterdir()))
print("AGAIN:", runs.load("vgg3", "sketches", root).record == before.record)
"""


def test_a_full_disk_stops_a_training_that_then_goes_on(own_mounts, tmp_path):
    setup, command = TRAINING.rsplit("training.main", 1)
    program = FULL_DISK + setup + THEN
    done = subprocess.run(
        [*own_mounts, sys.executable, "-c", program, str(tmp_path)],
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0 and "Traceback" not in done.stderr, done.stderr
    lines = [line for line in done.stdout.splitlines() if line.split(":")[0].isupper()]
    assert re.fullmatch(r"SAID: .*sketches.vgg3 cannot be written \(No space left on device\); make room, .*", lines[0])
    assert lines[1:] == [
        "LEFT: checkpoint.npz",
        "LEFT: model.weights.h5 record.json",
        "SAVE: OSError",
        "LEFT: model.weights.h5 record.json",
        "AGAIN: True",
    ]
    assert epochs(done.stdout) == list(range(1, EPOCHS + 1))


@pytest.mark.parametrize("harm", ["empty", "cut", "text", "pickle", "one array is missing"])
def test_a_damaged_checkpoint_is_refused_by_name(harm, tmp_path):
    from helpers import checkpoint, recipes, training

    path = tmp_path / "checkpoint.npz"
    keeper = checkpoint.Checkpoint(
        path, recipes.RECIPES["vgg3"], 1, Nothing, "layers", [training.tf.Variable([1.0, 2.0])]
    )
    keeper.write({"loss": [1.0]})
    assert keeper.restore() == {"loss": [1.0]}
    whole = path.read_bytes()
    if harm == "one array is missing":
        np.savez(path, note=np.load(path)["note"])
    elif harm == "pickle":
        np.savez(path, note=np.array([print], dtype=object))
    else:
        path.write_bytes({"empty": b"", "cut": whole[: len(whole) // 2], "text": b"hello"}[harm])
    with pytest.raises(ValueError, match="checkpoint.npz is not a complete checkpoint .*delete it to start again"):
        keeper.restore()


class Nothing:
    """Stands in for a data set whose digest is all that a checkpoint asks for."""

    digest = staticmethod(lambda: "none")


# Notebooks.

NOTEBOOKS = sorted((ROOT / "notebooks").glob("[0-9]*.ipynb"))
CORE = "05-fgsm"  # its core runs once in every `make test`; all of all, twice and on both data sets, with -m long
OFFICIAL = "the official files"
FIRST_FIGURE = 25  # seconds of a processor, of which Binder gives one
ROUNDS = [
    pytest.param(path, OFFICIAL, 0, id=f"the core of {path.stem}, {OFFICIAL}")
    for path in NOTEBOOKS
    if path.stem == CORE
] + [
    pytest.param(path, images, 2, id=f"{path.stem}, {images}, twice", marks=pytest.mark.long)
    for path in NOTEBOOKS
    for images in (OFFICIAL, "sketches")
]


@pytest.fixture
def classroom(tmp_path, monkeypatch):
    """An empty folder whose name is not ASCII, on a machine without a display, with the C locale."""
    for name in ("DISPLAY", "WAYLAND_DISPLAY", "LANG", "LANGUAGE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("LC_ALL", "C")
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    (folder := tmp_path / "Übungen für alle" / "my notebooks").mkdir(parents=True)
    return folder


@pytest.mark.skipif(sys.platform != "linux", reason="reads a process's peak memory from /proc")
@pytest.mark.parametrize(("path", "images", "rounds"), ROUNDS)
def test_run_all_in_one_small_kernel(path, images, rounds, classroom, request, monkeypatch, capsys):
    """Every cell in order, as students run them, for somebody with the official CIFAR-10, on which no run was recorded.

    The kernel works in a folder that is neither the notebook's nor the repository's, and leaves nothing there. Binder
    gives 2 GB and one processor, so that the processor's seconds are those of a class, whatever else this machine does.
    (conftest.py holds the memory of every notebook of `make test`, where nbval runs it.)
    """
    settings = {"LECTURE_DATASET": images} if images == "sketches" else request.getfixturevalue("official_cifar10")
    for name, value in settings.items():
        monkeypatch.setenv(name, value)
    with kernel(path, classroom) as (client, run_cell):
        peaks, waited, last = [], first_figure(client), "from helpers import data\nprint(data.load().source)"
        if not rounds:
            client.nb.cells = [cell for cell in client.nb.cells if "core" in cell.metadata.get("tags", ())]
        client.nb.cells.append(nbformat.v4.new_code_cell(last))
        for _ in range(rounds or 1):
            for index in range(len(client.nb.cells)):
                run_cell(index)
            peaks.append(memory.peak(pid(client)))
            if len(peaks) == 1:
                held = memory.own(pid(client))
    assert images in client.nb.cells[-1].outputs[0].text
    with capsys.disabled():
        print(f"\n{path.stem} on {images}: peak after each round", *(f"{size / 1e9:.2f} GB" for size in peaks), end="")
        print(f", {held / 1e9:.2f} GB of its own; first figure after {waited[0]:.1f} s of a processor")
    assert waited[0] < FIRST_FIGURE
    assert held < memory.OWN, "thirty seats on one hub"
    assert peaks[-1] < min(memory.PEAK, 1.25 * peaks[0]), "what is run again leaves nothing behind"
    assert list(classroom.iterdir()) == []


@pytest.mark.long
@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_core_alone_and_cells_again_in_any_order(path, classroom, monkeypatch):
    """A lecturer skips what is not core; a student goes back and runs an earlier cell again."""
    monkeypatch.setenv("LECTURE_DATASET", "sketches")
    with kernel(path, classroom) as (client, run_cell):
        core = [i for i, cell in enumerate(client.nb.cells) if "core" in cell.metadata.get("tags", ())]
        for index in [*core, *reversed(core), *random.Random(0).sample(core, len(core))]:
            run_cell(index)


@contextmanager
def kernel(path, folder):
    """A real kernel that works in `folder` on the notebook `path`: its client, and a function that runs one cell."""
    # By default an output that comes late on a busy machine is dropped after four seconds.
    waiting = {"timeout": 900, "iopub_timeout": 120, "resources": {"metadata": {"path": str(folder)}}}
    client = NotebookClient(nbformat.read(path, 4), kernel_name="python3", **waiting)
    with client.setup_kernel():
        yield client, lambda index: client.execute_cell(client.nb.cells[index], index, store_history=True)


def first_figure(client):
    """A list that gets the seconds of a processor that the kernel has used at each figure that arrives."""
    seconds, process = [], client.process_message

    def noting(message, *more):
        if {"image/png", "text/html"} & set(message["content"].get("data", ())):
            seconds.append(sum(psutil.Process(pid(client)).cpu_times()[:2]))
        return process(message, *more)

    client.process_message = noting
    return seconds


def pid(client):
    return client.km.provisioner.pid


# The server that `make lab` starts.


@pytest.mark.skipif(sys.platform != "linux" or not shutil.which("make"), reason="needs make, and all connections")
def test_make_lab_listens_on_this_machine_alone_and_asks_for_its_token(tmp_path, monkeypatch):
    """Also where the user's own configuration opens Jupyter to the network."""
    monkeypatch.delenv("DISPLAY", raising=False)
    for name in ("CONFIG", "DATA", "RUNTIME"):
        (tmp_path / name).mkdir()
        monkeypatch.setenv(f"JUPYTER_{name}_DIR", str(tmp_path / name))
    (tmp_path / "CONFIG" / "jupyter_server_config.py").write_text("c.ServerApp.ip = '0.0.0.0'")
    server = subprocess.Popen(["make", "lab"], cwd=set_up(tmp_path), start_new_session=True)
    facts = servers.running(tmp_path / "RUNTIME", server)
    try:
        found = [one for one in psutil.net_connections("tcp") if one.status == "LISTEN"]
        addresses = {one.laddr.ip for one in found if one.laddr.port == facts["port"]}
        assert addresses and addresses <= {"127.0.0.1", "::1"}
        assert len(facts["token"]) >= 40
        for path, answer in (("api/contents", 403), ("api/kernels", 403), (f"api/contents?token={'0' * 48}", 403)):
            with pytest.raises(urllib.error.HTTPError, match=str(answer)):
                urllib.request.urlopen(facts["url"] + path, timeout=30)
        urllib.request.urlopen(f"{facts['url']}api/contents?token={facts['token']}", timeout=30)
    finally:
        os.kill(facts["pid"], signal.SIGTERM)
        server.wait()


def set_up(folder):
    """A folder in which make finds everything installed: its .venv is this process's Python."""
    for name in ("Makefile", "requirements.txt", "pyproject.toml"):
        shutil.copy(ROOT / name, folder)
    (folder / "notebooks").mkdir()
    (folder / ".venv" / "bin").mkdir(parents=True)
    (folder / ".venv" / "bin" / "python").write_text(f'#!/bin/sh\nexec "{sys.executable}" "$@"\n')
    (folder / ".venv" / "bin" / "python").chmod(0o755)
    for stamp in ("lecture", "authors"):
        (folder / ".venv" / stamp).touch()
    return folder
