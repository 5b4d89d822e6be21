"""What the reports on recorded networks say, and that they belong to the networks that are recorded."""

import json

import numpy as np
import pytest

from helpers import attacks, data, evaluation, robustness, runs
from helpers.backend import tf

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
    assert (found["images"], found["n"]) == ("test", 60)
    for loss, curve in {"log-odds": found["FGSM"], **found["losses"]}.items():
        adversarial = attacks.fgsm(model, images, labels, level / 255, loss=loss)
        accuracy = evaluation.accuracy(model, adversarial, labels)
        assert curve["accuracy"][curve["levels"].index(level)] == pytest.approx(accuracy)
    assert np.trace(found["confusion_matrix"]) / 60 == pytest.approx(found["FGSM"]["accuracy"][level])
    assert np.sum(found["confusion_matrix"], axis=1).tolist() == np.bincount(labels, minlength=10).tolist()
    noisy = attacks.random_sign_noise(images, 4 / 255, seed=0)
    place = found["random-sign noise"]["levels"].index(4)
    assert found["random-sign noise"]["accuracy"][place] == pytest.approx(evaluation.accuracy(model, noisy, labels))


def test_every_attack_takes_the_same_images(found, model, few):
    clean = evaluation.accuracy(model, few.x_test, few.y_test)
    for attack in robustness.REPORT_ATTACKS:
        levels, accuracy = found[attack]["levels"], found[attack]["accuracy"]
        assert levels[0] == 0 and accuracy[0] == pytest.approx(clean) and len(levels) == len(accuracy)
    for level, accuracy in zip(found["PGD"]["levels"], found["PGD"]["accuracy"], strict=True):
        assert accuracy <= found["FGSM"]["accuracy"][level] + 1e-9


def test_on_cifar10_a_report_takes_the_original_test_images(monkeypatch):
    """The first 1,017; of the others, no attack is asked."""
    seen = set()
    pixels = np.zeros((1100, 32, 32, 3), np.uint8)
    dataset = data.Dataset("cifar10", "made here", pixels[:10], np.zeros(10, int), pixels, np.arange(1100) % 10)
    monkeypatch.setattr(evaluation, "accuracy", lambda _, images, labels: seen.add(len(images)) or 0.5)
    monkeypatch.setattr(
        evaluation, "predictions", lambda _, images: seen.add(len(images)) or dataset.y_test[: len(images)]
    )
    monkeypatch.setattr(attacks, "pgd", lambda _, images, labels, epsilon, **__: images)
    monkeypatch.setattr(
        attacks,
        "epsilon_sweep",
        lambda _, x, y, epsilons, **__: (np.ones(len(epsilons)), np.tile(y, (len(epsilons), 1))),
    )
    monkeypatch.setattr(robustness, "signs_in_float32", lambda _, images, *__: seen.add(len(images)))
    found = robustness.report(None, dataset)
    assert (found["images"], found["n"]) == ("test_first_1017", 1017) and seen == {1017}


def test_what_survives_agrees_with_the_minimal_epsilon(found, model, few):
    left = np.array(found["survival"])
    smallest = attacks.minimal_epsilon(model, data.to_float(few.x_test), few.y_test, max_level=16)
    for k in range(10):
        assert left[-1, k] == pytest.approx(np.mean(np.isnan(smallest[few.y_test == k])))


def test_what_was_fooled_once_stays_fooled(model, few, monkeypatch):
    """FGSM fools each image at the first level, and none at a larger one."""
    predicted = np.tile(few.y_test, (len(robustness.FGSM_LEVELS), 1))
    predicted[1] = (few.y_test + 1) % 10
    monkeypatch.setattr(attacks, "epsilon_sweep", lambda *_, **__: ((predicted == few.y_test).mean(axis=1), predicted))
    monkeypatch.setattr(robustness, "PGD_LEVELS", (0,))
    left = np.array(robustness.report(model, few)["survival"])
    assert (left[0] == 1).all() and (left[1:] == 0).all()


