"""Keep and find the outcome of a training: the weights, and a record of how they came about."""

import dataclasses
import hashlib
import io
import json
import os
import platform
import re
import time
from dataclasses import dataclass
from pathlib import Path

import h5py

from . import data, evaluation, models
from .backend import keras, tf

# Accuracies that the slides report for the network of models.vgg3; how they were taken is not said there.
SLIDES = {"train": 0.9879, "test": 0.8272}

# What a record calls the test images whose pixels are original in every copy of CIFAR-10.
FIRST_TEST = f"test_first_{data.ORIGINAL_TEST_IMAGES}"

RECORDED = Path(__file__).parent / "recorded"


@dataclass(frozen=True)
class Run:
    """A trained network in float32, and the record of its training: all that is needed to repeat and judge it."""

    model: keras.Model
    record: dict

    @property
    def history(self):
        """One list per quantity, one entry per epoch; `loss` and `accuracy` are as Keras reports them, dropout on."""
        return self.record["history"]


# What of a layer's configuration decides what it computes; the rest is names, number formats and how training begins.
_COMPUTES = ("activation", "axis", "dilation_rate", "epsilon", "filters", "groups", "kernel_size", "momentum", "offset")
_COMPUTES += ("padding", "pool_size", "rate", "scale", "center", "strides", "units", "use_bias")
# Of layers without weights that no recorded network has.
_COMPUTES += ("alpha", "cropping", "dims", "height", "interpolation", "max_value", "negative_slope", "size")
_COMPUTES += ("target_shape", "threshold", "width")


def digest(model):
    """SHA-256 of a network's layers, their configuration, the shapes of their weights, and its branches if it has any.

    Equal for two networks that compute the same function of the same weights, whatever their dtype policy. What a
    layers.Lambda computes is not seen. Records and checkpoints carry the digest, because weights also fit a network that
    does something else with them.
    Raises ValueError for a network that holds another one, whose layers would not be seen.
    """
    rows = []
    for layer in model.layers:
        if isinstance(layer, keras.Model):
            raise ValueError(
                f"model: {model.name} holds the network {layer.name}, whose layers are not seen here, nor where batch "
                "normalisation is recalibrated and multiply-adds are counted; apply these layers one by one instead"
            )
        settings = layer.get_config()
        settings = {key: settings[key] for key in _COMPUTES if key in settings}
        rows.append((type(layer).__name__, settings, [list(weight.shape) for weight in layer.weights]))
    found = rows + _branches(model) + _functions(model)
    return hashlib.sha256(json.dumps(found, sort_keys=True, default=str).encode()).hexdigest()


def _branches(model):
    """For each layer, by place, the layers that it takes as inputs; nothing for a chain."""
    if isinstance(model, keras.Sequential):
        return []
    listed = model.get_config()["layers"]
    places = {layer["name"]: place for place, layer in enumerate(listed)}
    origin = re.compile(r"'keras_history': \['(.+?)',")
    inputs = [[places[name] for name in origin.findall(str(layer["inbound_nodes"]))] for layer in listed]
    return [] if inputs == [[], *([place] for place in range(len(listed) - 1))] else inputs


def _functions(model):
    """What of a functional network are no layers, such as keras.ops.relu: kind, settings, and arguments but tensors."""
    if isinstance(model, keras.Sequential):
        return []
    names, tensor = {layer.name for layer in model.layers}, re.compile(r"\{'class_name': '__keras_tensor__'.*?\}\}")
    found = [each for each in model.get_config()["layers"] if each["name"] not in names]
    found = [(each["class_name"], each["config"] | {"name": ""}, str(each["inbound_nodes"])) for each in found]
    return [(kind, settings, tensor.sub("", arguments)) for kind, settings, arguments in found]


def folder(name, dataset, root=RECORDED):
    """Where the run `name` on the data set called `dataset` is kept."""
    return Path(root) / dataset / name


def load(name, dataset, root=RECORDED):
    """The recorded Run `name` ("vgg3") on the data set called `dataset` ("cifar10" or "sketches").

    Raises FileNotFoundError where there is none, ValueError where weights and record do not belong together or one of
    them is damaged.
    """
    models.refuse_channels_first()
    source = folder(name, dataset, root)
    command = f"python -m helpers.training {name} --dataset {dataset}"
    path = source / "record.json"
    try:
        record = read_record(name, dataset, root)
        model = models.build(record["network"])
        if digest(model) != record["network_digest"]:
            raise ValueError(f"it was trained in another {record['network']} than helpers/models.py builds today")
        path = source / "model.weights.h5"
        content = path.read_bytes()
        if hashlib.sha256(content).hexdigest() != record["weights_sha256"]:
            raise ValueError("it is not the file that record.json describes")
        _refuse_what_we_do_not_write(content)
        model.load_weights(path)
    except FileNotFoundError as error:
        raise FileNotFoundError(
            f"no run {name!r} is recorded for {dataset!r} ({error.filename} is missing); {command} trains it"
        ) from None
    except Exception as error:  # a damaged file can raise anything
        reason = f"{type(error).__name__}: {' '.join(str(error).split())[:200]}"
        raise ValueError(
            f"{path} cannot be used ({reason}); git restore {source} brings a shipped run back, {command} trains it again"
        ) from None
    return Run(model, record)


def read_record(name, dataset, root=RECORDED):
    """The record of a run, with or without weights, as a dictionary. Raises FileNotFoundError where there is none."""
    return json.loads((folder(name, dataset, root) / "record.json").read_text(encoding="utf-8"))


