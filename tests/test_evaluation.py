import math
import warnings

import numpy as np
import pytest

from helpers import data, evaluation


def test_probabilities(network, dataset):
    images = dataset.x_test[:20]
    answer = evaluation.probabilities(network, images)
    assert answer.shape == (20, 10) and answer.dtype == np.float32
    np.testing.assert_allclose(answer.sum(axis=1), 1, rtol=1e-5)
    np.testing.assert_allclose(answer, evaluation.probabilities(network, data.to_float(images)), atol=1e-5)
    empty = evaluation.probabilities(network, images[:0])
    assert empty.shape == (0, 10) and empty.dtype == np.float32


def test_agrees_with_keras(network, dataset):
    images, labels = data.to_float(dataset.x_test[:200]), dataset.y_test[:200]
    scores = network.predict(images, verbose=0)
    np.testing.assert_allclose(evaluation.logits(network, images), scores, atol=1e-3)
    assert evaluation.accuracy(network, images, labels) == np.mean(scores.argmax(axis=1) == labels)
    np.testing.assert_array_equal(evaluation.predictions(network, images), scores.argmax(axis=1))
    loss, accuracy = evaluation.loss_and_accuracy(network, images, labels)
    assert accuracy == evaluation.accuracy(network, images, labels)
    chosen = evaluation.softmax(scores.astype(np.float64))[np.arange(200), labels]
    assert loss == pytest.approx(-np.log(chosen).mean(), rel=1e-4)


def test_softmax_of_large_logits_is_finite():
    np.testing.assert_allclose(evaluation.softmax(np.array([[1000.0, 0.0], [0.0, 0.0]])), [[1, 0], [0.5, 0.5]])


def test_margin_of_the_slides_accuracy():
    assert 100 * evaluation.ci_half_width(0.8272, 10_000) == pytest.approx(0.74, abs=0.005)
    assert evaluation.ci_half_width(0, 1) == evaluation.ci_half_width(1, 1) == 0
    for wrong in (82.72, 1.01, -0.01):
        with pytest.raises(ValueError, match="fraction"):
            evaluation.ci_half_width(wrong, 10_000)


def test_margin_covers_19_of_20_repetitions():
    rng = np.random.default_rng(0)
    found = rng.binomial(1000, 0.83, 4000) / 1000
    covered = [abs(share - 0.83) <= evaluation.ci_half_width(share, 1000) for share in found]
    assert 0.93 < np.mean(covered) < 0.965


def test_wilson_interval_of_seven_of_eight():
    """Wilson 1927; the normal approximation would end at 110%."""
    assert evaluation.wilson_interval(7, 8) == pytest.approx((0.5291, 0.9776), abs=1e-4)
    assert evaluation.wilson_interval(0, 20)[0] == 0 and evaluation.wilson_interval(20, 20)[1] == 1
    assert evaluation.wilson_interval(1, 1) == pytest.approx((0.2065, 1), abs=1e-4)
    with pytest.raises(ValueError, match="successes=9"):
        evaluation.wilson_interval(9, 8)
    assert evaluation.wilson_interval(0.29 * 100, 100) == evaluation.wilson_interval(29, 100)  # 28.999999999999996
    for fraction in (0.8, np.float32(0.8)):
        with pytest.raises(ValueError, match=r"round\(fraction \* count\)"):
            evaluation.wilson_interval(fraction, 1000)


def test_paired_comparison_by_hand():
    first, second = np.array([True] * 70 + [False] * 30), np.array([True] * 60 + [False] * 20 + [True] * 20)
    compared = evaluation.paired_comparison(first, second)
    assert compared[2:4] == (10, 20) and compared.difference == pytest.approx(-0.1)
    assert compared.half_width == pytest.approx(1.96 * np.sqrt(0.3 - 0.01) / 10)
    assert compared.p_value == pytest.approx(2 * sum(math.comb(30, k) for k in range(11)) / 2**30)
    assert evaluation.paired_comparison(first, first) == (0, 0, 0, 0, 1)
    with pytest.raises(ValueError, match="boolean"):
        evaluation.paired_comparison(first, second.astype(int))
    with pytest.raises(ValueError, match="one shape"):
        evaluation.paired_comparison(first, second[1:])


def test_paired_interval_covers_the_true_difference():
    """Two networks whose errors are correlated, as errors on the same images are."""
    rng = np.random.default_rng(0)
    hard = rng.random((2000, 1000, 1))
    correct = hard + rng.normal(0, 0.1, (2000, 1000, 2)) < (0.8, 0.82)
    true = np.subtract(*correct.reshape(-1, 2).mean(axis=0))
    found = [evaluation.paired_comparison(*row.T) for row in correct]
    assert 0.93 < np.mean([abs(row.difference - true) <= row.half_width for row in found]) < 0.97


@pytest.mark.parametrize("temperature", [0.5, 1, 3])
def test_fit_temperature_finds_the_one_that_labels_were_drawn_with(temperature):
    rng = np.random.default_rng(0)
    scores = rng.normal(0, 3, (20_000, 10))
    drawn = evaluation.softmax(scores / temperature).cumsum(axis=1) > rng.random((20_000, 1))
    assert evaluation.fit_temperature(scores, drawn.argmax(axis=1)) == pytest.approx(temperature, rel=0.05)


def test_a_temperature_is_that_of_logits():
    with pytest.raises(ValueError, match="expected logits"):
        evaluation.fit_temperature(
            evaluation.softmax(np.random.default_rng(0).normal(0, 3, (50, 10))), np.zeros(50, int)
        )


