"""What all figures share: colours by role, sizes, and the empty figure.

Figures are built without pyplot, so nothing is drawn twice or kept open. Colours are those of Okabe and Ito, some of
them darker; they never carry meaning alone.
"""

import matplotlib
import numpy as np
from matplotlib.figure import Figure

# Dark enough for words on white, and as far apart for the colour-blind as for others: tests/test_site.py measures both.
BLUE, ORANGE, GREEN, GREY = "#0072B2", "#C05400", "#006240", "#5A6068"
# What a colour means, throughout the series. Training is blue and test is orange, as on the slides.
TRAIN, TEST = BLUE, ORANGE

# A figure 10 inches wide fills a projected notebook, so 14 points are readable from the last row.
WIDTH, DPI = 10, 100

STYLE = {
    "font.size": 14,
    "axes.titlesize": 15,
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
    """Write each name beside the end of its line, pushed apart where lines end close together."""
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
