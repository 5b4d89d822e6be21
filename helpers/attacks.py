"""Perturb images so that a network errs. Taught in notebooks/05-fgsm.

Every attack takes float images (n, height, width, channels) in [0, 1] and integer labels (n,), takes any Sequential or
functional Keras classifier of such images, leaves its arguments unchanged and works in evaluation mode, batch by
batch. `epsilon` is the largest change of any pixel value on the scale from 0 to 1: "8 of 255 grey levels" is 8/255.
"""

import warnings

import numpy as np

from .models import forward, tf, without_softmax

BATCH_SIZE = 250


def fgsm(model, images, labels, epsilon, *, targeted=False, loss="cross-entropy", batch_size=BATCH_SIZE):
    """The Fast Gradient Sign Method: one step of size epsilon along the sign of the loss's gradient.

        adversarial = clip(images + epsilon · sign(∇ loss), 0, 1)

    Returns float32 images in [0, 1], nowhere further than epsilon from `images`. With `targeted`, `labels` are the
    classes to be reached and the step goes down the loss. `loss` is "cross-entropy" (of the logits) or "mse" (between
    softmax and one-hot label, as on the slides). Pass true labels, or the network's own answers to attack without
    knowing the truth: that is the caller's explicit choice.
    Raises TypeError or ValueError for arguments of the wrong kind, shape or range.
    Source: Goodfellow, Shlens and Szegedy 2015, arXiv:1412.6572, section 4. Taught in 05-fgsm.
    """
    epsilon = _checked_epsilon(epsilon)
    sign = gradient_sign(model, images, labels, loss=loss, batch_size=batch_size)
    return perturb(images, -sign if targeted else sign, epsilon)


def perturb(images, direction, epsilon):
    """`images` moved by epsilon along `direction` (−1, 0 or 1 for each pixel value), clipped to [0, 1], float32."""
    moved = np.asarray(images, np.float32) + np.float32(epsilon) * direction
    return np.clip(moved, 0, 1, out=moved)


def gradient_sign(model, images, labels, *, loss="cross-entropy", batch_size=BATCH_SIZE):
    """The sign of the loss's gradient with respect to each pixel value: float32 −1, 0 or 1, shaped like `images`.

    It does not depend on epsilon, so one call serves every epsilon. Warns when an image's gradient is zero throughout:
    such an image cannot be attacked this way.
    Source and checks as for `fgsm`. Taught in 05-fgsm.
    """
    model = without_softmax(model)
    images, labels = _checked(model, images, labels)
    if loss not in LOSSES:
        raise ValueError(f"loss={loss!r}: expected one of {', '.join(map(repr, LOSSES))}")
    sign = np.empty_like(images)
    for part in _batches(len(images), batch_size):
        sign[part] = _sign(model, images[part], labels[part], loss)
    _warn_of_zero_gradients(sign)
    return sign


def _sign(model, images, labels, loss="cross-entropy"):
    # Traced once for all batch sizes.
    any_batch = tf.TensorSpec([None, *images.shape[1:]], tf.float32), tf.TensorSpec([None], tf.int64)
    gradient = input_gradient.get_concrete_function(model, *any_batch, loss)
    return np.sign(gradient(tf.constant(images), tf.constant(labels)))


@tf.function
def input_gradient(model, images, labels, loss="cross-entropy"):
    """Each image's gradient of its own loss with respect to its pixels; `model` ends in logits. Tensors in and out."""
    with tf.GradientTape(watch_accessed_variables=False) as tape:
        tape.watch(images)
        losses = LOSSES[loss](model(images, training=False), labels)
    return tape.gradient(losses, images)


def _cross_entropy(logits, labels):
    return tf.nn.sparse_softmax_cross_entropy_with_logits(labels=labels, logits=logits)


def _squared_error(logits, labels):
    truth = tf.one_hot(labels, logits.shape[-1])
    return tf.reduce_mean(tf.square(tf.nn.softmax(logits) - truth), axis=1)