@pytest.mark.filterwarnings("error")
def test_confusion_matrix_by_hand():
    matrix = evaluation.confusion_matrix(np.array([0, 0, 1, 2]), np.array([0, 1, 1, 1]), classes=3)
    assert matrix.tolist() == [[1, 1, 0], [0, 1, 0], [0, 1, 0]] and matrix.dtype == np.int64
    precision, recall = evaluation.precision_and_recall(matrix)
    np.testing.assert_allclose(precision, [1, 1 / 3, np.nan])
    np.testing.assert_allclose(recall, [0.5, 1, 0])
    assert evaluation.most_confused_pairs(matrix, 2) == [(0, 1, 1), (2, 1, 1)]
    pairs = [(t, p, 7) for t in range(10) for p in range(10) if t != p]
    assert evaluation.most_confused_pairs(np.full((10, 10), 7), 90) == pairs


def test_confident_mistakes_surest_first():
    probability = np.array([[0.9, 0.1], [0.6, 0.4], [0.2, 0.8], [0.3, 0.7]])
    assert evaluation.most_confident_errors(probability, np.array([1, 1, 1, 0]), 5).tolist() == [0, 3, 1]
    alike = np.tile([0.4, 0.6], (100, 1))
    assert evaluation.most_confident_errors(alike, np.zeros(100, int), 100).tolist() == list(range(100))


@pytest.mark.filterwarnings("error")
def test_calibration_tells_honest_from_boastful():
    rng = np.random.default_rng(0)
    sure = rng.uniform(0.5, 1, 50_000)
    probability = np.stack([sure, 1 - sure], axis=1)
    honest = (rng.random(50_000) > sure).astype(int)
    confidence, share, count, error = evaluation.calibration(probability, honest)
    assert len(count) == 10 and count[9] > 5000 and count.sum() == 50_000 and np.isnan(share[0])
    assert evaluation.calibration(probability[sure < 0.9], honest[sure < 0.9])[2][9] == 0
    certain = evaluation.calibration(np.eye(2), np.arange(2))
    assert certain[2].tolist() == [0] * 9 + [2] and certain[3] == 0
    np.testing.assert_allclose(confidence[5:], share[5:], atol=0.02)
    assert error < 0.01
    boastful = (rng.random(50_000) > 0.5).astype(int)
    assert evaluation.calibration(probability, boastful)[3] == pytest.approx(0.25, abs=0.01)


@pytest.mark.parametrize(
    ("images", "error", "words"),
    [
        (np.zeros((32, 32, 3), np.uint8), ValueError, "one alone"),
        (np.full((1, 32, 32, 3), 255.0), ValueError, r"divide 0–255 by 255, and if .* was trained .*Rescaling\(255\)"),
        (np.full((1, 32, 32, 3), -1.0), ValueError, r"turns .*and if .* was trained .*Rescaling\(2, offset=-1\)"),
        (np.zeros((5, 32, 32), np.uint8), ValueError, r"grey images need images\[\.\.\., None\]"),
        (np.zeros((5, 3, 32, 32), np.uint8), ValueError, r"np\.moveaxis\(images, 1, -1\)"),
        (np.zeros((1, 32, 32, 3), np.int64), TypeError, "uint8"),
        (np.zeros((1, 28, 28, 3), np.uint8), ValueError, "takes images of shape"),
    ],
)
def test_bad_images_name_the_fix(network, images, error, words):
    with pytest.raises(error, match=words):
        evaluation.probabilities(network, images)


def test_images_divided_by_255_twice_are_told(network, dataset):
    images = data.to_float(dataset.x_test[:20])
    with pytest.warns(UserWarning, match="divided by 255 twice"):
        evaluation.predictions(network, images / 255)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        evaluation.predictions(network, images[:1] * 0)
        evaluation.predictions(network, images / images.max() * 2 / 255)


def test_any_kind_of_integer_is_a_label(network, dataset):
    images, labels = dataset.x_test[:20], dataset.y_test[:20]
    loss = evaluation.loss_and_accuracy(network, images, labels)
    assert evaluation.loss_and_accuracy(network, images, labels.astype(np.uint8)) == loss


@pytest.mark.parametrize("use", [evaluation.calibration, evaluation.most_confident_errors])
def test_logits_are_no_probabilities(use, network, dataset):
    images, labels = dataset.x_test[:20], dataset.y_test[:20]
    logits, probability = evaluation.logits(network, images), evaluation.probabilities(network, images)
    centred = logits - logits.mean(axis=1, keepdims=True)
    for wrong in (logits, probability * 100, probability[0], centred + 0.1, probability * np.nan):
        with pytest.raises(ValueError, match=r"sum to 1; softmax\(logits\) gives them"):
            use(wrong, labels, 2)
    with pytest.raises(ValueError, match="bins=0"):
        evaluation.calibration(probability, labels, bins=0)


def test_labels_that_do_not_fit_are_refused_everywhere(network, dataset):
    images, labels = dataset.x_test[:5], dataset.y_test[:5]
    probability = evaluation.probabilities(network, images)
    uses = {
        "accuracy": lambda y: evaluation.accuracy(network, images, y),
        "loss_and_accuracy": lambda y: evaluation.loss_and_accuracy(network, images, y),
        "confusion_matrix": lambda y: evaluation.confusion_matrix(y, labels),
        "confusion_matrix of predictions": lambda y: evaluation.confusion_matrix(labels[: len(y)], y),
        "most_confident_errors": lambda y: evaluation.most_confident_errors(probability, y, 2),
        "calibration": lambda y: evaluation.calibration(probability, y),
    }
    bad = [(labels[:, None], "ravel"), (labels - 9, "classes 0 to 9"), (labels + 9, "classes 0 to 9")]
    for use in uses.values():
        for wrong, words in bad:
            with pytest.raises(ValueError, match=words):
                use(wrong)
        with pytest.raises(TypeError, match="expected integers, got float64"):
            use(labels.astype(float))
