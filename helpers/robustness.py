"""How recorded networks stand up to attack. Taught in 05-fgsm and 06-defence.

    python -m helpers.robustness vgg3 --dataset cifar10

attacks a recorded network with the test images and keeps what it finds beside its record, as attacks.json. With
--signs it renews one part of that report alone, the comparison of FGSM's signs with float64, and prints it.
"""

import argparse
import json
import time
import warnings

import numpy as np
from tqdm import tqdm

from . import attacks, data, evaluation, runs
from .backend import keras, tf
from .commands import replace_what_cannot_be_printed

# Intensity levels out of 255: FGSM at all of them, random-sign noise and PGD, which takes longer, at some.
FGSM_LEVELS, RANDOM_LEVELS, PGD_LEVELS = tuple(range(17)), (0, 1, 2, 4, 8, 16), (0, 2, 4, 8, 16)
REPORT_LEVEL = 8  # the level at which single numbers are given
REPORT_ATTACKS = "random-sign noise", "FGSM", "PGD"  # of which a report holds curves, the strongest last
PGD_STEPS, PGD_STEPS_PER_EPSILON, PGD_RESTARTS = 20, 4, 5
PGD_IN_WORDS = f"{PGD_STEPS} steps of ε/{PGD_STEPS_PER_EPSILON}, {PGD_RESTARTS} random starts"
FLOAT64_BATCH = 50  # float64 takes memory
STEEP = (20, 100)  # the signs must also be exact for logits multiplied by these


def report(model, dataset, progress=iter):
    """Attack `model` with test images of `dataset`: a dictionary that JSON can keep.

    Every attack takes the same images: the first data.ORIGINAL_TEST_IMAGES of CIFAR-10, all of the sketches. Accuracies
    are fractions of all "n" images, those included that are misclassified to begin with. Each of REPORT_ATTACKS holds
    "levels" and "accuracy"; "losses" the same for FGSM with the two losses that float32 can spoil. What PGD fools at one level it fools at the larger ones, too, whose ball contains the adversarial
    example. "survival" has a row for each of FGSM's levels: of each class, the fraction that FGSM fooled at no
    level up to this one. "confusion_matrix" counts true classes (rows) and predictions (columns) under FGSM at
    REPORT_LEVEL. For "signs" see `signs_in_float32`. `progress` wraps what takes most of the time.
    """
    dataset = dataset.subset(len(dataset.y_train), min(len(dataset.y_test), data.ORIGINAL_TEST_IMAGES))
    images, labels = data.to_float(dataset.x_test), dataset.y_test
    fgsm, predicted = attacks.epsilon_sweep(model, images, labels, np.array(FGSM_LEVELS) / 255)
    survived = np.logical_and.accumulate(predicted == labels)

    def with_loss(loss):
        sweep, _ = _quietly(attacks.epsilon_sweep, model, images, labels, np.array(FGSM_LEVELS) / 255, loss=loss)
        return {"levels": FGSM_LEVELS, "accuracy": sweep.tolist()}

    return {
        "images": runs.FIRST_TEST if dataset.name == "cifar10" else "test",
        "n": len(images),
        "FGSM": {"levels": FGSM_LEVELS, "accuracy": fgsm.tolist()},
        "random-sign noise": {"levels": RANDOM_LEVELS, "accuracy": _under_noise(model, images, labels)},
        "PGD": {"levels": PGD_LEVELS, "accuracy": list(_under_pgd(model, images, labels, progress))},
        "survival": [[float(np.mean(row[labels == k])) for k in range(len(data.CLASS_NAMES))] for row in survived],
        "confusion_matrix": evaluation.confusion_matrix(labels, predicted[FGSM_LEVELS.index(REPORT_LEVEL)]).tolist(),
        "losses": {loss: with_loss(loss) for loss in ("cross-entropy", "mse")},
        "signs": signs_in_float32(model, images, labels, progress),
    }


def _under_noise(model, images, labels):
    noisy = (attacks.random_sign_noise(images, level / 255, seed=0) for level in RANDOM_LEVELS)
    return [evaluation.accuracy(model, each, labels) for each in noisy]


def _under_pgd(model, images, labels, progress):
    left = np.arange(len(images))
    for level in progress(PGD_LEVELS):
        x, y, epsilon = images[left], labels[left], level / 255
        steps = {"steps": PGD_STEPS, "step_size": epsilon / PGD_STEPS_PER_EPSILON, "restarts": PGD_RESTARTS}
        moved = attacks.pgd(model, x, y, epsilon, **steps) if level else x
        left = left[evaluation.predictions(model, moved) == y]
        yield len(left) / len(images)


