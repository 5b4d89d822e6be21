"""Networks of a reader's own: what is attacked and judged is what the network says, or it is refused by name."""

import gc
import warnings
import weakref

import numpy as np
import pytest

from helpers import attacks, data, evaluation, models, robustness, runs
from helpers.backend import keras, layers, tf
from helpers.classifier import classifier

EPSILON = 8 / 255
ORDER = np.roll(np.arange(10), 3)


@pytest.fixture(scope="module")
def pair(dataset, network):
    """Two trained networks, and the same in float64."""
    other = runs.load("fast", dataset.name).model
    return network, other, robustness.in_float64(network), robustness.in_float64(other)


@pytest.fixture(scope="module")
def photos(dataset):
    return data.to_float(dataset.x_test[:30]), dataset.y_test[:30]


def image():
    return keras.Input((32, 32, 3))


def wrapped(function):
    inputs = image()
    return keras.Model(inputs, function(inputs))


def own(network, policy="float32", activation=None, head=layers.Dense):
    """`network`, which is vgg3, as a reader might write it, under a dtype policy."""

    def build():
        dense = [layers.Flatten(), layers.Dense(128, activation="relu"), head(10, activation=activation)]
        blocks = [*models.vgg_block(32), *models.vgg_block(64), *models.vgg_block(128)]
        return keras.Sequential([image(), *blocks, *dense])

    copy = models.with_dtype_policy(build, policy)
    copy.set_weights(network.get_weights())
    return copy


class HalfTemperature(layers.Dense):
    """Called a softmax by its configuration, it does something else."""

    def call(self, features):
        return keras.ops.softmax((keras.ops.matmul(features, self.kernel) + self.bias) * 0.5)


def gate():
    keras.utils.set_random_seed(0)
    return keras.Sequential([image(), layers.GlobalAveragePooling2D(), layers.Dense(10, activation="softmax")])


def softened(p):
    return p**0.5 / keras.ops.sum(p**0.5, axis=1, keepdims=True)


# How a network of the reader's is built from the networks v and w, and its logits from theirs in float64.
log, softmax = tf.math.log, tf.nn.softmax
SOFTMAX = layers.Softmax()
RIGHT = {
    "logits": (lambda v, w: v, lambda v, w: v),
    "softmax layer": (lambda v, w: wrapped(lambda i: SOFTMAX(v(i))), lambda v, w: v),
    "softmax operation": (lambda v, w: wrapped(lambda i: keras.ops.softmax(v(i))), lambda v, w: v),
    "softmax in Dense": (lambda v, w: own(v, activation="softmax"), lambda v, w: v),
    "softmax in a network in a network": (
        lambda v, w: keras.Sequential([image(), wrapped(lambda i: SOFTMAX(v(i)))]),
        lambda v, w: v,
    ),
    "log-softmax": (lambda v, w: wrapped(lambda i: keras.ops.log_softmax(v(i))), lambda v, w: v),
    "logits × 100 and softmax": (lambda v, w: wrapped(lambda i: SOFTMAX(v(i) * 100)), lambda v, w: 100 * v),
    "ensemble of softmaxes": (
        lambda v, w: wrapped(lambda i: (SOFTMAX(v(i)) + SOFTMAX(w(i))) / 2),
        lambda v, w: log(softmax(v) + softmax(w)),
    ),
    "ensemble of logits": (lambda v, w: wrapped(lambda i: (v(i) + w(i)) / 2), lambda v, w: (v + w) / 2),
    "softmax in another order": (
        lambda v, w: wrapped(lambda i: keras.ops.take(SOFTMAX(v(i)), ORDER, axis=1)),
        lambda v, w: tf.gather(v, ORDER, axis=1),
    ),
    "calibrated softmax": (lambda v, w: wrapped(lambda i: softened(SOFTMAX(v(i)))), lambda v, w: v / 2),
    "Dense with a call of its own": (
        lambda v, w: own(v, activation="softmax", head=HalfTemperature),
        lambda v, w: v / 2,
    ),
    "training=True frozen in": (lambda v, w: wrapped(lambda i: SOFTMAX(v(i, training=True))), lambda v, w: v),
    "preprocessing inside": (
        lambda v, w: wrapped(lambda i: v(layers.Rescaling(1 / 255)(layers.RandomFlip()(layers.Rescaling(255.0)(i))))),
        lambda v, w: v,
    ),
    "float64": (lambda v, w: own(v, "float64", "softmax"), lambda v, w: v),
}


