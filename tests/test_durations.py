import dataclasses

import pytest

from helpers import ablations, data, durations, models
from helpers.recipes import RECIPES


def test_what_is_measured(monkeypatch):
    few = {name: dataclasses.replace(RECIPES[name], batch_size=20) for name in ("fast", "adversarial-fgsm")}
    monkeypatch.setattr(durations, "RECIPES", few | {"vgg3": RECIPES["vgg3"]})
    monkeypatch.setattr(durations, "LEAST_IMAGES", 100)
    monkeypatch.setattr(durations, "SIDE", 64)
    found = durations.measure(data.load("sketches"))
    assert found["peak"] > 0 and set(found["seconds_per_step"]) == {*few, "vgg3"}
    assert all(span > 0 for span in found["seconds_per_step"].values())


def test_seconds_and_operations_of_a_whole_training(monkeypatch):
    assert set(durations.load()["seconds_per_step"]) == set(RECIPES)
    monkeypatch.setattr(durations, "load", lambda: {"seconds_per_step": {"vgg3": 0.01, "fast": 1.0}})
    assert durations.seconds("vgg3", "cifar10") == pytest.approx(1563 * 71 * 0.01)  # 50,000 images in batches of 32
    assert durations.seconds("fast", "cifar10") == pytest.approx(50 * 3)
    products = 10_321_920 + 2 * 14_155_776 + 2048 * 128 + 128 * 10
    assert durations.flop("vgg3", "cifar10") == 6 * products * 50_000 * 71
    # The attack of one step takes two passes of the four that its training has.
    assert durations.flop("adversarial-fgsm", "cifar10") / durations.flop("standard-twin", "cifar10") == pytest.approx(
        10 / 6
    )


def test_operations_of_a_network_that_branches(monkeypatch):
    monkeypatch.setattr(models, "build", lambda _: ablations.network(skip=True))
    pairs = 10_321_920 + 2 * 14_155_776 + 2048 * 128 + 128 * 10
    adapted = 32**2 * 3 * 32 + 16**2 * 32 * 64 + 8**2 * 64 * 128  # the 1×1 convolutions beside the pairs
    assert durations.flop("vgg3", "cifar10") == 6 * (pairs + adapted) * 50_000 * 71


def test_a_run_that_is_not_recorded_ends_the_command_in_one_line(monkeypatch, tmp_path):
    monkeypatch.setattr(durations, "measure", lambda _: {"seconds_per_step": dict.fromkeys(RECIPES, 1.0), "peak": 1})
    monkeypatch.setattr(data, "load", lambda _: None)
    monkeypatch.setattr(durations, "PATH", tmp_path / "durations.json")
    monkeypatch.setattr(durations, "RECIPES", {"new": RECIPES["fast"]})
    with pytest.raises(SystemExit, match="record.json"):
        durations.main()


@pytest.mark.parametrize("span, words", [(31.6, "32 s"), (119.4, "119 s"), (1920, "32 min")])
def test_durations_in_words(span, words):
    assert durations.in_words(span) == words
