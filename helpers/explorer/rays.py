"""What the kernel computes for the sliders: an image's way under an attack, and the predictions at each ε. See 05-fgsm.

lanes.js is the same for pages without a kernel.
"""

import zlib

import numpy as np

from .. import attacks, evaluation
from ..data import to_float
from .page import LAST, PGD_STEP, PGD_STEPS

# The attacks, in a notebook and in a page: what the view shows of them. Here and in lanes.js they are computed.
ATTACKS = {"fgsm": "FGSM", "random": "random-sign noise", "pgd": f"PGD, {PGD_STEPS} steps", "target": "make it a …"}
PATHS = {"pgd"}  # of several steps: another path for each ε, while the others move along one direction
EPSILONS = np.arange(LAST + 1, dtype=np.float32).reshape(-1, 1, 1, 1) / 255


class Rays:
    """The attacks on `images`, uint8 (n, 32, 32, 3), with true classes `labels`, by networks {name: classifier}.

    `attack` is a key of ATTACKS, `level` the numerator n of ε = n/255, `target` the class of the targeted attack.
    """

    def __init__(self, models, images, labels):
        self._models, self._images, self._labels, self._known = models, images, labels, {}

    def of(self, name, index, attack, target, level):
        """One network under one attack: its probabilities at every ε, float32 (LAST + 1, classes), and what moves the image.

        Of an attack in PATHS, only `level` is computed; other rows are nan until asked for.
        """
        model = self._models[name]
        weights = tuple(zlib.crc32(weight.numpy()) for weight in model.weights)  # which may be trained on
        key = (name, index, attack, target if attack == "target" else None, weights)
        image, one = to_float(self._images[index : index + 1]), [index]
        if attack not in PATHS:
            if key not in self._known:
                way = self._direction(model, attack, target, one)
                moved = attacks.perturb(image, way, EPSILONS)
                found = {"sign": way[0].astype(np.int8), "probabilities": evaluation.probabilities(model, moved)}
                self._known[key] = found
            return self._known[key]
        ray = self._known.setdefault(key, {"moved": {}})
        for new in {0, level} - set(ray["moved"]):
            moved = self._end(model, attack, one, new) if new else image
            row = evaluation.probabilities(model, moved)[0]
            ray.setdefault("probabilities", np.full((LAST + 1, len(row)), np.nan, np.float32))[new] = row
            ray["moved"][new] = np.rint(255 * moved[0]).astype(np.uint8)
        return ray

    def fooled(self, name, indices, attack, target, level):
        """Which images are correct before the attack and wrong after it: booleans (n,)."""
        model, images, labels = self._models[name], to_float(self._images[indices]), self._labels[indices]
        if attack in PATHS:
            moved = np.concatenate([self._end(model, attack, [index], level) for index in indices])
        else:
            moved = attacks.perturb(images, self._direction(model, attack, target, indices), level / 255)
        before, after = (evaluation.predictions(model, x) for x in (images, moved))
        return (before == labels) & (after != labels)

    def _direction(self, model, attack, target, indices):
        """What an attack of one step moves along, float32 (n, 32, 32, 3): an image always gets the same noise."""
        images = to_float(self._images[indices])
        if attack == "fgsm":
            return attacks.gradient_sign(model, images, self._labels[indices])
        if attack == "target":
            return -attacks.gradient_sign(model, images, np.full(len(images), target))
        if attack != "random":
            raise ValueError(f"attack={attack!r}: explorer/rays.py computes no such attack of one step")
        return np.stack([attacks.random_signs(images.shape[1:], seed=int(index)) for index in indices])

    def _end(self, model, attack, indices, level):
        """Where the path of an attack of several steps ends, float32 (n, 32, 32, 3)."""
        if attack != "pgd":
            raise ValueError(f"attack={attack!r}: explorer/rays.py computes no such attack of several steps")
        images, epsilon = to_float(self._images[indices]), level / 255
        steps = {"step_size": PGD_STEP * epsilon, "steps": PGD_STEPS, "seed": int(indices[0])}
        return attacks.pgd(model, images, self._labels[indices], epsilon, **steps)
