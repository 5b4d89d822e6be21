"""AutoAttack's record: what is counted, and that a run continues. The attacks themselves are another library's."""

import json

import numpy as np
import pytest

from helpers import ablations, attacks, autoattack, evaluation, robustness, runs
from helpers.backend import keras


@pytest.fixture
def asked(monkeypatch, network):
    """FGSM in the place of each attack, stronger from one to the next; lists the attacks and how many images each got."""
    calls = []

    def attack(model, images, labels, name, level):
        calls.append((name, len(images)))
        epsilon = level / 255 * (1 + autoattack.ATTACKS.index(name)) / len(autoattack.ATTACKS)
        return attacks.fgsm(model, images, labels, epsilon)

    monkeypatch.setattr(autoattack, "attack", attack)
    return calls


def test_each_attack_takes_what_the_ones_before_it_left(asked, network, pictures):
    kept = []
    rows = autoattack.report(network, *pictures, 2, keep=lambda rows: kept.append(len(rows)))
    assert [name for name, _ in asked] == list(autoattack.ATTACKS) and kept == [1, 2, 3, 4]
    clean = np.flatnonzero(evaluation.predictions(network, pictures[0]) == pictures[1])
    assert [count for _, count in asked] == [len(clean), *(len(row["robust"]) for row in rows[:-1])]
    _, predicted = attacks.epsilon_sweep(network, *pictures, [epsilon / 4 * 2 / 255 for epsilon in (1, 2, 3, 4)])
    survived = np.logical_and.accumulate([np.isin(range(len(pictures[1])), clean), *(predicted == pictures[1])])[1:]
    assert [row["robust"] for row in rows] == [np.flatnonzero(row).tolist() for row in survived]
    assert [row["accuracy"] for row in rows] == survived.mean(axis=1).tolist() and rows[-1]["accuracy"] < len(
        clean
    ) / 40


def test_the_command_continues_after_the_last_attack_and_keeps_the_report(asked, dataset, tmp_path):
    folder = runs.folder("vgg3", dataset.name, tmp_path)
    folder.mkdir(parents=True)
    source = runs.folder("vgg3", dataset.name)
    for name in ("record.json", "model.weights.h5"):
        (folder / name).write_bytes((source / name).read_bytes())
    before = robustness.load("vgg3", dataset.name) | {"n": 40}
    first = {"attack": "apgd-ce", "accuracy": 0.05, "robust": [3, 7]}
    entry = {"level": 8, "accuracy": 0.05, "attacks": [first]}
    runs.save_record(before | {"AutoAttack": entry}, folder, "attacks.json")
    autoattack.main(["vgg3", "--dataset", dataset.name], root=tmp_path)
    after = json.loads((folder / "attacks.json").read_text(encoding="utf-8"))
    assert asked[0] == ("apgd-t", 2) and after["AutoAttack"]["attacks"][0] == first
    assert after["FGSM"] == before["FGSM"] and after["AutoAttack"]["level"] == robustness.REPORT_LEVEL
    assert after["AutoAttack"]["accuracy"] == after["AutoAttack"]["attacks"][-1]["accuracy"] <= 0.05


def test_a_network_that_may_branch_or_compute_between_layers_is_refused():
    image = keras.Input((32, 32, 3))
    doubled = keras.Model(image, keras.layers.Dense(10)(keras.layers.Flatten()(image * 2)))
    for network in (ablations.network(skip=True), doubled):
        with pytest.raises(ValueError, match="keras.Sequential, got Functional"):
            autoattack.rebuild(network)
