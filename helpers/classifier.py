"""What is attacked and judged: the logits of any Keras classifier, proved to be what it says. Used by attacks, evaluation.

A reader's network may end in logits or in probabilities, in any way that Keras allows, and no list of layers tells which.
So a number decides: on a probe batch, the softmax of what we work with equals what `model(x, training=False)` says.
"""

import functools
import operator
import warnings

import numpy as np

from .backend import keras, layers, tf

TINY = float(np.finfo(np.float32).tiny)
_KEPT = "_helpers_classifier"  # the attribute of a model that holds its Classifier, so that both live equally long
_SETTINGS = (bool, int, float, str, keras.Variable, keras.Operation)


def classifier(model):
    """The Classifier of a Keras network as it is now: made at its first use, and made anew once it has been changed.

    Raises TypeError for what is not a Keras network with a known input, ValueError for a network that is not a
    classifier of single images; each says how to wrap it. Says with a UserWarning that the network ends in softmax.
    """
    model = model.model if isinstance(model, Classifier) else model
    kept = getattr(model, "__dict__", {}).get(_KEPT)
    if kept is None or not kept.is_current():
        kept = Classifier(model)
        model.__dict__[_KEPT] = kept  # not by setattr, which would make it a part of the network
    return kept


class Classifier:
    """A network as attacks and evaluation take it; `classifier(model)` gives one.

    Called with a tensor of float images in [0, 1] it returns float32 logits, in evaluation mode. `shape` is that of one
    image, `classes` the number of logits, `differentiable` whether they have a gradient for the pixels, and
    `from_probabilities` whether they are logarithms of probabilities, for want of anything better.
    """

    def __init__(self, model):
        _refuse_other_inputs(model)
        self.model, self.name, self.shape = model, model.name, tuple(model.inputs[0].shape[1:])
        self._source, self._end, self._graphs = model, _as_float32, {}
        probe = tf.constant(_probe(self.shape))
        says = _outputs(model, probe)
        self.classes = says.shape[1]
        if _are_probabilities(says, model):
            before, found = _proved(model, probe, says), "the logits before it"
            if before is None:
                self._end, found = _logarithms, "the logarithms of its probabilities"
            else:
                self._source = before
            if before is None or _sum_to_one(_outputs(before, probe)):  # an ensemble, or one softmax upon another
                found += "; where float32 rounds probabilities inside it to 0 or 1, signs of the gradient may be wrong"
            warnings.warn(f"{model.name} ends in softmax: working with {found}", stacklevel=4)
        with tf.GradientTape() as tape:
            tape.watch(probe)
            logits = self(probe)
        self.differentiable = tape.gradient(logits, probe) is not None
        self.from_probabilities = self._end is _logarithms
        self._operations = _operations(model)
        self._state = _state(self._operations)

    def __call__(self, images, training=False):
        return self._end(self._source(images, training=False))

    def is_current(self):
        """Whether the model still has the layers, and these the settings, that this object has seen."""
        now = _state(self._operations)
        return len(now) == len(self._state) and all(map(operator.is_, now, self._state))

    def graph(self, key, function, *signature):
        """`function(self, *tensors)` compiled for tensors of this `signature`, once for each `key`."""
        if key not in self._graphs:
            self._graphs[key] = tf.function(functools.partial(function, self), input_signature=signature)
        return self._graphs[key]

    def batch_of_images(self, dtype=tf.float32):
        """What `graph` is told of a batch of any number of images."""
        return tf.TensorSpec([None, *self.shape], dtype)

    def forward(self, images):
        """The logits of a numpy batch, uint8 in 0–255 or float32 in [0, 1]: `predict` takes 50 times as long for one.

        Raises ValueError where a logit is nan: argmax would call it the largest.
        """
        dtype = tf.as_dtype(images.dtype)
        logits = self.graph(dtype, _forward, self.batch_of_images(dtype))(tf.constant(images)).numpy()
        self.refuse_nan("the logits are", logits)
        return logits

    def refuse_nan(self, what, values):
        """Raises ValueError where one of `values` is nan; `what` is the subject of its message."""
        if lost := int(np.isnan(values).any(axis=tuple(range(1, values.ndim))).sum()):
            raise ValueError(
                f"model: {what} nan for {lost} of {len(values)} images; either the training of {self.name} has diverged "
                "(train it anew with a lower learning rate), or for these images something inside it divides by zero, or "
                "overflows in its number format"
            )


