"""Keep and find the outcome of a training: the weights, and a record of how they came about."""

import hashlib
import io
import json
import os
from dataclasses import dataclass
from pathlib import Path

import h5py

from . import data, evaluation, models

# Accuracies that the slides report for the network of models.vgg3; how they were taken is not said there.
SLIDES = {"train": 0.9879, "test": 0.8272}

RECORDED = Path(__file__).parent / "recorded"


@dataclass(frozen=True)
class Run:
    """A trained network in float32, and the record of its training: all that is needed to repeat and judge it."""

    model: models.keras.Model
    record: dict

    @property
    def history(self):
        """One list per quantity, one entry per epoch; `loss` and `accuracy` are as Keras reports them, dropout on."""
        return self.record["history"]


def folder(name, dataset, root=RECORDED):
    """Where the run `name` on the data set called `dataset` is kept."""
    return Path(root) / dataset / name


def load(name, dataset, root=RECORDED):
    """The recorded Run `name` ("vgg3") on the data set called `dataset` ("cifar10" or "sketches").

    Raises FileNotFoundError where there is none, ValueError where weights and record do not belong together or one of
    them is damaged.
    """
    source = folder(name, dataset, root)
    command = f"python -m helpers.training {name} --dataset {dataset}"
    path = source / "record.json"
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
        model = models.build(record["network"])
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
            f"{path} cannot be used ({reason}); git restore {source} brings a shipped run back, {command} makes it anew"
        ) from None
    return Run(model, record)


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
        digest = hashlib.sha256(weights.read_bytes()).hexdigest()
        record.write_text(json.dumps(run.record | {"weights_sha256": digest}, indent=1) + "\n", encoding="utf-8")
        os.replace(weights, target / "model.weights.h5")
        os.replace(record, target / "record.json")
    finally:
        for path in (weights, record):
            path.unlink(missing_ok=True)


def results_table(root=RECORDED):
    """The accuracies of all records beside the slides', as a Markdown table; the README shows it."""
    rows = [("the slides", "CIFAR-10", f"{SLIDES['train']:.2%}", f"{SLIDES['test']:.2%}", "not said")]
    for path in sorted(Path(root).glob("*/*/record.json")):
        record = json.loads(path.read_text(encoding="utf-8"))
        train, test, *part = record["accuracy"].values()
        margin = [evaluation.margin(share, data.ORIGINAL_TEST_IMAGES) for share in part]
        shares = [f"{share:.2%} ± {100 * half:.1f}" for share, half in zip(part, margin, strict=True)]
        name = f"`{path.parent.name}`, {record['recipe']['epochs']} epochs"
        rows.append((name, path.parent.parent.name, f"{train:.2%}", f"{test:.2%}", *(shares or [""])))
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
