"""Training, its checkpoints, and what it leaves behind. Networks are trained for a few steps only."""

import dataclasses
import errno
import json

import numpy as np
import pytest

from helpers import attacks, data, evaluation, models, optimizers, recipes, runs, training
from helpers.backend import keras, tf
from helpers.checkpoint import Checkpoint

RECIPE = dataclasses.replace(recipes.RECIPES["vgg3"], learning_rate=0.01)


@pytest.fixture(scope="module")
def few():
    return data.load("sketches").subset(320, 100)


def weights(run):
    return np.concatenate([weight.ravel() for weight in run.model.get_weights()])


def test_the_loss_falls_and_everything_is_recorded(few):
    seen = []
    run = training.train(RECIPE, few, epochs=3, on_step=lambda *step: seen.append(step))
    assert [step[0] for step in seen] == list(range(1, 31)) and seen[0][1] == 30
    means = np.reshape([step[2:] for step in seen], (3, 10, 2)).mean(axis=1)  # all batches are of one size
    np.testing.assert_allclose(means, np.transpose([run.history["loss"], run.history["accuracy"]]), atol=1e-5)
    assert list(run.history) == [
        "loss",
        "accuracy",
        "train_loss",
        "train_accuracy",
        "test_loss",
        "test_accuracy",
        "seconds",
    ]
    assert all(len(values) == 3 for values in run.history.values())
    assert run.history["loss"][-1] < run.history["loss"][0] - 0.1  # without a step it stays where it began
    assert runs.accuracy(run.record) == evaluation.accuracy(run.model, few.x_test, few.y_test)
    assert runs.accuracy(run.record, "train") == pytest.approx(run.history["train_accuracy"][-1], abs=1e-5)
    assert run.record["dataset"]["digest"] == few.digest()
    assert run.record["recipe"]["dtype_policy"] in ("float32", "mixed_bfloat16")
    assert run.model.dtype_policy.name == "float32"
    new = json.loads(json.dumps(run.record))
    for path in runs.RECORDED.glob("*/*/record.json"):
        kept = json.loads(path.read_text(encoding="utf-8"))
        assert kept.keys() - {"weights_sha256"} == new.keys(), f"{path}: train it anew"
        assert all(row.keys() == new["accuracies"][0].keys() for row in kept["accuracies"]), f"{path}: train it anew"


OWN = {
    "labels as Keras gives them": ({"y_train": lambda y: y[:, None].astype(np.uint8)}, {}, r"try labels\.ravel\(\)"),
    "labels that are floats": ({"y_train": lambda y: y.astype(float)}, {}, "expected integers"),
    "labels of more classes": ({"y_train": lambda y: y + 10}, {}, "classes 0 to 9"),
    "images that are floats": ({"x_train": data.to_float}, {}, "expected uint8 in 0–255, got float32"),
    "no number of epochs": (
        {"name": lambda _: "mine"},
        {"epochs": None},
        "for cifar10, sketches, not for mine; pass epochs",
    ),
    "no epochs at all": ({}, {"epochs": 0}, "epochs=0: expected a whole number of at least 1"),
}


@pytest.mark.parametrize("kind", OWN)
def test_what_cannot_be_trained_on_names_the_fix(few, kind):
    changes, options, words = OWN[kind]
    own = dataclasses.replace(few, **{name: change(getattr(few, name)) for name, change in changes.items()})
    with pytest.raises((TypeError, ValueError), match=words):
        training.train(RECIPE, own, **({"epochs": 1} | options))


@pytest.mark.parametrize("kind", ["int32", "uint8"])
def test_labels_of_any_integers_are_trained_on(few, kind):
    own = dataclasses.replace(few, name="mine", y_train=few.y_train.astype(kind), y_test=few.y_test.astype(kind))
    assert training.train(RECIPE, own, epochs=1).record["dataset"]["name"] == "mine"