def says(network, images):
    """What the network says, as probabilities in float64."""
    found = tf.cast(network(images, training=False), tf.float64)
    sums = tf.reduce_sum(found, axis=1).numpy()
    return (found if abs(sums - 1).max() < 0.05 else softmax(found)).numpy()


@pytest.mark.filterwarnings("ignore:.*ends in softmax")
@pytest.mark.parametrize("kind", RIGHT)
def test_what_is_attacked_is_what_the_network_says(kind, pair, photos):
    build, logits64 = RIGHT[kind]
    v, w, v64, w64 = pair
    images, labels = photos
    network = build(v, w)
    np.testing.assert_allclose(evaluation.probabilities(network, images), says(network, images), atol=1e-5)
    x = tf.constant(images, tf.float64)
    with tf.GradientTape() as tape:
        tape.watch(x)
        z = logits64(v64(x, training=False), w64(x, training=False))
        others = tf.where(tf.one_hot(labels, 10, on_value=True, off_value=False), tf.float64.min, z)
        losses = tf.reduce_logsumexp(others, axis=1) - tf.gather(z, labels, batch_dims=1)
    expected = np.sign(tape.gradient(losses, x))
    agreement = (attacks.gradient_sign(network, images, labels) == expected).mean(axis=(1, 2, 3))
    assert agreement.min() >= 0.995


def wrapped_scores(function):
    scores = keras.Input((10,))
    return keras.Model(scores, function(scores))


@pytest.mark.parametrize(
    ("head", "words"),
    [
        (SOFTMAX, "the logits before it$"),
        (lambda z: wrapped_scores(SOFTMAX)(z), "the logits before it$"),
        (lambda z: SOFTMAX(z) * 0.9 + 0.01, "the logarithms of its probabilities; where float32 rounds"),
        (lambda z: SOFTMAX(SOFTMAX(z)), "the logits before it; where float32 rounds"),
    ],
)
def test_what_is_attacked_in_place_of_a_softmax_is_told(head, words, network):
    """Rounding inside is part of what the network computes: an image of which it is certain may have no exact sign."""
    with pytest.warns(UserWarning, match=f"ends in softmax: working with {words}"):
        found = classifier(wrapped(lambda i: head(network(i))))
    assert found.from_probabilities == ("logarithms" in words)


def test_logits_through_a_relu_are_logits(network, photos):
    """Though none is negative: they are taken for neither sigmoids nor scaled probabilities."""
    found = classifier(wrapped(lambda i: keras.ops.relu(network(i))))
    np.testing.assert_allclose(found.forward(photos[0]), np.maximum(network(photos[0]), 0), atol=1e-4)


@pytest.mark.parametrize("head", [[layers.Dense(10, activation="relu")], [layers.Dense(10), layers.ReLU()]])
def test_small_logits_of_an_untrained_network_are_logits(head, photos):
    """Global pooling makes all of them alike, and many of them lie between 0 and 1."""
    keras.utils.set_random_seed(0)
    network = keras.Sequential(
        [image(), layers.Conv2D(8, 3, activation="relu"), layers.GlobalAveragePooling2D(), *head]
    )
    for each in (network, keras.Sequential([image(), network])):
        np.testing.assert_allclose(classifier(each).forward(photos[0]), network(photos[0]), atol=1e-5)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("activation", [None, "softmax"])
