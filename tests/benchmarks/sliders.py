"""The explorer's picture behind one slider, drawn in the ways that a reader would try first.

bench.py moves them in a browser. All numbers are computed beforehand, so that what is timed is the drawing alone.
"""

import io

import ipywidgets
import numpy as np
from IPython import get_ipython
from IPython.display import display
from matplotlib.figure import Figure
from PIL import Image

from helpers import attacks, data, evaluation, explorer, runs

SIZE = (9, 2.4)  # inches

dataset = data.load()
network = runs.load("vgg3", dataset.name).model
picture, label = data.to_float(dataset.x_test[:1]), dataset.y_test[:1]
sign = attacks.gradient_sign(network, picture, label)
moved = attacks.perturb(picture, sign, explorer.rays.EPSILONS)
probability = evaluation.probabilities(network, moved)


def pictures(k):
    """Original, perturbation and adversarial image at ε = k/255, floats (32, 32, 3) in [0, 1]."""
    return picture[0], (sign[0] if k else 0 * sign[0]) / 2 + 0.5, moved[k]


def below_slider(show, *widgets):
    slider = ipywidgets.IntSlider(max=explorer.LAST, description="ε")
    slider.observe(lambda change: show(change.new), "value")
    display(ipywidgets.VBox([slider, *widgets]))


def here():
    """This project's own."""
    display(explorer.FgsmExplorer(network, dataset.x_test[:100], dataset.y_test[:100]).widget)


def panels(figure, k):
    axes = figure.subplots(1, 4, width_ratios=[1, 1, 1, 1.4])
    images = [axis.imshow(image) for axis, image in zip(axes, pictures(k))]
    bars = axes[3].barh(data.CLASS_NAMES, probability[k])
    axes[3].set_xlim(0, 1)
    return images, bars


def interact():
    """A new figure for each ε."""
    get_ipython().run_line_magic("matplotlib", "inline")  # figures are shown as PNG

    def show(k):
        figure = Figure(figsize=SIZE, layout="tight")
        panels(figure, k)
        display(figure)

    ipywidgets.interact(show, k=ipywidgets.IntSlider(max=explorer.LAST, description="ε"))


def ipympl():
    """One figure that stays in the browser and takes new data."""
    from ipympl.backend_nbagg import Canvas, FigureManager

    figure = Figure(figsize=SIZE, layout="tight")
    canvas = Canvas(figure)
    FigureManager(canvas, 0)
    images, bars = panels(figure, 0)

    def show(k):
        for image, level in zip(images, pictures(k)):
            image.set_data(level)
        for bar, share in zip(bars, probability[k]):
            bar.set_width(share)
        canvas.draw_idle()

    below_slider(show, canvas)


def image_widgets():
    """Three pictures as PNG and one piece of HTML, without matplotlib."""
    images = [ipywidgets.Image(layout=ipywidgets.Layout(width="192px", height="192px")) for _ in range(3)]
    bars = ipywidgets.HTML()

    def show(k):
        for image, level in zip(images, pictures(k)):
            memory = io.BytesIO()
            Image.fromarray(np.uint8(255 * level + 0.5)).save(memory, "PNG")
            image.value = memory.getvalue()
        bars.value = "".join(
            f"<div style='line-height: 18px; background: linear-gradient(#9cf 0 0) 0 0 / {share:.0%} no-repeat'>"
            f"{name} {share:.0%}</div>"
            for name, share in zip(data.CLASS_NAMES, probability[k])
        )

    show(0)
    below_slider(show, ipywidgets.HBox([*images, bars]))
