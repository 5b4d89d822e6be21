"""One loop that follows a recipe. Taught in notebooks/03-training.

    python -m helpers.training vgg3 --dataset cifar10

trains a network anew, shows how far it is, continues where it was interrupted, and keeps the outcome in
helpers/recorded/.
"""

import argparse
import contextlib
import dataclasses
import time
from pathlib import Path

import numpy as np
from tqdm import tqdm

from . import attacks, data, evaluation, models, optimizers, runs
from .backend import keras, tf
from .checkpoint import Checkpoint
from .commands import replace_what_cannot_be_printed
from .recipes import RECIPES
from .validation import checked_counts, checked_images, checked_labels

# What a recipe with an attack adds: accuracy on the first ATTACK_EVAL_SIZE test images under the recipe's epsilon.
UNDER_ATTACK = {"FGSM": "fgsm_accuracy", "PGD": "pgd_accuracy"}
ATTACK_EVAL_SIZE = 500


def dtype_policy_here(recipe):
    """The recipe's dtype policy where this processor multiplies in bfloat16, otherwise "float32"."""
    try:
        flags = Path("/proc/cpuinfo").read_text(encoding="utf-8").split()
    except OSError:
        flags = ()
    return recipe.dtype_policy if "avx512_bf16" in flags or "amx_bf16" in flags else "float32"


RECALIBRATION_SIZE = 2000


def recalibrate_batch_norm(model, images, labels, attack=None):
    """Let batch normalisation take mean and variance of `images`, uint8: the weights have moved since it last did.

    With `attack` it sees them attacked, as in training.
    """
    if any(isinstance(layer, keras.layers.BatchNormalization) for layer in model.layers):
        images = tf.constant(data.to_float(images))
        if attack:
            images = adversarial_batch(model, images, tf.constant(labels, tf.int64), attack, [RECALIBRATION_SIZE, 0])
        model(images, training=True)


def adversarial_batch(model, images, labels, attack, seed):
    """A batch of images, float32 tensor in [0, 1], as `attack` leaves it. `seed` are the two integers of its chance."""
    noisy = images + tf.random.stateless_uniform(tf.shape(images), seed, -attack.noise, attack.noise)
    centre = noisy if attack.around_noise else images
    return attacks.ascend(model, centre, noisy, labels, attack.epsilon, attack.step_size, attack.steps)


