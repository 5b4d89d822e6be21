"""An ablation study: many short training runs, each with one choice changed. Taught in notebooks/02-architecture.

    python -m helpers.ablations --dataset cifar10

trains every variant with every seed and keeps the records, without weights, in helpers/recorded/. The same command
continues with those that are missing.
"""

import argparse
import base64
import dataclasses
import json
import math
import sys
from typing import NamedTuple

import numpy as np
from tqdm import tqdm

from . import data, evaluation, models, parallel, runs, training
from .backend import keras, layers
from .commands import replace_what_cannot_be_printed
from .recipes import Recipe

SEEDS = (0, 1, 2, 3)

# The same budget for all, long enough for the learning rate to come down to zero.
RECIPE = Recipe(
    "vgg",
    epochs={"cifar10": 16, "sketches": 8},
    batch_size=128,
    learning_rate=0.05,
    schedule="slanted-triangular",
    train_eval_size=1000,
)

# What each variant changes: an argument of `network`, or `augment` in the recipe.
VARIANTS = {
    "baseline": {},
    "one-block": {"filters": (32,)},
    "two-blocks": {"filters": (32, 64)},
    "four-blocks": {"filters": (32, 64, 128, 256)},
    "one-5x5": {"kernels": (5,)},
    "average-pooling": {"downsample": "average"},
    "strided-convolution": {"downsample": "stride"},
    "residual": {"skip": True},
    "glorot": {"initializer": "glorot_uniform"},
    "no-dropout": {"dropout": 0.0},
    "constant-filters": {"filters": (32, 32, 32)},
    "batch-norm": {"batch_norm": True},
    "augmentation": {"augment": True},
    "deep-plain": {"kernels": (3, 3, 3, 3)},
    "deep-residual": {"kernels": (3, 3, 3, 3), "skip": True},
}
# What a variant is compared with where that is not the baseline: its twin of the same depth.
COMPARED_WITH = {"deep-residual": "deep-plain"}
CONFIDENCE = 0.95  # of all comparisons together


def network(
    filters=(32, 64, 128),
    kernels=(3, 3),
    downsample="max",
    initializer="he_uniform",
    dropout=0.2,
    batch_norm=False,
    skip=False,
):
    """The network of the slides with something changed; without arguments it computes what models.vgg3 computes.

    With `skip` the input of each pair of convolutions is added to what the pair computes, before its last ReLU (He et
    al. 2016, arXiv:1512.03385); where the pair changes the number of channels, a 1×1 convolution adapts the input.
    With `downsample="stride"` the last convolution of a block has stride 2 and no pooling follows.
    """

    def convolution(x, width, size, strides=1):
        x = layers.Conv2D(width, size, strides=strides, padding="same", kernel_initializer=initializer)(x)
        return models.BatchNorm()(x) if batch_norm else x

    def unit(x, width, sizes, strides):
        skipped = x if x.shape[-1] == width or not skip else convolution(x, width, 1)
        for size in sizes[:-1]:
            x = layers.ReLU()(convolution(x, width, size))
        x = convolution(x, width, sizes[-1], strides)
        return layers.ReLU()(layers.Add()([x, skipped]) if skip else x)

    pool = {"max": layers.MaxPooling2D, "average": layers.AveragePooling2D}.get(downsample)
    x = inputs = keras.Input((32, 32, 3))
    for width in filters:
        for start in range(0, len(kernels), 2):
            last = start + 2 >= len(kernels)
            x = unit(x, width, kernels[start : start + 2], 2 if last and not pool else 1)
        x = layers.Dropout(dropout)(pool(2)(x) if pool else x)
    x = layers.Dense(128, activation="relu", kernel_initializer=initializer)(layers.Flatten()(x))
    logits = layers.Dense(10, dtype="float32", name="logits")(layers.Dropout(dropout)(x))
    return keras.Model(inputs, logits, name="vgg")


def run_variant(variant, seed, dataset, epochs=None):
    """Train one variant on the data set called `dataset` without its validation set, and return its record.

    "correct" says of each validation image whether it is classified correctly: one bit an image, in Base64.
    """
    changes = dict(VARIANTS[variant])
    recipe = dataclasses.replace(RECIPE, seed=seed, augment=changes.pop("augment", False))

    def build(_, dtype_policy):
        return models.with_dtype_policy(lambda: network(**changes), dtype_policy)

    split = data.load(dataset).validation_split()
    run = training.train(recipe, split, epochs=epochs, build=build)
    correct = evaluation.predictions(run.model, split.x_val) == split.y_val
    record = run.record | {
        "variant": VARIANTS[variant],
        "multiply_adds": models.multiply_adds(run.model),
        "correct": base64.b64encode(np.packbits(correct)).decode(),
    }
    del record["network_digest"]  # it tells which weights fit a network, and none are kept
    return record


class VariantResult(NamedTuple):
    """What the records of one variant hold.

    `accuracies` are those on the validation set, in [0, 1], one per seed; `correct` is bool (seeds, images). `gap` is
    the generalisation gap, training minus validation accuracy, in points, its mean over the seeds.
    """

    accuracies: list
    correct: np.ndarray
    parameters: int
    multiply_adds: int
    gap: float


