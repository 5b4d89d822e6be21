"""Two sliders, ε and the image, that show what the Fast Gradient Sign Method does. Used in notebooks/05-fgsm.

view.js draws, both in a notebook and in the pages that `to_html` writes. All ε of an image are computed in one batch
when it is first shown, so moving ε asks nothing of the kernel.
"""

import base64
import html
import json
from dataclasses import dataclass
from pathlib import Path

import anywidget
import ipywidgets
import numpy as np
import traitlets

from .. import attacks, evaluation
from ..data import CLASS_NAMES, to_float
from ..models import without_softmax

VIEW = (Path(__file__).parent / "view.js").read_text(encoding="utf-8")
LAST = 32  # ε runs from 0 to 32/255 in steps of 1/255
EPSILONS = np.arange(LAST + 1, dtype=np.float32).reshape(-1, 1, 1, 1) / 255
ATTACKS = ("fgsm", "random")
HANDOUT_IMAGES = 20  # 16 kB each


@dataclass(frozen=True, eq=False)
class Answer:
    """What the network says about one image before and after the attack: class names, float32 probabilities (10,)."""

    label: str
    before: str
    after: str
    probabilities_before: np.ndarray
    probabilities_after: np.ndarray

    @property
    def fooled(self):
        """Right before the attack, and wrong after it."""
        return self.before == self.label != self.after


class _View(anywidget.AnyWidget):
    """The picture and its switches. `epsilon` and `image` follow the sliders within the browser, `shown` is one image's
    data, and `only` is the class that the image slider stops at, -1 for any."""

    _esm = VIEW
    names = traitlets.List().tag(sync=True)
    labels = traitlets.List().tag(sync=True)
    shown = traitlets.Dict().tag(sync=True)
    epsilon = traitlets.Float().tag(sync=True)
    image = traitlets.Int().tag(sync=True)
    attack = traitlets.Enum(ATTACKS, ATTACKS[0]).tag(sync=True)
    only = traitlets.Int(-1).tag(sync=True)


class FgsmExplorer:
    """The two sliders: an image, ε, and what the Fast Gradient Sign Method makes the network say.

    `model` is any Keras classifier of such images, `images` are uint8 (n, 32, 32, 3) in 0–255, `labels` their true
    classes, integers (n,), `image_names` what to call them, "image 0" and so on unless given. `widget` is what a
    notebook shows, `epsilon` and `image` are its sliders: ε from 0 to 32/255 on the scale from 0 to 1, and an index
    into `images`. A switch below them puts random signs, the control, in the place of FGSM.
    Raises TypeError or ValueError for arguments of the wrong kind, shape or range. Used in 05-fgsm.
    """

    def __init__(self, model, images, labels, *, class_names=CLASS_NAMES, image_names=None):
        self._model = without_softmax(model)
        self._names = _checked_names("class_names", class_names, model.output_shape[-1], f"a class of {model.name}")
        self._images, self._labels = _checked(images, labels, len(self._names))
        count = len(self._images)
        image_names = (f"image {index}" for index in range(count)) if image_names is None else image_names
        self._image_names = _checked_names("image_names", image_names, count, "an image")
        self._known = {}
        style = {"description_width": "56px"}
        # The margin on the right is what the last label of the scale below needs.
        layout = ipywidgets.Layout(width="auto", margin="2px 26px 2px 2px")
        self.image = ipywidgets.IntSlider(max=count - 1, description="image", style=style, layout=layout)
        # No readout: it would print the decimal alone, while the view prints "8/255 = 0.031".
        self.epsilon = ipywidgets.FloatSlider(
            max=LAST / 255, step=1 / 255, readout=False, description="ε", style=style, layout=layout
        )
        self._view = _View(names=self._names, labels=self._labels.tolist(), shown=self._packed(0))
        ipywidgets.jslink((self.epsilon, "value"), (self._view, "epsilon"))
        ipywidgets.jslink((self.image, "value"), (self._view, "image"))
        self.image.observe(self._show, "value")
        self._view.on_msg(self._seek)
        # The slider of ipywidgets cannot be drawn where it has nowhere to go.
        sliders = [self.image, self.epsilon] if count > 1 else [self.epsilon]
        self.widget = ipywidgets.VBox([*sliders, self._view], layout=ipywidgets.Layout(max_width="1240px"))

    def __repr__(self):
        return f"FgsmExplorer with {len(self._images):,} images: run the cell in Jupyter to see its sliders"

    def _repr_mimebundle_(self, **kwargs):
        return self.widget._repr_mimebundle_(**kwargs) | {"text/plain": repr(self)}

    def answer(self):
        """The Answer at the values that the sliders and the switch have in the kernel, the same that the view shows."""
        index, nearest = self.image.value, int(255 * self.epsilon.value + 0.5)
        probability = self._computed(index)[self._view.attack][1]
        names = [self._names[row.argmax()] for row in (probability[0], probability[nearest])]
        return Answer(self._names[self._labels[index]], *names, probability[0], probability[nearest])

    def to_html(self, images=None, *, title="The Fast Gradient Sign Method"):
        """A page with the same view and sliders that needs neither kernel nor network, as a string.

        `images` are the indices to include, the first 20 unless given; each adds about 16 kB. `title` should name
        the network and the data set. Raises TypeError for what is no index, ValueError for one out of range, or none.
        """
        count = len(self._images)
        chosen = list(range(min(HANDOUT_IMAGES, count)) if images is None else images)
        if not all(isinstance(index, (int, np.integer)) for index in chosen):
            raise TypeError(f"images={chosen}: expected indices, whole numbers from 0 to {count - 1}")
        if not chosen or not all(0 <= index < count for index in chosen):
            raise ValueError(f"images={chosen}: expected at least one index, each from 0 to {count - 1}")
        packed = [_in_base64(self._packed(int(index))) for index in chosen]
        # Inside a script, only "<" could end it.
        data = json.dumps({"names": self._names, "images": packed}).replace("<", "\\u003c")
        return PAGE.format(title=html.escape(title), view=VIEW, data=data)

    def _direction(self, attack, indices):
        """What an attack steps along, float32 (n, 32, 32, 3): an image always gets the same random signs."""
        images = to_float(self._images[indices])
        if attack == "fgsm":
            return attacks.gradient_sign(self._model, images, self._labels[indices])
        return np.stack([attacks.random_signs(images.shape[1:], seed=int(index)) for index in indices])

    def _computed(self, index):
        """For each attack: its direction, int8 (32, 32, 3), and the probabilities at every ε, float32 (33, 10)."""
        if index not in self._known:
            image = to_float(self._images[index : index + 1])
            ways = np.concatenate([self._direction(attack, [index]) for attack in ATTACKS])
            moved = np.concatenate([attacks.perturb(image, way, EPSILONS) for way in ways])
            probability = evaluation.probabilities(self._model, moved).reshape(len(ATTACKS), LAST + 1, -1)
            probability.setflags(write=False)  # `answer` hands out parts of it
            self._known[index] = dict(zip(ATTACKS, zip(ways.astype(np.int8), probability)))
        return self._known[index]

    def _packed(self, index):
        """One image's data as view.js reads it."""
        rays = {
            attack: {"sign": sign.tobytes(), "probabilities": probability.astype("<f4").tobytes()}
            for attack, (sign, probability) in self._computed(index).items()
        }
        label, name = int(self._labels[index]), self._image_names[index]
        return {"place": index, "name": name, "label": label, "pixels": self._images[index].tobytes(), "rays": rays}

    def _show(self, change):
        # On the way to an image of the chosen class the slider passes others, which nobody gets to see.
        if self._view.only in (-1, self._labels[change.new]):
            self._view.shown = self._packed(change.new)

    def _seek(self, view, wanted, buffers):
        """Move to the next image that is fooled with what the view has `wanted`, or say that there is none."""
        order = np.roll(np.arange(len(self._images)), -wanted["place"])[1:]
        order = order[(wanted["only"] == -1) | (self._labels[order] == wanted["only"])]
        epsilon, start, size = wanted["level"] / 255, 0, 4
        while start < len(order):
            part = order[start : start + size]
            images, labels = to_float(self._images[part]), self._labels[part]
            moved = attacks.perturb(images, self._direction(wanted["attack"], part), epsilon)
            before, after = (evaluation.predictions(self._model, x) for x in (images, moved))
            fooled = part[(before == labels) & (after != labels)]
            if len(fooled):
                self.image.value = int(fooled[0])
                return
            start, size = start + size, min(2 * size, attacks.BATCH_SIZE)
        self._view.send("nothing found")


