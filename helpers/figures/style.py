"""What all figures share: colours by role, sizes, and the empty figure.

Figures are built without pyplot, so nothing is drawn twice or kept open. A colour has one role in the whole series and
never carries meaning alone: each line is also named beside its end.
"""

import matplotlib
import numpy as np
from matplotlib.figure import Figure

# Which images an accuracy or a loss was measured on; the two colours are those of the slides' learning curves.
TRAIN = "#0072B2"
TEST = VALIDATION = "#C05400"  # either way, images that the network was not trained on

# What was done to the images before the network saw them.
CLEAN = "#1F2328"
NOISE = "#6B7178"  # random-sign noise, the control: grey, because nothing was aimed at the network
FGSM = "#8F1466"
PGD = "#5200CC"
ATTACK_COLOURS = {"clean": CLEAN, "random-sign noise": NOISE, "FGSM": FGSM, "PGD": PGD}

# How the network was trained.
STANDARD = "#6B3410"
ROBUST = "#00523D"  # adversarially trained

# Colours without a role: for a single series, for two quantities that are not compared elsewhere, for guides and grids.
INK, GREY, FAINT = "#1F2328", "#5A6068", "#C8CCD1"
MARK = "#FFC400"  # frames on images; too light for words

# tests/test_figures.py holds all of them to contrast on white and to distances that colour-blind people see.
ROLES = {"TRAIN": TRAIN, "TEST": TEST, **ATTACK_COLOURS, "STANDARD": STANDARD, "ROBUST": ROBUST}

# A figure 10 inches wide fills a projector's 1280 pixels, so that 14 points can be read from the last row.
WIDTH, DPI, SMALLEST_FONT = 10, 100, 14

STYLE = {
    "font.size": SMALLEST_FONT,
    "axes.titlesize": 16,
    "figure.titlesize": 16,
    "text.color": INK,
    "axes.labelcolor": INK,
    "axes.edgecolor": GREY,
    "xtick.color": GREY,
    "xtick.labelcolor": INK,
    "ytick.color": GREY,
    "ytick.labelcolor": INK,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "lines.linewidth": 2.5,
    "image.interpolation": "nearest",
}
# Decorates each function that draws: the reader's own figures keep the reader's own style.
styled = matplotlib.rc_context(STYLE)


def new_figure(rows=1, columns=1, height=4.0, **subplots):
    """An empty figure of the series' width, `height` in inches, and its axes."""
    figure = Figure(figsize=(WIDTH, height), layout="constrained")
    return figure, figure.subplots(rows, columns, **subplots)


def label_lines(axis, x, labels):
    """Write each name beside the end of its line, pushed apart where lines end close together.

    `labels` maps a name to (the line's last value, its colour), in data coordinates.
    """
    low, high = axis.get_ylim()
    line, below = 0.078 * (high - low), -np.inf
    for name, (value, colour) in sorted(labels.items(), key=lambda item: item[1][0]):
        half = line * (1 + name.count("\n")) / 2
        place = max(value, below + half)
        below = place + half
        axis.annotate(
            name, (x, value), (1.03 * x, place), color=colour, va="center", annotation_clip=False, linespacing=0.9
        )
    axis.margins(x=0.02)
