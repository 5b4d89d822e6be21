"""network.js, run in Chromium on real images, against Keras networks of the same rounded weights."""

import base64
from pathlib import Path

import numpy as np
import pytest
import test_browser
from playwright.sync_api import Error

from helpers import data, evaluation, explorer, runs
from helpers.backend import keras, tf
from helpers.explorer import weights

browser, page, pytestmark = test_browser.browser, test_browser.page, test_browser.pytestmark
NETWORK = Path(explorer.__file__).with_name("network.js").read_text(encoding="utf-8")
LANES = Path(explorer.__file__).with_name("lanes.js").read_text(encoding="utf-8")

RUN = """({packed, images, labels}) => {
  const bytes = (text) => Uint8Array.from(atob(text), (character) => character.charCodeAt(0));
  const network = createNetwork({layers: packed.layers, weights: bytes(packed.weights)});
  const pixels = bytes(images);
  return labels.map((label, i) => {
    const image = Float32Array.from(pixels.subarray(3072 * i, 3072 * (i + 1)), (value) => value / 255);
    return [Array.from(network.logits(image)), Array.from(network.gradient(image, label))];
  });
}"""


def in_the_page(page, packed, images, labels):
    """Logits (n, 10) and gradients (n, 32, 32, 3) of uint8 images, as network.js computes them."""
    page.goto("about:blank")
    page.add_script_tag(content=NETWORK)
    task = {
        "packed": packed,
        "images": base64.b64encode(images.tobytes()).decode(),
        "labels": [int(label) for label in labels],
    }
    logits, gradients = zip(*page.evaluate(RUN, task))
    return np.array(logits), np.array(gradients).reshape(images.shape)


def exactly(packed, images, labels):
    """The same in float64, differentiated by TensorFlow."""
    network, images = weights.unpack(packed, "float64"), tf.constant(data.to_float(images), tf.float64)
    with tf.GradientTape() as tape:
        tape.watch(images)
        logits = network(images)
        others = tf.where(tf.one_hot(labels, logits.shape[1], True, False), tf.float64.min, logits)
        loss = tf.reduce_logsumexp(others, axis=1) - tf.gather(logits, labels, batch_dims=1)
    return logits.numpy(), tape.gradient(loss, images).numpy()


def assert_same(page, packed, images, labels):
    """Logits within a thousandth, and 99.5% of the signs on each image."""
    logits, gradients = in_the_page(page, packed, images, labels)
    true_logits, true_gradients = exactly(packed, images, labels)
    np.testing.assert_allclose(logits, true_logits, atol=1e-3 * abs(true_logits).max())
    agree = (np.sign(gradients) == np.sign(true_gradients)).mean(axis=(1, 2, 3))
    assert agree.min() >= 0.995
    assert abs(true_gradients).max(axis=(1, 2, 3)).min() > 0


@pytest.mark.parametrize("name", ["vgg3", "fast", "adversarial-fgsm", "airbench"])
def test_recorded_networks(page, dataset, name):
    """On the most confident images, where float32's cross-entropy loses signs, and on others."""
    run = runs.load(name, dataset.name)
    packed = weights.pack(run.model)
    count = len(dataset.x_test[: data.ORIGINAL_TEST_IMAGES])
    images, labels = dataset.x_test[:count], dataset.y_test[:count]
    rounded = evaluation.logits(weights.unpack(packed), images)
    recorded = evaluation.accuracy(run.model, images, labels)
    assert abs((rounded.argmax(axis=1) == labels).mean() - recorded) <= 0.002
    lead = np.sort(rounded)[:, -1] - np.sort(rounded)[:, -2]
    chosen = np.r_[np.argsort(lead)[-12:], 100:112]
    assert_same(page, packed, images[chosen], labels[chosen])


