import subprocess
import sys

import numpy as np
import pytest

from helpers import evaluation, models, runs
from helpers.backend import keras, tf


def test_layer_table_of_the_lectures_network():
    model = models.build("vgg3")
    table = models.layer_table(model)
    assert [layer.receptive_field for layer in table if layer.kind == "Conv2D"] == [3, 5, 10, 14, 24, 32]
    assert [layer.receptive_field for layer in table[-4:]] == [None] * 4
    assert sum(layer.parameters for layer in table) == model.count_params() == 550_570
    assert [layer.shape for layer in table[-5:]] == [(4, 4, 128), (2048,), (128,), (128,), (10,)]
    convolutions = [layer.multiply_adds for layer in table if layer.kind == "Conv2D"]
    assert [sum(convolutions[block : block + 2]) for block in (0, 2, 4)] == [10_321_920, 14_155_776, 14_155_776]


@pytest.mark.parametrize("dilation", [1, 2])
def test_receptive_field_and_multiply_adds_by_experiment(dilation):
    # All weights 1 and no ReLU: a unit's gradient is positive exactly on the pixels that it sees, and an output counts
    # how many of the ones in a picture were added up for it.
    linear = dict(padding="valid", kernel_initializer="ones")
    model = keras.Sequential(
        [
            keras.Input((40, 40, 2)),
            keras.layers.Conv2D(3, 5, strides=2, **linear),
            keras.layers.AveragePooling2D(2),
            keras.layers.Conv2D(4, 3, dilation_rate=dilation, **linear),
        ]
    )
    images = tf.ones((1, 40, 40, 2))
    with tf.GradientTape() as tape:
        tape.watch(images)
        unit = model(images)[0, 2, 2, 0]
    rows = np.flatnonzero(tape.gradient(unit, images).numpy()[0].any(axis=(1, 2)))
    table = models.layer_table(model)
    assert table[-1].receptive_field == np.ptp(rows) + 1
    assert table[0].multiply_adds == model.layers[0](images).numpy().sum()


def test_layer_table_refuses_what_may_branch():
    picture = keras.Input((8, 8, 3))
    branching = keras.Model(picture, keras.layers.add([picture, keras.layers.Conv2D(3, 3, padding="same")(picture)]))
    for function in (models.layer_table, lambda model: models.pre_activations(model, None)):
        with pytest.raises(ValueError, match="model: expected a keras.Sequential, got Functional"):
            function(branching)


NOT_COUNTED = {
    "SeparableConv2D": lambda: keras.layers.SeparableConv2D(4, 3),
    "Conv2DTranspose": lambda: keras.layers.Conv2DTranspose(4, 3),
    "Sequential": lambda: keras.Sequential([keras.layers.Conv2D(4, 3)]),
    "UpSampling2D": keras.layers.UpSampling2D,
    "unequal sides": lambda: keras.layers.Conv2D(4, (1, 3)),
}


@pytest.mark.parametrize("kind", NOT_COUNTED)
def test_what_is_not_counted_is_refused_by_name(kind):
    model = keras.Sequential([keras.Input((8, 8, 3)), NOT_COUNTED[kind]()])
    uses = [models.layer_table] + [models.multiply_adds] * (kind in list(NOT_COUNTED)[:3])
    for use in uses:
        with pytest.raises(ValueError, match=f"model: {model.layers[0].name} .*{kind}.*counted"):
            use(model)


def test_layers_without_a_bias_have_sums_too(dataset, pictures):
    network, images = runs.load("fast", dataset.name).model, pictures[0][:4]
    sums = models.pre_activations(network, images)
    assert len(sums) == 8
    np.testing.assert_allclose(sums[-1], network(images, training=False), atol=1e-4)


def test_channels_first_is_refused_with_the_setting_to_change():
    keras.config.set_image_data_format("channels_first")
    try:
        for use in (lambda: models.build("vgg3"), lambda: runs.load("vgg3", "sketches")):
            with pytest.raises(
                ValueError, match=r"^Keras is set to channels first.*set_image_data_format\(.channels_last.\)"
            ):
                use()
    finally:
        keras.config.set_image_data_format("channels_last")


def test_pre_activations(network, pictures):
    images = pictures[0][:4]
    before = network.get_weights()
    sums = models.pre_activations(network, images)
    assert [layer.shape[1:] for layer in sums[:3]] == [(32, 32, 32), (32, 32, 32), (16, 16, 64)] and len(sums) == 8
    after_relu = keras.Model(network.inputs[0], network.layers[0].output)(images)
    np.testing.assert_allclose(np.maximum(sums[0], 0), after_relu, atol=1e-5)
    assert (sums[0] < 0).any()
    np.testing.assert_allclose(sums[-1], network(images, training=False), atol=1e-4)
    assert all(map(np.array_equal, before, network.get_weights()))


