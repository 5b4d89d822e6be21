"""How recorded networks stand up to attack. Taught in 05-fgsm and 06-defence.

    python -m helpers.robustness vgg3 --dataset cifar10

attacks a recorded network with the test images and keeps what it finds beside its record, as attacks.json.
"""

import argparse
import json
import time
import warnings

import numpy as np
from tqdm import tqdm

from . import attacks, data, evaluation, runs
from .backend import keras, tf

# Grey levels of 255: FGSM at all of them, random signs and PGD, which take longer, at some.
FGSM_LEVELS, RANDOM_LEVELS, PGD_LEVELS = tuple(range(17)), (0, 2, 4, 8, 16), (0, 2, 4, 8)
SIGNS_BATCH = 50  # float64 takes memory
REPORT_LEVEL = 8  # the level at which single numbers are given


def report(model, dataset, progress=iter):
    """Attack `model` with the test images of `dataset`: a dictionary that JSON can keep.

    Shares are in [0, 1] and of all images, those included that were wrong to begin with. FGSM and random signs take
    all test images, PGD (20 steps of ε/4, 5 restarts) the first data.ORIGINAL_TEST_IMAGES. "survival" has a row for
    each level: of each class, the share that FGSM fooled at no level up to this one. "confusion_matrix" counts true classes
    (rows) and answers (columns) under FGSM at REPORT_LEVEL. `progress` wraps the levels of PGD, which takes most of the time.
    """
    images, labels = data.to_float(dataset.x_test), dataset.y_test
    few = slice(data.ORIGINAL_TEST_IMAGES)
    accuracies, answers = attacks.epsilon_sweep(model, images, labels, np.array(FGSM_LEVELS) / 255)
    held = np.logical_and.accumulate(answers == labels)

    def under(attack, levels, part=slice(None)):
        return [evaluation.accuracy(model, attack(images[part], labels[part], k / 255), labels[part]) for k in levels]

    def random_sign_noise(images, _, epsilon):
        return attacks.random_sign_noise(images, epsilon, seed=0)

    def pgd(images, labels, epsilon):
        if not epsilon:
            return images
        return attacks.pgd(model, images, labels, epsilon, step_size=epsilon / 4, steps=20, restarts=5)

    return {
        "n": len(images),
        "n_pgd": len(images[few]),
        "FGSM": {"levels": FGSM_LEVELS, "accuracy": accuracies.tolist()},
        "random-sign noise": {"levels": RANDOM_LEVELS, "accuracy": under(random_sign_noise, RANDOM_LEVELS)},
        "PGD": {"levels": PGD_LEVELS, "accuracy": under(pgd, progress(PGD_LEVELS), few)},
        "survival": [[float(np.mean(row[labels == k])) for k in range(len(data.CLASS_NAMES))] for row in held],
        "confusion_matrix": evaluation.confusion_matrix(labels, answers[FGSM_LEVELS.index(REPORT_LEVEL)]).tolist(),
    }


def in_float64(model):
    """A copy of a network of Keras layers that computes in float64: the reference for signs that float32 may lose."""
    copy = keras.models.clone_model(
        model, clone_function=lambda layer: type(layer).from_config(layer.get_config() | {"dtype": "float64"})
    )
    copy.set_weights([weight.astype(np.float64) for weight in model.get_weights()])
    return copy


def exact_signs(model64, images, labels, scale=1.0):
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


def sign_agreement(model, images, labels, loss="log-odds", progress=iter):
    """For each image the fraction of FGSM's signs that agree with a float64 copy of `model`, float64 (n,)."""
    model64, agreement = in_float64(model), np.empty(len(images))
    for start in progress(range(0, len(images), SIGNS_BATCH)):
        part = slice(start, start + SIGNS_BATCH)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of zero gradients: they count as disagreement
            ours = attacks.gradient_sign(model, images[part], labels[part], loss=loss)
        agreement[part] = (ours == exact_signs(model64, images[part], labels[part])).mean(axis=(1, 2, 3))
    return agreement


def load(name, dataset, root=runs.RECORDED):
    """The kept report on the run `name`.

    Raises FileNotFoundError where there is none, ValueError where it is of other weights than those recorded.
    """
    command = f"python -m helpers.robustness {name} --dataset {dataset}"
    try:
        found = json.loads((runs.folder(name, dataset, root) / "attacks.json").read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise FileNotFoundError(f"{error.filename} is missing; {command} makes it") from None
    if found["weights_sha256"] != runs.read_record(name, dataset, root)["weights_sha256"]:
        raise ValueError(f"the report on {name!r} is of other weights than those recorded; {command} makes it anew")
    return found


def main(arguments=None, root=runs.RECORDED):
    parser = argparse.ArgumentParser(prog="python -m helpers.robustness", description=__doc__.split("\n\n")[-1])
    parser.add_argument("name", help="a recorded run, such as vgg3")
    parser.add_argument("--dataset", required=True, choices=("cifar10", "sketches"))
    options = parser.parse_args(arguments)
    try:
        run, dataset = runs.load(options.name, options.dataset, root), data.load(options.dataset)
        if dataset.digest() != run.record["dataset"]["digest"]:
            raise ValueError(f"{options.name} was trained on another copy of {options.dataset} than {dataset.source}")
        begin = time.perf_counter()
        found = report(run.model, dataset, progress=tqdm)
        found |= {"weights_sha256": run.record["weights_sha256"], "seconds": round(time.perf_counter() - begin)}
        runs.save_record(found, runs.folder(options.name, options.dataset, root), "attacks.json")
    except (OSError, ValueError) as error:
        raise SystemExit(str(error)) from None


if __name__ == "__main__":
    main()
