"""Keep and find the outcome of a training: the weights, and a record of how they came about."""

import hashlib
import json
import os
import tempfile
from dataclasses import dataclass
from pathlib import Path

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

    Raises FileNotFoundError where there is none, ValueError where weights and record do not belong together.
    """
    source = folder(name, dataset, root)
    try:
        record = json.loads((source / "record.json").read_text(encoding="utf-8"))
        weights = source / "model.weights.h5"
        digest = hashlib.sha256(weights.read_bytes()).hexdigest()
    except FileNotFoundError as error:
        raise FileNotFoundError(
            f"no run {name!r} is recorded for {dataset!r} ({error.filename} is missing); "
            f"python -m helpers.training {name} --dataset {dataset} trains it"
        ) from None
    if digest != record["weights_sha256"]:
        raise ValueError(f"{weights} is not the file that record.json describes; git restore {source} brings both back")
    model = models.build(record["network"])
    model.load_weights(weights)
    return Run(model, record)


def save(run, name, dataset, root=RECORDED):
    """Write weights, then record, each beside its place and moved there, so that a crash leaves no half file."""
    target = folder(name, dataset, root)
    target.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target) as scratch:
        weights, record = Path(scratch) / "model.weights.h5", Path(scratch) / "record.json"
        run.model.save_weights(weights)
        digest = hashlib.sha256(weights.read_bytes()).hexdigest()
        record.write_text(json.dumps(run.record | {"weights_sha256": digest}, indent=1) + "\n", encoding="utf-8")
        os.replace(weights, target / weights.name)
        os.replace(record, target / record.name)


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
