"""The figures of notebooks/06-defence."""

import numpy as np

from .style import BLUE, GREEN, ORANGE, label_lines, new_figure, styled


@styled
def epochs_under_attack(history):
    """Accuracy on test images after each epoch: untouched, under FGSM, and under PGD."""
    figure, axis = new_figure(height=4.6)
    epochs = np.arange(1, len(history["loss"]) + 1)
    lines = {"untouched": ("test_accuracy", BLUE), "FGSM": ("fgsm_accuracy", ORANGE), "PGD": ("pgd_accuracy", GREEN)}
    for key, colour in lines.values():
        axis.plot(epochs, 100 * np.array(history[key]), "o-", color=colour, markersize=8)
    axis.set(xlabel="epoch", ylabel="accuracy (%)", ylim=(0, 100), xticks=epochs[:: -(-len(epochs) // 10)])
    label_lines(axis, epochs[-1], {name: (100 * history[key][-1], colour) for name, (key, colour) in lines.items()})
    return figure


@styled
def clean_vs_robust(points):
    """What a defence costs and gains: each network's accuracy on untouched images, and under attack.

    `points` maps a name to (accuracy, accuracy under attack, colour), in [0, 1].
    """
    figure, axis = new_figure(height=5.2)
    for number, (name, (clean, robust, colour)) in enumerate(points.items()):
        place = 100 * clean, 100 * robust
        above = 14 if number % 2 == 0 else -28  # names of neighbours stay apart
        axis.plot(*place, "o", color=colour, markersize=12)
        axis.annotate(name, place, (0, above), textcoords="offset points", color=colour, ha="center")
    axis.set(xlabel="accuracy on untouched images (%)", ylabel="accuracy under PGD (%)")
    axis.margins(x=0.15, y=0.25)
    axis.set_yticks([tick for tick in axis.get_yticks() if tick >= 0])  # room for names is no accuracy
    return figure
