"""Pack a Keras network for network.js: a list of layers, and their weights as float16. Used by `FgsmExplorer.to_html`."""

import base64

import numpy as np

from ..backend import keras

PACKABLE = (
    "Conv2D of kernel 2×2 or 3×3 (stride 1), MaxPooling2D, Dense, Flatten, Dropout, Rescaling, BatchNormalization, "
    "ReLU, SiLU, and a final Softmax"
)
NO_EFFECT = ("InputLayer", "Flatten", "Dropout", "GaussianNoise", "ActivityRegularization")
LARGEST = 65504  # of float16
TOLERANCE = 0.02  # how far rounding to float16 may move a probability of the probe


def pack(model):
    """What network.js needs of `model`: {"layers": a list of dictionaries, "weights": float16 numbers, in base64}.

    `model` is a Sequential or a chain of layers that takes images (32, 32, 3) in [0, 1]; a final softmax is left out.
    Batch normalisation is folded into the layer before it where that changes nothing.
    Raises ValueError that names the layer network.js cannot compute, or says that the packed network predicts
    something else than `model`.
    """
    if tuple(getattr(model, "input_shape", ())[1:]) != (32, 32, 3):
        raise ValueError(f"model: expected a network of images (32, 32, 3), got {_name(model)}")
    layers = _folded([part for layer in _chain(model) for part in _parts(layer)])
    layers = [part for part in layers if part["kind"] != "softmax" or part is not layers[-1]]
    for part in layers:
        if part["kind"] == "softmax":
            raise _cannot(part["of"], "a softmax before the end")
    numbers = np.concatenate([array.ravel() for part in layers for array in part.get("arrays", ())] or [np.zeros(0)])
    if not abs(numbers).max(initial=0) <= LARGEST:
        raise ValueError(f"model={_name(model)}: its weights reach beyond ±{LARGEST}, which float16 cannot hold")
    words = [{key: value for key, value in part.items() if key not in ("arrays", "of")} for part in layers]
    packed = {"layers": words, "weights": base64.b64encode(numbers.astype("<f2").tobytes()).decode()}
    _refuse_other_predictions(model, unpack(packed))
    return packed


def unpack(packed, dtype="float32"):
    """The network that network.js computes from `packed`, as a Keras network that computes in `dtype`; logits out."""
    numbers = np.frombuffer(base64.b64decode(packed["weights"]), "<f2")
    layers, arrays = [keras.Input((32, 32, 3), dtype=dtype)], []
    for part in packed["layers"]:
        options = {key: value for key, value in part.items() if key != "kind"}
        layers += [layer(dtype=dtype) for layer in _REBUILT[part["kind"]](**options)]
    model = keras.Sequential(layers)
    for weight in model.weights:
        arrays.append(numbers[: weight.shape.num_elements()].reshape(weight.shape).astype(dtype))
        numbers = numbers[arrays[-1].size :]
    model.set_weights(arrays)
    return model


class _Affine(keras.layers.Layer):
    """One factor and one summand for each channel."""

    def build(self, shape):
        self.factors, self.summands = (self.add_weight(shape=(shape[-1],)) for _ in range(2))

    def call(self, values):
        return values * self.factors + self.summands


def _layer(kind, **fixed):
    return lambda dtype: kind(dtype=dtype, **fixed)


_REBUILT = {
    "conv": lambda kernel, filters, padding: [
        _layer(keras.layers.Conv2D, filters=filters, kernel_size=kernel, padding=padding)
    ],
    "dense": lambda units: [_layer(keras.layers.Flatten), _layer(keras.layers.Dense, units=units)],
    "pool": lambda size: [_layer(keras.layers.MaxPooling2D, pool_size=size)],
    "relu": lambda: [_layer(keras.layers.Activation, activation="relu")],
    "silu": lambda: [_layer(keras.layers.Activation, activation="silu")],
    "affine": lambda: [_layer(_Affine)],
}


def _chain(model):
    """The layers of a network without branches, in order, those of networks within it included."""
    for layer in model.layers:
        if isinstance(layer, keras.Model):
            yield from _chain(layer)
        else:
            yield layer


def _parts(layer):
    """A layer as network.js takes it: none, one, or two dictionaries."""
    reader = _READERS.get(next((kind.__name__ for kind in type(layer).__mro__ if kind.__name__ in _READERS), None))
    if reader is None:
        raise _cannot(layer, f"{type(layer).__name__} is none of: {PACKABLE}")
    yield from ({"of": layer} | part for part in reader(layer))