@pytest.mark.parametrize("policy", ["mixed_bfloat16", "bfloat16", "mixed_float16", "float16", "int8"])
def test_in_low_precision_attacks_are_as_strong_as_in_float32(policy, activation, network, photos):
    images, labels = photos
    low = own(network, "float32" if policy == "int8" else policy, activation)
    if policy == "int8":
        low.quantize("int8")
    np.testing.assert_allclose(evaluation.probabilities(low, images), says(low, images), atol=0.1)
    for loss in attacks.LOSSES:
        assert attacks.fgsm(low, images[:2], labels[:2], EPSILON, loss=loss).dtype == np.float32
    left = evaluation.accuracy(low, attacks.fgsm(low, images, labels, EPSILON), labels)
    assert left <= evaluation.accuracy(network, attacks.fgsm(network, images, labels, EPSILON), labels) + 0.05


@pytest.mark.parametrize("classes", [2, 3])
def test_images_of_another_size_and_number_of_classes(classes):
    keras.utils.set_random_seed(0)
    body = [keras.Input((28, 20, 1)), layers.Conv2D(4, 3), layers.Flatten()]
    network = keras.Sequential([*body, layers.Dense(classes)])
    images, labels = np.random.default_rng(0).random((5, 28, 20, 1)), np.arange(5) % classes
    assert attacks.fgsm(network, images, labels, 0.1).shape == images.shape
    with pytest.raises(ValueError, match=f"classes 0 to {classes - 1}"):
        attacks.fgsm(network, images, labels + 1, 0.1)


def sequential(*stack, inputs=None):
    return keras.Sequential([image() if inputs is None else inputs, layers.Flatten(), *stack])


def with_two_inputs():
    inputs = [image(), image()]
    return keras.Model(inputs, layers.Dense(10)(layers.Flatten()(keras.ops.add(*inputs))))


def of_any_size():
    inputs = keras.Input((None, None, 3))
    return keras.Model(inputs, layers.Dense(10)(layers.GlobalAveragePooling2D()(inputs)))


def with_dictionary_in():
    inputs = {"image": keras.Input((32, 32, 3), name="image")}
    return keras.Model(inputs, layers.Dense(10)(layers.Flatten()(inputs["image"])))


class Unshaped(keras.Model):
    """A network written as a class: Keras knows neither its input's shape nor its last layer."""

    def __init__(self):
        super().__init__()
        self.dense = layers.Dense(10)

    def call(self, images, training=False):
        return self.dense(keras.ops.reshape(images, (-1, 3072)))


SCORES = sequential(layers.Dense(10))
FROM_0_TO_255 = layers.Rescaling(1 / 127.5, offset=-1)
REFUSED = {
    "several outputs": (lambda: wrapped(lambda i: [SOFTMAX(SCORES(i)), SCORES(i)]), "several outputs"),
    "a dictionary of outputs": (lambda: wrapped(lambda i: {"scores": SCORES(i)}), r"several outputs \(scores\)"),
    "a list of inputs": (with_two_inputs, "list or dictionary of inputs"),
    "a dictionary of inputs": (with_dictionary_in, "list or dictionary of inputs"),
    "ten sigmoids": (lambda: sequential(layers.Dense(10, activation="sigmoid")), "like sigmoids"),
    "percentages": (lambda: wrapped(lambda i: SOFTMAX(SCORES(i)) * 100), "scaled probabilities"),
    "one output": (lambda: sequential(layers.Dense(1, activation="sigmoid")), r"two logits: concatenate"),
    "feature maps": (lambda: keras.Sequential([image(), layers.Conv2D(10, 1)]), "one logit for each class"),
    "not built yet": (lambda: keras.Sequential([layers.Flatten(), layers.Dense(10)]), r"begin it with keras\.Input"),
    "images of any size": (of_any_size, "fixed height, width and channels"),
    "a fixed batch size": (
        lambda: sequential(layers.Dense(10), inputs=keras.Input(batch_shape=(8, 32, 32, 3))),
        "batches of exactly 8",
    ),
    "whole numbers": (
        lambda: sequential(layers.Rescaling(1 / 255), layers.Dense(10), inputs=keras.Input((32, 32, 3), dtype="uint8")),
        "takes uint8",
    ),
    "images in 0–255": (lambda: keras.Sequential([image(), FROM_0_TO_255, SCORES]), r"takes 0–255.*Rescaling\(255\)"),
    "images in 0–255, augmented": (
        lambda: wrapped(lambda i: SCORES(keras.Sequential([layers.RandomFlip(), FROM_0_TO_255])(i))),
        r"takes 0–255",
    ),
    "weights that are nan": (
        lambda: sequential(layers.Dense(10, kernel_initializer=keras.initializers.Constant(np.nan))),
        "returns nan",
    ),
    "a subclass of Model": (Unshaped, r"keras\.Model\(inputs, outputs\)"),
    "a list": (lambda: [SCORES], "got list"),
    "nothing": (lambda: None, "got NoneType"),
}


