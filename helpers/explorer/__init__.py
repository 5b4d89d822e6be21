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
from ..models import up_to_logits

VIEW = (Path(__file__).parent / "view.js").read_text(encoding="utf-8")
LAST = 32  # ε runs from 0 to 32/255 in steps of 1/255
EPSILONS = np.arange(LAST + 1, dtype=np.float32).reshape(-1, 1, 1, 1) / 255
HANDOUT_IMAGES = 20  # 10 kB each


@dataclass(frozen=True, eq=False)
class Answer:
    """What the network says about one image: class names, and float32 probabilities (10,), before and after FGSM."""

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
    """The picture: `epsilon` and `image` follow the sliders within the browser, `shown` is one image's data."""

    _esm = VIEW
    names = traitlets.List().tag(sync=True)
    shown = traitlets.Dict().tag(sync=True)
    epsilon = traitlets.Float().tag(sync=True)
    image = traitlets.Int().tag(sync=True)


class FgsmExplorer:
    """The two sliders: an image, ε, and what the Fast Gradient Sign Method makes the network say.

    `model` is any Keras classifier of such images, `images` are uint8 (n, 32, 32, 3) in 0–255, `labels` their true
    classes, integers (n,). `widget` is what a notebook shows, `epsilon` and `image` are its sliders: ε from 0 to
    32/255 on the scale from 0 to 1, and an index into `images`.
    Raises TypeError or ValueError for arguments of the wrong kind, shape or range. Used in 05-fgsm.
    """

    def __init__(self, model, images, labels, *, class_names=CLASS_NAMES):
        self._model = up_to_logits(model)
        self._names = _checked_names(class_names, model)
        self._images, self._labels = _checked(images, labels, len(self._names))
        self._known = {}
        style = {"description_width": "56px"}
        # The margin on the right is what the last label of the scale below needs.
        layout = ipywidgets.Layout(width="auto", margin="2px 26px 2px 2px")
        self.image = ipywidgets.IntSlider(max=len(self._images) - 1, description="image", style=style, layout=layout)
        # No readout: it would print the decimal alone, while the view prints "8/255 = 0.031".
        self.epsilon = ipywidgets.FloatSlider(
            max=LAST / 255, step=1 / 255, readout=False, description="ε", style=style, layout=layout
        )
        self._view = _View(names=self._names, shown=self._packed(0))
        ipywidgets.jslink((self.epsilon, "value"), (self._view, "epsilon"))
        ipywidgets.jslink((self.image, "value"), (self._view, "image"))
        self.image.observe(self._show, "value")
        # The slider of ipywidgets cannot be drawn where it has nowhere to go.
        sliders = [self.image, self.epsilon] if len(self._images) > 1 else [self.epsilon]
        self.widget = ipywidgets.VBox([*sliders, self._view], layout=ipywidgets.Layout(max_width="1080px"))

    def __repr__(self):
        return f"FgsmExplorer with {len(self._images):,} images: run the cell in Jupyter to see its sliders"

    def _repr_mimebundle_(self, **kwargs):
        return self.widget._repr_mimebundle_(**kwargs) | {"text/plain": repr(self)}

    def answer(self):
        """The Answer at the sliders' values in the kernel, the same that the view shows."""
        index, nearest = self.image.value, int(255 * self.epsilon.value + 0.5)
        probability = self._computed(index)[1]
        names = [self._names[row.argmax()] for row in (probability[0], probability[nearest])]
        return Answer(self._names[self._labels[index]], *names, probability[0], probability[nearest])

    def to_html(self, images=None, *, title="The Fast Gradient Sign Method"):
        """A page with the same view and sliders that needs neither kernel nor network, as a string.

        `images` are the indices to include, the first 20 unless given; each adds about 10 kB. `title` should name
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

    def _computed(self, index):
        """The gradient's sign, int8 (32, 32, 3), and the probabilities at every ε, float32 (33, 10)."""
        if index not in self._known:
            image = to_float(self._images[index : index + 1])
            sign = attacks.gradient_sign(self._model, image, self._labels[index : index + 1])
            probability = evaluation.probabilities(self._model, attacks.step(image, sign, EPSILONS))
            probability.setflags(write=False)  # `answer` hands out parts of it
            self._known[index] = sign[0].astype(np.int8), probability
        return self._known[index]

    def _packed(self, index):
        """One image's data as view.js reads it."""
        sign, probability = self._computed(index)
        return {
            "index": index,
            "label": int(self._labels[index]),
            "pixels": self._images[index].tobytes(),
            "sign": sign.tobytes(),
            "probabilities": probability.astype("<f4").tobytes(),
        }

    def _show(self, change):
        self._view.shown = self._packed(change.new)


def _in_base64(packed):
    return {k: base64.b64encode(v).decode() if isinstance(v, bytes) else v for k, v in packed.items()}


def _checked_names(class_names, model):
    names, classes = [str(name) for name in class_names], model.output_shape[-1]
    if len(names) != classes:
        raise ValueError(f"class_names: expected {classes} names, one a class of {model.name}, got {len(names)}")
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
body {{ max-width: 1080px; margin: 0 auto; padding: 12px 16px; font-family: system-ui, sans-serif; }}
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
