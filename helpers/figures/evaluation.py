"""The figures of notebooks/04-evaluation."""

import numpy as np
from matplotlib.colors import PowerNorm

from .style import FAINT, GREY, GRID, INK, TEST, WIDTH, new_figure, styled

# One scale for every confusion matrix of the series; by square roots, so that errors of a few percent can be seen.
PERCENT = PowerNorm(0.5, 0, 100)


@styled
def intervals(rows):
    """Accuracies on test images with their confidence intervals.

    `rows` are (name, accuracy, low, high), fractions in [0, 1].
    """
    figure, axis = new_figure(height=0.8 * len(rows) + 1.1)
    for place, (_, *fractions) in enumerate(rows):
        accuracy, low, high = (100 * fraction for fraction in fractions)
        axis.errorbar(
            accuracy,
            place,
            xerr=[[accuracy - low], [high - accuracy]],
            fmt="o",
            color=TEST,
            capsize=7,
            markersize=9,
            linewidth=3,
        )
        axis.annotate(
            f"{accuracy:.1f}%  ({low:.1f} to {high:.1f})",
            (accuracy, place),
            (0, 12),
            textcoords="offset points",
            ha="center",
            color=TEST,
        )
    axis.set(yticks=range(len(rows)), yticklabels=[row[0] for row in rows], xlabel="accuracy on test images (%)")
    axis.set_ylim(len(rows) - 0.5, -0.7)
    axis.margins(x=0.25)
    # Room for the words, but none for accuracies that do not exist.
    low, high = axis.get_xlim()
    axis.set_xticks([tick for tick in axis.get_xticks() if max(0, low) <= tick <= min(high, 100)])
    axis.set_xlim(low, high)
    return figure


@styled
def confusion(matrix, names):
    """How often each class (row) was taken for each class (column), in percent of the row.

    `matrix` counts images (classes, classes). All confusion matrices of the series share one colour scale.
    """
    figure, axis = new_figure(height=5.0)
    percent = 100 * matrix / np.maximum(matrix.sum(axis=1, keepdims=True), 1)
    # Cells and not an image, so that a dark theme may turn light and dark around.
    cells = axis.pcolormesh(percent, cmap="bone_r", norm=PERCENT, edgecolors="white", linewidth=1)
    for (row, column), value in np.ndenumerate(percent):
        ink = "white" if PERCENT(value) > 0.5 else INK
        weight = "bold" if row == column else "normal"
        axis.text(column + 0.5, row + 0.5, f"{value:.0f}", ha="center", va="center", color=ink, weight=weight)
    middle = np.arange(len(names)) + 0.5
    axis.set_xticks(middle, names, rotation=35, ha="right", rotation_mode="anchor")
    axis.set_yticks(middle, names)
    axis.invert_yaxis()
    axis.set(xlabel="predicted class", ylabel="true class")
    axis.tick_params(length=0)
    axis.spines[:].set_visible(False)
    bar = figure.colorbar(cells, ax=axis, ticks=[0, 1, 5, 10, 25, 50, 100], pad=0.02, aspect=24)
    bar.set_label("percent of the true class")
    bar.outline.set_visible(False)
    return figure


@styled
def precision_recall(precision, recall, names):
    """Two dots per class, sorted by recall: hollow for precision, filled for recall; fractions (classes,) in [0, 1]."""
    figure, axis = new_figure(height=5.2)
    order = np.argsort(recall)
    places = np.arange(len(names))
    axis.hlines(places, 100 * precision[order], 100 * recall[order], color=FAINT, linewidth=5)
    hollow = {"markerfacecolor": "white", "markeredgecolor": INK, "markeredgewidth": 2.5, "markersize": 11}
    axis.plot(100 * precision[order], places, "s", label="precision", clip_on=False, **hollow)
    axis.plot(100 * recall[order], places, "o", label="recall", clip_on=False, color=INK, markersize=12)
    axis.set_yticks(places, [names[number] for number in order])
    axis.legend(loc="lower center", bbox_to_anchor=(0.5, 1), ncols=2, frameon=False)
    axis.set(xlabel="percent", xlim=(None, min(100, axis.get_xlim()[1])), ylim=(-0.6, len(names) - 0.4))
    axis.grid(axis="x", color=GRID)
    axis.set_axisbelow(True)
    return figure


@styled
def labelled_images(images, captions, columns=5):
    """Images in a grid, each with its caption below: up to three lines of up to 16 characters."""
    rows = -(-len(images) // columns)
    figure, axes = new_figure(rows, columns, height=rows * (WIDTH / columns + 1), squeeze=False)
    for axis in axes.flat:
        axis.set(xticks=[], yticks=[])
        axis.spines[:].set_visible(False)
    for axis, image, caption in zip(axes.flat, images, captions, strict=False):
        axis.imshow(image)
        axis.set_xlabel(caption, linespacing=1.15)
    return figure


@styled
def reliability_diagram(panels):
    """Accuracy against confidence in bins, one panel for each entry of `panels`.

    `panels` maps a title to what evaluation.calibration returns: confidences, accuracies, counts and the expected
    calibration error. The area of a dot grows with the number of predictions in its bin.
    """
    figure, axes = new_figure(columns=len(panels), height=5, sharey=True, squeeze=False)
    for axis, (title, (confidence, accuracy, count, error)) in zip(axes.flat, panels.items(), strict=True):
        axis.plot([0, 100], [0, 100], "--", color=GREY, linewidth=1.5)
        axis.scatter(100 * confidence, 100 * accuracy, s=40 + 500 * count / count.max(), color=TEST, alpha=0.9)
        axis.text(97, 6, f"expected calibration\nerror {100 * error:.1f} points", ha="right", color=TEST)
        axis.text(4, 90, "dashed: calibrated", color=GREY)
        axis.set(title=title, xlabel="confidence (%)", xlim=(0, 100), ylim=(0, 100))
        axis.set_aspect("equal")
        for artist in axis.collections:
            artist.set_clip_on(False)  # a dot at 100% stays whole
    axes[0, 0].set_ylabel("accuracy (%)")
    return figure