@pytest.mark.parametrize("kind", REFUSED)
def test_what_is_no_classifier_of_single_images_is_refused_by_name(kind, photos):
    build, words = REFUSED[kind]
    network = build()
    for use in (lambda: attacks.fgsm(network, *photos, EPSILON), lambda: evaluation.accuracy(network, *photos)):
        with pytest.raises((ValueError, TypeError), match=words) as error:
            use()
        assert "\n" not in str(error.value)


def test_a_subclass_of_model_is_attacked_once_wrapped(photos):
    images, labels = photos
    assert np.any(attacks.fgsm(wrapped(Unshaped()), images, labels, EPSILON) != images)


def test_the_advice_for_a_network_that_takes_0_to_255_is_right(network, photos):
    images, labels = photos
    tutorial = keras.Sequential([image(), layers.Rescaling(1 / 255), *network.layers])
    advised = keras.Sequential([image(), layers.Rescaling(255), tutorial])
    for each in (
        advised,
        wrapped(lambda i: tutorial(i * 255.0)),
        wrapped(lambda i: tutorial(layers.ReLU()(i * 255.0))),
    ):
        assert evaluation.accuracy(each, images, labels) == evaluation.accuracy(network, images, labels)


def test_an_operation_without_a_gradient_is_refused_by_attacks_and_judged_all_the_same(network, photos):
    rounded = wrapped(lambda i: network(keras.ops.round(i * 255) / 255))
    with pytest.raises(ValueError, match="no gradient of .* reaches the pixels"):
        attacks.pgd(rounded, *photos, EPSILON, step_size=0.01, steps=2)
    assert evaluation.accuracy(rounded, *photos) == evaluation.accuracy(network, *photos)


class Product(layers.Rescaling):
    """Settings of its own in a list and in a dictionary, beside those of its base class."""

    def __init__(self, scale):
        super().__init__(scale)
        self.factors, self.named = [1.0], {"factor": 1.0}

    def call(self, scores):
        return super().call(scores) * self.factors[0] * self.named["factor"]


def exchange_the_head(network):
    network.pop()
    network.add(layers.Dense(10, kernel_initializer="he_uniform"))


def one_more_layer(network):
    network.add(layers.Rescaling(-1.0))


def another_activation(network):
    network.layers[-3].activation = keras.activations.tanh


def another_setting(network):
    network.layers[-1].scale = -2.0


def another_call(network):
    network.layers[-1].call = lambda scores: -scores


def another_class(network):
    network.layers[-1].__class__ = type("Opposite", (layers.Rescaling,), {"call": lambda self, scores: -scores})


def another_setting_in_a_list_and_a_dictionary(network):
    network.layers[-1].factors[0], network.layers[-1].named["factor"] = 3.0, -1.0


def other_weights(network):
    network.layers[-2].kernel.assign(-network.layers[-2].kernel)