def _conv(layer):
    kernel, bias = _weights_of(layer, layer.filters)
    plain = layer.strides == (1, 1) and layer.dilation_rate == (1, 1) and layer.groups == 1
    if not (plain and kernel.shape[:2] in ((1, 1), (2, 2), (3, 3)) and layer.data_format == "channels_last"):
        raise _cannot(layer, "a kernel other than 1×1, 2×2 or 3×3, a stride, dilation, groups or channels_first")
    options = {"kernel": list(layer.kernel_size), "filters": layer.filters, "padding": layer.padding}
    yield {"kind": "conv", **options, "arrays": [kernel, bias]}
    yield from _activation(layer)


def _dense(layer):
    yield {"kind": "dense", "units": layer.units, "arrays": list(_weights_of(layer, layer.units))}
    yield from _activation(layer)


def _weights_of(layer, units):
    bias = layer.bias.numpy() if layer.use_bias else np.zeros(units)
    return layer.kernel.numpy().astype("float64"), bias.astype("float64")


def _pool(layer):
    size = layer.pool_size[0]
    if layer.pool_size != (size, size) or tuple(layer.strides) != (size, size) or layer.padding != "valid":
        raise _cannot(layer, "pooling other than of squares side by side, without padding")
    yield {"kind": "pool", "size": size}


def _activation(layer):
    name = getattr(layer.activation, "__name__", str(layer.activation))
    if name not in ("linear", "relu", "silu", "swish", "softmax"):
        raise _cannot(layer, f"the activation {name}")
    if name != "linear":
        yield {"kind": {"swish": "silu"}.get(name, name)}


def _relu(layer):
    if layer.max_value is not None or layer.negative_slope or layer.threshold:
        raise _cannot(layer, "a ReLU with an upper limit, a slope or a threshold")
    yield {"kind": "relu"}


def _rescaling(layer):
    channels = np.ones(layer.output.shape[-1])
    yield {"kind": "affine", "arrays": [layer.scale * channels, layer.offset * channels]}


def _batch_norm(layer):
    mean, variance = (value.numpy().astype("float64") for value in (layer.moving_mean, layer.moving_variance))
    factor = (layer.gamma.numpy() if layer.scale else 1) / np.sqrt(variance + layer.epsilon)
    summand = (layer.beta.numpy() if layer.center else 0) - factor * mean
    yield {"kind": "affine", "arrays": [factor, summand]}


_READERS = {
    **dict.fromkeys(NO_EFFECT, lambda layer: ()),
    "Conv2D": _conv,
    "Dense": _dense,
    "MaxPooling2D": _pool,
    "Activation": _activation,
    "ReLU": _relu,
    "Softmax": lambda layer: [{"kind": "softmax"}],
    "Rescaling": _rescaling,
    "BatchNormalization": _batch_norm,
}


def _folded(parts):
    """The same with each factor and summand inside the convolution or dense layer before it, where that is exact.

    That layer may be one max pooling away where every factor is positive: the largest stays the largest.
    """
    done = []
    for part in parts:
        place = len(done) - 1
        if part["kind"] == "affine" and done and done[-1]["kind"] == "pool" and (part["arrays"][0] > 0).all():
            place -= 1
        if part["kind"] != "affine" or place < 0 or done[place]["kind"] not in ("conv", "dense"):
            done.append(part)
            continue
        (kernel, bias), (factor, summand) = done[place]["arrays"], part["arrays"]
        if len(factor) != len(bias):  # a dense layer's outputs, seen as channels of something else
            done.append(part)
            continue
        done[place] = done[place] | {"arrays": [kernel * factor, bias * factor + summand]}
    return done


def _refuse_other_predictions(model, copy):
    probe = np.random.default_rng(0).random((8, 32, 32, 3), np.float32)
    said = np.asarray(model(probe, training=False), "float64")
    if said.min() < 0 or abs(said.sum(axis=1) - 1).max() > 1e-3:
        said = _softmax(said)
    apart = abs(said - _softmax(np.asarray(copy(probe), "float64"))).max()
    if not apart <= TOLERANCE:
        raise ValueError(
            f"model={_name(model)}: packed for the page it predicts something else (probabilities differ by {apart:.2g}); "
            "the page takes a chain of plain Keras layers without branches or calls of their own"
        )


def _softmax(logits):
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True)


def _cannot(layer, reason):
    return ValueError(f"layer {layer.name!r}: the page cannot compute it ({reason}); the sliders in a notebook can")


def _name(model):
    return repr(getattr(model, "name", type(model).__name__))