LOSSES = {"cross-entropy": _cross_entropy, "mse": _squared_error}


def random_sign_noise(images, epsilon, seed):
    """The control for `fgsm`: the same step along signs drawn by chance, the same ones for the same seed.

    Returns float32 images in [0, 1], nowhere further than epsilon from `images`. Taught in 05-fgsm.
    """
    images, epsilon = _checked_images(images), _checked_epsilon(epsilon)
    return perturb(images, random_signs(images.shape, seed), epsilon)


def random_signs(shape, seed):
    """The signs that `random_sign_noise` steps along: float32 −1 or 1, each as likely, the same ones for the same seed."""
    return np.random.default_rng(seed).integers(0, 2, shape, np.int8) * np.float32(2) - 1


def pgd(model, images, labels, epsilon, *, step_size, steps, restarts=1, seed=0, batch_size=BATCH_SIZE):
    """Projected gradient descent: many small steps of FGSM, each followed by a return to within epsilon of the image.

    Every restart begins at a random point of the box and only goes on with images that are not fooled yet. Returns
    float32 images in [0, 1], nowhere further than epsilon from `images`: fooling ones where any were found, otherwise
    where the last restart ended. Checks as for `fgsm`.
    Source: Madry et al. 2018, arXiv:1706.06083, section 2.1. Taught in 05-fgsm.
    """
    epsilon, step_size = _checked_epsilon(epsilon), _checked_epsilon(step_size)
    _checked_counts(steps=steps, restarts=restarts)
    model = without_softmax(model)
    images, labels = _checked(model, images, labels)
    rng, found = np.random.default_rng(seed), images.copy()
    for part in _batches(len(images), batch_size):
        holds = np.arange(len(images))[part]
        for _ in range(restarts):
            if not len(holds):
                break
            found[holds] = _climb(model, images[holds], labels[holds], epsilon, step_size, steps, rng)
            holds = holds[forward(model, found[holds]).argmax(axis=1) == labels[holds]]
    return found


def _climb(model, images, labels, epsilon, step_size, steps, rng):
    low, high = (perturb(images, way, epsilon) for way in (-1, 1))
    moved = np.clip(images + rng.uniform(-epsilon, epsilon, images.shape).astype(np.float32), low, high)
    for _ in range(steps):
        moved = np.clip(perturb(moved, _sign(model, moved, labels), step_size), low, high)
    return moved


def epsilon_sweep(model, images, labels, epsilons, *, loss="cross-entropy", batch_size=BATCH_SIZE):
    """FGSM at every one of k epsilons from one gradient an image.

    Returns the accuracy over all images, float64 (k,), and the predicted classes, int64 (k, n). Adversarial images
    are made and dropped batch by batch, so memory does not grow with k. Checks as for `fgsm`. Taught in 05-fgsm.
    """
    epsilons = [_checked_epsilon(epsilon) for epsilon in np.ravel(epsilons)]
    model = without_softmax(model)
    images, labels = _checked(model, images, labels)
    sign = gradient_sign(model, images, labels, loss=loss, batch_size=batch_size)
    predictions = np.empty((len(epsilons), len(images)), np.int64)
    for part in _batches(len(images), batch_size):
        for row, epsilon in enumerate(epsilons):
            logits = forward(model, perturb(images[part], sign[part], epsilon))
            predictions[row, part] = logits.argmax(axis=1)
    return (predictions == labels).mean(axis=1), predictions


