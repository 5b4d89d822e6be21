"""AutoAttack, the standard evaluation of robustness, on a recorded network. Shown in notebooks/06-defence.

    python -m helpers.autoattack adversarial-fgsm --dataset cifar10

runs its four attacks at robustness.REPORT_LEVEL and adds what is left after each to the run's attacks.json; the same
command continues after the last attack that ended. It takes an hour and needs PyTorch, which the lecture does without:
pip install -e ".[autoattack]".
Source: Croce and Hein 2020, arXiv:2003.01690.
"""

import argparse

import numpy as np

from . import data, evaluation, robustness, runs
from .backend import keras

ATTACKS = ("apgd-ce", "apgd-t", "fab-t", "square")  # the standard version


def rebuild(model):
    """The same network as a torch.nn.Module, for images (n, 3, height, width) in [0, 1].

    Raises ValueError for a network that is not a keras.Sequential, and one that names the layer where `model` holds one
    that no recorded network has.
    """
    if not isinstance(model, keras.Sequential):
        raise ValueError(
            f"model: expected a keras.Sequential, got {type(model).__name__}; others may branch, or compute between layers"
        )
    import torch

    steps = [step for layer in model.layers for step in _steps(layer, torch)]

    class Rebuilt(torch.nn.Module):
        def forward(self, images):
            images = images.contiguous(memory_format=torch.channels_last)  # a quarter faster on a processor
            for step in steps:
                images = step(images)
            return images

    return Rebuilt()


def _steps(layer, torch):
    """What one Keras layer computes, as functions of a PyTorch tensor."""
    functional, weights = torch.nn.functional, {w.name: torch.tensor(w.numpy()) for w in layer.weights}
    kind = type(layer).__name__
    if kind == "Conv2D":
        kernel, padding = weights["kernel"].permute(3, 2, 0, 1).contiguous(), layer.padding
        return [
            lambda x: functional.conv2d(x, kernel, weights.get("bias"), stride=layer.strides, padding=padding),
            *_activation(layer, functional),
        ]
    if kind == "Dense":
        return [
            lambda x: functional.linear(x, weights["kernel"].T, weights.get("bias")),
            *_activation(layer, functional),
        ]
    if kind in ("BatchNorm", "BatchNormalization"):
        names = ("moving_mean", "moving_variance", "gamma", "beta")
        return [lambda x: functional.batch_norm(x, *map(weights.get, names), eps=layer.epsilon)]
    if kind == "MaxPooling2D" and layer.padding == "valid":
        return [lambda x: functional.max_pool2d(x, layer.pool_size, layer.strides)]
    if kind == "Flatten":
        return [lambda x: x.permute(0, 2, 3, 1).flatten(1)]  # Keras' order: channels last
    if kind == "Rescaling":
        return [lambda x: x * layer.scale + layer.offset]
    if kind == "Activation":
        return _activation(layer, functional)
    if kind == "Dropout":
        return []
    raise ValueError(f"layer {layer.name!r}: {kind} has no counterpart here yet; add one to helpers.autoattack._steps")


def _activation(layer, functional):
    name = keras.activations.serialize(layer.activation)
    known = {"linear": [], "relu": [functional.relu], "silu": [functional.silu]}
    if name not in known:
        raise ValueError(f"layer {layer.name!r}: the activation {name!r} has no counterpart in helpers.autoattack yet")
    return known[name]


def attack(model, images, labels, name, level):
    """What one of ATTACKS makes of `images` within level/255: float32 like `images`, floats in [0, 1]."""
    import torch
    from pyautoattack import AutoAttack

    judge = AutoAttack(rebuild(model), eps=level / 255, seed=0)
    judge.attacks_to_run = [name]
    x, y = torch.tensor(images).permute(0, 3, 1, 2).contiguous(), torch.tensor(labels)
    found, _ = judge.run_standard_evaluation(x, y, batch_size=128)  # 256 leave the caches and take twice as long
    return found.permute(0, 2, 3, 1).contiguous().numpy()


def report(model, images, labels, level, known=(), keep=lambda rows: None):
    """Run ATTACKS one after another, each on the images that are left: rows {"attack", "accuracy", "robust"}.

    "accuracy" is the fraction of all images that is still classified correctly, by `model` itself and not by its
    rebuilt twin; "robust" lists their indices. `known` holds the rows of an earlier call, `keep` gets all rows after
    each attack.
    """
    rows = list(known)
    for name in ATTACKS[len(rows) :]:
        left = rows[-1]["robust"] if rows else np.flatnonzero(evaluation.predictions(model, images) == labels).tolist()
        if left:
            adversarial = attack(model, images[left], labels[left], name, level)
            assert abs(adversarial - images[left]).max() <= level / 255 + 1e-6
            correct = evaluation.predictions(model, np.clip(adversarial, 0, 1)) == labels[left]
            left = np.asarray(left)[correct].tolist()
        rows.append({"attack": name, "accuracy": len(left) / len(images), "robust": left})
        keep(rows)
    return rows


def main(arguments=None, root=runs.RECORDED):
    parser = argparse.ArgumentParser(prog="python -m helpers.autoattack", description=__doc__.split("\n\n")[0])
    parser.add_argument("name", help="a recorded run, such as adversarial-fgsm")
    parser.add_argument("--dataset", required=True, choices=("cifar10", "sketches"))
    options = parser.parse_args(arguments)
    try:
        run, dataset = runs.load(options.name, options.dataset, root), data.load(options.dataset)
        found = robustness.load(options.name, options.dataset, root)
        some = slice(found["n"])

        def keep(rows):
            entry = {"level": robustness.REPORT_LEVEL, "accuracy": rows[-1]["accuracy"], "attacks": rows}
            target = runs.folder(options.name, options.dataset, root)
            runs.save_record(found | {"AutoAttack": entry}, target, "attacks.json")
            print(f"{options.name}: {rows[-1]['accuracy']:.1%} robust after {rows[-1]['attack']}", flush=True)

        known = found.get("AutoAttack", {}).get("attacks", ())
        images = data.to_float(dataset.x_test[some])
        report(run.model, images, dataset.y_test[some], robustness.REPORT_LEVEL, known, keep)
    except ModuleNotFoundError as error:
        raise SystemExit(f'{error.name} is missing: pip install -e ".[autoattack]"') from None
    except (OSError, ValueError) as error:
        raise SystemExit(str(error)) from None
    except KeyboardInterrupt:
        raise SystemExit("interrupted; the same command continues after the last attack that ended") from None


if __name__ == "__main__":
    main()