def _in_base64(packed):
    if isinstance(packed, dict):
        return {key: _in_base64(value) for key, value in packed.items()}
    return base64.b64encode(packed).decode() if isinstance(packed, bytes) else packed


def _checked_names(argument, names, count, each):
    names = [str(name) for name in names]
    if len(names) != count:
        raise ValueError(f"{argument}: expected {count} names, one {each}, got {len(names)}")
    return names


def _checked(images, labels, classes):
    images, labels = np.asarray(images), np.asarray(labels)
    if images.dtype != np.uint8:
        raise TypeError(
            f"images: expected uint8 in 0–255, got {images.dtype}; pass them as helpers.data.load returns them"
        )
    if images.ndim != 4 or images.shape[1:] != (32, 32, 3) or not len(images):
        raise ValueError(
            f"images: expected shape (n, 32, 32, 3), n at least 1, got {images.shape}; one alone is images[i : i + 1]"
        )
    if labels.shape != images.shape[:1]:
        raise ValueError(
            f"labels: expected one class number an image, shape ({len(images)},), got {labels.shape}; "
            "labels.ravel() flattens a column, labels.argmax(axis=1) reads one-hot labels"
        )
    if labels.dtype.kind not in "iu":
        raise TypeError(f"labels: expected integers, got {labels.dtype}; try labels.astype(int)")
    if not (labels.min() >= 0 and labels.max() < classes):
        raise ValueError(f"labels: expected classes 0 to {classes - 1}, got {labels.min()} to {labels.max()}")
    return images, labels


PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>{title}</title>
<style>
body {{ max-width: 1240px; margin: 0 auto; padding: 12px 16px; font-family: system-ui, sans-serif; }}
h1 {{ font-size: 24px; margin: 4px 0 12px; }}
</style>
</head>
<body>
<h1>{title}</h1>
<div id="explorer"></div>
<noscript>This page draws its pictures with JavaScript, which is switched off.</noscript>
<script type="module">
{view}
handout(document.getElementById("explorer"), {data});
</script>
</body>
</html>
"""
