"""The figures of notebooks/02-architecture."""

import numpy as np
from matplotlib.figure import Figure
from matplotlib.patches import Polygon, Rectangle

from .style import BLUE, GREY, ORANGE, WIDTH, new_figure, styled


@styled
def network_drawing(layers):
    """The network as boxes, from the rows of models.layer_table: as high as the map, as long as it has channels."""
    figure, axis = new_figure(height=4.3)
    left, block, boxes = _stage(axis, 3, [(32, 3)], "picture\n3 channels\n32×32", GREY), 1, []
    for layer in layers:
        if layer.kind == "Conv2D":
            boxes.append((layer.shape[0], layer.shape[2]))
        elif layer.kind == "MaxPooling2D":
            before, after, channels = boxes[-1][0], layer.shape[0], layer.shape[2]
            text = f"block {block}\n{channels} channels\n{before}×{before}\nmax pool\nto {after}×{after}"
            left = _stage(axis, left, boxes, text, BLUE)
            block, boxes = block + 1, []
        elif layer.kind == "Dense":
            units = layer.shape[0]
            axis.add_patch(Rectangle((left + 3, 28 - units / 12), 1.6, units / 6, color=ORANGE))
            axis.text(left + 4, 14, f"dense\n{units}", ha="center", va="top", linespacing=1.3)
            left += 10
    axis.set(xlim=(0, 100), ylim=(0, 43), aspect="equal")
    axis.axis("off")
    return figure


def _stage(axis, left, boxes, text, colour):
    """Boxes of (side, channels) one behind the other with `text` below; returns where the next stage begins."""
    right = left
    for side, channels in boxes:
        height, length, slant = side * 0.6, channels / 14, side / 8
        low, high, end = 28 - height / 2, 28 + height / 2, right + slant + length
        front = [(right, low - slant), (right, high - slant), (right + slant, high), (right + slant, low)]
        flank = [(right + slant, low), (right + slant, high), (end, high), (end, low)]
        for corners, alpha in ((front, 1), (flank, 0.55)):
            axis.add_patch(Polygon(corners, facecolor=colour, edgecolor="white", alpha=alpha))
        right = end + 1
    axis.text((left + right) / 2, 14, text, ha="center", va="top", linespacing=1.3)
    return max(right + 4, left + 15)


@styled
def receptive_fields(image, responses, titles):
    """What one unit can see: `image` in full colour where its response (32, 32) is above 0, faded elsewhere."""
    figure, axes = new_figure(columns=len(responses), height=3.9)
    for axis, response, title in zip(axes, responses, titles, strict=True):
        seen = response > 0
        axis.imshow(np.where(seen[:, :, None], image, 178 + image // 4))
        rows, columns = np.flatnonzero(seen.any(axis=1)), np.flatnonzero(seen.any(axis=0))
        size = (np.ptp(columns) + 1, np.ptp(rows) + 1)
        frame = Rectangle((columns[0] - 0.5, rows[0] - 0.5), *size, fill=False, edgecolor=ORANGE, linewidth=4)
        axis.add_patch(frame)
        axis.set_title(title)
        axis.axis("off")
    return figure


@styled
def cost_shares(names, parameters, multiply_adds):
    """Each part's share of all parameters and of all multiply-adds, two bars a part."""
    figure, axis = new_figure(height=4.6)
    places = np.arange(len(names))
    costs = ((-0.2, parameters, "parameters", ORANGE), (0.2, multiply_adds, "multiply-adds", BLUE))
    for shift, amounts, name, colour in costs:
        shares = 100 * np.asarray(amounts) / np.sum(amounts)
        axis.barh(places + shift, shares, 0.36, color=colour)
        for place, share in zip(places, shares, strict=True):
            label = f" {share:.1f}%" if place else f" {share:.1f}% of the {name}"
            axis.text(share, place + shift, label, color=colour, va="center")
    axis.set_yticks(places, names)
    axis.invert_yaxis()
    axis.set(xlabel="share of the whole network (%)", xlim=(0, 1.2 * shares.max() + 20))
    return figure


@styled
def feature_maps(image, maps, titles):
    """A picture, and for each array of `maps` (side, side, channels) the six channels that answer most, a row each."""
    figure = Figure(figsize=(WIDTH, 4.2), layout="constrained")
    grid = figure.add_gridspec(len(maps), 8)
    picture = figure.add_subplot(grid[:, :2])
    picture.imshow(image)
    picture.axis("off")
    for row, (block, title) in enumerate(zip(maps, titles, strict=True)):
        loudest = np.argsort(-block.mean(axis=(0, 1)))[:6]
        for column, channel in enumerate(loudest, start=2):
            axis = figure.add_subplot(grid[row, column], xticks=[], yticks=[])
            axis.imshow(block[:, :, channel], cmap="gray")
            if column == 2:
                axis.set_ylabel(title, rotation=0, ha="right", va="center", labelpad=8, linespacing=1.3)
    return figure


@styled
def layer_by_layer(curves, ylabel, xlabel="layer", names=None, mark=None):
    """A quantity from layer to layer, on a logarithmic axis; `curves` maps a name to (rows of values, colour).

    Each row is a line. `names` are the layers', else they are counted from 0; `mark` is a (place, text) to point at.
    """
    figure, axis = new_figure(height=4.6)
    for name, (rows, colour) in curves.items():
        axis.plot(np.transpose(rows), "o-", color=colour, linewidth=1.8, markersize=6 if names else 3)
        end = np.exp(np.mean(np.log(rows), axis=0))[-1]
        axis.annotate(name, (len(rows[0]) - 1, end), (12, 0), textcoords="offset points", color=colour, va="center")
    if names:
        axis.set_xticks(range(len(names)), names)
    axis.set(xlabel=xlabel, ylabel=ylabel, yscale="log")
    if mark:
        axis.axvline(mark[0], color=GREY, linestyle="--", linewidth=1.5)
        axis.annotate(mark[1], (mark[0], axis.get_ylim()[0]), (8, 8), textcoords="offset points", color=GREY)
    return figure


@styled
def ablations(rows, epochs):
    """What one change does to the accuracy, and what it costs; the first row is what was changed.

    `rows` are (name, accuracies over the seeds in [0, 1], multiply-adds). `epochs` stands in the heading.
    """
    figure, (shares, costs) = new_figure(columns=2, height=0.5 * len(rows) + 1.5, sharey=True, width_ratios=(3, 1))
    for place, (_, accuracies, work) in enumerate(rows):
        colour = GREY if place == 0 else BLUE
        values = 100 * np.array(accuracies)
        shares.plot(values, [place] * len(values), "o", color=colour, markersize=7, alpha=0.6, markeredgewidth=0)
        shares.plot(values.mean(), place, "|", color=colour, markersize=24, markeredgewidth=4)
        costs.barh(place, work / 1e6, color=colour, height=0.5)
    low, high = 100 * min(rows[0][1]), 100 * max(rows[0][1])
    shares.axvspan(low, high, color=GREY, alpha=0.2, linewidth=0)
    shares.set(yticks=range(len(rows)), yticklabels=[row[0] for row in rows], xlabel="accuracy, held-out images (%)")
    shares.set_ylim(len(rows) - 0.4, -0.6)
    shares.set_title(f"after {epochs} epochs: each seed, and the mean", loc="left", fontsize=14)
    costs.set(xlabel="million multiply-adds")
    costs.tick_params(left=False)
    return figure
