"""FGSM against independent implementations, and a test for each way in which an FGSM has gone wrong before."""

import subprocess
import sys
import warnings

import numpy as np
import pytest

from helpers import attacks, data, evaluation, robustness
from helpers.backend import keras, tf
from helpers.classifier import Classifier, classifier

EPSILON = 8 / 255


def small_network(*head, seed=0):
    """A network with weights drawn by chance, ending in `head`."""
    keras.utils.set_random_seed(seed)
    body = [keras.Input((32, 32, 3)), keras.layers.Conv2D(8, 3, 2, activation="relu"), keras.layers.Flatten()]
    return keras.Sequential([*body, *(head or [keras.layers.Dense(10)])])


# The sign, against float64


@pytest.fixture(scope="module")
def sampled(network, dataset):
    """Test images of which half are those that the network is most confident about: case by case p rounds to 1 there."""
    many, labels = dataset.x_test[:500], dataset.y_test[:500]
    logits = evaluation.logits(network, many)
    own = logits[np.arange(500), labels]
    logits[np.arange(500), labels] = -np.inf
    chosen = np.r_[np.argsort(logits.max(axis=1) - own)[:15], 0:15]
    return data.to_float(many[chosen]), labels[chosen]


@pytest.fixture(scope="module")
def network64(network):
    return robustness.in_float64(network)


@pytest.mark.parametrize("target", ["true class", "hopeless class", "predicted class"])
@pytest.mark.parametrize("scale", [1, 20, 100])
def test_signs_agree_with_float64_on_every_image(scale, target, network, network64, sampled):
    images, labels = sampled
    logits = evaluation.logits(network, images)
    aim = {"true class": labels, "hopeless class": logits.argmin(axis=1), "predicted class": logits.argmax(axis=1)}[
        target
    ]
    steep = keras.Sequential([keras.Input((32, 32, 3)), network, keras.layers.Rescaling(float(scale))])
    expected = robustness.exact_signs(network64, images, aim, scale)
    ours = attacks.gradient_sign(steep, images, aim)
    assert (ours == expected).mean(axis=(1, 2, 3)).min() >= 0.995
    for targeted, way in ((False, 1), (True, -1)):
        adversarial = attacks.fgsm(steep, images, aim, EPSILON, targeted=targeted)
        np.testing.assert_array_equal(adversarial, attacks.perturb(images, way * ours, EPSILON))


def test_the_textbook_form_loses_signs_where_the_network_is_confident(network, sampled):
    signs = robustness.signs_in_float32(network, *sampled)
    agreement = {loss: np.array(fractions) for loss, fractions in signs["agreement"].items()}
    confident = np.array(signs["lead"]) > signs["p_rounds_to_one"]
    assert confident.any() and (agreement["cross-entropy"][confident] < 0.99).all()
    assert agreement["log-odds"].min() >= 0.995


def test_the_reference_in_float64_is_right_on_a_linear_network():
    """Whose gradient is known in closed form: the weights of the other classes, averaged by q, minus the label's."""
    network, images, labels = small_linear(), np.random.default_rng(0).random((4, 2, 2, 3), np.float32), np.arange(4)
    weights, bias = (w.astype(np.float64) for w in network.get_weights())
    for scale in (1, 100):
        logits = scale * (images.reshape(4, -1).astype(np.float64) @ weights + bias)
        for row, label in enumerate(labels):
            others = np.arange(10) != label
            q = np.exp(logits[row, others] - logits[row, others].max())
            slope = weights[:, others] @ (q / q.sum()) - weights[:, label]
            signs = robustness.exact_signs(robustness.in_float64(network), images, labels, scale)
            np.testing.assert_array_equal(signs[row].ravel(), np.sign(slope))


def small_linear():
    keras.utils.set_random_seed(0)
    return keras.Sequential([keras.Input((2, 2, 3)), keras.layers.Flatten(), keras.layers.Dense(10)])


