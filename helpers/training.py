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

from . import attacks, data, evaluation, models, runs
from .models import keras, tf


@dataclass(frozen=True)
class Attack:
    """How each batch is attacked before the network learns from it: FGSM for one step, PGD for several.

    `epsilon` and `step_size` are on the scale from 0 to 1. With `random_start` the first step begins anywhere within
    epsilon of the picture, otherwise at the picture.
    """

    epsilon: float
    step_size: float
    steps: int = 1
    random_start: bool = True


@dataclass(frozen=True)
class Recipe:
    """How a network is trained: by gradient descent with momentum on shuffled batches.

    `epochs` holds one number for each data set, `number_format` is "float32" or "mixed_bfloat16" (products in
    bfloat16, weights and sums in float32; used where the processor has it, see `number_format_here`).
    `optimizer` is "SGD" or "Muon". `schedule` is "constant", "linear" (the learning rate falls to zero) or
    "one-cycle" (it rises first). With `augment` the pictures are moved and mirrored. With `views` the final test
    accuracies are also taken with models.on_six_views. `judged` limits how many training images are judged after
    each epoch, where judging all would take too long; the final accuracies are taken on all. With `attack` the network
    learns from attacked pictures only, and its accuracy under attack is taken after each epoch, too.
    """

    network: str
    epochs: dict
    batch_size: int = 32
    learning_rate: float = 0.001
    momentum: float = 0.9
    number_format: str = "mixed_bfloat16"
    seed: int = 0
    optimizer: str = "SGD"
    schedule: str = "constant"
    augment: bool = False
    label_smoothing: float = 0.0
    judged: int | None = None
    views: bool = False
    attack: Attack | None = None


# Learning rate and momentum are the slides'. They name neither batch size nor epochs, so both are assumptions: 32 is
# what Keras takes when nothing is said, and epoch 71 on CIFAR-10 is the first after which the accuracy on the training
# images reaches the slides' 98.79%. On the sketches, 30 epochs are enough to be good and not perfect.
RECIPES = {
    "vgg3": Recipe("vgg3", epochs={"cifar10": 71, "sketches": 30}),
    "fast": Recipe(
        "fast",
        epochs={"cifar10": 3, "sketches": 3},
        batch_size=1000,
        optimizer="Muon",
        learning_rate=0.24,
        momentum=0.6,
        schedule="linear",
        augment=True,
        label_smoothing=0.2,
        judged=1000,
    ),
}
RECIPES["longer"] = dataclasses.replace(RECIPES["fast"], epochs={"cifar10": 8, "sketches": 6})
RECIPES["strong"] = dataclasses.replace(
    RECIPES["fast"], network="strong", epochs={"cifar10": 12, "sketches": 4}, views=True
)
RECIPES["defended-fgsm"] = dataclasses.replace(
    RECIPES["fast"],
    network="defended",
    epochs={"cifar10": 15, "sketches": 6},
    batch_size=500,
    label_smoothing=0.0,
    attack=Attack(epsilon=8 / 255, step_size=10 / 255),
)
RECIPES["defended-pgd"] = dataclasses.replace(
    RECIPES["defended-fgsm"],
    epochs={"cifar10": 10, "sketches": 6},
    attack=Attack(epsilon=8 / 255, step_size=4 / 255, steps=3),
)
# Shown in 06-defence as it goes wrong: no random start, and an epsilon that is twice as large.
RECIPES["overfitted-fgsm"] = dataclasses.replace(
    RECIPES["defended-fgsm"],
    epochs={"cifar10": 4, "sketches": 4},
    attack=Attack(epsilon=16 / 255, step_size=16 / 255, random_start=False),
)

HISTORY = ("loss", "accuracy", "train_loss", "train_accuracy", "test_loss", "test_accuracy")
# What a recipe with an attack adds: accuracy on the first ATTACKED test images under the recipe's epsilon.
UNDER_ATTACK = {"FGSM": "fgsm_accuracy", "PGD": "pgd_accuracy"}
ATTACKED = 500


def number_format_here(recipe):
    """The recipe's number format where this processor multiplies in bfloat16, otherwise "float32"."""
    try:
        flags = Path("/proc/cpuinfo").read_text(encoding="utf-8").split()
    except OSError:
        flags = ()
    return recipe.number_format if "avx512_bf16" in flags or "amx_bf16" in flags else "float32"


SETTLED = 2000