def test_each_kind_of_layer(page, dataset):
    """Windows and paddings that no recorded network has, and batch normalisation that cannot be folded."""
    keras.utils.set_random_seed(0)
    layers = keras.layers
    inner = keras.Sequential([layers.Conv2D(9, 2, padding="same", activation="swish"), layers.MaxPooling2D(3)])
    model = keras.Sequential(
        [keras.Input((32, 32, 3)), layers.Rescaling(2.0, -1), layers.Conv2D(13, 3, use_bias=False), layers.ReLU()]
        + [layers.BatchNormalization(), inner, layers.BatchNormalization(), layers.Dropout(0.5)]
        + [layers.Conv2D(17, 2), layers.BatchNormalization(), layers.Activation("silu"), layers.Flatten()]
        + [layers.Dense(20), layers.BatchNormalization(), layers.ReLU(), layers.Dense(10, activation="softmax")]
    )
    rng = np.random.default_rng(0)
    for weight in model.weights:
        if weight.name in ("gamma", "beta", "moving_mean"):
            weight.assign(rng.normal(0, 1, weight.shape))  # half of the factors are negative
        elif weight.name == "moving_variance":
            weight.assign(rng.uniform(0.5, 2, weight.shape))
    packed = weights.pack(model)
    assert [layer["kind"] for layer in packed["layers"]].count("affine") == 3
    assert_same(page, packed, dataset.x_test[:20], dataset.y_test[:20])
    images = data.to_float(dataset.x_test[:20])
    np.testing.assert_allclose(evaluation.softmax(weights.unpack(packed)(images).numpy()), model(images), atol=0.01)


def branched():
    image = keras.Input((32, 32, 3))
    first = keras.layers.Conv2D(3, 3, padding="same")(image)
    return keras.Model(image, keras.layers.Dense(10)(keras.layers.Flatten()(keras.layers.Add()([first, image]))))


class Doubled(keras.layers.Dense):
    def call(self, values):
        return 2 * super().call(values)


def chain(*layers):
    return keras.Sequential([keras.Input((32, 32, 3)), *layers, keras.layers.Flatten(), keras.layers.Dense(10)])


@pytest.mark.parametrize(
    "model, message",
    [
        (lambda: chain(keras.layers.Conv2D(4, 3, strides=2, name="leap")), "layer 'leap': .*stride"),
        (lambda: chain(keras.layers.Conv2D(4, 5, name="wide")), "layer 'wide': .*kernel other than"),
        (lambda: chain(keras.layers.Conv2D(4, 3, activation="elu", name="bent")), "layer 'bent': .*activation elu"),
        (lambda: chain(keras.layers.AveragePooling2D(2, name="mean")), "layer 'mean': .*AveragePooling2D"),
        (lambda: chain(keras.layers.MaxPooling2D(2, padding="same", name="edge")), "layer 'edge': .*padding"),
        (lambda: chain(keras.layers.Softmax(name="early")), "layer 'early': .*before the end"),
        (branched, "layer 'add.*': .*Add is none of: Conv2D"),
        (lambda: chain(Doubled(5, name="own")), "predicts something else"),
        (lambda: keras.Sequential([keras.Input((28, 28, 1)), keras.layers.Flatten()]), r"expected .* \(32, 32, 3\)"),
    ],
)
def test_what_the_page_cannot_compute_is_refused_by_name(model, message):
    keras.utils.set_random_seed(0)
    with pytest.raises(ValueError, match=message):
        weights.pack(model())


def test_weights_beyond_float16_are_refused():
    model = chain()
    model.layers[-1].kernel.assign(model.layers[-1].kernel * 1e7)
    with pytest.raises(ValueError, match="float16"):
        weights.pack(model)


def test_an_attack_without_code_is_refused_by_name(page):
    page.goto("about:blank")
    page.add_script_tag(content=LANES)
    with pytest.raises(Error, match="attack momentum"):
        page.evaluate("() => direction(null, [0.5], 'momentum', 0, 0, 'an image')")
