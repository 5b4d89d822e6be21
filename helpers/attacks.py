"""Perturb images so that a network errs. Taught in notebooks/05-fgsm.

Every attack takes float images (n, height, width, channels) in [0, 1] and integer labels (n,), takes any Sequential or
functional Keras classifier of such images, leaves its arguments unchanged and works in evaluation mode, batch by
batch. `epsilon` is the largest change of any pixel value on the scale from 0 to 1: "8 of 255 intensity levels" is 8/255.
"""

import warnings

import numpy as np

from .backend import tf
from .classifier import classifier
from .validation import checked_counts, checked_epsilon, checked_images, checked_labels

BATCH_SIZE = 100  # quick, and small: airbench in 05-fgsm keeps to the memory that check.MEMORY promises
LOOK = 5  # steps of PGD after which images that are fooled leave


def fgsm(model, images, labels, epsilon, *, targeted=False, loss="log-odds", batch_size=BATCH_SIZE):
    """The Fast Gradient Sign Method: one step of size epsilon along the sign of the loss's gradient.

        adversarial = clip(images + epsilon · sign(∇ loss), 0, 1)

    Returns float32 images in [0, 1], nowhere further than epsilon from `images`. With `targeted`, `labels` are the
    classes to be reached and the step goes down the loss. `loss` is one of LOSSES: "log-odds", whose gradient has the
    sign of the cross-entropy's but keeps it in float32; "cross-entropy" in its textbook form; or "mse", between softmax
    and one-hot label, as on the slides. Pass true labels, or predicted ones to attack without knowing the truth: that
    is the caller's explicit choice.
    Raises TypeError or ValueError for arguments of the wrong kind, shape or range.
    Source: Goodfellow, Shlens and Szegedy 2015, arXiv:1412.6572, section 4. Taught in 05-fgsm.
    """
    epsilon = checked_epsilon(epsilon)
    sign = gradient_sign(model, images, labels, loss=loss, batch_size=batch_size)
    return perturb(images, -sign if targeted else sign, epsilon)


def perturb(images, direction, epsilon):
    """`images` moved by epsilon along `direction` (−1, 0 or 1 for each pixel value), clipped to [0, 1], float32."""
    moved = checked_images(images) + np.float32(epsilon) * direction
    return np.clip(moved, 0, 1, out=moved)


def gradient_sign(model, images, labels, *, loss="log-odds", batch_size=BATCH_SIZE):
    """The sign of the loss's gradient with respect to each pixel value: float32 −1, 0 or 1, shaped like `images`.

    It does not depend on epsilon, so one call serves every epsilon. Warns when an image's gradient is zero throughout:
    such an image cannot be attacked this way.
    Source and checks as for `fgsm`. Taught in 05-fgsm.
    """
    network, images, labels = _checked(model, images, labels, batch_size, loss)
    sign = _signs(network, images, labels, loss, batch_size)
    network.refuse_nan("the gradient is", sign)
    _warn_of_zero_gradients(network, images, labels, sign, loss, batch_size)
    return sign


def input_gradient(model, images, labels, loss="log-odds"):
    """Each image's gradient of its own loss with respect to its pixels; `model` ends in logits. Tensors in and out."""
    with tf.GradientTape(watch_accessed_variables=False) as tape:
        tape.watch(images)
        losses = LOSSES[loss](model(images, training=False), labels)
    return tape.gradient(losses, images)


def log_odds(logits, labels):
    """How strongly the network speaks against the label: log((1 − p) / p), p being the label's probability.

    The cross-entropy, −log p, is log(1 + exp(log-odds)), so both rise together and their gradients differ by a positive
    factor alone, 1 − p. Where the label leads by more than about 17, p rounds to 1 in float32 and that factor to 0: what
    then is left of the cross-entropy's gradient are rounding errors and parts of it. Here the label's own logit is kept
    out of the sum, so nothing rounds away, however large the logits are.
    Source: Carlini et al. 2022, arXiv:2112.03570, section IV. Taught in 05-fgsm.
    """
    is_label = tf.one_hot(labels, logits.shape[-1], on_value=True, off_value=False)
    others = tf.where(is_label, -np.inf, logits)
    return tf.reduce_logsumexp(others, axis=1) - tf.gather(logits, labels, batch_dims=1)


def _cross_entropy(logits, labels):
    return tf.nn.sparse_softmax_cross_entropy_with_logits(labels=labels, logits=logits)


