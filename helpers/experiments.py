"""Which choices matter? Many short trainings, each with one thing changed. Taught in 02-architecture.

    python -m helpers.experiments --dataset cifar10

trains every variant with every seed and keeps the records, without weights, in helpers/recorded/. The same command
goes on with those that are missing.
"""

import argparse
import contextlib
import dataclasses
import os
import sys
from typing import NamedTuple

import joblib
from tqdm import tqdm

from . import data, models, runs, training
from .models import keras, layers

SEEDS = (0, 1, 2)

# The same budget for all, long enough for the learning rate to come down to zero.
RECIPE = training.Recipe(
    "vgg", epochs={"cifar10": 8, "sketches": 16}, batch_size=128, learning_rate=0.05, schedule="one-cycle", judged=1000
)

# What each variant changes: an argument of `network`, or `augment` in the recipe.
VARIANTS = {
    "baseline": {},
    "batch-norm": {"normalise": True},
    "no-dropout": {"dropout": 0.0},
    "two-blocks": {"blocks": 2},
    "one-5x5": {"kernels": (5,)},
    "glorot": {"initializer": "glorot_uniform"},
    "augmented": {"augment": True},
    "average-pooling": {"pooling": "average"},
}


def network(blocks=3, kernels=(3, 3), pooling="max", initializer="he_uniform", dropout=0.2, normalise=False):
    """The network of the slides with something changed; without arguments it computes what models.vgg3 computes."""
    halve = {"max": layers.MaxPooling2D, "average": layers.AveragePooling2D}[pooling]
    chain = [keras.Input((32, 32, 3))]
    for filters in (32, 64, 128)[:blocks]:
        for size in kernels:
            chain.append(layers.Conv2D(filters, size, padding="same", kernel_initializer=initializer))
            chain += [models.BatchNorm()] if normalise else []
            chain.append(layers.ReLU())
        chain += [halve(2), layers.Dropout(dropout)]
    chain += [layers.Flatten(), layers.Dense(128, activation="relu", kernel_initializer=initializer)]
    chain += [layers.Dropout(dropout), layers.Dense(10, dtype="float32", name="logits")]
    return keras.Sequential(chain, name="vgg")


def outcome(variant, seed, dataset, epochs=None):
    """Train one variant on the data set called `dataset` and return its record.

    Its "test" images are those that `Dataset.held_out` sets aside: what is learned here is for choosing.
    """
    changes = dict(VARIANTS[variant])
    recipe = dataclasses.replace(RECIPE, seed=seed, augment=changes.pop("augment", False))

    def build(_, number_format):
        return models.in_format(lambda: network(**changes), number_format)

    run = training.train(recipe, data.load(dataset).held_out(), epochs=epochs, build=build)
    work = sum(layer.multiply_adds for layer in models.layer_table(run.model))
    return run.record | {"variant": VARIANTS[variant], "multiply-adds": work}


class Evidence(NamedTuple):
    """What the records of one variant hold.

    `accuracies` are those on the held-out images, in [0, 1], one a seed. `gap` is how far the training images are
    above them, in points, mean over the seeds.
    """

    accuracies: list
    multiply_adds: int
    gap: float


def evidence(variant, dataset, root=runs.RECORDED):
    """The Evidence for a variant. Raises FileNotFoundError where a seed has no record yet."""
    records = [runs.read_record(f"{variant}-{seed}", dataset, root) for seed in SEEDS]
    held_out, train = ([record["accuracy"][part] for record in records] for part in ("test", "train"))
    gap = 100 * (sum(train) - sum(held_out)) / len(SEEDS)
    return Evidence(held_out, records[0]["multiply-adds"], gap)


def compare(variant, dataset, root=runs.RECORDED):
    """How a variant stands to the baseline: difference of the means in points, and "better", "worse" or "undecided".

    It is decided only where every seed of the one is above every seed of the other.
    """
    ours, base = (evidence(name, dataset, root).accuracies for name in (variant, "baseline"))
    points = 100 * (sum(ours) - sum(base)) / len(SEEDS)
    return points, "better" if min(ours) > max(base) else "worse" if max(ours) < min(base) else "undecided"


def verdict(variant, dataset, root=runs.RECORDED):
    """What the records say of a variant: a sentence in two lines, short enough for a projector."""
    ours, base = evidence(variant, dataset, root), evidence("baseline", dataset, root)
    points, found = compare(variant, dataset, root)
    clear = "the seeds overlap, which decides nothing" if found == "undecided" else f"{found} with every seed"
    return (
        f"{variant.replace('-', ' ')}: {sum(ours.accuracies) / len(SEEDS):.1%} of the held-out images, "
        f"the baseline {sum(base.accuracies) / len(SEEDS):.1%} ({points:+.1f} points),\n"
        f"for {ours.multiply_adds / base.multiply_adds:.2f} times the multiply-adds; {clear}"
    )


def missing(dataset, root=runs.RECORDED):
    """The pairs (variant, seed) that have no record yet; all seeds of a variant come before the next variant."""
    return [
        (variant, seed)
        for variant in VARIANTS
        for seed in SEEDS
        if not (runs.folder(f"{variant}-{seed}", dataset, root) / "record.json").exists()
    ]


def sweep(jobs, dataset, epochs=None, root=runs.RECORDED):
    """Train all `jobs`, pairs (variant, seed), with joblib's present backend, and keep each record as it comes."""

    def named(variant, seed):
        return variant, seed, outcome(variant, seed, dataset, epochs)

    calls = (joblib.delayed(named)(variant, seed) for variant, seed in jobs)
    outcomes = joblib.Parallel(return_as="generator_unordered", batch_size=1, pre_dispatch="all")(calls)
    with tqdm(outcomes, total=len(jobs), unit="training", file=sys.stderr) as bar:
        for variant, seed, record in bar:
            runs.save_record(record, runs.folder(f"{variant}-{seed}", dataset, root))
            bar.write(
                f"{variant}-{seed}: {record['accuracy']['test']:.2%} of the held-out images, {record['seconds']} s"
            )


@contextlib.contextmanager
def backend(workers, scheduler):
    """joblib's backend for `sweep`: processes here, or the Dask cluster whose scheduler has the address `scheduler`."""
    if scheduler:
        from distributed import Client

        with Client(scheduler) as client, joblib.parallel_config("dask", client=client):
            yield
    else:
        # Read by TensorFlow where a worker starts: together they use each core once.
        os.environ["TF_NUM_INTRAOP_THREADS"] = str(max(1, joblib.cpu_count() // workers))
        with joblib.parallel_config("loky", n_jobs=workers):
            yield


def main(arguments=None):
    parser = argparse.ArgumentParser(prog="python -m helpers.experiments", description=__doc__.split("\n\n")[-1])
    parser.add_argument("--dataset", required=True, choices=("cifar10", "sketches"))
    parser.add_argument("--workers", type=int, default=1, help="trainings at the same time (default: 1)")
    parser.add_argument("--scheduler", metavar="TCP", help="train on a Dask cluster, such as tcp://192.168.0.5:8786")
    options = parser.parse_args(arguments)
    jobs = missing(options.dataset)
    if not jobs:
        print("every record is there; delete a folder in helpers/recorded to repeat it")
        return
    try:
        with backend(options.workers, options.scheduler):
            sweep(jobs, options.dataset)
    except (FileNotFoundError, ValueError, OSError) as error:
        raise SystemExit(str(error)) from None
    except KeyboardInterrupt:
        raise SystemExit("interrupted; the same command goes on with the trainings that are missing") from None


if __name__ == "__main__":
    main()