def minimal_epsilon(model, images, labels, *, max_level=32, steps_per_level=1, loss="cross-entropy", batch_size=BATCH_SIZE):
    """The smallest ε on a grid at which FGSM makes the answer wrong, for each image: float64 (n,).

    The grid is 1/255, 2/255, … max_level/255, with `steps_per_level` steps in each level. An image that is wrong already gets 0, one
    that FGSM fools nowhere on the grid gets nan. Every ε of the grid is tried from the smallest on, because a larger ε
    need not fool where a smaller one did.
    This is an upper bound of how near the nearest wrong answer is: between two points of the grid, or in another
    direction (see `pgd`), a smaller change may fool. Checks as for `fgsm`. Taught in 05-fgsm.
    """
    _checked_counts(max_level=max_level, steps_per_level=steps_per_level)
    epsilons = [_checked_epsilon(k / (255 * steps_per_level)) for k in range(max_level * steps_per_level + 1)]
    model = without_softmax(model)
    images, labels = _checked(model, images, labels)
    sign = gradient_sign(model, images, labels, loss=loss, batch_size=batch_size)
    smallest = np.full(len(images), np.nan)
    for part in _batches(len(images), batch_size):
        holds = np.arange(len(images))[part]
        for epsilon in epsilons:
            if not len(holds):
                break
            wrong = forward(model, perturb(images[holds], sign[holds], epsilon)).argmax(axis=1) != labels[holds]
            smallest[holds[wrong]] = epsilon
            holds = holds[~wrong]
    return smallest


def _batches(count, batch_size):
    _checked_counts(batch_size=batch_size)
    return [slice(start, start + batch_size) for start in range(0, count, batch_size)]


def _checked_counts(**counts):
    for name, count in counts.items():
        if not isinstance(count, (int, np.integer)) or count < 1:
            raise ValueError(f"{name}={count!r}: expected a whole number of at least 1")


def _checked_epsilon(epsilon):
    if isinstance(epsilon, bool) or not isinstance(epsilon, (int, float, np.integer, np.floating)):
        raise TypeError(f"epsilon={epsilon!r}: expected one number in [0, 1], such as 8/255")
    if not 0 <= epsilon <= 1:
        hint = f"; did you mean {epsilon:g}/255?" if 1 < epsilon <= 255 else ""
        raise ValueError(f"epsilon={epsilon:g} lies outside [0, 1]{hint}")
    return float(epsilon)


def _checked_images(images):
    images = np.asarray(images)
    if images.dtype.kind != "f":
        raise TypeError(
            f"images: expected floats in [0, 1], got {images.dtype}; helpers.data.to_float(images) converts uint8"
        )
    if images.ndim != 4:
        raise ValueError(
            f"images: expected shape (n, height, width, channels), got {images.shape}; one alone is images[i : i + 1]"
        )
    if images.size and not (images.min() >= 0 and images.max() <= 1):
        raise ValueError(
            f"images: expected values in [0, 1], got {images.min():g} to {images.max():g}; divide 0–255 by 255"
        )
    return images.astype(np.float32, copy=False)


def _checked(model, images, labels):
    images, labels = _checked_images(images), np.asarray(labels)
    if images.shape[1:] != tuple(model.input_shape[1:]):
        raise ValueError(
            f"images: {model.name} takes images of shape {model.input_shape[1:]}, these have shape {images.shape[1:]}"
        )
    if labels.shape != images.shape[:1]:
        fix = {(1,): "labels.ravel()", tuple(model.output_shape[1:]): "labels.argmax(axis=1)"}.get(labels.shape[1:])
        raise ValueError(
            f"labels: expected one class number an image, shape ({len(images)},), got {labels.shape}"
            + (f"; try {fix}" if fix else "")
        )
    if labels.dtype.kind not in "iu":
        raise TypeError(f"labels: expected integers, got {labels.dtype}; try labels.astype(int)")
    classes = model.output_shape[-1]
    if labels.size and not (labels.min() >= 0 and labels.max() < classes):
        raise ValueError(f"labels: expected classes 0 to {classes - 1}, got {labels.min()} to {labels.max()}")
    return images, labels.astype(np.int64)


def _warn_of_zero_gradients(sign):
    stuck = int((~sign.any(axis=(1, 2, 3))).sum())
    if stuck:
        warnings.warn(
            f"the gradient of {stuck} of {len(sign)} images is zero everywhere, so no step along it changes them; "
            "most likely the loss is saturated (probabilities of exactly 0 and 1)",
            stacklevel=3,
        )