def _squared_error(logits, labels):
    truth = tf.one_hot(labels, logits.shape[-1])
    return tf.reduce_mean(tf.square(tf.nn.softmax(logits) - truth), axis=1)


LOSSES = {"log-odds": log_odds, "cross-entropy": _cross_entropy, "mse": _squared_error}


def _signs(network, images, labels, loss, batch_size):
    """The signs of `input_gradient` of numpy arrays, batch by batch, compiled once for each network and loss."""
    signature = network.batch_of_images(), tf.TensorSpec([None], tf.int64)
    compiled = network.graph(loss, lambda *batch: tf.sign(input_gradient(*batch, loss)), *signature)
    sign = np.empty_like(images)
    for part in _batches(images, batch_size):
        sign[part] = compiled(tf.constant(images[part]), tf.constant(labels[part]))
    return sign


def random_sign_noise(images, epsilon, seed):
    """The control for `fgsm`: the same step along signs drawn by chance, the same ones for the same seed.

    Returns float32 images in [0, 1], nowhere further than epsilon from `images`. Taught in 05-fgsm.
    """
    images, epsilon = checked_images(images), checked_epsilon(epsilon)
    return perturb(images, random_signs(images.shape, seed), epsilon)


def random_signs(shape, seed):
    """The signs that `random_sign_noise` steps along: float32 −1 or 1, each as likely, the same ones for the same seed."""
    return np.random.default_rng(seed).integers(0, 2, shape, np.int8) * np.float32(2) - 1


def pgd(model, images, labels, epsilon, *, step_size, steps, restarts=1, seed=0, batch_size=BATCH_SIZE):
    """Projected gradient descent: many small steps of FGSM, each followed by a return to within epsilon of the image.

    Every restart begins at a random point of the ℓ∞ ball and continues with the images that are still classified
    correctly; an image that is fooled after some of the steps gets no more. Returns float32 images in [0, 1], nowhere
    further than epsilon from `images`: adversarial examples where any were found, otherwise where the last restart
    ended. Warns of images that are not fooled and whose gradient is zero throughout where they end. Checks as for `fgsm`.
    Source: Madry et al. 2018, arXiv:1706.06083, section 2.1. Taught in 05-fgsm.
    """
    epsilon, step_size = checked_epsilon(epsilon), checked_epsilon(step_size, "step_size")
    checked_counts(steps=steps, restarts=restarts)
    network, images, labels = _checked(model, images, labels, batch_size)
    number, batch = tf.TensorSpec([], tf.float32), network.batch_of_images()
    signature = batch, batch, tf.TensorSpec([None], tf.int64), number, number, tf.TensorSpec([], tf.int32)
    # A graph is kept under its key: what is not a tensor and changes `ascend`, such as a loss, belongs into the key.
    climb = network.graph("PGD", ascend, *signature)
    rng, found, has_gradient = np.random.default_rng(seed), images.copy(), np.ones((len(images), 1, 1, 1), bool)
    for part in _batches(images, batch_size):
        left = np.arange(len(images))[part]
        for _ in range(restarts):
            moved = images[left] + rng.uniform(-epsilon, epsilon, images[left].shape).astype(np.float32)
            for done in range(0, steps, LOOK):
                if not len(left):
                    break
                # `ascend`, which training shares, is called anew every LOOK steps: what a step leaves for the next, such
                # as a momentum, has to go in and come out.
                x, y, more = images[left], labels[left], min(LOOK, steps - done)
                found[left] = moved = climb(*map(tf.constant, (x, moved, y)), epsilon, step_size, more).numpy()
                network.refuse_nan("the gradient is", moved)
                correct = network.forward(moved).argmax(axis=1) == y
                left, moved = left[correct], moved[correct]
        sign = _signs(network, found[left], labels[left], "log-odds", batch_size)
        has_gradient[left] = sign.any(axis=(1, 2, 3), keepdims=True)
    _warn_of_zero_gradients(network, images, labels, has_gradient, "log-odds", batch_size)
    return found


def ascend(model, images, start, labels, epsilon, step_size, steps):
    """The steps of `pgd` from `start`, which is first brought to within epsilon of `images`. Tensors in and out.

    Adversarial training shares this function, and 06-defence shows its code.
    """
    low, high = tf.clip_by_value(images - epsilon, 0.0, 1.0), tf.clip_by_value(images + epsilon, 0.0, 1.0)
    moved = tf.clip_by_value(start, low, high)
    for _ in tf.range(steps):
        uphill = tf.sign(input_gradient(model, moved, labels))
        moved = tf.clip_by_value(moved + step_size * uphill, low, high)
    return moved