def _forward(network, images):
    return network(tf.cast(images, tf.float32) / 255.0 if images.dtype == tf.uint8 else images)


def _as_float32(logits):
    return tf.cast(logits, tf.float32)


def _logarithms(probabilities):
    """Logits of a network that offers none: softmax turns log p into p again."""
    return tf.math.log(tf.maximum(tf.cast(probabilities, tf.float32), TINY))


def _refuse_other_inputs(model):
    if isinstance(model, keras.Sequential) and not getattr(model, "inputs", None):
        raise ValueError(
            f"model: {model.name} does not know its input yet; begin it with keras.Input(shape), such as (32, 32, 3)"
        )
    if not isinstance(model, keras.Model) or not getattr(model, "inputs", None):
        raise TypeError(
            f"model: expected a Sequential or functional Keras network, got {type(model).__name__}; a subclass of "
            "keras.Model can be wrapped: keras.Model(inputs, outputs) with outputs = model(inputs)"
        )
    if len(model.inputs) != 1 or isinstance(getattr(model, "input", None), (dict, list)):
        names = ", ".join(str(one.name) for one in model.inputs)
        raise ValueError(
            f"model: {model.name} takes a list or dictionary of inputs ({names}); wrap one that takes images"
        )
    (batch, *shape), dtype = model.inputs[0].shape, model.inputs[0].dtype
    if len(shape) != 3 or None in shape:
        raise ValueError(
            f"model: {model.name} takes inputs of shape {tuple(shape)}; expected fixed height, width and channels: wrap it "
            "behind keras.Input((32, 32, 3)), or the size that you attack"
        )
    if batch is not None:
        raise ValueError(
            f"model: {model.name} takes batches of exactly {batch}; build it with keras.Input({tuple(shape)}), which "
            "leaves the number of images open"
        )
    if not dtype.startswith(("float", "bfloat")):
        raise ValueError(
            f"model: {model.name} takes {dtype}, which has no gradient; let it begin with floats in [0, 1] and "
            "keras.layers.Rescaling(255)"
        )
    if (scale := _first_scale(model)) < 1 / 50:
        raise ValueError(
            f"model: {model.name} begins by multiplying pixels by {scale:.3g}, so it takes 0–255; here pixels are in "
            f"[0, 1]: keras.Sequential([keras.Input({tuple(shape)}), keras.layers.Rescaling(255), model]) takes these"
        )


def _first_scale(model):
    """By what the layers of Rescaling in which a network begins multiply pixels, taken together."""
    scale, waiting = 1.0, [model]
    while waiting:
        first = waiting.pop(0)
        if isinstance(first, keras.Model):
            waiting[:0] = getattr(first, "operations", first.layers)  # in order; those of a Sequential are layers
        elif isinstance(first, layers.Rescaling):
            scale *= float(np.max(np.abs(first.scale)))
        elif not (isinstance(first, layers.InputLayer) or type(first).__name__.startswith("Random")):  # augmentation
            break
    return scale


def _probe(shape):
    """Eight images of noise, from faint to strong, float32 in [0, 1]."""
    noise = np.random.default_rng(0).uniform(-0.5, 0.5, (8, *shape))
    return (0.5 + noise * np.linspace(0.1, 1, 8).reshape(-1, 1, 1, 1)).astype(np.float32)


def _outputs(model, probe):
    """What a network says of the probe, float64 (n, classes)."""
    found = model(probe, training=False)
    if isinstance(found, (dict, list, tuple)):
        names = ", ".join(map(str, found)) if isinstance(found, dict) else len(found)
        raise ValueError(
            f"model: {model.name} has several outputs ({names}); choose one: keras.Model(model.inputs, model.outputs[0])"
        )
    if len(found.shape) != 2 or found.shape[1] < 2:
        wrap = "; one number z, or its sigmoid, becomes two logits: concatenate([0 * z, z])"
        raise ValueError(
            f"model: {model.name} returns shape {tuple(found.shape[1:])} for an image; expected one logit for each class"
            + (wrap if found.shape[1:] == (1,) else "")
        )
    found = tf.cast(found, tf.float64).numpy()
    if np.isnan(found).any():
        raise ValueError(
            f"model: {model.name} returns nan for ordinary images; either its training has diverged (train it anew with a "
            "lower learning rate), or its weights are damaged"
        )
    return found