def test_input_gradient_differentiates_in_evaluation_mode():
    """Also of a Keras network as it is in training: dropout off, batch statistics neither used nor changed."""
    network = small_network(keras.layers.BatchNormalization(), keras.layers.Dropout(0.5), keras.layers.Dense(10))
    images, labels = tf.constant(np.random.default_rng(0).random((4, 32, 32, 3), np.float32)), tf.range(4)
    before = [weight.numpy().copy() for weight in network.variables]
    whole = attacks.input_gradient(network, images, labels)
    single = [attacks.input_gradient(network, images[k : k + 1], labels[k : k + 1]) for k in range(4)]
    np.testing.assert_allclose(whole, np.concatenate(single), atol=1e-6)
    assert all(map(np.array_equal, before, network.variables))


def test_each_loss_is_what_its_formula_says():
    logits = np.random.default_rng(0).normal(0, 3, (50, 10)).astype(np.float32)
    labels = np.arange(50) % 10
    odds = attacks.LOSSES["log-odds"](tf.constant(logits), labels).numpy()
    p = evaluation.softmax(logits.astype(np.float64))[np.arange(50), labels]
    np.testing.assert_allclose(odds, np.log((1 - p) / p), rtol=1e-4, atol=1e-5)
    entropy = attacks.LOSSES["cross-entropy"](tf.constant(logits), labels)
    np.testing.assert_allclose(entropy, np.log1p(np.exp(odds)), rtol=1e-4, atol=1e-6)
    squares = (evaluation.softmax(logits.astype(np.float64)) - np.eye(10)[labels]) ** 2
    np.testing.assert_allclose(attacks.LOSSES["mse"](tf.constant(logits), labels), squares.mean(axis=1), atol=1e-6)


# Against other libraries, on a trained network and real pictures


def test_same_pixels_as_foolbox(network, pictures):
    foolbox = pytest.importorskip("foolbox")
    images, labels = pictures
    theirs = foolbox.attacks.LinfFastGradientAttack().run(
        foolbox.TensorFlowModel(network, bounds=(0, 1), device="/CPU:0"),
        tf.constant(images),
        foolbox.criteria.Misclassification(tf.constant(labels)),
        epsilon=EPSILON,
    )
    assert np.mean(attacks.fgsm(network, images, labels, EPSILON, loss="cross-entropy") != theirs.numpy()) <= 1e-5


@pytest.mark.parametrize("targeted", [False, True])
def test_same_pixels_as_cleverhans(network, pictures, targeted):
    cleverhans = pytest.importorskip("cleverhans.tf2.attacks.fast_gradient_method")
    images, labels = pictures
    theirs = cleverhans.fast_gradient_method(
        network,
        tf.constant(images),
        EPSILON,
        np.inf,
        clip_min=0.0,
        clip_max=1.0,
        y=tf.constant(labels),
        targeted=targeted,
    )
    ours = attacks.fgsm(network, images, labels, EPSILON, targeted=targeted, loss="cross-entropy")
    assert np.mean(ours != theirs.numpy()) <= 1e-5


def test_same_pixels_as_art(network, pictures):
    classification = pytest.importorskip("art.estimators.classification")
    evasion = pytest.importorskip("art.attacks.evasion")
    images, labels = pictures
    classifier = classification.TensorFlowV2Classifier(
        model=network,
        nb_classes=10,
        input_shape=(32, 32, 3),
        loss_object=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        clip_values=(0, 1),
    )
    theirs = evasion.FastGradientMethod(classifier, eps=EPSILON).generate(images, labels)
    assert np.mean(attacks.fgsm(network, images, labels, EPSILON, loss="cross-entropy") != theirs) <= 1e-5