def epsilon_sweep(model, images, labels, epsilons, *, loss="log-odds", batch_size=BATCH_SIZE):
    """FGSM at every one of k epsilons from one gradient an image.

    Returns the accuracy over all images, float64 (k,), and the predicted classes, int64 (k, n). Adversarial images
    are made and dropped batch by batch, so memory does not grow with k. Checks as for `fgsm`. Taught in 05-fgsm.
    """
    epsilons = [checked_epsilon(epsilon) for epsilon in np.ravel(epsilons)]
    network, images, labels = _checked(model, images, labels, batch_size, loss)
    sign = gradient_sign(network, images, labels, loss=loss, batch_size=batch_size)
    predictions = np.empty((len(epsilons), len(images)), np.int64)
    for part in _batches(images, batch_size):
        for row, epsilon in enumerate(epsilons):
            predictions[row, part] = network.forward(perturb(images[part], sign[part], epsilon)).argmax(axis=1)
    return (predictions == labels).mean(axis=1), predictions


def minimal_epsilon(model, images, labels, *, max_level=32, steps_per_level=1, loss="log-odds", batch_size=BATCH_SIZE):
    """The smallest ε on a grid at which FGSM makes the prediction wrong, for each image: float64 (n,).

    The grid is 1/255, 2/255, … max_level/255, with `steps_per_level` steps in each level. An image that is
    misclassified already gets 0, one that FGSM fools nowhere on the grid gets nan. Every ε of the grid is tried from the
    smallest on, because a larger ε need not fool where a smaller one did.
    This is an upper bound of how near the nearest wrong prediction is: between two points of the grid, or in another
    direction (see `pgd`), a smaller change may fool. Checks as for `fgsm`. Taught in 05-fgsm.
    """
    checked_counts(max_level=max_level, steps_per_level=steps_per_level)
    epsilons = [checked_epsilon(k / (255 * steps_per_level)) for k in range(max_level * steps_per_level + 1)]
    network, images, labels = _checked(model, images, labels, batch_size, loss)
    sign = gradient_sign(network, images, labels, loss=loss, batch_size=batch_size)
    smallest = np.full(len(images), np.nan)
    for part in _batches(images, batch_size):
        left = np.arange(len(images))[part]
        for epsilon in epsilons:
            if not len(left):
                break
            fooled = network.forward(perturb(images[left], sign[left], epsilon)).argmax(axis=1) != labels[left]
            smallest[left[fooled]] = epsilon
            left = left[~fooled]
    return smallest


def _batches(images, batch_size):
    return [slice(start, start + batch_size) for start in range(0, len(images), batch_size)]


def _checked(model, images, labels, batch_size, loss="log-odds"):
    checked_counts(batch_size=batch_size)
    if loss not in LOSSES:
        raise ValueError(f"loss={loss!r}: expected one of {', '.join(map(repr, LOSSES))}")
    network = classifier(model)
    if not network.differentiable:
        raise ValueError(
            f"model: no gradient of {network.name} reaches the pixels; an operation such as round, floor, cast or argmax "
            "cuts it off. Replace it, or attack the network without it"
        )
    images = checked_images(images, network.shape)
    return network, images, checked_labels(labels, len(images), network.classes)


def _warn_of_zero_gradients(network, images, labels, sign, loss, batch_size):
    stuck = np.flatnonzero(~sign.any(axis=(1, 2, 3)))
    if not len(stuck):
        return
    dead, causes = len(stuck), []
    if loss != "log-odds":
        exact = _signs(network, images[stuck], labels[stuck], "log-odds", batch_size)
        dead -= int(exact.any(axis=(1, 2, 3)).sum())
    if dead < len(stuck):
        causes.append(
            f"for {len(stuck) - dead} the {loss} is saturated, the probabilities being 0 and 1 in float32; "
            'loss="log-odds" attacks these images'
        )
    if dead and network.from_probabilities:
        causes.append(
            f"for {dead} the probabilities in which {network.name} ends are 0 and 1 in float32; attack it before its softmax"
        )
    elif dead:
        causes.append(
            f"for {dead} the logits do not change with any pixel: no unit on the way is active, or clipping or a "
            "saturation inside the network cuts the way off"
        )
    warnings.warn(
        f"the gradient of {len(stuck)} of {len(sign)} images is zero everywhere, so no step along it changes them; "
        + "; ".join(causes),
        stacklevel=3,
    )
