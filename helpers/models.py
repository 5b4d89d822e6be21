"""Every network of the series, one small function each. Taught in notebooks/02-architecture."""

import math
from typing import NamedTuple

import numpy as np

from .backend import keras, layers, tf


def vgg_block(filters):
    """Two 3×3 convolutions, then downsample: the unit that VGG networks repeat."""
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


@keras.saving.register_keras_serializable("helpers")  # so that a saved network can be loaded
class BatchNorm(layers.BatchNormalization):
    """Batch normalisation without a scale, whose training step is one fused operation of TensorFlow.

    Keras' own layer computes the same in many operations, which takes a CPU nine times as long. Outside of training
    it uses mean and variance of the last batch that it met in training; `training.recalibrate_batch_norm` chooses that batch.
    """

    def __init__(self, **options):
        super().__init__(**({"momentum": 0.0, "epsilon": 1e-5, "scale": False} | options))

    def call(self, images, training=None):
        if not training:
            return super().call(images, training=False)
        ones, beta = tf.ones(images.shape[-1]), self.beta.value
        normalised, mean, variance, *_ = tf.raw_ops.FusedBatchNormV3(
            x=images, scale=ones, offset=beta, mean=[], variance=[], epsilon=self.epsilon
        )
        self.moving_mean.assign(mean)
        self.moving_variance.assign(variance)
        return normalised


@keras.saving.register_keras_serializable("helpers")
def dirac_init(shape, dtype=None):
    """A first kernel (3, 3, in, out) whose first filters hand the inputs on unchanged; the rest are random."""
    kernel = keras.initializers.VarianceScaling(1 / 3, "fan_in", "uniform")(shape).numpy()
    same = np.arange(min(shape[2:]))
    kernel[..., same] = 0
    kernel[1, 1, same, same] = 1
    return kernel


def airbench_group(filters, activation):
    """Convolve, downsample, convolve once more; each convolution is normalised."""
    convolution = dict(kernel_size=3, padding="same", use_bias=False, kernel_initializer=dirac_init)
    return [
        layers.Conv2D(filters, **convolution),
        layers.MaxPooling2D(2),
        BatchNorm(),
        layers.Activation(activation),
        layers.Conv2D(filters, **convolution),
        BatchNorm(),
        layers.Activation(activation),
    ]


def airbench_network(widths, name, activation="relu", first=None):
    """A network that learns in few epochs, of one airbench_group for each of `widths`.

    Its layer `first` is by default "whiten", which `whiten` sets from the training images.
    Source: the ideas of Jordan 2024, arXiv:2404.00498. Taught in 03-training.
    """
    standard_normal = keras.initializers.RandomNormal(stddev=1)
    return keras.Sequential(
        [
            keras.Input((32, 32, 3)),
            first or layers.Conv2D(24, 2, use_bias=False, trainable=False, name="whiten"),
            layers.Activation(activation),
            *(layer for filters in widths for layer in airbench_group(filters, activation)),
            layers.MaxPooling2D(3),
            layers.Flatten(),
            layers.Rescaling(1 / widths[-1]),
            layers.Dense(10, use_bias=False, kernel_initializer=standard_normal, dtype="float32", name="logits"),
        ],
        name=name,
    )


def whiten(model, images):
    """Set the layer "whiten" so that its outputs on `images`, uint8 (n, 32, 32, 3), have equal variance.

    Its filters are the eigenvectors of the 2×2 patches' covariance, divided by the roots of the eigenvalues, and
    their negatives: ReLU would drop one side. Source: Jordan 2024, arXiv:2404.00498, section 3.2.
    """
    moment, count = 0, 0
    for some in np.array_split(images[:5000], 10):  # the patches of all at once would take 290 MB
        patches = np.lib.stride_tricks.sliding_window_view(some, (2, 2), axis=(1, 2))
        patches = np.moveaxis(patches, 3, -1).reshape(-1, 12) / np.float32(255)
        moment, count = moment + patches.T @ patches, count + len(patches)
    eigenvalues, vectors = np.linalg.eigh(moment / count)
    filters = (vectors / np.sqrt(eigenvalues + 5e-4)).reshape(2, 2, 3, 12)
    model.get_layer("whiten").kernel.assign(np.concatenate([filters, -filters], axis=-1))


def fast():
    """A network for training while a class looks on."""
    return airbench_network((32, 64, 128), "fast")


def fast_unwhitened():
    """`fast` with an ordinary first layer of the same shape: the control for what whitening does."""
    first = layers.Conv2D(24, 2, use_bias=False, kernel_initializer="he_uniform")
    return airbench_network((32, 64, 128), "fast_unwhitened", first=first)


def airbench():
    """The best of the series. SiLU, x / (1 + exp(-x)), is a ReLU without a corner: slopes change smoothly."""
    return airbench_network((64, 256, 256), "airbench", activation="silu")


def smooth():
    """A network to be trained under attack, with SiLU, whose slopes change smoothly where ReLU's jump.

    Nothing is whitened: that would amplify the faint patterns of an attack.
    """
    first = layers.Conv2D(24, 3, kernel_initializer="he_uniform")
    return airbench_network((64, 128, 256), "smooth", activation="silu", first=first)