def test_pgd_is_as_strong_as_foolbox(network, dataset):
    foolbox = pytest.importorskip("foolbox")
    images, labels = data.to_float(dataset.x_test[:100]), dataset.y_test[:100]
    theirs = foolbox.attacks.LinfPGD(abs_stepsize=2 / 255, steps=10).run(
        foolbox.TensorFlowModel(network, bounds=(0, 1), device="/CPU:0"),
        tf.constant(images),
        foolbox.criteria.Misclassification(tf.constant(labels)),
        epsilon=3 / 255,
    )
    ours = attacks.pgd(network, images, labels, 3 / 255, step_size=2 / 255, steps=10)
    assert evaluation.accuracy(network, ours, labels) <= evaluation.accuracy(network, theirs.numpy(), labels) + 0.01
    assert abs(ours - images).max() <= 3 / 255 + 1e-7 and ours.min() >= 0 and ours.max() <= 1


# Properties that other libraries ask of FGSM and PGD, on a network of two pixels whose answers can be drawn on paper


def network_of_two_pixels():
    """Class 1 where the left pixel is the brighter one, class 0 elsewhere; smooth, and unsure along the diagonal."""
    inputs = keras.Input((1, 2, 1))
    difference = keras.ops.tanh(3 * (inputs[:, 0, 0] - inputs[:, 0, 1]))
    return keras.Model(inputs, keras.ops.concatenate([-2 * difference, 2 * difference], axis=1))


def test_fgsm_on_two_pixels():
    network, images = network_of_two_pixels(), np.random.default_rng(0).random((200, 1, 2, 1), np.float32)
    labels = evaluation.predictions(network, images)
    np.testing.assert_array_equal(labels, images[:, 0, 0, 0] > images[:, 0, 1, 0])
    for epsilon in (0, 0.1, 0.3, 1):
        adversarial = attacks.fgsm(network, images, labels, epsilon)
        way = np.where(labels == 1, -1, 1)[:, None] * [1, -1]  # dim the brighter pixel, brighten the other one
        expected = np.clip(images + np.float32(epsilon) * way[:, None, :, None].astype(np.float32), 0, 1)
        np.testing.assert_array_equal(adversarial, expected)
        target = np.random.default_rng(1).integers(0, 2, 200)
        reached = (
            evaluation.predictions(network, attacks.fgsm(network, images, target, epsilon, targeted=True)) == target
        )
        fooled = evaluation.predictions(network, adversarial) != labels
        gap = abs(images[:, 0, 0, 0] - images[:, 0, 1, 0])
        assert fooled[gap < 1.99 * epsilon].all() or epsilon == 1
        assert reached.mean() > {0: 0.4, 0.1: 0.55, 0.3: 0.9, 1: 0.99}[epsilon]


def test_pgd_on_two_pixels_ends_in_the_corner_that_fgsm_finds():
    """The loss rises along one diagonal throughout, so steps that add up to 2ε reach its corner from any start."""
    network, images = network_of_two_pixels(), np.full((50, 1, 2, 1), 0.5, np.float32)
    images[:, 0, 0] = 0.9  # too far from the other class for ε = 0.1
    labels = np.ones(50, int)
    found = attacks.pgd(network, images, labels, 0.1, step_size=0.01, steps=20, restarts=2)
    np.testing.assert_allclose(found, attacks.fgsm(network, images, labels, 0.1), atol=1e-6)
    near = attacks.pgd(network, images, labels, 0.1, step_size=0.01, steps=3)
    assert 0.02 < np.ptp(near, axis=0).max() <= 0.2  # three steps leave what chance began with
    still = attacks.pgd(network, images, labels, 0.1, step_size=0, steps=1)
    more = attacks.pgd(network, images, labels, 0.1, step_size=0.01, steps=7)
    for found, way in ((near, 0.03), (more, 0.07)):
        np.testing.assert_allclose(found, np.clip(still + [[[-way], [way]]], images - 0.1, images + 0.1), atol=1e-6)
    other = attacks.pgd(network, images, labels, 0.1, step_size=0, steps=1, seed=1)
    assert abs(still - other).max() > 0.05 and abs(still - images).max() > 0.09
    assert abs((still - images).mean()) < 0.02