def test_a_training_that_diverges_ends_with_the_cause_and_keeps_nothing_false(few, tmp_path):
    recipe = dataclasses.replace(RECIPE, learning_rate=1e20)
    with pytest.raises(ValueError, match="training has diverged: the loss of batch .* learning rate"):
        training.train(recipe, few, epochs=2, checkpoint=tmp_path / "checkpoint.npz")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("attack", [None, recipes.AttackConfig(epsilon=8 / 255, step_size=10 / 255, noise=8 / 255)])
def test_an_interrupted_training_ends_where_an_uninterrupted_one_does(few, tmp_path, attack):
    def interrupt(history):
        raise KeyboardInterrupt

    recipe = dataclasses.replace(RECIPE, attack=attack, dtype_policy="float32")
    checkpoint = tmp_path / "checkpoint.npz"
    with pytest.raises(KeyboardInterrupt):
        training.train(recipe, few, epochs=2, checkpoint=checkpoint, on_epoch=interrupt)
    resumed = training.train(recipe, few, epochs=2, checkpoint=checkpoint)
    straight = training.train(recipe, few, epochs=2)
    np.testing.assert_allclose(weights(resumed), weights(straight), rtol=1e-4, atol=1e-6)
    assert resumed.history["loss"] == pytest.approx(straight.history["loss"], rel=1e-3)
    assert [key in straight.history for key in training.UNDER_ATTACK.values()] == [attack is not None] * 2


def test_what_is_evaluated_after_each_epoch(few):
    """The first training images alone, all test images, and these under FGSM and under ten steps of PGD."""
    attack = recipes.AttackConfig(epsilon=4 / 255, step_size=4 / 255)
    recipe = dataclasses.replace(RECIPE, attack=attack, learning_rate=0.0, train_eval_size=50)
    run = training.train(recipe, few, epochs=1, build=lambda *_: runs.load("vgg3", "sketches").model)
    found, model, x, y = {key: value for key, (value,) in run.history.items()}, run.model, few.x_test, few.y_test
    for name, pair in (("train", (few.x_train[:50], few.y_train[:50])), ("test", (x, y))):
        expected = evaluation.loss_and_accuracy(model, *pair)
        assert (found[f"{name}_loss"], found[f"{name}_accuracy"]) == pytest.approx(expected, abs=1e-5)
    one_step = attacks.fgsm(model, data.to_float(x), y, 4 / 255)
    many_steps = attacks.pgd(model, data.to_float(x), y, 4 / 255, step_size=1 / 255, steps=10)
    robust = [evaluation.accuracy(model, moved, y) for moved in (one_step, many_steps)]
    assert [found["fgsm_accuracy"], found["pgd_accuracy"]] == pytest.approx(robust, abs=1e-5) and robust[1] < robust[0]


def test_the_schedule_ends_with_the_last_batch(few, monkeypatch):
    steps, build = [], optimizers.build
    monkeypatch.setattr(optimizers, "build", lambda recipe, *counts: steps.append(counts) or build(recipe, *counts))
    training.train(RECIPE, few.subset(70, 10), epochs=2)  # batches of 32, 32 and 6
    assert steps == [(2, 3)]


@pytest.fixture(scope="module")
def batch(few):
    images, labels = data.to_float(few.x_train[:20]), few.y_train[:20]
    return runs.load("vgg3", "sketches").model, tf.constant(images), tf.constant(labels)


def test_one_step_without_noise_is_fgsm(batch):
    attack = recipes.AttackConfig(epsilon=8 / 255, step_size=8 / 255)
    ours = training.adversarial_batch(*batch, attack, seed=[0, 0]).numpy()
    assert np.mean(abs(ours - attacks.fgsm(batch[0], batch[1].numpy(), batch[2].numpy(), 8 / 255)) > 1e-6) < 1e-4


def test_a_random_start_depends_on_its_seed_alone_and_stays_in_the_box(batch):
    attack = recipes.AttackConfig(epsilon=8 / 255, step_size=10 / 255, steps=2, noise=8 / 255)
    one, again, other = (training.adversarial_batch(*batch, attack, seed=[0, seed]).numpy() for seed in (1, 1, 2))
    assert np.array_equal(one, again) and not np.array_equal(one, other)
    assert abs(one - batch[1].numpy()).max() <= 8 / 255 + 1e-7 and one.min() >= 0 and one.max() <= 1


