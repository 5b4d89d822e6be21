"""The figures of notebooks/04-evaluation."""

import numpy as np

from .style import BLUE, GREY, ORANGE, WIDTH, new_figure, styled


@styled
def intervals(rows):
    """Accuracies with their 95% confidence intervals; `rows` are (name, accuracy, margin), shares in [0, 1]."""
    figure, axis = new_figure(height=0.75 * len(rows) + 1.1)
    for place, (_, accuracy, margin) in enumerate(reversed(rows)):
        axis.errorbar(
            100 * accuracy, place, xerr=100 * margin, fmt="o", color=BLUE, capsize=6, markersize=9, linewidth=3
        )
        axis.annotate(
            f"{100 * accuracy:.1f} ± {100 * margin:.1f}",
            (100 * accuracy, place),
            (0, 11),
            textcoords="offset points",
            ha="center",
            color=BLUE,
        )
    axis.set(yticks=range(len(rows)), yticklabels=[row[0] for row in reversed(rows)], xlabel="accuracy (%)")
    axis.set_ylim(-0.5, len(rows) - 0.3)
    return figure


@styled
def confusion(matrix, names):
    """How often each class (row) was taken for each class (column), in percent of the row; the diagonal is grey."""
    figure, axis = new_figure(height=7.6)
    share = 100 * matrix / np.maximum(matrix.sum(axis=1, keepdims=True), 1)
    mistakes = np.where(np.eye(len(names), dtype=bool), np.nan, share)
    axis.imshow(mistakes, cmap="Blues", vmin=0, aspect="auto")
    bright = np.nanmax(mistakes) / 2
    for (row, column), value in np.ndenumerate(share):
        colour = GREY if row == column else "white" if value > bright else "black"
        axis.text(column, row, f"{value:.0f}", ha="center", va="center", color=colour, fontsize=15)
    axis.set_xticks(range(len(names)), names, rotation=35, ha="right")
    axis.set_yticks(range(len(names)), names)
    axis.set(xlabel="the network's answer", ylabel="true class", title="Percent of each true class")
    axis.spines[:].set_visible(False)
    return figure


@styled
def precision_recall(precision, recall, names):
    """Two dots a class, sorted by recall: hollow for precision, filled for recall."""
    figure, axis = new_figure(height=5.2)
    order = np.argsort(recall)
    places = np.arange(len(names))
    axis.hlines(places, 100 * precision[order], 100 * recall[order], color="#C8CCD1", linewidth=5)
    axis.plot(
        100 * precision[order], places, "o", color="white", markeredgecolor=ORANGE, markeredgewidth=2.5, markersize=12
    )
    axis.plot(100 * recall[order], places, "o", color=BLUE, markersize=12)
    axis.set_yticks(places, [names[number] for number in order])
    top = order[-1]
    for value, name, colour in ((precision[top], "precision", ORANGE), (recall[top], "recall", BLUE)):
        axis.annotate(
            name,
            (100 * value, len(names) - 1),
            (0, 14),
            textcoords="offset points",
            color=colour,
            ha="right" if value == min(precision[top], recall[top]) else "left",
        )
    axis.set(xlabel="percent", ylim=(-0.6, len(names) - 0.1))
    axis.grid(axis="x", color="#E5E7EA")
    return figure


@styled
def labelled_images(images, captions, columns=6):
    """Pictures in a grid, each with its caption (up to three lines) below."""
    rows = -(-len(images) // columns)
    figure, axes = new_figure(rows, columns, height=rows * (WIDTH / columns + 0.95), squeeze=False)
    for axis in axes.flat:
        axis.axis("off")
    for axis, image, caption in zip(axes.flat, images, captions, strict=False):
        axis.imshow(image)
        axis.set_title(caption, y=-0.07, va="top", fontsize=13, linespacing=1.15)
    return figure


@styled
def reliability_diagram(confidence, share, count, error):
    """Accuracy against stated probability, a dot for each bin with its area growing with the number of answers."""
    figure, axis = new_figure(height=5)
    axis.plot([0, 100], [0, 100], "--", color=GREY, linewidth=1.5)
    axis.text(38, 41, "honest: 80% means right in 80%", rotation=33, color=GREY, ha="center", va="bottom")
    axis.scatter(100 * confidence, 100 * share, s=60 + 900 * count / count.max(), color=BLUE, alpha=0.85)
    axis.text(98, 6, f"expected calibration error {100 * error:.1f} points", ha="right", color=BLUE)
    axis.set(xlabel="probability that the network gives its answer (%)", ylabel="share of right answers (%)")
    axis.set(xlim=(0, 103), ylim=(0, 103))
    return figure