def test_images_that_are_fooled_leave_and_keep_their_adversarial_example():
    """One image is fooled by the first steps, the other by none: more steps would bring the first one back."""
    network = one_pixel_network(2.45 / 255, 5.45 / 255, 200 / 255)
    images, labels = np.zeros((2, 32, 32, 3), np.float32), np.array([1, 1])
    images[1] = 30 / 255
    found = attacks.pgd(network, images, labels, 20 / 255, step_size=0.3 / 255, steps=50, restarts=3, batch_size=1)
    assert evaluation.predictions(network, found).tolist() == [0, 1]
    assert abs(found - images).max() <= 20 / 255 + 1e-7


# What FGSM is for


def test_fools_where_chance_does_not(network, pictures):
    images, labels = pictures
    clean = evaluation.accuracy(network, images, labels)
    fooled = evaluation.accuracy(network, attacks.fgsm(network, images, labels, EPSILON), labels)
    control = evaluation.accuracy(network, attacks.random_sign_noise(images, EPSILON, seed=0), labels)
    assert clean > 0.7
    assert fooled < clean - 0.3
    assert control > fooled + 0.2


def test_pgd_leaves_less_than_fgsm_and_restarts_leave_less_still(network, pictures):
    images, labels = pictures
    small = {"epsilon": 2 / 255, "step_size": 1 / 255, "steps": 3}
    one, many = (attacks.pgd(network, images, labels, **small, restarts=restarts) for restarts in (1, 4))
    accuracy = [
        evaluation.accuracy(network, x, labels) for x in (attacks.fgsm(network, images, labels, 2 / 255), one, many)
    ]
    assert accuracy[2] <= accuracy[1] <= accuracy[0] + 0.05
    again = attacks.pgd(network, images, labels, **small, restarts=1)
    np.testing.assert_array_equal(one, again)
    for wrong, words in ({"steps": 0}, "steps=0"), ({"step_size": 2}, "step_size=2 lies outside"):
        with pytest.raises(ValueError, match=words):
            attacks.pgd(network, images, labels, **(small | wrong))


def test_pgd_stops_when_nothing_is_left_to_fool(network, pictures):
    images, labels = pictures[0][:5], pictures[1][:5]
    found = attacks.pgd(network, images, labels, 0.5, step_size=0.05, steps=10, restarts=5)
    assert evaluation.accuracy(network, found, labels) == 0


def test_targeted_reaches_the_target_more_often(network, pictures):
    images, labels = pictures
    target = (labels + 1) % 10
    before = np.mean(evaluation.predictions(network, images) == target)
    adversarial = attacks.fgsm(network, images, target, EPSILON, targeted=True)
    assert np.mean(evaluation.predictions(network, adversarial) == target) > before + 0.05


def test_gradient_sign_agrees_with_finite_differences():
    """A smooth network in double precision, its loss differentiated numerically at a few pixels."""
    network = small_network(keras.layers.Dense(10, activation="tanh"))
    rng = np.random.default_rng(0)
    images, labels = rng.random((1, 32, 32, 3), np.float32), np.array([3])
    sign = attacks.gradient_sign(network, images, labels)
    kernel, bias, head, head_bias = [w.astype(np.float64) for w in network.get_weights()]

    def loss(image):
        windows = np.lib.stride_tricks.sliding_window_view(image, (3, 3), axis=(0, 1))[::2, ::2]
        hidden = np.maximum(np.einsum("ijcuv,uvcf->ijf", windows, kernel) + bias, 0).ravel()
        scores = np.tanh(hidden @ head + head_bias)
        return np.log(np.exp(scores).sum()) - scores[labels[0]]

    for row, column, channel in rng.integers(0, (31, 31, 3), (20, 3)):
        moved = np.repeat(images.astype(np.float64), 2, axis=0)
        moved[:, row, column, channel] += (1e-5, -1e-5)
        assert np.sign(loss(moved[0]) - loss(moved[1])) == sign[0, row, column, channel]


# The known traps


def test_zero_gradients_are_counted(pictures):
    images, labels = pictures
    blind = small_network(keras.layers.Rescaling(0.0), keras.layers.Dense(10))
    with pytest.warns(
        UserWarning, match=f"gradient of {len(images)} of {len(images)} images is zero.*no unit .* active"
    ):
        adversarial = attacks.fgsm(blind, images, labels, EPSILON)
    np.testing.assert_array_equal(adversarial, images)


