"""Training, its checkpoints, and what it leaves behind. Networks are trained for a few steps only."""

import dataclasses
import json
import subprocess
import sys

import numpy as np
import pytest

from helpers import data, evaluation, models, runs, training

RECIPE = dataclasses.replace(training.RECIPES["vgg3"], learning_rate=0.01)


@pytest.fixture(scope="module")
def few():
    return data.load("sketches").first(320, 100)


def weights(run):
    return np.concatenate([weight.ravel() for weight in run.model.get_weights()])


def test_the_loss_falls_and_everything_is_recorded(few):
    seen = []
    run = training.train(RECIPE, few, epochs=3, on_step=lambda *step: seen.append(step))
    assert [step[0] for step in seen] == list(range(1, 31)) and seen[0][1] == 30
    assert list(run.history) == list(training.HISTORY)
    assert all(len(values) == 3 for values in run.history.values())
    assert run.history["loss"][-1] < run.history["loss"][0] - 0.1  # without a step it stays where it began
    assert run.record["accuracy"]["test"] == evaluation.accuracy(run.model, few.x_test, few.y_test)
    assert run.record["dataset"]["digest"] == few.digest()
    assert run.record["recipe"]["number_format"] in ("float32", "mixed_bfloat16")
    assert run.model.dtype_policy.name == "float32"
    json.dumps(run.record)


def test_an_interrupted_training_ends_where_an_uninterrupted_one_does(few, tmp_path):
    def interrupt(history):
        raise KeyboardInterrupt

    checkpoint = tmp_path / "checkpoint.npz"
    with pytest.raises(KeyboardInterrupt):
        training.train(RECIPE, few, epochs=2, checkpoint=checkpoint, on_epoch=interrupt)
    resumed = training.train(RECIPE, few, epochs=2, checkpoint=checkpoint)
    straight = training.train(RECIPE, few, epochs=2)
    np.testing.assert_allclose(weights(resumed), weights(straight), rtol=1e-4, atol=1e-6)
    assert resumed.history["loss"] == pytest.approx(straight.history["loss"], rel=1e-3)


def test_a_killed_training_loses_at_most_an_epoch(tmp_path):
    """SIGKILL in the middle of the second epoch; the checkpoint of the first is whole."""
    program = f"""
import dataclasses, os, signal
from helpers import data, training
recipe = dataclasses.replace(training.RECIPES["vgg3"], learning_rate=0.01)
kill = getattr(signal, "SIGKILL", signal.SIGTERM)  # Windows has only the latter, which ends a process as abruptly
die = lambda done, total, loss, accuracy: done == 15 and os.kill(os.getpid(), kill)
few = data.load("sketches").first(320, 100)
training.train(recipe, few, epochs=2, on_step=die, checkpoint={str(tmp_path / "checkpoint.npz")!r})
"""
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True)
    assert ended.returncode != 0
    with np.load(tmp_path / "checkpoint.npz") as kept:
        assert len(json.loads(str(kept["note"]))["history"]["loss"]) == 1
    assert [path.name for path in tmp_path.iterdir()] == ["checkpoint.npz"]


def test_a_checkpoint_of_something_else_is_refused(few, tmp_path):
    checkpoint = tmp_path / "checkpoint.npz"
    training.train(RECIPE, few, epochs=1, checkpoint=checkpoint)
    with pytest.raises(ValueError, match="another recipe or data set; delete it"):
        training.train(dataclasses.replace(RECIPE, momentum=0.5), few, epochs=2, checkpoint=checkpoint)
    with pytest.raises(ValueError, match="another recipe or data set; delete it"):
        training.train(RECIPE, few.first(310, 100), epochs=2, checkpoint=checkpoint)


def test_command_keeps_a_run_that_can_be_loaded(few, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(data, "load", lambda name: few)
    monkeypatch.setitem(training.RECIPES, "vgg3", dataclasses.replace(RECIPE, epochs={"sketches": 2}))
    training.main(["vgg3", "--dataset", "sketches"], root=tmp_path)
    printed = capsys.readouterr()
    assert "epoch   2/2" in printed.out and "batch/s" in printed.err
    run = runs.load("vgg3", "sketches", root=tmp_path)
    assert run.record["accuracy"]["test"] == evaluation.accuracy(run.model, few.x_test, few.y_test)
    assert {path.name for path in (tmp_path / "sketches" / "vgg3").iterdir()} == {"record.json", "model.weights.h5"}


def test_a_missing_or_foreign_run_names_the_fix(few, tmp_path):
    with pytest.raises(FileNotFoundError, match="python -m helpers.training vgg3 --dataset cifar10"):
        runs.load("vgg3", "cifar10", root=tmp_path)
    run = training.train(RECIPE, few, epochs=1)
    runs.save(run, "vgg3", "sketches", root=tmp_path)
    other = models.build("vgg3")
    other.save_weights(tmp_path / "sketches" / "vgg3" / "model.weights.h5")
    with pytest.raises(ValueError, match="not the file that record.json describes"):
        runs.load("vgg3", "sketches", root=tmp_path)


def test_command_says_in_one_line_what_is_missing(tmp_path, monkeypatch):
    monkeypatch.setenv("CIFAR10_DIR", str(tmp_path))
    with pytest.raises(SystemExit, match="CIFAR10_DIR"):
        training.main(["vgg3", "--dataset", "cifar10"], root=tmp_path)


def test_an_interrupted_command_says_how_to_go_on(few, tmp_path, monkeypatch):
    def interrupt(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(data, "load", lambda name: few)
    monkeypatch.setattr(training, "train", interrupt)
    with pytest.raises(SystemExit, match="same command"):
        training.main(["vgg3", "--dataset", "sketches"], root=tmp_path)


def test_float32_where_the_processor_has_no_bfloat16(monkeypatch):
    def no_file(*_, **__):
        raise OSError

    monkeypatch.setattr(training.Path, "read_text", no_file)
    assert training.number_format_here(RECIPE) == "float32"
    monkeypatch.setattr(training.Path, "read_text", lambda *_, **__: "flags : sse2 avx512_bf16")
    assert training.number_format_here(RECIPE) == "mixed_bfloat16"