class Comparison(NamedTuple):
    """How a variant does against what it is compared with: `points` ± `half_width`, in points of accuracy.

    `verdict` is "better", "worse", or "no difference" where the interval holds 0. `bound` is the largest difference,
    in points, that the interval does not exclude.
    """

    points: float
    half_width: float
    verdict: str
    bound: float


def _path(variant, seed, dataset, root):
    return runs.folder("ablations", dataset, root) / f"{variant}-{seed}.json"


def recorded(variant, dataset, root=runs.RECORDED):
    """The seeds of a variant that have a record."""
    return [seed for seed in SEEDS if _path(variant, seed, dataset, root).exists()]


def variant_result(variant, dataset, root=runs.RECORDED):
    """The VariantResult of a variant. Raises FileNotFoundError where no seed has a record yet."""
    paths = [_path(variant, seed, dataset, root) for seed in recorded(variant, dataset, root)]
    if not paths:
        raise FileNotFoundError(
            f"no run of {variant!r} is recorded for {dataset!r}: python -m helpers.ablations --dataset {dataset}"
        )
    records = [json.loads(path.read_text(encoding="utf-8")) for path in paths]
    count = records[0]["dataset"]["validation_size"]
    packed = [np.frombuffer(base64.b64decode(record["correct"]), np.uint8) for record in records]
    correct = np.array([np.unpackbits(bits, count=count).astype(bool) for bits in packed])
    accuracies = [runs.accuracy(record, "validation") for record in records]
    train = [runs.accuracy(record, "train") for record in records]
    gap = 100 * (np.mean(train) - np.mean(accuracies))
    return VariantResult(accuracies, correct, records[0]["parameters"], records[0]["multiply_adds"], float(gap))


def results(dataset, root=runs.RECORDED):
    """The VariantResult of each variant that has a record, in the order of VARIANTS."""
    return {name: variant_result(name, dataset, root) for name in VARIANTS if recorded(name, dataset, root)}


def compare(variant, results):
    """The Comparison of a variant; `results` maps names to VariantResults, and holds what it is compared with.

    The interval covers two sources of chance: another seed, its variance pooled over all variants, and another
    validation set, paired on images. Taken together (Bonferroni over all of VARIANTS), the intervals hold with
    probability CONFIDENCE. Where no variant has two seeds the half-width is infinite.
    """
    from scipy import stats

    ours, base = results[variant], results[COMPARED_WITH.get(variant, "baseline")]
    points = 100 * (np.mean(ours.accuracies) - np.mean(base.accuracies))
    freedom = sum(len(result.accuracies) - 1 for result in results.values())
    if not freedom:
        return Comparison(float(points), math.inf, "no difference", math.inf)
    squares = sum(np.var(result.accuracies) * len(result.accuracies) for result in results.values())
    seeds = squares / freedom * (1 / len(ours.accuracies) + 1 / len(base.accuracies))
    differences = ours.correct.mean(axis=0) - base.correct.mean(axis=0)
    images = np.var(differences, ddof=1) / len(differences)
    tail = (1 - CONFIDENCE) / 2 / (len(VARIANTS) - 1)
    half_width = 100 * float(stats.t.ppf(1 - tail, freedom) * np.sqrt(seeds + images))
    verdict = "no difference" if abs(points) <= half_width else "better" if points > 0 else "worse"
    return Comparison(float(points), half_width, verdict, abs(float(points)) + half_width)


def pending(dataset, root=runs.RECORDED):
    """The pairs (variant, seed) that have no record yet; all variants with one seed come before the next seed."""
    return [(v, seed) for seed in SEEDS for v in VARIANTS if not _path(v, seed, dataset, root).exists()]


def sweep(jobs, dataset, epochs=None, root=runs.RECORDED):
    """Train all `jobs`, pairs (variant, seed), where `parallel.workers` says, and keep each record as it comes."""

    def named(variant, seed):
        return variant, seed, run_variant(variant, seed, dataset, epochs)

    with tqdm(parallel.each(named, jobs), total=len(jobs), unit="run", file=sys.stderr) as bar:
        for variant, seed, record in bar:
            path = _path(variant, seed, dataset, root)
            runs.save_record(record, path.parent, path.name)
            accuracy = runs.accuracy(record, "validation")
            bar.write(f"{variant}-{seed}: validation accuracy {accuracy:.2%}, {record['seconds']} s")


def main(arguments=None):
    replace_what_cannot_be_printed()
    parser = argparse.ArgumentParser(prog="python -m helpers.ablations", description=__doc__.split("\n\n")[-1])
    parser.add_argument("--dataset", required=True, choices=("cifar10", "sketches"))
    parser.add_argument("--workers", type=int, default=1, help="training runs at the same time (default: 1)")
    parser.add_argument("--scheduler", metavar="TCP", help="train on a Dask cluster, such as tcp://192.168.0.5:8786")
    options = parser.parse_args(arguments)
    jobs = pending(options.dataset)
    if not jobs:
        print("every record is there; delete a file in helpers/recorded/*/ablations to repeat it")
        return
    try:
        data.load(options.dataset)  # where it is not there, one line says so, before a bar is drawn
        with parallel.workers(options.workers, options.scheduler):
            sweep(jobs, options.dataset)
    except (FileNotFoundError, ValueError, OSError) as error:
        raise SystemExit(str(error)) from None
    except KeyboardInterrupt:
        raise SystemExit("interrupted; the same command continues with the runs that are missing") from None


if __name__ == "__main__":
    main()