def test_signs_in_float32(found, model, few):
    signs = found["signs"]
    agreement = {loss: np.array(fractions) for loss, fractions in signs["agreement"].items()}
    assert list(agreement) == list(attacks.LOSSES) and all(len(one) == 60 for one in agreement.values())
    assert agreement["log-odds"].min() >= 0.995
    assert signs["below_90"] == {loss: int((one < 0.9).sum()) for loss, one in agreement.items()}
    assert signs["below_90"]["cross-entropy"] > 0
    assert [one["scale"] for one in signs["steep"]] == [20, 100]
    assert all(one["lowest"] >= 0.995 and one["below_99.5"] == [] for one in signs["steep"])
    p = evaluation.probabilities(model, few.x_test)[np.arange(60), few.y_test].astype(float)
    unsure = abs(np.array(signs["lead"])) < 8
    np.testing.assert_allclose(np.array(signs["lead"])[unsure], np.log(p / (1 - p))[unsure], atol=0.01)
    assert signs["p_rounds_to_one"] == pytest.approx(24 * np.log(2), abs=0.02)


def test_a_report_on_other_weights_is_refused(tmp_path):
    target = runs.folder("vgg3", "sketches", tmp_path)
    with pytest.raises(FileNotFoundError, match="python -m helpers.robustness vgg3 --dataset sketches"):
        robustness.load("vgg3", "sketches", tmp_path)
    runs.save_record({"weights_sha256": "new"}, target)
    runs.save_record({"weights_sha256": "old"}, target, "attacks.json")
    with pytest.raises(ValueError, match="other weights.*python -m helpers.robustness"):
        robustness.load("vgg3", "sketches", tmp_path)


def test_the_command_attacks_what_is_loaded_and_keeps_its_digest(few, model, tmp_path, monkeypatch, capsys):
    with pytest.raises(SystemExit, match="no run 'vgg3' is recorded"):
        robustness.main(["vgg3", "--dataset", "sketches"], root=tmp_path)
    record = runs.load("vgg3", "sketches").record
    runs.save(runs.Run(model, record), "vgg3", "sketches", tmp_path)
    few = few.subset(10, 8)
    assert few.digest() != record["dataset"]["digest"]
    monkeypatch.setattr(robustness.data, "load", lambda name: few)
    with pytest.raises(SystemExit, match="attacks.json is missing; python -m helpers.robustness vgg3"):
        robustness.main(["vgg3", "--dataset", "sketches", "--signs"], root=tmp_path)
    robustness.main(["vgg3", "--dataset", "sketches"], root=tmp_path)
    found = robustness.load("vgg3", "sketches", tmp_path)
    assert found["n"] == 8 and found["dataset"]["digest"] == few.digest()
    target = runs.folder("vgg3", "sketches", tmp_path)
    runs.save_record(found | {"AutoAttack": {"accuracy": 0.1}, "FGSM": None}, target, "attacks.json")
    robustness.main(["vgg3", "--dataset", "sketches"], root=tmp_path)
    again = robustness.load("vgg3", "sketches", tmp_path)
    assert again["AutoAttack"] == {"accuracy": 0.1} and again["FGSM"] == found["FGSM"]
    runs.save_record(again | {"signs": None, "FGSM": None}, target, "attacks.json")
    robustness.main(["vgg3", "--dataset", "sketches", "--signs"], root=tmp_path)
    shown = capsys.readouterr().out
    assert "log-odds: at least 100.00% of each image's signs; 0 of 8 below 90%" in shown
    assert "log-odds, logits × 100: at least 100.00% of each image's signs" in shown
    assert robustness.load("vgg3", "sketches", tmp_path) == again | {"FGSM": None}


@pytest.mark.parametrize("path", REPORTS, ids=lambda path: "-".join(path.parts[-3:-1]))
def test_recorded_reports_belong_to_recorded_runs(path):
    """On the images of the record, the clean accuracy of both is the same; on a copy of them, it may differ a little."""
    dataset, name = path.parts[-3:-1]
    found, record = robustness.load(name, dataset), runs.read_record(name, dataset)
    same = found["dataset"]["digest"] == record["dataset"]["digest"]
    recorded = runs.accuracy(record, found["images"])
    for attack in robustness.REPORT_ATTACKS:
        assert found[attack]["accuracy"][0] == pytest.approx(recorded, abs=1e-3 if same else 0.02)
    assert [one["scale"] for one in found["signs"]["steep"]] == [20, 100]
    assert len(at_a_corner(path)) <= 0.005 * 3 * found["n"]


