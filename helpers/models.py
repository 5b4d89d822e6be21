"""Every network of the series, one small function each. Taught in notebooks/02-architecture."""

import contextlib
import math
import os
import sys
import warnings
import weakref
from typing import NamedTuple


@contextlib.contextmanager
def _quiet_start():
    """Hide what TensorFlow's C++ code writes to stderr while it starts; Python errors still arrive."""
    sys.stderr.flush()
    kept, nowhere = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 2)
    try:
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)


with _quiet_start():
    import tensorflow as tf

    tf.zeros(1)  # the first operation, not the import, prints the last of the start-up lines
    import keras
    from keras import layers


def vgg_block(filters):
    """Two 3×3 convolutions, then halve height and width: the unit that VGG networks repeat."""
    convolution = dict(kernel_size=3, padding="same", activation="relu", kernel_initializer="he_uniform")
    return [
        layers.Conv2D(filters, **convolution),
        layers.Conv2D(filters, **convolution),
        layers.MaxPooling2D(2),
        layers.Dropout(0.2),
    ]


def vgg3():
    """The network of the slides: three VGG blocks, a dense layer of 128, ten logits; 550,570 parameters.

    Takes float32 images (n, 32, 32, 3) in [0, 1], returns float32 logits (n, 10).
    Source: the slides; Simonyan and Zisserman 2015, arXiv:1409.1556. Taught in 02-architecture.
    """
    return keras.Sequential(
        [
            keras.Input((32, 32, 3)),
            *vgg_block(32),
            *vgg_block(64),
            *vgg_block(128),
            layers.Flatten(),
            layers.Dense(128, activation="relu", kernel_initializer="he_uniform"),
            layers.Dropout(0.2),
            layers.Dense(10, dtype="float32", name="logits"),
        ],
        name="vgg3",
    )


_BUILDERS = {builder.__name__: builder for builder in (vgg3,)}
NAMES = tuple(_BUILDERS)


def build(name, number_format="float32"):
    """A new, untrained network called `name` (one of NAMES).

    It computes in `number_format`, "float32" or "mixed_bfloat16"; its weights and logits are float32 in both.
    Raises ValueError for a name that is not in NAMES.
    """
    if name not in _BUILDERS:
        raise ValueError(f"name={name!r}: no network is called that; there are: {', '.join(NAMES)}")
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(number_format)
    try:
        return _BUILDERS[name]()
    finally:
        keras.config.set_dtype_policy(before)


def up_to_logits(model):
    """The same network, weights shared, without a final softmax; `model` itself where it ends in logits already.

    Says so with a UserWarning when it removes one. Raises ValueError for a network whose answers are probabilities
    but whose last layer is not a softmax that can be taken off, TypeError for one whose layers Keras does not know.
    """
    if not hasattr(model, "input_shape"):
        raise TypeError(
            f"model: expected a Sequential or functional Keras network, got {type(model).__name__}; a subclass of "
            "keras.Model can be wrapped: keras.Model(inputs, outputs) with outputs = model(inputs)"
        )
    last = model.layers[-1]
    if isinstance(last, layers.Softmax) or (
        isinstance(last, layers.Activation) and last.activation is keras.activations.softmax
    ):
        logits = last.input
    elif isinstance(last, layers.Dense) and last.activation is keras.activations.softmax:
        logits = keras.ops.matmul(last.input, last.kernel)
        logits = logits if last.bias is None else keras.ops.add(logits, last.bias)
    else:
        _refuse_probabilities(model)
        return model
    warnings.warn(f"{model.name} ends in softmax: working with the logits before it", stacklevel=3)
    return keras.Model(model.inputs[0], logits, name=model.name)


# Networks that were tried and do not answer in probabilities: a try costs as much as the gradient of an image.
_tried = weakref.WeakSet()


def _refuse_probabilities(model):
    if model in _tried:
        return
    grey = tf.fill((1, *model.input_shape[1:]), 0.5)
    answer = model(grey, training=False).numpy().astype("float64")
    if answer.min() >= 0 and abs(answer.sum() - 1) < 1e-4:
        raise ValueError(
            f"model={model.name!r}: its answers sum to 1, so they are probabilities, but its last layer "
            f"({type(model.layers[-1]).__name__}) is not a softmax that can be taken off; end the network in logits"
        )
    _tried.add(model)


@tf.function
def _forward(model, images):
    if images.dtype == tf.uint8:
        images = tf.cast(images, tf.float32) / 255.0
    return tf.cast(model(images, training=False), tf.float32)


def forward(model, images):
    """float32 logits of a batch in evaluation mode, compiled: `model.predict` takes 50 times as long for one image.

    `images` are a numpy array of uint8 in 0–255, converted here, or of float32 in [0, 1].
    """
    # Traced once for all batch sizes.
    compiled = _forward.get_concrete_function(model, tf.TensorSpec([None, *images.shape[1:]], images.dtype))
    return compiled(tf.constant(images)).numpy()


class Layer(NamedTuple):
    """One row of `layer_table`."""

    kind: str
    shape: tuple
    parameters: int
    multiply_adds: int
    receptive_field: int | None


def layer_table(model):
    """What each layer of a chain of layers costs and sees: a list of Layer, in order.

    `shape` is its output's, without the batch axis. `multiply_adds` counts the products with weights for one image,
    those with the zeros of "same" padding included. `receptive_field` is the side in pixels of the square of the
    picture that one output unit can depend on, and None where units no longer have a place in the picture.
    Raises ValueError for a network that is not a keras.Sequential. Taught in 02-architecture.
    """
    rows, field, stride = [], 1, 1
    for layer in _chain(model):
        window = getattr(layer, "kernel_size", None) or getattr(layer, "pool_size", None)
        if window:
            field += (window[0] - 1) * stride
            stride *= layer.strides[0]
        *places, units = layer.output.shape[1:]
        products = math.prod(layer.kernel.shape) * math.prod(places) if hasattr(layer, "kernel") else 0
        kind, seen = type(layer).__name__, field if places else None
        rows.append(Layer(kind, (*places, units), layer.count_params(), products, seen))
    return rows


def pre_activations(model, images):
    """The weighted sums of each convolution and dense layer before their activation function, dropout off.

    Takes float32 images (n, 32, 32, 3) in [0, 1]; returns a list of float32 arrays, in order.
    Raises ValueError for a network that is not a keras.Sequential. Taught in 02-architecture.
    """
    sums, x = [], images
    for layer in _chain(model):
        if hasattr(layer, "kernel"):
            multiply = layer.convolution_op if isinstance(layer, layers.Conv2D) else keras.ops.matmul
            x = multiply(x, layer.kernel) + layer.bias
            sums.append(x.numpy())
            x = layer.activation(x)
        else:
            x = layer(x, training=False)
    return sums


def _chain(model):
    if not isinstance(model, keras.Sequential):
        raise ValueError(f"model: expected a keras.Sequential, got {type(model).__name__}; other networks may branch")
    return model.layers
