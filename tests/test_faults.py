"""Faults that take a whole process: trainings that are killed or run out of disk, notebooks on odd machines.

    pytest -m long        the same with many more repetitions, here and in test_data.py: about an hour
"""

import os
import random
import re
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from helpers import runs

ROOT = Path(__file__).resolve().parents[1]
EPOCHS = 6

# Trains in the folder that is its argument by the real command, on so few images that an epoch takes a moment.
TRAINING = f"""
import dataclasses, pathlib, sys
from helpers import data, training
few = data.load("sketches").first(320, 100)
data.load = lambda name: few
training.RECIPES["vgg3"] = dataclasses.replace(
    training.RECIPES["vgg3"], learning_rate=0.01, epochs={{"sketches": {EPOCHS}}})
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


@pytest.mark.parametrize("kills", [3, pytest.param(50, marks=pytest.mark.long)])
def test_a_killed_training_loses_at_most_an_epoch(kills, straight, tmp_path, capsys):
    """SIGKILL at random moments of training and saving; where a training came to its end, the next starts anew."""
    chance, folder, done, moments = random.Random(0), tmp_path / "sketches" / "vgg3", 0, Counter()
    for _ in range(kills):
        process = training(tmp_path)
        printed = process.stdout.readline()
        if chance.random() < 0.7:  # with the first epoch of this process behind it
            printed += process.stdout.readline()
        time.sleep(chance.uniform(0, 1.5))
        process.kill()
        printed += process.communicate()[0]
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