def _quietly(function, *arguments, **options):
    """Call it without warnings of zero gradients, where these are what is counted."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return function(*arguments, **options)


def signs_in_float32(model, images, labels, progress=iter):
    """What float32 makes of FGSM's signs: lists with one number per image, and two numbers.

    "agreement" holds for each loss of attacks.LOSSES the fraction of an image's signs that agree with a float64 copy of
    the network, and "below_90" counts the images where it is less than 90%. "steep" tells the same of the log-odds of
    logits multiplied by each of STEEP: the lowest fraction, and which images are below 99.5%. "lead" is
    log(p / (1 − p)), by how much the true class leads all others taken together, and "p_rounds_to_one" the lead from
    which on p is 1 in float32.
    With the log-odds, the few images below 99.5% lie at a corner of the network itself: within two roundings of their
    pixels, 2.4e-7, a ReLU bends or a draw in max pooling is decided, and the gradient in float64 jumps as well.
    """
    model64 = in_float64(model)
    ways = {loss: (model, 1, loss) for loss in attacks.LOSSES}
    for scale in STEEP:
        layers = [keras.Input(images.shape[1:]), model, keras.layers.Rescaling(float(scale))]
        ways[scale] = keras.Sequential(layers), scale, "log-odds"
    found = {way: [] for way in ways}
    for start in progress(range(0, len(images), FLOAT64_BATCH)):
        x, y = images[start : start + FLOAT64_BATCH], labels[start : start + FLOAT64_BATCH]
        expected = {scale: exact_signs(model64, x, y, scale) for scale in (1, *STEEP)}
        for way, (network, scale, loss) in ways.items():
            signs = _quietly(attacks.gradient_sign, network, x, y, loss=loss)
            found[way] += (signs == expected[scale]).mean(axis=(1, 2, 3)).round(5).tolist()
    steep = {scale: np.array(found.pop(scale)) for scale in STEEP}
    lead = -attacks.log_odds(evaluation.logits(model, images), labels).numpy()
    return {
        "agreement": found,
        "below_90": {loss: int((np.array(fractions) < 0.9).sum()) for loss, fractions in found.items()},
        "steep": [
            {"scale": scale, "lowest": float(one.min()), "below_99.5": np.flatnonzero(one < 0.995).tolist()}
            for scale, one in steep.items()
        ],
        "lead": [round(float(one), 3) for one in lead],
        "p_rounds_to_one": lead_at_which_p_is_one(),
    }


def lead_at_which_p_is_one():
    """The smallest lead, to a hundredth, at which a probability rounds to 1 in float32: 24 · ln 2 or so."""
    leads = np.arange(0, 30, 0.01, dtype=np.float32)
    p = evaluation.softmax(np.stack([leads, np.zeros_like(leads)], axis=1))[:, 0]
    return round(float(leads[np.argmax(p == 1)]), 2)


def in_float64(model):
    """A copy of a network of Keras layers that computes in float64: the reference for signs that float32 may lose."""
    copy = keras.models.clone_model(
        model, clone_function=lambda layer: type(layer).from_config(layer.get_config() | {"dtype": "float64"})
    )
    copy.set_weights([weight.astype(np.float64) for weight in model.get_weights()])
    return copy


def exact_signs(model64, images, labels, scale=1):
    """The signs of FGSM from a network in float64 that ends in logits, as if these were multiplied by `scale`.

    The derivative by the logits, p − y without its factor 1 − p, is written out here, so that the signs depend on no
    loss of `attacks`.
    """
    images, rows = tf.constant(images, tf.float64), np.arange(len(labels))
    with tf.GradientTape() as tape:
        tape.watch(images)
        logits = model64(images, training=False)
    others = scale * logits.numpy()
    others[rows, labels] = -np.inf
    slope = np.exp(others - others.max(axis=1, keepdims=True))
    slope /= slope.sum(axis=1, keepdims=True)
    slope[rows, labels] = -1
    return np.sign(tape.gradient(logits, images, output_gradients=tf.constant(slope)).numpy())


def load(name, dataset, root=runs.RECORDED):
    """The kept report on the run `name`.

    Raises FileNotFoundError where there is none, ValueError where it was computed for other weights.
    """
    command = f"python -m helpers.robustness {name} --dataset {dataset}"
    try:
        found = json.loads((runs.folder(name, dataset, root) / "attacks.json").read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise FileNotFoundError(f"{error.filename} is missing; {command} makes it") from None
    if found["weights_sha256"] != runs.read_record(name, dataset, root)["weights_sha256"]:
        raise ValueError(f"the report on {name!r} was computed for other weights; rerun {command}")
    return found


def _what_autoattack_found(name, dataset, root):
    """What helpers.autoattack has added to the kept report: it takes long, and stays as long as the weights do."""
    try:
        return {key: value for key, value in load(name, dataset, root).items() if key == "AutoAttack"}
    except (FileNotFoundError, ValueError):
        return {}


def main(arguments=None, root=runs.RECORDED):
    replace_what_cannot_be_printed()
    parser = argparse.ArgumentParser(prog="python -m helpers.robustness", description=__doc__.split("\n\n")[-1])
    parser.add_argument("name", help="a recorded run, such as vgg3")
    parser.add_argument("--dataset", required=True, choices=("cifar10", "sketches"))
    parser.add_argument("--signs", action="store_true", help="only renew the comparison with float64")
    options = parser.parse_args(arguments)
    where = options.name, options.dataset, root
    try:
        run, dataset = runs.load(*where), data.load(options.dataset)
        if options.signs:
            found = load(*where)
            few = slice(found["n"])
            signs = signs_in_float32(run.model, data.to_float(dataset.x_test[few]), dataset.y_test[few], tqdm)
            found |= {"signs": signs}
            for loss, fractions in signs["agreement"].items():
                lost = signs["below_90"][loss]
                print(f"{loss}: at least {min(fractions):.2%} of each image's signs; {lost} of {found['n']} below 90%")
            for one in signs["steep"]:
                print(f"log-odds, logits × {one['scale']}: at least {one['lowest']:.2%} of each image's signs")
        else:
            begin = time.perf_counter()
            found = report(run.model, dataset, progress=tqdm)
            found |= {"weights_sha256": run.record["weights_sha256"], "dataset": dataset.description()}
            found |= {"seconds": round(time.perf_counter() - begin)} | _what_autoattack_found(*where)
        runs.save_record(found, runs.folder(*where), "attacks.json")
    except (OSError, ValueError) as error:
        raise SystemExit(str(error)) from None


if __name__ == "__main__":
    main()