def at_a_corner(path):
    """(scale of the logits, image) for each image of a report on which less than 99.5% of the exact signs are met."""
    signs = json.loads(path.read_text(encoding="utf-8"))["signs"]
    plain = {"scale": 1, "below_99.5": np.flatnonzero(np.array(signs["agreement"]["log-odds"]) < 0.995)}
    return [(one["scale"], index) for one in (plain, *signs["steep"]) for index in one["below_99.5"]]


def steep(model, scale):
    return lambda images, training: scale * model(images, training=training)


@pytest.mark.parametrize("path", list(filter(at_a_corner, REPORTS)), ids=lambda path: "-".join(path.parts[-3:-1]))
def test_where_signs_differ_from_float64_two_roundings_of_the_pixels_turn_them_in_float64_too(path, dataset):
    """On either side of a corner of ReLU or max pooling, the gradients differ by a multiple of the corner's normal.

    So along the sign of that difference lies the nearest image on the other side. No pixel of it differs by more than
    twice the epsilon of float32; well away from the corner, on both sides, float32 and float64 agree.
    """
    kind, name = path.parts[-3:-1]
    if kind == "cifar10" != dataset.name:
        pytest.skip("CIFAR-10 is not on this machine")
    images_of, network = data.load(kind), runs.load(name, kind).model
    network64, gradient = robustness.in_float64(network), tf.function(attacks.input_gradient)
    for scale, index in at_a_corner(path):
        image, label = data.to_float(images_of.x_test[index : index + 1]), images_of.y_test[index : index + 1]
        ours = gradient(steep(network, scale), tf.constant(image), tf.constant(label)).numpy()
        exact = attacks.input_gradient(
            steep(network64, scale), tf.constant(image, tf.float64), tf.constant(label)
        ).numpy()
        if np.mean(np.sign(ours) == np.sign(exact)) >= 0.995:  # a processor that rounds in another way
            continue
        across, nearest, agreement = np.sign(ours - exact), 2 * np.finfo(np.float32).eps, []
        for way in (-1, 1):
            near = robustness.exact_signs(network64, image + way * nearest * across, label, scale)
            agreement.append(np.mean(near == np.sign(ours)))
            clear = np.clip(image + way * 1e-4 * across, 0, 1).astype(np.float32)
            there = np.sign(gradient(steep(network, scale), tf.constant(clear), tf.constant(label)))
            assert np.mean(there == robustness.exact_signs(network64, clear, label, scale)) >= 0.995
        assert min(agreement) < 0.995 <= max(agreement)


def test_every_run_with_weights_has_a_report():
    runs_ = {path.parent for path in runs.RECORDED.glob("*/*/model.weights.h5")}
    assert {path.parent for path in REPORTS} == runs_


@pytest.mark.parametrize("dataset", ["cifar10", "sketches"])
def test_adversarially_trained_networks_are_robust_where_standard_ones_are_not(dataset):
    """Under PGD at REPORT_LEVEL; a standard network that held would mean that the attack is broken."""

    def robust(name):
        pgd = robustness.load(name, dataset)["PGD"]
        return pgd["accuracy"][pgd["levels"].index(robustness.REPORT_LEVEL)]

    assert max(robust("vgg3"), robust("airbench"), robust("fast")) < 0.05
    assert min(robust("adversarial-fgsm"), robust("adversarial-pgd")) > 0.3


def test_whitening_costs_accuracy_under_noise():
    """What 05-fgsm says of the strong network: same recipe, same widths, another first layer."""

    def lost(name):
        found = robustness.load(name, "cifar10")["random-sign noise"]
        accuracy = dict(zip(found["levels"], found["accuracy"]))
        return accuracy[0] - accuracy[8]

    assert lost("fast") > 0.2 and lost("fast-unwhitened") < 0.05
