"""Two sliders, ε and the image, that show what an attack does to one network or several. Used in 05-fgsm and 06-defence.

view.js draws, in a notebook and in pages alike. In a notebook the kernel computes all ε of an image in one batch when
it is first shown, so moving ε asks nothing of it; in a page, network.js computes.
"""

import base64
from dataclasses import dataclass

import anywidget
import ipywidgets
import numpy as np
import traitlets

from .. import attacks
from ..classifier import classifier
from ..data import CLASS_NAMES
from ..validation import checked_images, checked_labels
from . import page, weights
from .page import LAST
from .rays import ATTACKS, PATHS, Rays

PAGE_IMAGES = 20  # 4 kB each
SCRIPTED = int(ipywidgets.__version__.split(".")[0]) >= 8  # before, ipywidgets could not hand out its own outputs


@dataclass(frozen=True, eq=False)
class Answer:
    """What a network predicts for one image before and after the attack: class names, float32 probabilities (10,)."""

    label: str
    before: str
    after: str
    probabilities_before: np.ndarray
    probabilities_after: np.ndarray

    @property
    def fooled(self):
        """Correct before the attack, and wrong after it."""
        return self.before == self.label != self.after


class _View(anywidget.AnyWidget):
    """What view.js shows. `epsilon` and `image` follow the sliders within the browser; `shown` is one image's data."""

    _esm = page.NOTEBOOK
    _css = page.STYLE
    names = traitlets.List().tag(sync=True)
    labels = traitlets.List().tag(sync=True)
    networks = traitlets.List().tag(sync=True)
    titles = traitlets.List().tag(sync=True)
    attacks = traitlets.Dict(ATTACKS).tag(sync=True)
    shown = traitlets.Dict().tag(sync=True)
    epsilon = traitlets.Float().tag(sync=True)
    image = traitlets.Int().tag(sync=True)
    attack = traitlets.Enum(tuple(ATTACKS), "fgsm").tag(sync=True)
    target = traitlets.Int().tag(sync=True)
    network = traitlets.Int().tag(sync=True)
    alone = traitlets.Int(-1).tag(sync=True)
    only = traitlets.Int(-1).tag(sync=True)


