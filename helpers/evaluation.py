"""Judge a network: probabilities, accuracy, and what accuracy hides. Taught in notebooks/04-evaluation.

`images` (n, 32, 32, 3) are uint8 in 0–255 or floats in [0, 1] everywhere in this module; labels are integers (n,).
"""

from typing import NamedTuple

import numpy as np
from scipy import optimize, stats

from .backend import tf
from .classifier import classifier
from .validation import checked_counts, checked_images, checked_labels

BATCH_SIZE = 100  # as in attacks


def logits(model, images):
    """float32 logits (n, classes) in evaluation mode, computed batch by batch.

    Raises TypeError or ValueError for images of the wrong kind, shape or range.
    """
    network = classifier(model)
    images = checked_images(images, network.shape, dtypes=("uint8", "float"))
    parts = [network.forward(images[start : start + BATCH_SIZE]) for start in range(0, len(images), BATCH_SIZE)]
    return np.concatenate(parts) if parts else np.empty((0, network.classes), np.float32)


def probabilities(model, images):
    """float32 probabilities (n, classes): the softmax of the logits, taken here and not inside the network."""
    return softmax(logits(model, images))


def softmax(scores):
    """Turn logits (n, classes) into probabilities; subtracting the maximum keeps exp from overflowing."""
    powers = np.exp(scores - scores.max(axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True)


def predictions(model, images):
    """The class with the largest logit for each image, int64 (n,)."""
    return logits(model, images).argmax(axis=1)


def accuracy(model, images, labels):
    """The fraction of images that are classified correctly, from 0 to 1."""
    scores = logits(model, images)
    return float(np.mean(scores.argmax(axis=1) == checked_labels(labels, *scores.shape)))


def loss_and_accuracy(model, images, labels):
    """Mean cross-entropy in nats, and accuracy, from one pass over the images."""
    scores = logits(model, images)
    labels = checked_labels(labels, *scores.shape)
    losses = tf.nn.sparse_softmax_cross_entropy_with_logits(labels=labels, logits=scores)
    return float(np.mean(losses)), float(np.mean(scores.argmax(axis=1) == labels))


def ci_half_width(fraction, count):
    """Half the width of the 95% confidence interval of a fraction that was measured on `count` independent cases.

    The normal approximation, 1.96 · √(fraction · (1 − fraction) / count); good while more than about ten cases fall on
    either side. Taught in 04-evaluation.
    """
    if count < 1 or not 0 <= fraction <= 1:
        raise ValueError(f"fraction={fraction!r}, count={count!r}: expected a fraction in [0, 1] of at least one case")
    return 1.96 * np.sqrt(fraction * (1 - fraction) / count)


def wilson_interval(successes, count):
    """The 95% confidence interval (low, high) of a fraction, from `successes` in `count` independent cases.

    Wilson's interval, which stays within [0, 1] and holds for few cases and for fractions near 0 and 1, too.
    Raises ValueError unless both are whole, 0 <= successes <= count and count >= 1. Taught in 04-evaluation.
    """
    if count < 1 or not 0 <= successes <= count:
        raise ValueError(f"successes={successes!r}, count={count!r}: expected 0 to count successes in one case or more")
    whole = round(successes), round(count)
    if max(abs(successes - whole[0]), abs(count - whole[1])) > 1e-6:
        raise ValueError(
            f"successes={successes!r}, count={count!r}: expected whole numbers; round(fraction * count) turns a fraction "
            "into successes"
        )
    low, high = stats.binomtest(*whole).proportion_ci(0.95, method="wilson")
    return float(low), float(high)


class PairedComparison(NamedTuple):
    """Two networks on the same images: accuracy of the first minus that of the second, in [-1, 1].

    `half_width` is that of the 95% interval, `only_first` and `only_second` count the images that one of the two alone
    classifies correctly, and `p_value` is that of the exact McNemar test for equal accuracies.
    """

    difference: float
    half_width: float
    only_first: int
    only_second: int
    p_value: float


def paired_comparison(first_correct, second_correct):
    """Compare two networks by boolean arrays (n,), for each image whether the network is correct: a PairedComparison.

    Images on which both agree say nothing about the difference. Raises ValueError for arrays of another kind or of
    different lengths. Source: McNemar 1947. Taught in 04-evaluation.
    """
    first, second = np.asarray(first_correct), np.asarray(second_correct)
    if first.dtype != bool or second.dtype != bool or first.ndim != 1 or first.shape != second.shape or not first.size:
        raise ValueError(
            f"expected two boolean arrays of one shape (n,), got {first.dtype} {first.shape} and "
            f"{second.dtype} {second.shape}; predicted == labels gives one"
        )
    count, gained, lost = len(first), int((first & ~second).sum()), int((second & ~first).sum())
    difference = (gained - lost) / count
    half_width = 1.96 * np.sqrt((gained + lost) / count - difference**2) / np.sqrt(count)
    p_value = stats.binomtest(gained, gained + lost).pvalue if gained + lost else 1.0
    return PairedComparison(difference, float(half_width), gained, lost, float(p_value))


def confusion_matrix(labels, predicted, classes=10):
    """int64 (classes, classes): entry [t, p] counts images of class t that were taken for class p."""
    labels, predicted = (checked_labels(each, len(predicted), classes) for each in (labels, predicted))
    matrix = np.zeros((classes, classes), np.int64)
    np.add.at(matrix, (labels, predicted), 1)
    return matrix


def precision_and_recall(matrix):
    """Two float64 (classes,) arrays from a confusion matrix; nan for the precision of a class never predicted.

    Precision: of the images predicted as a class, the fraction that belong to it. Recall: of the images of a class, the
    fraction that are predicted as it.
    """
    correct = np.diag(matrix).astype(float)
    predicted, present = matrix.sum(axis=0), matrix.sum(axis=1)
    with np.errstate(invalid="ignore"):
        return correct / predicted, correct / present


def _checked_probabilities(probability):
    probability = np.asarray(probability)
    sums = probability.sum(axis=1) if probability.ndim == 2 else np.array(np.nan)
    if not ((probability >= 0).all() and (abs(sums - 1) <= 1e-3).all()):  # this way round, nan does not pass
        raise ValueError("probability: expected rows of probabilities that sum to 1; softmax(logits) gives them")
    return probability


def most_confused_pairs(matrix, count):
    """The `count` most frequent errors as (true class, predicted class, how often), most frequent first."""
    errors = matrix - np.diag(np.diag(matrix))
    order = np.argsort(-errors, axis=None, kind="stable")[:count]
    return [(int(t), int(p), int(errors[t, p])) for t, p in zip(*np.unravel_index(order, errors.shape), strict=True)]


def most_confident_errors(probability, labels, count):
    """Indices of the `count` errors with the highest probability, most confident first.

    Raises ValueError for rows that are no probabilities, such as logits.
    """
    probability = _checked_probabilities(probability)
    predicted = probability.argmax(axis=1)
    errors = np.flatnonzero(predicted != checked_labels(labels, *probability.shape))
    return errors[np.argsort(-probability[errors, predicted[errors]], kind="stable")[:count]]


def calibration(probability, labels, bins=10):
    """Are predictions with 80% confidence correct in 80% of cases? Sorts them into `bins` by their confidence.

    Returns for each bin the mean probability, the accuracy (both nan where empty) and the count, and the expected
    calibration error: the mean over predictions of |confidence − accuracy| of their bin. Raises ValueError for rows that
    are no probabilities, such as logits.
    Source: Guo et al. 2017, arXiv:1706.04599, equations 2 to 5. Taught in 04-evaluation.
    """
    checked_counts(bins=bins)
    probability = _checked_probabilities(probability)
    top, correct = probability.max(axis=1), probability.argmax(axis=1) == checked_labels(labels, *probability.shape)
    number = np.minimum((top * bins).astype(int), bins - 1)
    count = np.bincount(number, minlength=bins)
    with np.errstate(invalid="ignore"):
        confidence = np.bincount(number, top, bins) / count
        fraction = np.bincount(number, correct, bins) / count
    return confidence, fraction, count, float(np.nansum(count * abs(confidence - fraction)) / count.sum())


def fit_temperature(scores, labels):
    """The temperature T > 0 for which softmax(scores / T) has the lowest cross-entropy on these logits (n, classes).

    Fit it on images that the network was not trained on, and judge it on others. The predictions stay the same.
    Source: Guo et al. 2017, arXiv:1706.04599, section 4.2. Taught in 04-evaluation.
    """
    labels = checked_labels(labels, *scores.shape)
    if len(scores) and (scores >= 0).all() and (abs(scores.sum(axis=1) - 1) <= 1e-3).all():
        raise ValueError(
            "scores: expected logits, got rows of probabilities that sum to 1; logits(model, images) gives them"
        )

    def cross_entropy(log_temperature):
        return np.mean(tf.nn.sparse_softmax_cross_entropy_with_logits(labels, scores / np.exp(log_temperature)))

    return float(np.exp(optimize.minimize_scalar(cross_entropy, bounds=(-3, 3)).x))