def test_each_cause_of_a_zero_gradient_is_named_with_its_count():
    """Of four images, one is black: no unit of the network is active. The others saturate where the loss allows it."""
    inputs = keras.Input((32, 32, 3))
    active = keras.ops.relu(keras.ops.sum(inputs, axis=(1, 2, 3), keepdims=False)[:, None] - 1)
    network = keras.Model(inputs, keras.ops.concatenate([active, -active], axis=1))
    images = np.full((4, 32, 32, 3), 0.5, np.float32)
    images[2] = 0
    labels = np.zeros(4, int)
    for loss in ("cross-entropy", "mse"):
        with pytest.warns(
            UserWarning, match=f"of 4 of 4 images.*for 3 the {loss} is saturated.*for 1 the logits do not"
        ):
            attacks.gradient_sign(network, images, labels, loss=loss)
    with pytest.warns(UserWarning, match="of 1 of 4 images.*for 1 the logits do not"):
        sign = attacks.gradient_sign(network, images, labels)
    assert (sign[[0, 1, 3]] == -1).all()
    probabilities = keras.Model(inputs, (keras.ops.softmax(network(inputs)) + keras.ops.softmax(network(inputs))) / 2)
    with pytest.warns(UserWarning, match="attack it before its softmax"):
        attacks.gradient_sign(probabilities, images[:1], labels[:1])


def test_a_gradient_that_is_not_a_number_is_no_adversarial_example():
    """A network that takes a root, whose slope at 0 is infinite, and multiplies it by 0 for a black image."""
    inputs = keras.Input((32, 32, 3))
    brightness = keras.ops.mean(inputs, axis=(1, 2, 3))[:, None]
    root = keras.ops.sqrt(brightness * keras.ops.relu(brightness))
    network = keras.Model(inputs, keras.ops.concatenate([root, -root], axis=1))
    images = np.full((3, 32, 32, 3), 0.5, np.float32)
    images[1] = 0
    assert np.isfinite(evaluation.logits(network, images)).all()
    with pytest.raises(ValueError, match="gradient is nan for 1 of 3 images"):
        attacks.fgsm(network, images, np.zeros(3, int), EPSILON)


def test_pgd_refuses_a_gradient_that_is_not_a_number(network, pictures):
    """The slope of |x|, taken as a root of a square, is not a number where a pixel is black."""
    inputs = keras.Input((32, 32, 3))
    rooted = keras.Model(inputs, network(keras.ops.sqrt(keras.ops.square(inputs))))
    images = pictures[0][:4].copy()
    images[:, :5] = 0
    with pytest.raises(ValueError, match="gradient is nan for"):
        attacks.pgd(rooted, images, pictures[1][:4], EPSILON, step_size=2 / 255, steps=10)


def test_pgd_warns_of_images_that_it_could_not_move(network, pictures):
    inputs = keras.Input((32, 32, 3))
    images, labels = pictures
    clipped = keras.Model(inputs, network(keras.ops.clip(inputs, 2.0, 3.0)))
    survive = int((evaluation.predictions(clipped, images) == labels).sum())
    assert survive
    with pytest.warns(UserWarning, match=f"gradient of {survive} of {len(images)} images is zero"):
        attacks.pgd(clipped, images, labels, EPSILON, step_size=0.01, steps=6, restarts=2, batch_size=7)


def test_stays_in_the_box_and_within_epsilon(network, pictures):
    images, labels = pictures
    for adversarial in (attacks.fgsm(network, images, labels, 0.1), attacks.random_sign_noise(images, 0.1, seed=1)):
        assert adversarial.dtype == np.float32
        assert adversarial.min() >= 0 and adversarial.max() <= 1
        assert abs(adversarial - images).max() <= 0.1 + 1e-7


