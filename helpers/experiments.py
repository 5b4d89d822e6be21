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

import joblib
from tqdm import tqdm

from . import data, models, runs, training
from .models import keras, layers

SEEDS = (0, 1, 2)

# The same budget for all, long enough for the learning rate to come down to zero.
RECIPE = training.Recipe(
    "vgg", epochs={"cifar10": 8, "sketches": 4}, batch_size=128, learning_rate=0.05, schedule="one-cycle", judged=1000
)

# What each variant changes: an argument of `network`, or `augment` in the recipe.
VARIANTS = {
    "baseline": {},
    "batch-norm": {"normalise": True},
    "augmented": {"augment": True},
    "no-dropout": {"dropout": 0.0},
    "two-blocks": {"blocks": 2},
    "one-5x5": {"kernels": (5,)},
    "average-pooling": {"pooling": "average"},
    "glorot": {"initializer": "glorot_uniform"},
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


def shares(variant, dataset, root=runs.RECORDED):
    """The recorded accuracies of a variant on the held-out images, in [0, 1], one a seed."""
    records = [runs.read_record(f"{variant}-{seed}", dataset, root) for seed in SEEDS]
    return [record["accuracy"]["test"] for record in records]


def verdict(variant, dataset, root=runs.RECORDED):
    """What the records say of a variant, in a sentence; clear only where no seed of one kind is among the other's."""
    ours, base = shares(variant, dataset, root), shares("baseline", dataset, root)
    difference = 100 * (sum(ours) - sum(base)) / len(ours)
    if min(ours) > max(base):
        clear = "better with every seed"
    elif max(ours) < min(base):
        clear = "worse with every seed"
    else:
        clear = "the seeds overlap, so this does not decide"
    return (
        f"{variant.replace('-', ' ')}: {100 * sum(ours) / len(ours):.1f}% of the held-out images, "
        f"{difference:+.1f} points against {100 * sum(base) / len(base):.1f}% of the baseline; {clear}"
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