def test_n_fgsm_takes_its_step_around_the_noisy_image(batch):
    """Source of the expected images: de Jorge et al. 2022, algorithm 1, with both clipped to [0, 1]."""
    model, images, labels = batch
    attack = recipes.AttackConfig(epsilon=8 / 255, step_size=8 / 255, noise=16 / 255, around_noise=True)
    noisy = images.numpy() + tf.random.stateless_uniform(images.shape, [0, 1], -16 / 255, 16 / 255).numpy()
    shown = noisy.clip(0, 1)
    stepped = shown + 8 / 255 * attacks.gradient_sign(model, shown, labels.numpy())
    expected = stepped.clip(noisy - 8 / 255, noisy + 8 / 255).clip(0, 1)
    ours = training.adversarial_batch(*batch, attack, seed=[0, 1]).numpy()
    assert np.mean(abs(ours - expected) > 1e-6) < 1e-4 and abs(ours - images.numpy()).max() > 20 / 255


def test_a_step_under_attack_learns_from_the_attacked_batch(batch):
    """Without an attack the loss of this network on these pictures is small; a rate of 0 leaves it as it is."""
    model, images, labels = batch
    pixels, losses = (255 * images.numpy()).round().astype(np.uint8), []
    attack = recipes.AttackConfig(epsilon=8 / 255, step_size=8 / 255)
    for how in (None, attack):
        optimizer = models.keras.optimizers.SGD(0.0)
        optimizer.build(model.trainable_variables)
        losses.append(float(training.make_step(model, optimizer, attack=how)(pixels, labels.numpy())[0]))
    assert losses[1] > 3 * losses[0]


def test_random_starts_differ_between_the_seeds_of_a_recipe(few):
    recipe = dataclasses.replace(
        RECIPE, attack=recipes.AttackConfig(epsilon=8 / 255, step_size=0.0, noise=8 / 255), dtype_policy="float32"
    )
    starts = []

    def attacked(model, images, labels, attack, seed):
        starts.append([int(tf.get_static_value(seed[0]))])
        return images

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(training, "adversarial_batch", attacked)
        for seed in (0, 5):
            training.train(dataclasses.replace(recipe, seed=seed), few.subset(32, 20), epochs=1)
    assert [0] in starts and [5] in starts


def test_settling_under_attack_takes_the_statistics_of_attacked_pictures(few):
    model, attack = models.build("smooth"), recipes.AttackConfig(epsilon=16 / 255, step_size=16 / 255)
    norm = next(layer for layer in model.layers if isinstance(layer, models.BatchNorm))
    training.recalibrate_batch_norm(model, few.x_train, few.y_train)
    untouched = norm.moving_variance.numpy()
    images, labels = tf.constant(data.to_float(few.x_train)), tf.constant(few.y_train, tf.int64)
    model(training.adversarial_batch(model, images, labels, attack, [0, 0]), training=True)
    expected = norm.moving_variance.numpy()
    training.recalibrate_batch_norm(model, few.x_train, few.y_train)
    training.recalibrate_batch_norm(model, few.x_train, few.y_train, attack)
    np.testing.assert_allclose(norm.moving_variance.numpy(), expected, rtol=1e-3)
    assert abs(expected / untouched - 1).max() > 0.01


def test_what_is_evaluated_has_the_batch_statistics_of_its_own_weights(few):
    few, attack = few.subset(40, 10), recipes.AttackConfig(epsilon=16 / 255, step_size=16 / 255)
    model, final, expected = (models.build("smooth") for _ in range(3))
    recipe = dataclasses.replace(RECIPE, attack=attack)
    training._to_evaluation_mode(final, model, optimizers.build(recipe, 1, 1), recipe, few)
    expected.set_weights(model.get_weights())
    training.recalibrate_batch_norm(expected, few.x_train, few.y_train, attack)
    for found, weight in zip(final.get_weights(), expected.get_weights(), strict=True):
        np.testing.assert_allclose(found, weight, rtol=1e-3, atol=1e-5)