def settle(model, images, labels, attack=None):
    """Let batch normalisation take mean and variance of `images`, uint8: the weights have moved since it last did.

    With `attack` it sees them attacked, as in training.
    """
    if any(isinstance(layer, keras.layers.BatchNormalization) for layer in model.layers):
        images = tf.constant(data.to_float(images))
        if attack:
            images = attacked(model, images, tf.constant(labels, tf.int64), attack, [SETTLED, 0])
        model(images, training=True)


class OneCycle(keras.optimizers.schedules.LearningRateSchedule):
    """A learning rate that rises to `peak` over the first fifth of all steps and then falls to zero, in two lines."""

    def __init__(self, peak, steps):
        self.peak, self.steps = peak, steps

    def __call__(self, step):
        done = tf.cast(step, tf.float32) / self.steps
        return self.peak * tf.minimum(done / 0.2, (1 - done) / 0.8)


class Muon(keras.optimizers.Optimizer):
    """Momentum whose step for the kernel of a convolution is made orthogonal: each direction moves equally far.

    Kernels keep their norm. The last layer and the biases take plain steps, with more momentum and with learning rates
    of their own, HEAD and BIAS times that of the kernels. Source: Jordan 2024, https://kellerjordan.github.io/posts/muon/.
    """

    HEAD, BIAS, PLAIN_MOMENTUM = 2800.0, 220.0, 0.85

    def __init__(self, learning_rate, momentum):
        super().__init__(learning_rate)
        self.momentum = momentum

    def build(self, variables):
        super().build(variables)
        self.velocities = [self.add_variable_from_reference(variable, "velocity") for variable in variables]

    def update_step(self, gradient, variable, learning_rate):
        velocity = self.velocities[self._get_variable_index(variable)]
        if len(variable.shape) == 4:
            step = self._with_momentum(velocity, gradient, self.momentum)
            fixed_norm = variable * variable.shape[-1] ** 0.5 / tf.norm(variable)
            variable.assign(fixed_norm - learning_rate * orthogonal(step))
        else:
            factor = self.HEAD if len(variable.shape) == 2 else self.BIAS
            step = self._with_momentum(velocity, gradient, self.PLAIN_MOMENTUM)
            variable.assign_sub(factor * learning_rate * step)

    def _with_momentum(self, velocity, gradient, momentum):
        velocity.assign(momentum * velocity + gradient)
        return gradient + momentum * velocity  # as Nesterov: one step ahead


def orthogonal(step):
    """The step of a kernel with its singular values brought near 1, by three rounds of Newton and Schulz."""
    matrix = tf.transpose(tf.reshape(step, (-1, step.shape[-1])))
    matrix /= tf.norm(matrix) + 1e-7
    for _ in range(3):
        square = matrix @ tf.transpose(matrix)
        matrix = 3.4445 * matrix + (2.0315 * square @ square - 4.7750 * square) @ matrix
    return tf.reshape(tf.transpose(matrix), step.shape)


def attacked(model, images, labels, attack, seed):
    """A batch of images, float32 tensor in [0, 1], as `attack` leaves it. `seed` are the two integers of its chance."""
    lowest, highest = (tf.clip_by_value(images + way * attack.epsilon, 0.0, 1.0) for way in (-1, 1))
    moved = images
    if attack.random_start:
        chance = tf.random.stateless_uniform(tf.shape(images), seed, -attack.epsilon, attack.epsilon)
        moved = tf.clip_by_value(images + chance, lowest, highest)
    for _ in range(attack.steps):
        uphill = tf.sign(attacks.input_gradient(model, moved, labels))
        moved = tf.clip_by_value(moved + attack.step_size * uphill, lowest, highest)
    return moved


def make_step(model, optimizer, label_smoothing=0.0, attack=None, seed=0):
    """One step of gradient descent as a compiled function: a batch goes in, its loss and accuracy come out."""

    @tf.function(reduce_retracing=True)
    def step(images, labels):
        images = tf.cast(images, tf.float32) / 255.0
        if attack:  # in 06-defence
            images = attacked(model, images, labels, attack, [seed, optimizer.iterations.value])
        with tf.GradientTape() as tape:
            logits = model(images, training=True)
            targets = (1 - label_smoothing) * tf.one_hot(labels, 10) + label_smoothing / 10
            loss = tf.reduce_mean(tf.nn.softmax_cross_entropy_with_logits(targets, logits))
        optimizer.apply(tape.gradient(loss, model.trainable_variables), model.trainable_variables)
        right = tf.equal(tf.argmax(logits, axis=1), labels)
        return loss, tf.reduce_mean(tf.cast(right, tf.float32))

    return step