class FgsmExplorer:
    """Two sliders, an image and ε, and what an attack makes one network or several predict.

    `model` is any Keras classifier of such images, or a dictionary {name: classifier}: these stand side by side under
    one pair of sliders and one set of switches. `images` are uint8 (n, 32, 32, 3) in 0–255, `labels` their true classes,
    integers (n,), `image_names` what to call them, "image 0" and so on unless given. `widget` is what a notebook shows,
    `epsilon` and `image` are its sliders: ε from 0 to LAST/255 on the scale from 0 to 1, and an index into `images`.
    Where ipywidgets is older than 8 (Colab), the notebook shows the page that `to_html` writes.
    Raises TypeError or ValueError for arguments of the wrong kind, shape or range. Used in 05-fgsm and 06-defence.
    """

    def __init__(self, model, images, labels, *, class_names=CLASS_NAMES, image_names=None):
        models = model if isinstance(model, dict) else {getattr(model, "name", "network"): model}
        self._models = {str(name): network for name, network in models.items()}
        if not self._models:
            raise ValueError("model={}: expected a network, or at least one {name: network}")
        classes = {name: classifier(network).classes for name, network in self._models.items()}
        if len(set(classes.values())) > 1:
            raise ValueError(f"model: the networks distinguish different numbers of classes: {classes}")
        self._names = _checked_names("class_names", class_names, next(iter(classes.values())), "one per class")
        self._images = checked_images(images, (32, 32, 3), dtypes=("uint8",))
        count = len(self._images)
        if not count:
            raise ValueError("images: expected at least one image, got none")
        self._labels = checked_labels(labels, count, len(self._names))
        image_names = (f"image {index}" for index in range(count)) if image_names is None else image_names
        self._image_names = _checked_names("image_names", image_names, count, "one per image")
        self._rays = Rays(self._models, self._images, self._labels)
        self._build_widget(count)

    def _build_widget(self, count):
        style, layout = (
            {"description_width": "56px"},
            ipywidgets.Layout(flex="1 1 260px", width="auto", min_width="240px"),
        )
        self.image = ipywidgets.IntSlider(max=count - 1, description="image", style=style, layout=layout)
        # No readout: it would print the decimal alone, while the view prints "8/255 = 0.031".
        self.epsilon = ipywidgets.FloatSlider(
            max=LAST / 255, step=1 / 255, readout=False, description="ε", style=style, layout=layout
        )
        names = list(self._models)
        self._view = _View(
            names=self._names,
            labels=self._labels.tolist(),
            networks=names,
            titles=names,
            shown=self._packed(0, "fgsm", 0, 0),
        )
        ipywidgets.jslink((self.epsilon, "value"), (self._view, "epsilon"))
        ipywidgets.jslink((self.image, "value"), (self._view, "image"))
        for slider in (self.image, self.epsilon):
            slider.observe(self._show, "value")
        self._view.observe(self._show, ["attack", "target"])
        self._view.on_msg(self._seek)
        # A slider of ipywidgets cannot be drawn where it has nowhere to go.
        sliders = [self.image, self.epsilon] if count > 1 else [self.epsilon]
        row = ipywidgets.HBox(sliders, layout=ipywidgets.Layout(flex_flow="row wrap"))
        self.widget = ipywidgets.VBox([row, self._view], layout=ipywidgets.Layout(max_width="1720px"))
        for widget, name in ((self.image, "image"), (self.epsilon, "epsilon"), (self.widget, "explorer")):
            widget.add_class(f"fgsm-{name}")

    def __repr__(self):
        return f"FgsmExplorer with {len(self._images):,} images: run the cell in Jupyter to see its sliders"

    def _repr_mimebundle_(self, **kwargs):
        # The editions read from the metadata what to show in a page in this output's place.
        about = {"fgsm_explorer": {"networks": list(self._view.networks), "image": self.image.value}}
        if not SCRIPTED:
            return {"text/html": self.to_html(self._first_images(), whole=False), "text/plain": repr(self)}, about
        return self.widget._repr_mimebundle_(**kwargs) | {"text/plain": repr(self)}, about

    def answer(self):
        """The Answer at the values that the sliders and the switches have in the kernel, the same that the view shows.

        With several networks a dictionary {name: Answer}.
        """
        index, level = self.image.value, self._level
        answers = {}
        for name in self._models:
            probability = self._rays.of(name, index, self._view.attack, self._view.target, level)["probabilities"]
            names = [self._names[row.argmax()] for row in (probability[0], probability[level])]
            answers[name] = Answer(
                self._names[self._labels[index]], *names, probability[0].copy(), probability[level].copy()
            )
        return answers if len(answers) > 1 else answers[name]

    def to_html(self, images=None, *, title="The Fast Gradient Sign Method", whole=True):
        """A page with the same view and sliders that needs neither kernel nor network, as a string.

        The page computes by itself, so it takes only networks that `weights.pack` can pack. `images` are the indices to
        include, 20 unless given, the one on the slider first. `title` should name the network and the data set. With
        `whole=False` it is a piece to put into another page.
        Raises ValueError that names a layer the page cannot compute, TypeError for what is not an index, ValueError for
        one that is out of range, or for none.
        """
        chosen = self._checked_indices(self._first_images() if images is None else images)
        names = list(self._view.networks)
        shown = [self._in_page(int(index)) for index in chosen]
        packed = [weights.pack(network) for network in self._models.values()]
        data = {"names": self._names, "networks": names, "titles": names, "attacks": ATTACKS, "packed": packed}
        content = page.piece(data | {"images": shown})
        return page.whole(content, title) if whole else content

    def _first_images(self):
        others = (index for index in range(len(self._images)) if index != self.image.value)
        return [self.image.value, *others][:PAGE_IMAGES]

    def _checked_indices(self, chosen):
        chosen, last = list(chosen), len(self._images) - 1
        if not all(isinstance(index, (int, np.integer)) for index in chosen):
            raise TypeError(f"images={chosen}: expected indices, whole numbers from 0 to {last}")
        if not chosen or not all(0 <= index <= last for index in chosen):
            raise ValueError(f"images={chosen}: expected at least one index, each from 0 to {last}")
        return chosen

    def _in_page(self, index):
        pixels = base64.b64encode(self._images[index].tobytes()).decode()
        return {"name": self._image_names[index], "label": int(self._labels[index]), "pixels": pixels}

    @property
    def _level(self):
        return int(255 * self.epsilon.value + 0.5)

    def _packed(self, index, attack, target, level):
        """One image's data as view.js reads it."""
        rays = []
        for name in self._models:
            ray = self._rays.of(name, index, attack, target, level)
            sent = {"probabilities": ray["probabilities"].astype("<f4").tobytes()}
            sent |= {"sign": ray["sign"].tobytes()} if "sign" in ray else {}
            sent |= {"moved": {str(k): image.tobytes() for k, image in ray["moved"].items()}} if "moved" in ray else {}
            rays.append(sent)
        label, pixels = int(self._labels[index]), self._images[index].tobytes()
        words = {"image": index, "place": index, "name": self._image_names[index], "label": label}
        return words | {"attack": attack, "target": target, "pixels": pixels, "rays": rays}

    def _show(self, change):
        view, index = self._view, self.image.value
        if change.owner is self.epsilon and view.attack not in PATHS:
            return  # the view has every ε
        # On the way to an image of the chosen class the slider passes others, which nobody gets to see.
        if view.only in (-1, self._labels[index]):
            view.shown = self._packed(index, view.attack, view.target, self._level)

    def _seek(self, view, wanted, buffers):
        """Move to the next image on which the network that is pictured is fooled, or say that there is none."""
        name = view.networks[view.network if view.alone < 0 else view.alone]
        order = np.roll(np.arange(len(self._images)), -self.image.value)[1:]
        order = order[(view.only == -1) | (self._labels[order] == view.only)]
        start, size = 0, 4
        while start < len(order):
            part = order[start : start + size]
            fooled = part[self._rays.fooled(name, part, view.attack, view.target, wanted["level"])]
            if len(fooled):
                self.image.value = int(fooled[0])
                return
            start, size = start + size, min(2 * size, attacks.BATCH_SIZE)
        view.send("nothing found")


def _checked_names(argument, names, count, each):
    names = [str(name) for name in names]
    if len(names) != count:
        raise ValueError(f"{argument}: expected {count} names, {each}, got {len(names)}")
    return names