def _refuse_what_we_do_not_write(content):
    """Raises ValueError unless an HDF5 file holds plain arrays: none that unpack to more, none from another file."""
    arrays, links = [], []
    with h5py.File(io.BytesIO(content)) as file:
        file.visititems(lambda _, item: arrays.append(item) if isinstance(item, h5py.Dataset) else None)
        file.visititems_links(lambda _, link: links.append(link))
        plain = all(array.chunks is None and not array.external and not array.is_virtual for array in arrays)
        whole = sum(array.nbytes for array in arrays) <= len(content)
    if not (plain and whole and all(isinstance(link, h5py.HardLink) for link in links)):
        raise ValueError("it holds more than plain arrays")


def new_record(recipe, dataset, model, history):
    """All that is needed to repeat a training run and to judge it, as a dictionary.

    `model` is the network that came out, in float32; `history` holds a list per quantity, an entry per epoch.
    Accuracies are taken in evaluation mode. The seconds are those of all epochs and of taking the accuracies once.
    """
    begin = time.perf_counter()
    accuracies = [_accuracy(model, "train", 1, dataset.x_train, dataset.y_train), *_accuracies(model, dataset, 1)]
    seconds = sum(history["seconds"]) + time.perf_counter() - begin
    if recipe.test_time_augmentation:
        accuracies += _accuracies(models.with_test_time_augmentation(model), dataset, models.VIEWS)
    return {
        "network": recipe.network,
        "network_digest": digest(model),
        "parameters": model.count_params(),
        "recipe": dataclasses.asdict(recipe) | {"epochs": len(history["loss"])},
        "dataset": dataset.description(),
        "versions": {"python": platform.python_version(), "tensorflow": tf.__version__, "keras": keras.__version__},
        "machine": f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores",
        "seconds": round(seconds),
        "accuracies": accuracies,
        "history": history,
    }


def _accuracies(model, dataset, views):
    part, images, labels = dataset.evaluation_part()
    found = [_accuracy(model, part, views, images, labels)]
    # Of the whole test set only: the first images of a selection may be others.
    if part == "test" and dataset.name == "cifar10" and len(images) == 10_000:
        first = slice(data.ORIGINAL_TEST_IMAGES)
        found.append(_accuracy(model, FIRST_TEST, views, images[first], labels[first]))
    return found


def _accuracy(model, name, views, images, labels):
    return {"images": name, "views": views, "accuracy": evaluation.accuracy(model, images, labels)}


def save(run, name, dataset, root=RECORDED):
    """Write weights, then record, each beside its place and moved there: no half file replaces a whole one.

    Raises OSError where the disk does not take them; what was there stays.
    """
    target = folder(name, dataset, root)
    target.mkdir(parents=True, exist_ok=True)
    # The same names each time: what a process that is killed here leaves, the next one writes over.
    weights, record = target / "new.weights.h5", target / "new.record.json"
    try:
        # HDF5 takes the whole process down when a disk is full; an ordinary write that needs more raises OSError.
        weights.write_bytes(bytes(sum(array.nbytes for array in run.model.get_weights()) + 1_000_000))
        run.model.save_weights(weights)
        checksum = hashlib.sha256(weights.read_bytes()).hexdigest()
        _write(run.record | {"weights_sha256": checksum}, record)
        os.replace(weights, target / "model.weights.h5")
        os.replace(record, target / "record.json")
    finally:
        for path in (weights, record):
            path.unlink(missing_ok=True)


def save_record(record, target, name="record.json"):
    """Write `record` to the file `name` in the folder `target` in the same way: for what has no weights of its own."""
    target.mkdir(parents=True, exist_ok=True)
    beside = target / f"new.{name}"
    try:
        _write(record, beside)
        os.replace(beside, target / name)
    finally:
        beside.unlink(missing_ok=True)


def _write(record, path):
    path.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")


def accuracy(record, images="test", views=1):
    """A record's accuracy on `images` ("train", "validation", "test" or FIRST_TEST), from 0 to 1, or None.

    `views` is 1, or models.VIEWS for the mean of the logits over as many views (test-time augmentation).
    """
    found = (row["accuracy"] for row in record["accuracies"] if (row["images"], row["views"]) == (images, views))
    return next(found, None)


def results_table(root=RECORDED):
    """The accuracies of all runs with weights beside the slides', as a Markdown table; the README shows it."""
    rows = [("the slides", "CIFAR-10", f"{SLIDES['train']:.2%}", f"{SLIDES['test']:.2%}", "not said")]
    for path in sorted(Path(root).glob("*/*/model.weights.h5")):
        record = json.loads(path.with_name("record.json").read_text(encoding="utf-8"))
        name, dataset = (
            f"`{path.parent.name}`, {record['recipe']['epochs']} epochs",
            data.TITLES[record["dataset"]["name"]],
        )
        rows.append((name, dataset, f"{accuracy(record, 'train'):.2%}", *_test_columns(record, 1)))
        if accuracy(record, views=models.VIEWS) is not None:
            rows.append((f"{name}, test-time augmentation", dataset, "", *_test_columns(record, models.VIEWS)))
    heading = (
        "network",
        "data set",
        "training images",
        "all test images",
        f"first {data.ORIGINAL_TEST_IMAGES:,} test images",
    )
    return (
        "\n".join(f"| {' | '.join(row)} |" for row in (heading, ("---", "---", "---:", "---:", "---:"), *rows)) + "\n"
    )


def _test_columns(record, views):
    part = accuracy(record, FIRST_TEST, views)
    half_width = part and 100 * evaluation.ci_half_width(part, data.ORIGINAL_TEST_IMAGES)
    return f"{accuracy(record, 'test', views):.2%}", f"{part:.2%} ± {half_width:.1f}" if part else ""
