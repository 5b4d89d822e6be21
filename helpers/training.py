"""Recipes, and one loop that follows a recipe. Taught in notebooks/03-training.

    python -m helpers.training vgg3 --dataset cifar10

trains a network anew, shows how far it is, goes on where it was interrupted, and keeps the outcome in
helpers/recorded/.
"""

import argparse
import dataclasses
import io
import json
import os
import platform
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from tqdm import tqdm

from . import data, evaluation, models, runs
from .models import keras, tf


@dataclass(frozen=True)
class Recipe:
    """How a network is trained: stochastic gradient descent with momentum on shuffled batches.

    `epochs` holds one number for each data set, `number_format` is "float32" or "mixed_bfloat16" (products in
    bfloat16, weights and sums in float32; used where the processor has it, see `number_format_here`).
    """

    network: str
    epochs: dict
    batch_size: int = 32
    learning_rate: float = 0.001
    momentum: float = 0.9
    number_format: str = "mixed_bfloat16"
    seed: int = 0


# Learning rate and momentum are the slides'. They name neither batch size nor epochs, so both are assumptions: 32 is
# what Keras takes when nothing is said, and epoch 71 on CIFAR-10 is the first after which the accuracy on the training
# images reaches the slides' 98.79%. On the sketches, 30 epochs are enough to be good and not perfect.
RECIPES = {
    "vgg3": Recipe("vgg3", epochs={"cifar10": 71, "sketches": 30}),
}

HISTORY = ("loss", "accuracy", "train_loss", "train_accuracy", "test_loss", "test_accuracy", "seconds")


def number_format_here(recipe):
    """The recipe's number format where this processor multiplies in bfloat16, otherwise "float32"."""
    try:
        flags = Path("/proc/cpuinfo").read_text(encoding="utf-8").split()
    except OSError:
        flags = ()
    return recipe.number_format if "avx512_bf16" in flags or "amx_bf16" in flags else "float32"


def make_step(model, optimizer):
    """One step of gradient descent as a compiled function: a batch goes in, its loss and accuracy come out."""

    @tf.function(reduce_retracing=True)
    def step(images, labels):
        with tf.GradientTape() as tape:
            logits = model(tf.cast(images, tf.float32) / 255.0, training=True)
            losses = tf.nn.sparse_softmax_cross_entropy_with_logits(labels=labels, logits=logits)
            loss = tf.reduce_mean(losses)
        optimizer.apply(tape.gradient(loss, model.trainable_variables), model.trainable_variables)
        right = tf.equal(tf.argmax(logits, axis=1), labels)
        return loss, tf.reduce_mean(tf.cast(right, tf.float32))

    return step


def train(recipe, dataset, *, epochs=None, on_step=None, on_epoch=None, checkpoint=None):
    """Follow `recipe` on `dataset` and return the Run, its network in float32.

    `epochs` replaces the recipe's number for this data set. `on_step(done, total, loss, accuracy)` is called after
    every batch, `on_epoch(history)` after every epoch. The file `checkpoint` is written after every epoch
    and, where it exists, taken up: an interrupted training loses at most one epoch and sees the same batches.
    Raises ValueError for a checkpoint of another recipe or data set. Taught in 03-training.
    """
    recipe = dataclasses.replace(recipe, number_format=number_format_here(recipe))
    epochs = epochs or recipe.epochs[dataset.name]
    keras.utils.set_random_seed(recipe.seed)
    model = models.build(recipe.network, recipe.number_format)
    optimizer = keras.optimizers.SGD(recipe.learning_rate, momentum=recipe.momentum)
    optimizer.build(model.trainable_variables)
    keeper = _Checkpoint(checkpoint, recipe, dataset, [*model.variables, *optimizer.variables])
    history = keeper.restore() or {name: [] for name in HISTORY}
    step = make_step(model, optimizer)
    for epoch in range(len(history["loss"]), epochs):
        begin = time.perf_counter()
        values = [
            *_one_epoch(step, recipe, dataset, epoch, epochs, on_step),
            *evaluation.loss_and_accuracy(model, dataset.x_train, dataset.y_train),
            *evaluation.loss_and_accuracy(model, dataset.x_test, dataset.y_test),
        ]
        for name, value in zip(HISTORY, [*values, time.perf_counter() - begin], strict=True):
            history[name].append(round(value, 5))
        keeper.write(history)
        if on_epoch:
            on_epoch(history)
    final = models.build(recipe.network)
    final.set_weights(model.get_weights())
    return runs.Run(final, _record(recipe, dataset, final, history))


def _one_epoch(step, recipe, dataset, epoch, epochs, on_step):
    """All batches once; returns the mean loss and accuracy as Keras reports them, taken while the weights move."""
    # Seeded by epoch, so that a training which was interrupted sees the same batches as one which was not.
    order = np.random.default_rng([recipe.seed, epoch]).permutation(len(dataset.x_train))
    batches = np.split(order, range(recipe.batch_size, len(order), recipe.batch_size))
    total = np.zeros(2)
    for done, batch in enumerate(batches, start=1 + epoch * len(batches)):
        loss, accuracy = (float(value) for value in step(dataset.x_train[batch], dataset.y_train[batch]))
        total += np.array([loss, accuracy]) * len(batch)
        if on_step:
            on_step(done, epochs * len(batches), loss, accuracy)
    return (total / len(order)).tolist()


