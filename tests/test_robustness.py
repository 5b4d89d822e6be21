"""What the reports on recorded networks say, and that they belong to the networks that are recorded."""

import json

import numpy as np
import pytest

from helpers import attacks, data, evaluation, robustness, runs

REPORTS = sorted(runs.RECORDED.glob("*/*/attacks.json"))


@pytest.fixture(scope="module")
def few():
    return data.load("sketches").subset(10, 60)


@pytest.fixture(scope="module")
def model():
    return runs.load("vgg3", "sketches").model


@pytest.fixture(scope="module")
def found(model, few):
    return json.loads(json.dumps(robustness.report(model, few)))


def test_a_report_agrees_with_single_attacks(found, model, few):
    images, labels = data.to_float(few.x_test), few.y_test
    level = robustness.REPORT_LEVEL
    adversarial = attacks.fgsm(model, images, labels, level / 255)
    share = evaluation.accuracy(model, adversarial, labels)
    assert found["FGSM"]["accuracy"][level] == pytest.approx(share)
    assert np.trace(found["confusion_matrix"]) / len(labels) == pytest.approx(share) and np.sum(found["confusion_matrix"]) == len(labels)
    noisy = attacks.random_sign_noise(images, 4 / 255, seed=0)
    place = found["random-sign noise"]["levels"].index(4)
    assert found["random-sign noise"]["accuracy"][place] == pytest.approx(evaluation.accuracy(model, noisy, labels))


def test_pgd_leaves_no_more_than_fgsm_and_both_begin_untouched(found):
    fgsm, pgd = found["FGSM"], found["PGD"]
    assert pgd["accuracy"][0] == pytest.approx(fgsm["accuracy"][0])
    for level, share in zip(pgd["levels"], pgd["accuracy"]):
        assert share <= fgsm["accuracy"][level] + 1e-9


def test_what_is_unfooled_agrees_with_the_smallest_epsilon_that_fools(found, model, few):
    left = np.array(found["survival"])
    smallest = attacks.minimal_epsilon(model, data.to_float(few.x_test), few.y_test, max_level=16)
    for k in range(10):
        assert left[-1, k] == pytest.approx(np.mean(np.isnan(smallest[few.y_test == k])))


def test_what_was_fooled_once_stays_fooled(model, few, monkeypatch):
    """FGSM fools each image at the first level, and none at a larger one."""
    answers = np.tile(few.y_test, (len(robustness.FGSM_LEVELS), 1))
    answers[1] = (few.y_test + 1) % 10
    monkeypatch.setattr(attacks, "epsilon_sweep", lambda *_: ((answers == few.y_test).mean(axis=1), answers))
    monkeypatch.setattr(robustness, "PGD_LEVELS", (0,))
    left = np.array(robustness.report(model, few)["survival"])
    assert (left[0] == 1).all() and (left[1:] == 0).all()


def test_a_report_on_other_weights_is_refused(found, tmp_path):
    target = runs.folder("vgg3", "sketches", tmp_path)
    with pytest.raises(FileNotFoundError, match="python -m helpers.robustness vgg3 --dataset sketches"):
        robustness.load("vgg3", "sketches", tmp_path)
    runs.save_record({"weights_sha256": "new"}, target)
    runs.save_record(found | {"weights_sha256": "old"}, target, "attacks.json")
    with pytest.raises(ValueError, match="other weights.*python -m helpers.robustness"):
        robustness.load("vgg3", "sketches", tmp_path)


def test_the_command_keeps_a_report_or_says_what_is_missing(few, model, tmp_path, monkeypatch, capsys):
    with pytest.raises(SystemExit, match="no run 'vgg3' is recorded"):
        robustness.main(["vgg3", "--dataset", "sketches"], root=tmp_path)
    record = runs.load("vgg3", "sketches").record
    runs.save(runs.Run(model, record), "vgg3", "sketches", tmp_path)
    monkeypatch.setattr(robustness.data, "load", lambda name: few)
    with pytest.raises(SystemExit, match="another copy"):
        robustness.main(["vgg3", "--dataset", "sketches"], root=tmp_path)
    record["dataset"]["digest"] = few.digest()
    runs.save(runs.Run(model, record), "vgg3", "sketches", tmp_path)
    robustness.main(["vgg3", "--dataset", "sketches"], root=tmp_path)
    assert robustness.load("vgg3", "sketches", tmp_path)["images"] == 60


@pytest.mark.parametrize("path", REPORTS, ids=lambda path: "-".join(path.parts[-3:-1]))
def test_recorded_reports_belong_to_recorded_runs(path):
    dataset, name = path.parts[-3:-1]
    found, record = robustness.load(name, dataset), runs.read_record(name, dataset)
    assert found["n"] == record["dataset"]["test_size"]
    assert found["FGSM"]["accuracy"][0] == pytest.approx(runs.accuracy(record), abs=1e-3)


def test_the_notebooks_find_their_reports():
    names = {"-".join(path.parts[-3:-1]) for path in REPORTS}
    needed = ("vgg3", "airbench", "adversarial-fgsm", "adversarial-pgd")
    assert names >= {f"{dataset}-{name}" for dataset in ("cifar10", "sketches") for name in needed}


@pytest.mark.parametrize("dataset", ["cifar10", "sketches"])
def test_defended_networks_hold_where_undefended_ones_do_not(dataset):
    """Under PGD with the named ε; an undefended network that held would mean that the attack is broken."""

    def held(name):
        pgd = robustness.load(name, dataset)["PGD"]
        return pgd["accuracy"][pgd["levels"].index(robustness.REPORT_LEVEL)]

    assert max(held("vgg3"), held("airbench")) < 0.05
    assert min(held("adversarial-fgsm"), held("adversarial-pgd")) > 0.3