def train(recipe, dataset, *, epochs=None, on_step=None, on_epoch=None, checkpoint=None, build=models.build):
    """Follow `recipe` on `dataset` and return the Run, its network in float32.

    `epochs` replaces the recipe's number for this data set. `on_step(done, total, loss, accuracy)` is called after
    every batch, `on_epoch(history)` after every epoch. The file `checkpoint` is written after every epoch
    and, where it exists, taken up: an interrupted training loses at most one epoch and sees the same batches.
    `build(network, number_format)` makes the network.
    Raises ValueError for a checkpoint of another recipe or data set. Taught in 03-training.
    """
    recipe = dataclasses.replace(recipe, number_format=number_format_here(recipe))
    epochs = epochs or recipe.epochs[dataset.name]
    keras.utils.set_random_seed(recipe.seed)
    model = build(recipe.network, recipe.number_format)
    if "whiten" in [layer.name for layer in model.layers]:
        models.whiten(model, dataset.x_train)
    optimizer = _optimizer(recipe, epochs * -(-len(dataset.x_train) // recipe.batch_size))
    optimizer.build(model.trainable_variables)
    keeper = _Checkpoint(checkpoint, recipe, epochs, dataset, [*model.variables, *optimizer.variables])
    names = [*HISTORY, *(UNDER_ATTACK.values() if recipe.attack else ()), "seconds"]
    history = keeper.restore() or {name: [] for name in names}
    step, part = make_step(model, optimizer, recipe.label_smoothing, recipe.attack, recipe.seed), slice(recipe.judged)
    final = build(recipe.network, "float32")
    for epoch in range(len(history["loss"]), epochs):
        begin = time.perf_counter()
        values = _one_epoch(step, recipe, dataset, epoch, epochs, on_step)
        settle(model, dataset.x_train[:SETTLED], dataset.y_train[:SETTLED], recipe.attack)
        values += [
            *evaluation.loss_and_accuracy(model, dataset.x_train[part], dataset.y_train[part]),
            *evaluation.loss_and_accuracy(model, dataset.x_test, dataset.y_test),
        ]
        if recipe.attack:
            final.set_weights(model.get_weights())
            values += _accuracies_under_attack(final, dataset, recipe.attack.epsilon)
        for name, value in zip(names, [*values, time.perf_counter() - begin], strict=True):
            history[name].append(round(value, 5))
        keeper.write(history)
        if on_epoch:
            on_epoch(history)
    final.set_weights(model.get_weights())
    return runs.Run(final, _record(recipe, dataset, final, history))


def _accuracies_under_attack(model, dataset, epsilon):
    images, labels = data.to_float(dataset.x_test[:ATTACKED]), dataset.y_test[:ATTACKED]
    one_step = attacks.fgsm(model, images, labels, epsilon)
    many_steps = attacks.pgd(model, images, labels, epsilon, step_size=epsilon / 4, steps=10)
    return [evaluation.accuracy(model, adversarial, labels) for adversarial in (one_step, many_steps)]


def _optimizer(recipe, steps):
    rates = {
        "constant": lambda peak, _: peak,
        "linear": lambda peak, steps: keras.optimizers.schedules.PolynomialDecay(peak, steps, end_learning_rate=0.0),
        "one-cycle": OneCycle,
    }
    rate = rates[recipe.schedule](recipe.learning_rate, steps)
    return {"SGD": keras.optimizers.SGD, "Muon": Muon}[recipe.optimizer](rate, momentum=recipe.momentum)


def augmented(images, mirrored, rng):
    """A batch uint8 (n, 32, 32, 3), each picture moved by up to 2 pixels either way, some mirrored (bool (n,))."""
    padded = np.pad(images, ((0, 0), (2, 2), (2, 2), (0, 0)), "reflect")
    places = np.lib.stride_tricks.sliding_window_view(padded, (32, 32), axis=(1, 2))
    down, right = rng.integers(5, size=(2, len(images)))
    moved = np.moveaxis(places[np.arange(len(images)), down, right], 1, -1)
    return np.where(mirrored[:, None, None, None], moved[:, :, ::-1], moved)


def _one_epoch(step, recipe, dataset, epoch, epochs, on_step):
    """All batches once; returns the mean loss and accuracy as Keras reports them, taken while the weights move."""
    # Seeded by epoch, so that a training which was interrupted sees the same batches as one which was not.
    rng = np.random.default_rng([recipe.seed, epoch])
    order = rng.permutation(len(dataset.x_train))
    # Every other epoch shows a picture mirrored, and no picture twice before its mirror image.
    mirrored = np.random.default_rng(recipe.seed).random(len(order)) < 0.5
    mirrored = mirrored ^ (epoch % 2 == 1)
    batches = np.split(order, range(recipe.batch_size, len(order), recipe.batch_size))
    total = np.zeros(2)
    for done, batch in enumerate(batches, start=1 + epoch * len(batches)):
        images = dataset.x_train[batch]
        if recipe.augment:
            images = augmented(images, mirrored[batch], rng)
        loss, accuracy = (float(value) for value in step(images, dataset.y_train[batch]))
        total += np.array([loss, accuracy]) * len(batch)
        if on_step:
            on_step(done, epochs * len(batches), loss, accuracy)
    return (total / len(order)).tolist()


class _Checkpoint:
    """The state of a training in one file: weights, momentum, dropout's random state, history, and whose it is."""

    def __init__(self, path, recipe, epochs, dataset, variables):
        self.path, self.variables = path and Path(path), variables
        # All that must agree for a training to be continued. At a constant learning rate epochs may be added later.
        length = None if recipe.schedule == "constant" else epochs
        self.identity = dataclasses.asdict(recipe) | {"epochs": length, "digest": path and dataset.digest()}

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
    begin = time.perf_counter()
    test = _test_accuracy(model, dataset)
    seconds = sum(history["seconds"]) + time.perf_counter() - begin
    accuracy = {"train": evaluation.accuracy(model, dataset.x_train, dataset.y_train)} | test
    if recipe.views:
        views = _test_accuracy(models.on_six_views(model), dataset)
        accuracy |= {part + runs.SIX_VIEWS: share for part, share in views.items()}
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
        "seconds": round(seconds),
        "accuracy": accuracy,
        "history": history,
    }


def _test_accuracy(model, dataset):
    accuracy, part = {"test": evaluation.accuracy(model, dataset.x_test, dataset.y_test)}, data.ORIGINAL_TEST_IMAGES
    # Of the whole test set only: the first images of a selection may be others.
    if dataset.name == "cifar10" and len(dataset.x_test) == 10_000:
        accuracy[runs.FIRST_TEST] = evaluation.accuracy(model, dataset.x_test[:part], dataset.y_test[:part])
    return accuracy


def main(arguments=None, root=runs.RECORDED):
    parser = argparse.ArgumentParser(
        prog="python -m helpers.training",
        description="Train a network by its recipe and keep weights and record in helpers/recorded/. "
        "The same command continues a training that was interrupted.",
    )
    parser.add_argument("name", choices=sorted(RECIPES))
    parser.add_argument("--dataset", required=True, choices=("cifar10", "sketches"))
    parser.add_argument(
        "--seed", type=int, help="repeat it with another seed; keeps the record as NAME-SEED, no weights"
    )
    options = parser.parse_args(arguments)
    try:
        _train_and_keep(options.name, options.seed, data.load(options.dataset), root)
    except (FileNotFoundError, ValueError) as error:
        raise SystemExit(str(error)) from None
    except OSError as error:
        raise SystemExit(
            f"{runs.folder(options.name, options.dataset, root)} cannot be written ({error.strerror or error}); "
            "make room, and the same command goes on after the last whole epoch"
        ) from None
    except KeyboardInterrupt:
        raise SystemExit("interrupted; the same command goes on after the last whole epoch") from None


def _train_and_keep(name, seed, dataset, root):
    recipe = RECIPES[name] if seed is None else dataclasses.replace(RECIPES[name], seed=seed)
    target = runs.folder(name if seed is None else f"{name}-{seed}", dataset.name, root)
    target.mkdir(parents=True, exist_ok=True)
    checkpoint = target / "checkpoint.npz"
    print(f"{name} on {dataset.name} ({dataset.source}), {number_format_here(recipe)}")
    run = train(recipe, dataset, checkpoint=checkpoint, **_progress(recipe, dataset))
    if seed is None:
        runs.save(run, name, dataset.name, root)
    else:
        runs.save_record(run.record, target)
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
            f"{last['test_accuracy']:.2%} on test images"
            + "".join(f", {last[key]:.1%} under {name}" for name, key in UNDER_ATTACK.items() if key in last)
            + f"  {last['seconds']:.0f} s"
        )

    return {"on_step": on_step, "on_epoch": on_epoch}


if __name__ == "__main__":
    main()