class _Checkpoint:
    """The state of a training in one file: weights, momentum, dropout's random state, history, and whose it is."""

    def __init__(self, path, recipe, dataset, variables):
        self.path, self.variables = path and Path(path), variables
        # All that must agree for a training to be continued; the number of epochs may change.
        self.identity = dataclasses.asdict(recipe) | {"epochs": None, "digest": path and dataset.digest()}

    def restore(self):
        if not (self.path and self.path.exists()):
            return None
        self.path.with_suffix(".new").unlink(missing_ok=True)  # left by a process that was killed while it wrote
        try:
            with np.load(self.path) as kept:
                note = json.loads(str(kept["note"]))
                values = [kept[f"v{number}"] for number in range(len(self.variables))]
        except Exception as error:  # a damaged file can raise anything
            raise ValueError(f"{self.path} is no whole checkpoint ({error}); delete it to start anew") from None
        if note["identity"] != self.identity:
            raise ValueError(f"{self.path} belongs to another recipe or data set; delete it to start anew")
        for variable, value in zip(self.variables, values, strict=True):
            variable.assign(value)
        return note["history"]

    def write(self, history):
        if not self.path:
            return
        note = json.dumps({"identity": self.identity, "history": history})
        memory = io.BytesIO()
        np.savez(memory, note=np.array(note), **{f"v{i}": value.numpy() for i, value in enumerate(self.variables)})
        beside = self.path.with_suffix(".new")
        try:
            beside.write_bytes(memory.getvalue())
            os.replace(beside, self.path)
        except OSError:  # a full disk: the checkpoint of the epoch before stays
            beside.unlink(missing_ok=True)
            raise


def _record(recipe, dataset, model, history):
    """All that is needed to repeat this training and to judge it. Accuracies: evaluation mode, float32."""
    accuracy = {
        "train": evaluation.accuracy(model, dataset.x_train, dataset.y_train),
        "test": evaluation.accuracy(model, dataset.x_test, dataset.y_test),
    }
    part = data.ORIGINAL_TEST_IMAGES
    if len(dataset.x_test) > part:
        accuracy[f"test 0–{part - 1}"] = evaluation.accuracy(model, dataset.x_test[:part], dataset.y_test[:part])
    return {
        "network": recipe.network,
        "parameters": model.count_params(),
        "recipe": dataclasses.asdict(recipe) | {"epochs": len(history["loss"])},
        "dataset": {
            "name": dataset.name,
            "source": dataset.source,
            "digest": dataset.digest(),
            "training images": len(dataset.x_train),
            "test images": len(dataset.x_test),
        },
        "versions": {"python": platform.python_version(), "tensorflow": tf.__version__, "keras": keras.__version__},
        "machine": f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores",
        "seconds": round(sum(history["seconds"])),
        "accuracy": accuracy,
        "history": history,
    }


def main(arguments=None, root=runs.RECORDED):
    parser = argparse.ArgumentParser(
        prog="python -m helpers.training",
        description="Train a network by its recipe and keep weights and record in helpers/recorded/. "
        "The same command continues a training that was interrupted.",
    )
    parser.add_argument("name", choices=sorted(RECIPES))
    parser.add_argument("--dataset", required=True, choices=("cifar10", "sketches"))
    options = parser.parse_args(arguments)
    try:
        _train_and_keep(RECIPES[options.name], options.name, data.load(options.dataset), root)
    except (FileNotFoundError, ValueError) as error:
        raise SystemExit(str(error)) from None
    except OSError as error:
        raise SystemExit(
            f"{runs.folder(options.name, options.dataset, root)} cannot be written ({error.strerror or error}); "
            "make room, and the same command goes on after the last whole epoch"
        ) from None
    except KeyboardInterrupt:
        raise SystemExit("interrupted; the same command goes on after the last whole epoch") from None


def _train_and_keep(recipe, name, dataset, root):
    target = runs.folder(name, dataset.name, root)
    target.mkdir(parents=True, exist_ok=True)
    checkpoint = target / "checkpoint.npz"
    print(f"{name} on {dataset.name} ({dataset.source}), {number_format_here(recipe)}")
    run = train(recipe, dataset, checkpoint=checkpoint, **_progress(recipe, dataset))
    runs.save(run, name, dataset.name, root)
    checkpoint.unlink(missing_ok=True)
    print(f"kept in {target}; " + ", ".join(f"{part} {share:.2%}" for part, share in run.record["accuracy"].items()))


def _progress(recipe, dataset):
    """Callbacks that print a line an epoch, below them a bar with the time left for the whole training."""
    bar = tqdm(unit="batch", smoothing=0.01, file=sys.stderr)

    def on_step(done, total, loss, accuracy):
        if bar.total is None:
            bar.total, bar.n, bar.initial = total, done - 1, done - 1
        bar.update()

    def on_epoch(history):
        last = {name: values[-1] for name, values in history.items()}
        tqdm.write(
            f"epoch {len(history['loss']):3}/{recipe.epochs[dataset.name]}  loss {last['loss']:.3f}  "
            f"accuracy {last['accuracy']:.1%} with dropout, {last['train_accuracy']:.2%} without, "
            f"{last['test_accuracy']:.2%} on test images  {last['seconds']:.0f} s"
        )

    return {"on_step": on_step, "on_epoch": on_epoch}


if __name__ == "__main__":
    main()
