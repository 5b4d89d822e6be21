"""What all figures share: colours by role, sizes, and the empty figure.

Figures are built without pyplot, so nothing is drawn twice or kept open. A colour has one role in the whole series and
never carries meaning alone: each line is also named beside its end.
"""

import itertools

import matplotlib
from matplotlib.figure import Figure

# Which images an accuracy or a loss was measured on; the two colours are those of the slides' learning curves.
TRAIN = "#0072B2"
TEST = "#C05400"  # validation images as well: either way, the network was not trained on them

# What was done to the images before the network saw them.
CLEAN = "#1F2328"
NOISE = "#6B7178"  # random-sign noise, the control: grey, because nothing was aimed at the network
FGSM = "#8F1466"
PGD = "#5200CC"
# AutoAttack, most of which is PGD with adaptive steps, shares the colour of PGD and differs by its marker.
ATTACK_COLOURS = {"clean": CLEAN, "random-sign noise": NOISE, "FGSM": FGSM, "PGD": PGD, "AutoAttack": PGD}

# Colours without a role: for a single series, for two quantities that are not compared elsewhere, for guides and grids.
INK, GREY, FAINT, GRID = "#1F2328", "#5A6068", "#C8CCD1", "#E5E7EA"
MARK = "#FFC400"  # frames on images; too light for words
CHANNELS = {"red": "#B3261E", "green": "#1E7B34", "blue": "#1F4FBF"}  # the channels' own colours

# tests/test_figures.py holds all of them to contrast on white and to distances that colour-blind people see.
ROLES = {
    "TRAIN": TRAIN,
    "TEST": TEST,
    "CLEAN": CLEAN,
    "NOISE": NOISE,
    "FGSM": FGSM,
    "PGD": PGD,
}

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

    `labels` maps a name to (the line's last value, its colour), in data coordinates. A name that had to move far is
    joined to its line's end.
    """
    low, high = axis.get_ylim()
    line = 0.078 * (high - low)
    ordered = sorted(labels.items(), key=lambda item: item[1][0])
    places = _apart([value for _, (value, _) in ordered], [line * (1 + name.count("\n")) for name, _ in ordered])
    for (name, (value, colour)), place in zip(ordered, places, strict=True):
        joined = {"arrowstyle": "-", "color": colour, "linewidth": 1, "relpos": (0, 0.5), "shrinkA": 0, "shrinkB": 7}
        axis.annotate(
            name,
            (x, value),
            (1.03 * x if abs(place - value) < line / 3 else 1.05 * x, place),
            color=colour,
            va="center",
            annotation_clip=False,
            linespacing=0.9,
            arrowprops=joined if abs(place - value) >= line / 3 else None,
        )
    axis.margins(x=0.02)


def _apart(values, heights):
    """Centres near the ascending `values` at which labels of these heights do not overlap, moved as little as can be."""
    runs = []  # labels that touch: [where the first begins, how high all are, how many they are]
    for value, height in zip(values, heights, strict=True):
        runs.append([value - height / 2, height, 1])
        while len(runs) > 1 and runs[-2][0] + runs[-2][1] > runs[-1][0]:
            begin, high, count = runs.pop()
            below = runs[-1]
            mean = (below[0] * below[2] + (begin - below[1]) * count) / (below[2] + count)
            runs[-1] = [mean, below[1] + high, below[2] + count]
    centres, remaining = [], iter(heights)
    for begin, _, count in runs:
        for height in itertools.islice(remaining, count):
            centres.append(begin + height / 2)
            begin += height
    return centres