def test_a_checkpoint_of_something_else_is_refused(few, tmp_path):
    checkpoint = tmp_path / "checkpoint.npz"
    training.train(RECIPE, few, epochs=1, checkpoint=checkpoint)
    with pytest.raises(ValueError, match=r"network \(momentum differ\); delete it"):
        training.train(dataclasses.replace(RECIPE, momentum=0.5), few, epochs=2, checkpoint=checkpoint)
    with pytest.raises(ValueError, match=r"network \(data set differ\); delete it"):
        training.train(RECIPE, few.subset(310, 100), epochs=2, checkpoint=checkpoint)


def with_elu(name, dtype_policy):
    """The network as somebody's change of `vgg_block` leaves it: the same weights, another function."""
    network = models.build(name, dtype_policy)
    network.layers[0].activation = keras.activations.elu
    return network


def test_a_checkpoint_of_changed_code_is_refused(few, tmp_path):
    checkpoint = tmp_path / "checkpoint.npz"
    training.train(RECIPE, few, epochs=1, checkpoint=checkpoint)
    with pytest.raises(ValueError, match=r"network \(layers differ\); delete it"):
        training.train(RECIPE, few, epochs=2, checkpoint=checkpoint, build=with_elu)


def test_a_checkpoint_of_more_epochs_than_asked_for_is_refused(few, tmp_path):
    checkpoint = tmp_path / "checkpoint.npz"
    done = training.train(RECIPE, few, epochs=2, checkpoint=checkpoint)
    with pytest.raises(ValueError, match="holds 2 epochs already, epochs=1 were asked for"):
        training.train(RECIPE, few, epochs=1, checkpoint=checkpoint)
    again = training.train(RECIPE, few, epochs=2, checkpoint=checkpoint)
    assert again.history == done.history and np.array_equal(weights(again), weights(done))


def test_a_checkpoint_that_cannot_be_written_says_why_and_leaves_the_last(few, tmp_path, monkeypatch):
    path = tmp_path / "checkpoint.npz"
    keeper = Checkpoint(path, RECIPE, 2, few, "layers", [tf.Variable([1.0])])
    keeper.write({"loss": [1.0]})

    def full(*_):  # a disk without room for another name: not even the empty file is made
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(training.Path, "write_bytes", full)
    with pytest.raises(OSError, match="No space left"):
        keeper.write({"loss": [1.0, 0.5]})
    assert keeper.restore() == {"loss": [1.0]}