def test_epsilon_zero_gives_the_images_back(network, pictures):
    images, labels = pictures
    np.testing.assert_array_equal(attacks.fgsm(network, images, labels, 0), images)
    np.testing.assert_array_equal(attacks.random_sign_noise(images, 0, seed=0), images)


def test_evaluation_mode_and_nothing_changed(pictures):
    """Dropout off, batch-norm statistics untouched, arguments as they were."""
    images, labels = pictures
    network = small_network(keras.layers.BatchNormalization(), keras.layers.Dropout(0.5), keras.layers.Dense(10))
    before = [weight.numpy().copy() for weight in network.variables]
    kept = images.copy(), labels.copy()
    first, second = (attacks.fgsm(network, images, labels, EPSILON) for _ in range(2))
    np.testing.assert_array_equal(first, second)
    for weight, old in zip(network.variables, before, strict=True):
        np.testing.assert_array_equal(weight, old)
    np.testing.assert_array_equal(images, kept[0])
    np.testing.assert_array_equal(labels, kept[1])


@pytest.mark.parametrize("size", [0, 1, 7, 33])
def test_any_number_of_images_in_any_batch(network, pictures, size):
    images, labels = pictures[0][:size], pictures[1][:size]
    whole = attacks.fgsm(network, images, labels, EPSILON)
    parts = attacks.fgsm(network, images, labels, EPSILON, batch_size=5)
    assert whole.shape == images.shape
    assert size == 0 or np.mean(whole != parts) <= 1e-3  # rounding may turn the sign of a gradient that is all but zero


def test_no_batch_is_larger_than_asked_for(network, pictures, monkeypatch):
    images, labels = pictures[0][:7], pictures[1][:7]
    sizes, graph = [], Classifier.graph

    def watched(*arguments):
        compiled = graph(*arguments)
        return lambda *batch: sizes.append(len(batch[0])) or compiled(*batch)

    monkeypatch.setattr(Classifier, "graph", watched)
    attacks.epsilon_sweep(network, images, labels, [0.01], batch_size=3)
    attacks.minimal_epsilon(network, images, labels, max_level=1, batch_size=3)
    attacks.pgd(network, images, labels, 0.01, step_size=0.01, steps=1, batch_size=3)
    assert max(sizes) == 3


def test_nothing_is_traced_again_for_another_epsilon_or_batch(network, pictures):
    images, labels = pictures
    for size, epsilon in ((40, 0.01), (7, 0.02), (1, 0.03)):
        attacks.fgsm(network, images[:size], labels[:size], epsilon)
        attacks.pgd(network, images[:size], labels[:size], epsilon, step_size=epsilon, steps=size % 3 + 1)
    graphs = classifier(network)._graphs
    assert {"log-odds", "PGD"} <= set(graphs)
    assert {graph.experimental_get_tracing_count() for graph in graphs.values()} == {1}


