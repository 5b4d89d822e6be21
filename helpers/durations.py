"""How long each recorded training takes, all measured in one run on one machine. Shown in notebooks/03-training.

    python -m helpers.durations

times some steps of every recipe on CIFAR-10, beside the machine's rate of multiplying matrices, and keeps what it
finds as helpers/recorded/durations.json. The seconds in the records themselves are from different days and loads.
"""

import contextlib
import json
import os
import platform
import time

import numpy as np

from . import data, models, runs, training
from .backend import tf
from .commands import replace_what_cannot_be_printed
from .recipes import RECIPES

PATH = runs.RECORDED / "durations.json"
LEAST_STEPS, LEAST_IMAGES = 8, 3000  # of each recipe
SIDE = 4096  # of the matrices whose product is timed


class _Enough(Exception):
    """Ends a training that was begun to be timed."""


def seconds_per_step(recipe, dataset):
    """The median time of one training step by `recipe`, loading and augmenting its batch included."""
    steps, ends = max(LEAST_STEPS, LEAST_IMAGES // recipe.batch_size), []

    def on_step(*_):
        ends.append(time.perf_counter())
        if len(ends) > steps:
            raise _Enough

    with contextlib.suppress(_Enough):
        training.train(recipe, dataset, on_step=on_step)
    return float(np.median(np.diff(ends)))


def peak(dtype, rounds=5):
    """FLOP a second at which this machine multiplies large matrices of `dtype`, "float32" or "bfloat16"."""
    matrix = tf.cast(tf.random.normal((SIDE, SIDE)), dtype)
    spans = []
    for _ in range(rounds):
        begin = time.perf_counter()
        np.asarray(tf.reduce_sum(tf.cast(matrix @ matrix, tf.float32)))
        spans.append(time.perf_counter() - begin)
    return 2 * SIDE**3 / min(spans)


def measure(dataset):
    """What PATH holds: date and machine, the peak, and of each recipe the seconds of a step."""
    dtype = training.dtype_policy_here(RECIPES["vgg3"]).removeprefix("mixed_")
    before = peak(dtype)
    spans = {name: round(seconds_per_step(recipe, dataset), 5) for name, recipe in RECIPES.items()}
    return {
        "date": time.strftime("%Y-%m-%d"),
        "machine": f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores, {dtype}",
        "peak": round(max(before, peak(dtype))),  # whatever else the machine does can only lower it
        "seconds_per_step": spans,
    }


def load():
    """What `measure` found last."""
    return json.loads(PATH.read_text(encoding="utf-8"))


def seconds(name, dataset):
    """How long the training of the run `name` takes on the data set called `dataset`, evaluations left out."""
    size = runs.read_record(name, dataset)["dataset"]["train_size"]
    steps = -(-size // RECIPES[name].batch_size) * RECIPES[name].epochs[dataset]
    return steps * load()["seconds_per_step"][name]


def flop(name, dataset):
    """The floating-point operations of that training.

    A forward pass takes two for each multiply-add, a backward pass twice as many as the forward pass. Each step of an
    attack takes a forward pass, and a backward pass to the images alone, which costs as much as the forward pass.
    """
    recipe = RECIPES[name]
    products = models.multiply_adds(models.build(recipe.network))
    passes = 6 + 4 * (recipe.attack.steps if recipe.attack else 0)
    return passes * products * runs.read_record(name, dataset)["dataset"]["train_size"] * recipe.epochs[dataset]


def in_words(span):
    """A duration as it is shown: seconds below two minutes, then minutes."""
    return f"{span:.0f} s" if span < 120 else f"{span / 60:.0f} min"


def main():
    replace_what_cannot_be_printed()
    try:
        runs.save_record(measure(data.load("cifar10")), PATH.parent, PATH.name)
        for name in RECIPES:
            rate = flop(name, "cifar10") / seconds(name, "cifar10")
            print(f"{name}: {in_words(seconds(name, 'cifar10'))}, {rate / load()['peak']:.0%} of the peak")
    except (OSError, ValueError) as error:
        raise SystemExit(str(error)) from None


if __name__ == "__main__":
    main()