def quantised(network):
    network.layers[-2].quantize("int8")
    network.layers[-2]._kernel.assign(-network.layers[-2]._kernel)


CHANGES = [
    exchange_the_head,
    one_more_layer,
    another_activation,
    another_setting,
    another_call,
    another_class,
    another_setting_in_a_list_and_a_dictionary,
    other_weights,
    quantised,
]


@pytest.mark.filterwarnings("ignore:__array__")
@pytest.mark.parametrize("change", CHANGES, ids=lambda change: change.__name__)
def test_a_network_is_judged_as_it_is_now(change, photos):
    images, labels = photos
    keras.utils.set_random_seed(0)
    network = sequential(
        layers.Dense(20, activation="relu", kernel_initializer="he_uniform"), layers.Dense(10), Product(1.0)
    )
    outer = keras.Sequential([image(), network])
    before = [evaluation.logits(each, images) for each in (network, outer)]
    attacks.fgsm(network, images, labels, EPSILON)
    change(network)
    for each, old in zip((network, outer), before, strict=True):
        now = tf.cast(each(images, training=False), tf.float32).numpy()
        np.testing.assert_allclose(evaluation.logits(each, images), now, atol=1e-4)
        assert each is outer or abs(old - now).max() > 0.01
    fresh = wrapped(lambda i: network(i))
    ours, expected = (attacks.gradient_sign(each, images, labels) for each in (network, fresh))
    np.testing.assert_array_equal(ours, expected)


@pytest.mark.parametrize(
    "use",
    [
        evaluation.predictions,
        lambda model, x: evaluation.accuracy(model, x, np.zeros(len(x), int)),
        lambda model, x: attacks.fgsm(model, x, np.zeros(len(x), int), EPSILON),
        lambda model, x: attacks.pgd(model, x, np.zeros(len(x), int), EPSILON, step_size=0.01, steps=1),
        lambda model, x: attacks.minimal_epsilon(model, x, np.zeros(len(x), int)),
    ],
)
def test_a_network_whose_training_diverged_after_it_was_first_judged_is_refused(use, photos):
    """argmax calls nan the largest, so all images would be airplanes."""
    network = sequential(layers.Dense(10))
    evaluation.logits(network, photos[0])
    network.set_weights([np.nan * weights for weights in network.get_weights()])
    with pytest.raises(ValueError, match="nan for 30 of 30 images; .*lower learning rate"):
        use(network, photos[0])


def test_a_loop_over_single_images_of_a_softmax_network_traces_once_and_leaves_nothing(network, photos):
    images, labels = photos
    network = keras.Sequential([image(), network, layers.Softmax()])
    with pytest.warns(UserWarning, match="ends in softmax"):
        attacks.fgsm(network, images[:1], labels[:1], EPSILON)
    evaluation.accuracy(network, images[:1], labels[:1])
    kept = classifier(network)
    gc.collect()
    before = len(gc.get_objects())
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for k in range(20):
            attacks.fgsm(network, images[k : k + 1], labels[k : k + 1], EPSILON)
            evaluation.accuracy(network, images[k : k + 1], labels[k : k + 1])
    gc.collect()
    assert classifier(network) is kept
    assert len(gc.get_objects()) - before < 100
    for graph in kept._graphs.values():
        assert graph.experimental_get_tracing_count() == 1


def test_a_network_that_nobody_holds_goes_with_all_its_graphs(photos):
    network = sequential(layers.Dense(10))
    attacks.fgsm(network, *photos, EPSILON)
    gone = weakref.ref(network)
    del network
    gc.collect()
    assert gone() is None


def test_being_attacked_leaves_no_trace_in_a_saved_network(network, tmp_path):
    classifier(network)
    network.save(tmp_path / "mine.keras")
    again = keras.models.load_model(tmp_path / "mine.keras")
    assert all(map(np.array_equal, network.get_weights(), again.get_weights()))