# Prints by how many kB the attack of so many images raises the peak of a process's memory, the result included. The peak
# that getrusage knows would begin with that of the process that started this one.
MANY = """
import re, sys
from pathlib import Path
import numpy as np
from helpers import attacks, runs
network, count = runs.load("vgg3", sys.argv[1]).model, int(sys.argv[2])
images = np.random.default_rng(0).random((count, 32, 32, 3), np.float32)
labels = np.zeros(count, int)
attacks.fgsm(network, images[:1], labels[:1], 0.03)
memory = lambda name: int(re.search(name + r":\\s+(\\d+)", Path("/proc/self/status").read_text())[1])
before = memory("VmRSS")
adversarial = attacks.fgsm(network, images, labels, 0.03)
print(memory("VmHWM") - before)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="reads a process's memory from /proc")
@pytest.mark.parametrize("count", [2_000, pytest.param(10_000, marks=pytest.mark.long)])
def test_many_images_take_500_megabytes_beside_the_result(dataset, count):
    done = subprocess.run([sys.executable, "-c", MANY, dataset.name, str(count)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    result = 12 * count  # kB, as what is printed
    assert result < int(done.stdout) < result + 480_000


def test_sweep_equals_one_attack_for_each_epsilon(network, pictures):
    images, labels = pictures
    epsilons = [0, 4 / 255, 16 / 255]
    accuracy, predicted = attacks.epsilon_sweep(network, images, labels, epsilons)
    assert predicted.shape == (3, len(images)) and predicted.dtype == np.int64 and accuracy.dtype == np.float64
    for row, epsilon in enumerate(epsilons):
        adversarial = attacks.fgsm(network, images, labels, epsilon)
        np.testing.assert_array_equal(predicted[row], evaluation.predictions(network, adversarial))
        assert accuracy[row] == evaluation.accuracy(network, adversarial, labels)


def test_smallest_fooling_epsilon_is_the_first_wrong_answer_on_the_ray(network, pictures):
    images, labels = pictures
    _, predicted = attacks.epsilon_sweep(network, images, labels, np.arange(13) / 255)
    wrong = predicted != labels
    expected = np.where(wrong.any(axis=0), wrong.argmax(axis=0) / 255, np.nan)
    smallest = attacks.minimal_epsilon(network, images, labels, max_level=12)
    np.testing.assert_array_equal(smallest, expected)
    assert (smallest == 0).any() and (smallest > 0).any()
    finer = attacks.minimal_epsilon(network, images, labels, max_level=12, steps_per_level=4, batch_size=7)
    found = smallest > 0
    assert (finer[found] <= smallest[found]).all() and (finer[found] > smallest[found] - 1 / 255).all()
    assert (finer[found] < smallest[found]).any()
    np.testing.assert_array_equal(finer == 0, smallest == 0)
    for epsilon in (finer[found][0], finer[found][-1]):
        adversarial = attacks.fgsm(network, images, labels, epsilon)
        assert (evaluation.predictions(network, adversarial) != labels)[finer == epsilon].all()


def one_pixel_network(*turns):
    """Says 1 while the first pixel value lies below the first turn, 0 up to the second, then 1 up to the third."""
    inputs = keras.Input((32, 32, 3))
    value = keras.ops.reshape(inputs, (-1, 3072))[:, :1]
    score = keras.ops.prod(keras.ops.concatenate([value - turn for turn in turns], axis=1), axis=1, keepdims=True)
    return keras.Model(inputs, keras.ops.concatenate([score, -score], axis=1) * 1e4)


def test_fooled_only_in_a_gap_of_the_ray_counts_as_fooled():
    """Wrong from 3/255 to 5/255 and right again beyond: searching by halves would miss it."""
    network = one_pixel_network(2.45 / 255, 5.45 / 255, 60 / 255)
    images, labels = np.zeros((2, 32, 32, 3), np.float32), np.array([1, 0])
    _, predicted = attacks.epsilon_sweep(network, images, labels, np.arange(33) / 255)
    assert predicted[:, 0].tolist() == [1] * 3 + [0] * 3 + [1] * 27
    assert attacks.minimal_epsilon(network, images, labels).tolist() == [3 / 255, 0]
    assert attacks.minimal_epsilon(network, images, labels, steps_per_level=10)[0] == 2.5 / 255
    assert np.isnan(attacks.minimal_epsilon(network, images[:1], labels[:1], max_level=2)).all()
    assert attacks.minimal_epsilon(network, images[:1], labels[:1], max_level=3) == 3 / 255  # the grid's last point
    late = one_pixel_network(32.5 / 255)
    assert np.isnan(attacks.minimal_epsilon(late, images[:1], labels[:1])).all()
    assert attacks.minimal_epsilon(late, images[:1], labels[:1], max_level=40) == 33 / 255


@pytest.mark.parametrize("change", [{"max_level": 0}, {"steps_per_level": 0.5}, {"max_level": 300}])
def test_smallest_fooling_epsilon_refuses_what_is_no_grid(network, pictures, change):
    with pytest.raises(ValueError, match="at least 1|outside"):
        attacks.minimal_epsilon(network, *pictures, **change)


def test_no_images_have_no_smallest_epsilon(network, pictures):
    assert attacks.minimal_epsilon(network, pictures[0][:0], pictures[1][:0]).shape == (0,)


def test_random_sign_noise_moves_every_pixel_value_by_epsilon_either_way_as_often():
    images = np.full((20, 32, 32, 3), 0.5, np.float32)
    first, again, other = (attacks.random_sign_noise(images, EPSILON, seed) for seed in (0, 0, 1))
    np.testing.assert_array_equal(first, again)
    np.testing.assert_allclose(abs(first - 0.5), EPSILON, rtol=1e-6)
    assert abs((first > 0.5).mean() - 0.5) < 0.01 and abs((first != other).mean() - 0.5) < 0.01
    signs = attacks.random_signs((10, 10), seed=0)
    assert set(np.unique(signs)) == {-1, 1} and signs.dtype == np.float32


@pytest.mark.parametrize(
    ("change", "error", "words"),
    [
        ({"epsilon": 8}, ValueError, "did you mean 8/255"),
        ({"epsilon": -0.1}, ValueError, "outside"),
        ({"epsilon": float("nan")}, ValueError, "outside"),
        ({"epsilon": "8/255"}, TypeError, "one number"),
        ({"images": lambda x, y: x * 255}, ValueError, "divide"),
        ({"images": lambda x, y: (x * 255).astype(np.uint8)}, TypeError, "to_float"),
        ({"images": lambda x, y: x * 2 - 1}, ValueError, r"\(images \+ 1\) / 2"),
        ({"images": lambda x, y: np.full_like(x, np.nan)}, ValueError, "122,880 of 122,880 values are nan"),
        ({"images": lambda x, y: x + 1e-7 + (1 - x)}, ValueError, r"to 1\.00000012; np\.clip"),
        ({"images": lambda x, y: x[0]}, ValueError, "one alone"),
        ({"images": lambda x, y: x[:, :16]}, ValueError, "takes images of shape"),
        ({"labels": lambda x, y: y[:, None]}, ValueError, r"labels\.ravel"),
        ({"labels": lambda x, y: np.eye(10)[y]}, ValueError, "argmax"),
        ({"labels": lambda x, y: y[:-1]}, ValueError, "one class number per image"),
        ({"labels": lambda x, y: y.astype(float)}, TypeError, "integers"),
        ({"labels": lambda x, y: y + 10}, ValueError, "classes 0 to 9"),
        ({"labels": lambda x, y: np.arange(1, 41) % 10 + 1}, ValueError, "try labels - 1"),
        ({"labels": lambda x, y: np.full(40, 10)}, ValueError, "got 10 to 10; try labels - 1"),
        ({"labels": lambda x, y: np.array(data.CLASS_NAMES)[y]}, TypeError, r"CLASS_NAMES\.index\(name\)"),
        ({"labels": lambda x, y: y - 1}, ValueError, "classes 0 to 9"),
        ({"loss": "hinge"}, ValueError, "cross-entropy"),
        ({"batch_size": 0}, ValueError, "at least 1"),
    ],
)
def test_bad_arguments_name_the_fix(network, pictures, change, error, words):
    images, labels = pictures
    arguments = {"images": images, "labels": labels, "epsilon": EPSILON}
    arguments |= {name: value(images, labels) if callable(value) else value for name, value in change.items()}
    with pytest.raises(error, match=words):
        attacks.fgsm(network, **arguments)


def test_bytes_are_not_perturbed(pictures):
    """On the scale from 0 to 1 they would all be white."""
    images = (pictures[0][:2] * 255).astype(np.uint8)
    with pytest.raises(TypeError, match="to_float"):
        attacks.perturb(images, np.ones(images.shape), EPSILON)


def test_uint8_labels_are_integers_too(network, pictures):
    images, labels = pictures
    ours = attacks.fgsm(network, images, labels.astype(np.uint8), EPSILON)
    np.testing.assert_array_equal(ours, attacks.fgsm(network, images, labels, EPSILON))


def test_a_plain_network_raises_no_warning(network, pictures):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        attacks.fgsm(network, *pictures, EPSILON)