_BUILDERS = {builder.__name__: builder for builder in (vgg3, fast, fast_unwhitened, airbench, smooth)}
NAMES = tuple(_BUILDERS)


def build(name, dtype_policy="float32"):
    """A new, untrained network called `name` (one of NAMES).

    It computes in `dtype_policy`, "float32" or "mixed_bfloat16"; its weights and logits are float32 in both.
    Raises ValueError for a name that is not in NAMES, and where Keras is set to channels first.
    """
    refuse_channels_first()
    if name not in _BUILDERS:
        raise ValueError(f"name={name!r}: no network is called that; there are: {', '.join(NAMES)}")
    return with_dtype_policy(_BUILDERS[name], dtype_policy)


def refuse_channels_first():
    """Raises ValueError where Keras is set to images with channels first: no network here takes these."""
    if keras.config.image_data_format() != "channels_last":
        raise ValueError(
            "Keras is set to channels first, but the networks here take images with channels last: "
            'keras.config.set_image_data_format("channels_last") sets it back'
        )


def with_dtype_policy(builder, dtype_policy):
    """What `builder()` returns when Keras computes in `dtype_policy`."""
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(dtype_policy)
    try:
        return builder()
    finally:
        keras.config.set_dtype_policy(before)


VIEWS = 6  # of an image, in test-time augmentation


def with_test_time_augmentation(model):
    """Test-time augmentation: a network whose logits are the mean of those of `model` for six views of an image.

    They are the image, the image moved by one pixel along either end of a diagonal, and their mirror images.
    """
    image = keras.Input(model.input_shape[1:])
    padded = keras.ops.pad(image, ((0, 0), (1, 1), (1, 1), (0, 0)), mode="reflect")
    moved = [padded[:, place : place + 32, place : place + 32] for place in range(3)]
    logits = [model(view) for view in (*moved, *(view[:, :, ::-1] for view in moved))]
    return keras.Model(image, keras.ops.mean(keras.ops.stack(logits), axis=0), name=f"{model.name}_on_six_views")


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
    image that one output unit can depend on, and None where units no longer have a place in the image.
    Raises ValueError for a network that is not a keras.Sequential, and for layers that are counted nowhere here. Taught
    in 02-architecture.
    """
    rows, field, stride = [], 1, 1
    for layer in _chain(model):
        window = getattr(layer, "kernel_size", None) or getattr(layer, "pool_size", None)
        if window:
            dilation = getattr(layer, "dilation_rate", (1, 1))
            if any(len(set(sides)) > 1 for sides in (window, layer.strides, dilation)):
                raise ValueError(f"model: {layer.name} sees a window with unequal sides; only squares are counted here")
            field += (window[0] - 1) * dilation[0] * stride
            stride *= layer.strides[0]
        elif isinstance(layer, (layers.UpSampling2D, layers.Resizing)):
            raise ValueError(
                f"model: {layer.name} is a {type(layer).__name__}, whose receptive field is not counted here"
            )
        *places, units = layer.output.shape[1:]
        kind, seen = type(layer).__name__, field if places else None
        rows.append(Layer(kind, (*places, units), layer.count_params(), _multiply_adds(layer), seen))
    return rows


def multiply_adds(model):
    """The multiply-adds of a network, also of one that branches, counted as in `layer_table`.

    Raises ValueError for a layer with weights that are counted nowhere here, such as a network in the network.
    """
    return sum(map(_multiply_adds, model.layers))


def _multiply_adds(layer):
    if isinstance(layer, (layers.Conv2D, layers.DepthwiseConv2D, layers.Dense)):
        return math.prod((*layer.kernel.shape, *layer.output.shape[1:-1]))
    if layer.weights and not isinstance(layer, layers.BatchNormalization):
        raise ValueError(
            f"model: {layer.name} is a {type(layer).__name__}, whose multiply-adds are not counted here; those of Conv2D, "
            "DepthwiseConv2D and Dense are"
        )
    return 0


def pre_activations(model, images):
    """The weighted sums of each convolution and dense layer before their activation function, dropout off.

    Takes float32 images (n, 32, 32, 3) in [0, 1]; returns a list of float32 arrays, in order.
    Raises ValueError for a network that is not a keras.Sequential. Taught in 02-architecture.
    """
    sums, x = [], images
    for layer in _chain(model):
        if hasattr(layer, "kernel"):
            multiply = layer.convolution_op if isinstance(layer, layers.Conv2D) else keras.ops.matmul
            x = multiply(x, layer.kernel)
            x = x if layer.bias is None else x + layer.bias
            sums.append(x.numpy())
            x = layer.activation(x)
        else:
            x = layer(x, training=False)
    return sums


def _chain(model):
    if not isinstance(model, keras.Sequential):
        raise ValueError(f"model: expected a keras.Sequential, got {type(model).__name__}; other networks may branch")
    return model.layers