def test_batch_norm_computes_what_keras_computes(pictures):
    images = pictures[0]
    ours, theirs = models.BatchNorm(), keras.layers.BatchNormalization(epsilon=1e-5, scale=False, momentum=0.0)
    for layer in (ours, theirs):
        layer.build(images.shape)
        layer.beta.assign([0.5, -1.0, 2.0])
    np.testing.assert_allclose(ours(images, training=True), theirs(images, training=True), atol=1e-4)
    np.testing.assert_allclose(ours(images, training=False), theirs(images, training=False), atol=1e-3)
    assert not np.allclose(ours(images[:5], training=False), ours(images[:5], training=True), atol=0.01)


def test_the_whitened_layer_answers_evenly(dataset):
    model = models.build("fast")
    images = dataset.x_train[:500]
    models.whiten(model, images)
    answers = model.layers[0](images / np.float32(255)).numpy().reshape(-1, 24)
    np.testing.assert_allclose(answers[:, :12], -answers[:, 12:], atol=1e-4)
    moments = answers[:, :12].T @ answers[:, :12] / len(answers)
    np.testing.assert_allclose(moments, np.diag(np.diag(moments)), atol=0.01)
    assert np.diag(moments).min() > 0.05 and np.diag(moments).max() < 1.01


def test_identity_like_hands_the_inputs_on():
    maps = tf.random.normal((2, 8, 8, 5))
    answers = tf.nn.conv2d(maps, models.dirac_init((3, 3, 5, 9)), 1, "SAME")
    np.testing.assert_allclose(answers[..., :5], maps, atol=1e-6)
    assert tf.reduce_mean(tf.abs(answers[..., 5:])) > 0.1


def test_the_first_weights_are_those_of_the_papers():
    """He's uniform ones in vgg3; in airbench's networks a fixed whitening, a normal head, and random filters beside ones that
    hand their inputs on."""
    keras.utils.set_random_seed(0)
    for layer in models.build("vgg3").layers[:-1]:
        if hasattr(layer, "kernel"):
            limit = np.sqrt(6 / np.prod(layer.kernel.shape[:-1]))
            assert 0.99 * limit < abs(layer.kernel.numpy()).max() <= limit, layer.name
    fast = models.build("fast")
    assert [layer.name for layer in fast.layers if not layer.trainable] == ["whiten"]
    assert fast.get_layer("logits").kernel.numpy().std() == pytest.approx(1, abs=0.1)
    kernel = models.dirac_init((3, 3, 50, 90))
    limit = np.sqrt(1 / (9 * 50))
    assert 0.99 * limit < abs(kernel[..., 50:]).max() <= limit and (kernel[..., :50].sum(axis=(0, 1, 2)) == 1).all()
    for layer in fast.layers:
        if isinstance(layer, keras.layers.Conv2D) and layer.name != "whiten":
            assert (layer.kernel.numpy()[1, 1, : layer.filters, : layer.kernel.shape[2]].diagonal() == 1).all()


def test_messages_call_a_network_what_it_was_built_by():
    assert tuple(models.build(name).name for name in models.NAMES) == models.NAMES


def test_a_dtype_policy_is_that_of_one_network():
    network = models.build("fast", "mixed_bfloat16")
    assert network.layers[2].compute_dtype == "bfloat16" and network.layers[-1].compute_dtype == "float32"
    with pytest.raises(ZeroDivisionError):
        models.with_dtype_policy(lambda: 1 / 0, "mixed_bfloat16")
    assert models.build("fast").layers[2].compute_dtype == keras.config.dtype_policy().compute_dtype == "float32"


def test_six_views(network, pictures):
    images = pictures[0][:3]
    views = models.with_test_time_augmentation(network)
    padded = np.pad(images, ((0, 0), (1, 1), (1, 1), (0, 0)), "reflect")
    moved = [padded[:, place : place + 32, place : place + 32] for place in (0, 1, 2)]
    answers = [network(view, training=False) for view in (*moved, *(view[:, :, ::-1] for view in moved))]
    np.testing.assert_allclose(evaluation.logits(views, images), np.mean(answers, axis=0), atol=1e-4)


LOADED = """
import sys
import numpy as np
from helpers import evaluation, models
from helpers.backend import keras
network = keras.models.load_model(sys.argv[1])
np.save(sys.argv[2], evaluation.logits(network, np.load(sys.argv[2])))
"""


def test_a_saved_network_of_custom_layers_is_loaded_by_another_process(dataset, tmp_path):
    network, images = runs.load("fast", dataset.name).model, dataset.x_test[:5]
    network.save(tmp_path / "mine.keras")
    np.save(tmp_path / "images.npy", images)
    command = [sys.executable, "-c", LOADED, str(tmp_path / "mine.keras"), str(tmp_path / "images.npy")]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    np.testing.assert_allclose(np.load(tmp_path / "images.npy"), evaluation.logits(network, images), atol=1e-4)