def _are_probabilities(says, model):
    """Whether the outputs are those of a softmax. Raises ValueError for others that are no logits."""
    if _sum_to_one(says):
        return True
    if _last_function(model) in ("linear", "relu"):  # without bounds: small outputs are those of an untrained network
        return False
    sums = says.sum(axis=1)
    if np.ptp(says) and says.min() >= 0 and (says.max() <= 1 or np.ptp(sums) < 0.01 * sums.mean()):
        range_ = f"{says.min():.3g} to {says.max():.3g}, sums {sums.min():.3g} to {sums.max():.3g}"
        raise ValueError(
            f"model: the outputs of {model.name} look like neither logits nor a softmax ({range_}), but like sigmoids or "
            "scaled probabilities; let the network end in logits: its last layer without the activation"
        )
    return False


def _last_function(model):
    """The name of what a network computes last, such as "relu"."""
    last = model.outputs[0]._keras_history[0]
    if getattr(last, "outputs", None):  # not isinstance: a subclass of keras.Model may have none
        return _last_function(last)
    return getattr(last.activation, "__name__", "") if type(last) is layers.Dense else type(last).__name__.lower()


def _sum_to_one(says):
    return says.min() >= 0 and abs(says.sum(axis=1) - 1).max() < 0.02  # bfloat16 has three decimals


def _proved(model, probe, says):
    """The part of `model` up to its logits if there is one and it says the same, else None."""
    try:
        before = _before_softmax(model)
        return before if _agree(_outputs(before, probe), says, model.compute_dtype) else None
    except (AttributeError, TypeError, ValueError, tf.errors.OpError):  # a last layer that is none of the usual
        return None


def _before_softmax(model):
    """`model` without its last operation, which looks like a softmax. Raises one of several errors if it does not."""
    operation, node, _ = model.outputs[0]._keras_history
    [logits, *_] = operation._inbound_nodes[node].input_tensors
    if isinstance(operation, keras.Model):
        logits = _before_softmax(operation)(logits)
    elif isinstance(operation, layers.Dense):
        logits = keras.ops.matmul(logits, operation.kernel)
        logits = logits if operation.bias is None else keras.ops.add(logits, operation.bias)
    return keras.Model(model.inputs[0], logits, name=model.name)


def _agree(logits, says, dtype):
    """Whether the softmax of `logits` is what the network says, also where that is close to 0."""
    floor, tolerance = (1e-30, 1e-3) if dtype in ("float32", "float64") else (1e-3, 0.05)
    logarithm = logits - logits.max(axis=1, keepdims=True)
    logarithm -= np.log(np.exp(logarithm).sum(axis=1, keepdims=True))
    seen = says > floor
    off = abs(logarithm - np.log(np.maximum(says, floor)))[seen]
    return off.max() < tolerance * max(1.0, abs(logarithm[seen]).max()) and (np.exp(logarithm)[~seen] < 2 * floor).all()


def _operations(thing, found=None):
    """A network and every layer, network and function in it, in the order in which they are met."""
    found = {} if found is None else found
    if id(thing) not in found:
        found[id(thing)] = thing
        for value in vars(thing).values():
            for item in value if isinstance(value, (list, tuple)) else (value,):
                if isinstance(item, keras.Operation):
                    _operations(item, found)
    return list(found.values())


def _state(operations):
    """All that a graph takes from these Python objects: their settings, functions, variables and parts, in order.

    Compared by identity, which takes a tenth of a millisecond: a setting that is assigned is another object. What a
    layer changes inside an array or an object of its own is not seen.
    """
    found = []
    for operation in operations:
        settings = vars(operation).copy()
        settings.pop(_KEPT, None)
        found.extend((type(operation), *settings.values()))
        for value in settings.values():
            if isinstance(value, (list, dict)) and value:  # of what is in these, tensors come and go with every call
                items = value.values() if isinstance(value, dict) else value
                found.extend(item for item in items if isinstance(item, _SETTINGS))
    return found