def test_command_keeps_a_run_that_can_be_loaded(few, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(data, "load", lambda name: few)
    monkeypatch.setitem(recipes.RECIPES, "vgg3", dataclasses.replace(RECIPE, epochs={"sketches": 2}))
    training.main(["vgg3", "--dataset", "sketches"], root=tmp_path)
    printed = capsys.readouterr()
    assert "epoch   2/2" in printed.out and "20/20 " in printed.err and "batch/s" in printed.err
    run = runs.load("vgg3", "sketches", root=tmp_path)
    assert runs.accuracy(run.record) == evaluation.accuracy(run.model, few.x_test, few.y_test)
    assert {path.name for path in (tmp_path / "sketches" / "vgg3").iterdir()} == {"record.json", "model.weights.h5"}


def test_a_missing_or_foreign_run_names_the_fix(few, tmp_path):
    with pytest.raises(FileNotFoundError, match="python -m helpers.training vgg3 --dataset cifar10"):
        runs.load("vgg3", "cifar10", root=tmp_path)
    run = training.train(RECIPE, few, epochs=1)
    runs.save(run, "vgg3", "sketches", root=tmp_path)
    other = models.build("vgg3")
    other.save_weights(tmp_path / "sketches" / "vgg3" / "model.weights.h5")
    with pytest.raises(ValueError, match="not the file that record.json describes"):
        runs.load("vgg3", "sketches", root=tmp_path)


def test_command_says_in_one_line_what_is_missing(tmp_path, monkeypatch):
    monkeypatch.setenv("CIFAR10_DIR", str(tmp_path))
    with pytest.raises(SystemExit, match="CIFAR10_DIR"):
        training.main(["vgg3", "--dataset", "cifar10"], root=tmp_path)


def test_an_interrupted_command_says_how_to_go_on(few, tmp_path, monkeypatch):
    def interrupt(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(data, "load", lambda name: few)
    monkeypatch.setattr(training, "train", interrupt)
    with pytest.raises(SystemExit, match="same command"):
        training.main(["vgg3", "--dataset", "sketches"], root=tmp_path)


@pytest.mark.parametrize(("inside", "outside"), [(KeyboardInterrupt, KeyboardInterrupt), (ValueError, SystemError)])
def test_an_interrupt_in_c_code_is_an_interrupt(few, monkeypatch, inside, outside):
    """As NumPy's `__array__` and TensorFlow leave it: a SystemError whose cause has been taken away."""

    def step(*_):
        try:
            raise inside
        except inside:
            raise SystemError("returned a result with an exception set") from None

    monkeypatch.setattr(training, "make_step", lambda *_: step)
    with pytest.raises(outside):
        training.train(RECIPE, few, epochs=1)


def test_float32_where_the_processor_has_no_bfloat16(monkeypatch):
    def no_file(*_, **__):
        raise OSError

    monkeypatch.setattr(training.Path, "read_text", no_file)
    assert training.dtype_policy_here(RECIPE) == "float32"
    monkeypatch.setattr(training.Path, "read_text", lambda *_, **__: "flags : sse2 avx512_bf16")
    assert training.dtype_policy_here(RECIPE) == "mixed_bfloat16"
    monkeypatch.setattr(training.Path, "read_text", lambda *_, **__: "flags : sse2 amx_bf16 amx_tile")
    assert training.dtype_policy_here(RECIPE) == "mixed_bfloat16"


def test_schedules():
    def rates(schedule):
        recipe = dataclasses.replace(RECIPE, schedule=schedule, learning_rate=0.5)
        optimizer, found = optimizers.build(recipe, 10, 10), []
        for step in (0, 10, 20, 60, 100):
            optimizer.iterations.assign(step)
            found.append(round(float(optimizer.learning_rate), 4))
        return found

    assert rates("constant") == [0.5] * 5
    assert rates("linear") == [0.5, 0.45, 0.4, 0.2, 0.0]
    assert rates("slanted-triangular") == [0.0, 0.25, 0.5, 0.25, 0.0]


def test_muon_has_three_parameter_groups():
    rng, lr, momentum = np.random.default_rng(0), 0.01, 0.6
    shapes = (3, 3, 4, 8), (12, 10), (8,)
    starts, gradients = ([rng.normal(size=shape).astype(np.float32) for shape in shapes] for _ in range(2))
    variables = [keras.Variable(start) for start in starts]
    optimizer = optimizers.Muon(lr, momentum)
    optimizer.build(variables)
    for _ in range(2):
        optimizer.apply([tf.constant(gradient) for gradient in gradients], variables)
    kernel, head, bias = (variable.numpy() for variable in variables)
    # Nesterov: after the steps g and g the velocity is g, then (1 + m) g, and a step is g + m · velocity.
    for found, start, gradient, scale in ((head, starts[1], gradients[1], 2800), (bias, starts[2], gradients[2], 220)):
        plain = (1 + 0.85) + (1 + 0.85 * (1 + 0.85))
        np.testing.assert_allclose(found, start - scale * lr * plain * gradient, rtol=1e-4)
    expected = starts[0]
    for factor in (1 + momentum, 1 + momentum * (1 + momentum)):
        direction = optimizers.newton_schulz(tf.constant(factor * gradients[0])).numpy()
        expected = expected * np.sqrt(8) / np.linalg.norm(expected) - lr * direction
    np.testing.assert_allclose(kernel, expected, rtol=1e-4, atol=1e-5)


def test_newton_schulz_keeps_directions_and_brings_singular_values_near_one():
    step = tf.random.stateless_normal((3, 3, 16, 32), seed=(0, 0)) * tf.linspace(0.3, 3.0, 32)
    flat = (np.reshape(matrix, (-1, 32)).astype(float) for matrix in (step, optimizers.newton_schulz(step)))
    (left, before, right), after = np.linalg.svd(next(flat), full_matrices=False), next(flat)
    assert before.max() / before.min() > 10
    rotated = left.T @ after @ right.T  # diagonal, because the singular vectors stay
    expected = before / np.linalg.norm(before)
    for _ in range(3):
        expected = 3.4445 * expected - 4.775 * expected**3 + 2.0315 * expected**5
    np.testing.assert_allclose(np.diag(rotated), expected, atol=1e-3)
    assert 0.5 < np.diag(rotated).min() and np.diag(rotated).max() < 1.3
    assert abs(rotated - np.diag(np.diag(rotated))).max() < 0.02


def test_the_loss_of_a_step_is_the_smoothed_cross_entropy(few):
    model, images, labels = models.build("smooth"), few.x_train[:30], few.y_train[:30]
    scores = model(tf.constant(data.to_float(images)), training=True).numpy().astype(float)
    logs = scores - np.log(np.exp(scores).sum(axis=1, keepdims=True))
    targets = 0.8 * np.eye(10)[labels] + 0.2 / 10
    optimizer = keras.optimizers.SGD(0.0)
    loss, accuracy = training.make_step(model, optimizer, label_smoothing=0.2)(images, labels)
    assert float(loss) == pytest.approx(-(targets * logs).sum(axis=1).mean(), rel=1e-5)
    assert float(accuracy) == pytest.approx(np.mean(scores.argmax(axis=1) == labels))


@pytest.fixture
def marked():
    """Sixty training images, brighter on the right, that their blue tells apart."""
    images = np.zeros((60, 32, 32, 3), np.uint8)
    images[:, :, 16:, 0] = 200
    images[..., 2] = np.arange(60)[:, None, None]
    labels = np.arange(60) % 10
    return data.Dataset("sketches", "made for a test", images, labels, images[:10], labels[:10])


def seen_in_training(monkeypatch, dataset, **changes):
    """For each epoch: the images' numbers in the order in which they came, and which of them were flipped."""
    batches = []

    def make_step(*_):
        return lambda images, labels: batches.append((images, labels)) or (0.0, 0.0)

    monkeypatch.setattr(training, "make_step", make_step)
    recipe = dataclasses.replace(RECIPE, network="fast", batch_size=25, **changes)
    training.train(recipe, dataset, epochs=2)
    assert [len(images) for images, _ in batches] == [25, 25, 10] * 2
    epochs = []
    for part in (batches[:3], batches[3:]):
        images = np.concatenate([images for images, _ in part])
        numbers, flipped = images[:, 16, 16, 2], images[:, 16, 4, 0] > 100
        assert (np.concatenate([labels for _, labels in part]) == numbers % 10).all()
        epochs.append((numbers, dict(zip(numbers.tolist(), flipped, strict=True))))
    return epochs


def test_every_epoch_shows_each_image_once_in_another_order(marked, monkeypatch):
    (one, flipped), (two, _) = seen_in_training(monkeypatch, marked)
    (other, _), _ = seen_in_training(monkeypatch, marked, seed=1)
    assert sorted(one) == sorted(two) == list(range(60)) and not any(flipped.values())
    assert one.tolist() != two.tolist() and one.tolist() != other.tolist()


def test_augmentation_shows_an_image_and_its_mirror_image_in_turn(marked, monkeypatch):
    (_, one), (_, two) = seen_in_training(monkeypatch, marked, augment=True)
    assert all(one[number] != two[number] for number in range(60))
    assert 15 < sum(one.values()) < 45


def test_the_moving_average_of_the_weights_is_what_is_kept(few):
    networks, steps = [], []

    def build(*arguments):
        networks.append(models.build(*arguments))
        return networks[-1]

    recipe = dataclasses.replace(RECIPE, averaged_epochs=0.5, learning_rate=0.05, dtype_policy="float32")

    def on_step(*_):
        steps.append([weight.numpy() for weight in networks[0].trainable_variables])

    run = training.train(recipe, few, epochs=1, on_step=on_step, build=build)
    average = steps[0]
    for step in steps[1:]:
        average = [0.8 * mean + 0.2 * weight for mean, weight in zip(average, step, strict=True)]
    for kept, expected in zip(run.model.trainable_variables, average, strict=True):
        np.testing.assert_allclose(kept.numpy(), expected, rtol=1e-4, atol=1e-6)
    assert max(abs(mean - last).max() for mean, last in zip(average, steps[-1], strict=True)) > 1e-3
    for weight, last in zip(networks[0].trainable_variables, steps[-1], strict=True):  # and training goes on from these
        np.testing.assert_array_equal(weight.numpy(), last)


def test_augmented_pictures_are_moved_and_mirrored():
    ramp = np.broadcast_to(np.arange(32, dtype=np.uint8)[:, None], (32, 32))
    picture = np.stack([ramp, ramp.T, np.zeros_like(ramp)], axis=-1)
    images = np.repeat(picture[None], 400, axis=0)
    mirrored = np.arange(400) % 4 == 0
    moved = training.augment_batch(images, mirrored, np.random.default_rng(0))
    assert moved.dtype == np.uint8 and moved.shape == images.shape
    back = np.where(mirrored[:, None, None, None], moved[:, :, ::-1], moved)
    down, right = back[:, 10, 10, 0].astype(int) - 10, back[:, 10, 10, 1].astype(int) - 10
    assert set(zip(down, right, strict=True)) == {(y, x) for y in range(-2, 3) for x in range(-2, 3)}
    for image, y, x in zip(back[:20], down, right, strict=False):
        np.testing.assert_array_equal(image[2:-2, 2:-2], picture[2 + y : 30 + y, 2 + x : 30 + x])


def test_after_settling_judging_sees_what_training_sees(few):
    model = models.build("fast")
    models.whiten(model, few.x_train)
    images = data.to_float(few.x_train)
    before = model(images, training=False).numpy()
    training.recalibrate_batch_norm(model, few.x_train, few.y_train)
    after = model(images, training=False).numpy()
    inside = model(images, training=True).numpy()
    np.testing.assert_allclose(after, inside, atol=0.02 * np.abs(inside).max())
    assert np.abs(before - inside).max() > 0.1 * np.abs(inside).max()


def test_the_fast_recipe_learns_the_sketches_in_two_epochs():
    run = training.train(recipes.RECIPES["fast"], data.load("sketches").subset(4000, 500), epochs=2)
    assert runs.accuracy(run.record) > 0.5
    assert run.record["recipe"]["optimizer"] == "Muon"


def test_a_falling_learning_rate_cannot_be_continued_to_another_length(few, tmp_path):
    falling = dataclasses.replace(RECIPE, schedule="slanted-triangular")
    training.train(falling, few, epochs=1, checkpoint=tmp_path / "checkpoint.npz")
    with pytest.raises(ValueError, match="another recipe.*epochs differ"):
        training.train(falling, few, epochs=2, checkpoint=tmp_path / "checkpoint.npz")


def test_another_seed_is_kept_as_a_record_alone(few, tmp_path, monkeypatch):
    monkeypatch.setattr(data, "load", lambda name: few)
    monkeypatch.setitem(recipes.RECIPES, "vgg3", dataclasses.replace(RECIPE, epochs={"sketches": 1}))
    training.main(["vgg3", "--dataset", "sketches", "--seed", "3"], root=tmp_path)
    assert [path.name for path in tmp_path.rglob("*") if path.is_file()] == ["record.json"]
    record = json.loads((tmp_path / "sketches" / "vgg3-3" / "record.json").read_text(encoding="utf-8"))
    assert record["recipe"]["seed"] == 3