def make_step(model, optimizer, label_smoothing=0.0, attack=None, seed=0):
    """One step of gradient descent as a compiled function: a batch goes in, its loss and accuracy come out."""

    @tf.function(reduce_retracing=True)
    def step(images, labels):
        images = tf.cast(images, tf.float32) / 255.0
        if attack:  # in 06-defence
            images = adversarial_batch(model, images, labels, attack, [seed, optimizer.iterations.value])
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
    `build(network, dtype_policy)` makes the network.
    Raises ValueError for a checkpoint of another recipe, data set or network, or of more epochs, and TypeError or
    ValueError for images and labels that are not as in data.Dataset. Taught in 03-training.
    """
    recipe = dataclasses.replace(recipe, dtype_policy=dtype_policy_here(recipe))
    epochs = _checked_epochs(recipe, dataset, epochs)
    keras.utils.set_random_seed(recipe.seed)
    model = build(recipe.network, recipe.dtype_policy)
    if "whiten" in [layer.name for layer in model.layers]:
        models.whiten(model, dataset.x_train)
    optimizer = optimizers.build(recipe, epochs, -(-len(dataset.x_train) // recipe.batch_size))
    optimizer.build(model.trainable_variables)
    variables = [*model.variables, *optimizer.variables]
    keeper = Checkpoint(checkpoint, recipe, epochs, dataset, runs.digest(model), variables)
    history = keeper.restore() or {}
    step = make_step(model, optimizer, recipe.label_smoothing, recipe.attack, recipe.seed)
    final = build(recipe.network, "float32")
    for epoch in range(len(history.get("loss", ())), epochs):
        begin = time.perf_counter()
        with _interrupts_as_such():
            values = _one_epoch(step, recipe, dataset, epoch, epochs, on_step)
        _to_evaluation_mode(final, model, optimizer, recipe, dataset)
        values |= _evaluated(final, recipe, dataset)
        for name, value in (values | {"seconds": time.perf_counter() - begin}).items():
            history.setdefault(name, []).append(round(value, 5))
        keeper.write(history)
        if on_epoch:
            on_epoch(history)
    _to_evaluation_mode(final, model, optimizer, recipe, dataset)
    return runs.Run(final, runs.new_record(recipe, dataset, final, history))


def _checked_epochs(recipe, dataset, epochs):
    """How many epochs the recipe takes on this data set, whose arrays are checked before the first of them."""
    images = checked_images(dataset.x_train, dtypes=("uint8",))
    checked_labels(dataset.y_train, len(images), 10)
    if epochs is None and dataset.name not in recipe.epochs:
        known = ", ".join(recipe.epochs)
        raise ValueError(f"epochs=None: the recipe says how many for {known}, not for {dataset.name}; pass epochs")
    epochs = recipe.epochs[dataset.name] if epochs is None else epochs
    checked_counts(epochs=epochs)
    return epochs


def _to_evaluation_mode(final, model, optimizer, recipe, dataset):
    """Give `final` the weights of `model`, or their moving average, and the batch statistics that belong to them."""
    kept = model.get_weights()
    if optimizer.use_ema:
        optimizer.finalize_variable_values(model.trainable_variables)
    final.set_weights(model.get_weights())
    model.set_weights(kept)
    some = slice(RECALIBRATION_SIZE)
    recalibrate_batch_norm(final, dataset.x_train[some], dataset.y_train[some], recipe.attack)


def _evaluated(model, recipe, dataset):
    """What a history holds of one epoch beside the loss and accuracy of training."""
    some, (part, images, labels) = slice(recipe.train_eval_size), dataset.evaluation_part()
    values = {}
    for name, x, y in (("train", dataset.x_train[some], dataset.y_train[some]), (part, images, labels)):
        values[f"{name}_loss"], values[f"{name}_accuracy"] = evaluation.loss_and_accuracy(model, x, y)
    if recipe.attack:
        values |= _robust_accuracies(model, images, labels, recipe.attack.epsilon)
    return values


def _robust_accuracies(model, images, labels, epsilon):
    images, labels = data.to_float(images[:ATTACK_EVAL_SIZE]), labels[:ATTACK_EVAL_SIZE]
    one_step = attacks.fgsm(model, images, labels, epsilon)
    many_steps = attacks.pgd(model, images, labels, epsilon, step_size=epsilon / 4, steps=10)
    found = {"FGSM": one_step, "PGD": many_steps}
    return {UNDER_ATTACK[name]: evaluation.accuracy(model, images, labels) for name, images in found.items()}


def augment_batch(images, mirrored, rng):
    """A batch uint8 (n, 32, 32, 3), each picture moved by up to 2 pixels either way, some mirrored (bool (n,))."""
    padded = np.pad(images, ((0, 0), (2, 2), (2, 2), (0, 0)), "reflect")
    places = np.lib.stride_tricks.sliding_window_view(padded, (32, 32), axis=(1, 2))
    down, right = rng.integers(5, size=(2, len(images)))
    moved = np.moveaxis(places[np.arange(len(images)), down, right], 1, -1)
    return np.where(mirrored[:, None, None, None], moved[:, :, ::-1], moved)


@contextlib.contextmanager
def _interrupts_as_such():
    """Raise KeyboardInterrupt where an interrupt inside NumPy's C code has become a SystemError."""
    try:
        yield
    except SystemError as error:
        if not isinstance(error.__context__, KeyboardInterrupt):
            raise
        raise KeyboardInterrupt from error


def _one_epoch(step, recipe, dataset, epoch, epochs, on_step):
    """All batches once; returns mean loss and accuracy as Keras reports them, taken while the weights change."""
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
            images = augment_batch(images, mirrored[batch], rng)
        loss, accuracy = (float(value) for value in step(images, dataset.y_train[batch].astype(np.int64)))
        if np.isnan(loss):
            raise ValueError(
                f"training has diverged: the loss of batch {done} is nan; lower the recipe's learning rate"
            )
        total += np.array([loss, accuracy]) * len(batch)
        if on_step:
            on_step(done, epochs * len(batches), loss, accuracy)
    return dict(zip(("loss", "accuracy"), (total / len(order)).tolist(), strict=True))


def main(arguments=None, root=runs.RECORDED):
    replace_what_cannot_be_printed()
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
            "make room, and the same command continues after the last whole epoch"
        ) from None
    except KeyboardInterrupt:
        raise SystemExit("interrupted; the same command continues after the last whole epoch") from None


def _train_and_keep(name, seed, dataset, root):
    recipe = RECIPES[name] if seed is None else dataclasses.replace(RECIPES[name], seed=seed)
    target = runs.folder(name if seed is None else f"{name}-{seed}", dataset.name, root)
    target.mkdir(parents=True, exist_ok=True)
    checkpoint = target / "checkpoint.npz"
    print(f"{name} on {dataset.name} ({dataset.source}), {dtype_policy_here(recipe)}")
    run = train(recipe, dataset, checkpoint=checkpoint, **_progress(recipe, dataset))
    if seed is None:
        runs.save(run, name, dataset.name, root)
    else:
        runs.save_record(run.record, target)
    checkpoint.unlink()
    print(
        f"kept in {target}; "
        + ", ".join(f"{a['images']} {a['accuracy']:.2%}" for a in run.record["accuracies"] if a["views"] == 1)
    )


def _progress(recipe, dataset):
    """Callbacks that print a line an epoch, below them a bar with the time left for the whole training."""
    bar = tqdm(unit="batch", smoothing=0.01)

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
