"""The figures of notebooks/02-architecture.

None of them shows training or test images, so none uses the colours that stand for these.
"""

import numpy as np
from matplotlib.figure import Figure
from matplotlib.patches import Polygon, Rectangle
from matplotlib.ticker import MaxNLocator
from matplotlib.transforms import blended_transform_factory

from .style import FAINT, GREY, INK, MARK, WIDTH, new_figure, styled


@styled
def network_drawing(layers):
    """The network as boxes on one scale, from the rows of models.layer_table.

    A box is as high as the layer's feature maps and as long as it has channels; a unit of a dense layer is a channel
    of a 1×1 map.
    """
    figure, axis = new_figure(height=4.2)
    left, block, boxes = _stage(axis, 2, [(32, 3)], "image\n3 channels\n32×32", GREY), 1, []
    for layer in layers:
        if layer.kind == "Conv2D":
            boxes.append((layer.shape[0], layer.shape[2]))
        elif layer.kind == "MaxPooling2D":
            before, after, channels = boxes[-1][0], layer.shape[0], layer.shape[2]
            text = f"block {block}\n{channels} channels\n{before}×{before}\nmax pooling\nto {after}×{after}"
            left = _stage(axis, left, boxes, text, INK)
            block, boxes = block + 1, []
        elif layer.kind == "Dense":
            units = layer.shape[0]
            text = f"dense\n{units} units" if units > 10 else f"logits\n{units}"
            left = _stage(axis, left, [(1, units)], text, INK, width=12)
    axis.set(xlim=(0, 100), ylim=(0, 42), aspect="equal")
    axis.axis("off")
    return figure


def _stage(axis, left, boxes, text, colour, width=16):
    """Boxes of (side, channels) one behind the other with `text` below; returns where the next stage begins."""
    right = left
    for side, channels in boxes:
        height, length, slant = side * 0.6, channels / 14, side / 8
        low, high, end = 28 - height / 2, 28 + height / 2, right + slant + length
        front = [(right, low - slant), (right, high - slant), (right + slant, high), (right + slant, low)]
        flank = [(right + slant, low), (right + slant, high), (end, high), (end, low)]
        for corners, alpha in ((front, 1), (flank, 0.55)):
            axis.add_patch(Polygon(corners, facecolor=colour, edgecolor=FAINT, linewidth=0.6, alpha=alpha))
        right = end + 1
    axis.text((left + right) / 2, 14, text, ha="center", va="top", linespacing=1.3)
    return max(right + 4, left + width)


@styled
def receptive_fields(image, responses, titles):
    """What one unit can see: `image` in full colour where its response (32, 32) is above 0, faded elsewhere."""
    figure, axes = new_figure(columns=len(responses), height=4.2)
    for axis, response, title in zip(axes, responses, titles, strict=True):
        seen = response > 0
        axis.imshow(np.where(seen[:, :, None], image, 178 + image // 4))
        rows, columns = np.flatnonzero(seen.any(axis=1)), np.flatnonzero(seen.any(axis=0))
        size = (np.ptp(columns) + 1, np.ptp(rows) + 1)
        frame = Rectangle((columns[0] - 0.5, rows[0] - 0.5), *size, fill=False, edgecolor=MARK, linewidth=4)
        axis.add_patch(frame)
        axis.set_title(title)
        axis.axis("off")
    return figure


@styled
def cost_fractions(names, parameters, multiply_adds):
    """Each part's fraction of all parameters and of all multiply-adds, two bars a part, named once."""
    figure, axis = new_figure(height=4.6)
    places = np.arange(len(names))
    costs = ((-0.2, parameters, "parameters", INK), (0.2, multiply_adds, "multiply-adds", GREY))
    for shift, amounts, name, colour in costs:
        fractions = 100 * np.asarray(amounts) / np.sum(amounts)
        hatch = None if colour == INK else "//"
        axis.barh(
            places + shift,
            fractions,
            0.36,
            facecolor=colour if hatch is None else "none",
            edgecolor=colour,
            hatch=hatch,
        )
        for place, fraction in zip(places, fractions, strict=True):
            label = f" {fraction:.1f}%" if place else f" {fraction:.1f}% of the {name}"
            axis.text(fraction, place + shift, label, color=colour, va="center")
    axis.set_yticks(places, names)
    axis.invert_yaxis()
    axis.set(xlabel="fraction of the whole network (%)", xlim=(0, 1.2 * fractions.max() + 20))
    return figure


@styled
def feature_maps(image, maps, titles):
    """An image, and for each array of `maps` (side, side, channels) its six most strongly activated channels."""
    figure = Figure(figsize=(WIDTH, 4.2), layout="constrained")
    grid = figure.add_gridspec(len(maps), 8)
    picture = figure.add_subplot(grid[:, :2])
    picture.imshow(image)
    picture.axis("off")
    for row, (block, title) in enumerate(zip(maps, titles, strict=True)):
        strongest = np.argsort(-block.mean(axis=(0, 1)))[:6]
        for column, channel in enumerate(strongest, start=2):
            axis = figure.add_subplot(grid[row, column], xticks=[], yticks=[])
            axis.imshow(block[:, :, channel], cmap="gray")
            if column == 2:
                axis.set_ylabel(title, rotation=0, ha="right", va="center", labelpad=8, linespacing=1.3)
    return figure


@styled
def layer_by_layer(curves, ylabel, xlabel="layer", names=None, mark=None):
    """A quantity from layer to layer on a logarithmic axis; `curves` maps a name to rows of values, a line each.

    The first name's lines are dark and solid, the second's grey and dashed. `names` are the layers', else they are
    counted from 0; `mark` is a (place, text) to point at.
    """
    figure, axis = new_figure(height=4.6)
    for (name, rows), colour, style in zip(curves.items(), (INK, GREY), ("o-", "o--")):
        axis.plot(np.transpose(rows), style, color=colour, linewidth=1.8, markersize=6 if names else 3)
        end = np.exp(np.mean(np.log(rows), axis=0))[-1]
        axis.annotate(name, (len(rows[0]) - 1, end), (12, 0), textcoords="offset points", color=colour, va="center")
    if names:
        axis.set_xticks(range(len(names)), names)
    axis.set(xlabel=xlabel, ylabel=ylabel, yscale="log")
    if mark:
        axis.axvline(mark[0], color=GREY, linestyle=":", linewidth=1.5)
        axis.annotate(mark[1], (mark[0], axis.get_ylim()[0]), (8, 8), textcoords="offset points", color=GREY)
    return figure


@styled
def ablations(rows, baseline, limits):
    """What one change does to the accuracy, with its interval, and what it costs; the numbers stand beside each row.

    `rows` are findings.Row. `baseline` is the VariantResult that they are compared with, or None while it has no
    record; it takes the first row. `limits` are those of the axis, in points: an interval that goes beyond is cut, and
    none is drawn while there is only one seed. A dot is filled where the interval does not contain 0.
    """
    height = 0.52 * (len(rows) + 1) + 1.4
    figure = Figure(figsize=(WIDTH, height))
    axis = figure.add_axes((0.28, 0.8 / height, 0.3, 0.52 * (len(rows) + 1) / height))
    across = blended_transform_factory(figure.transFigure, axis.transData)
    axis.axvline(0, color=GREY, linewidth=1.5)
    lines = [("slides' network", baseline and f"{np.mean(baseline.accuracies):.1%}", baseline)]
    for place, row in enumerate(rows, start=1):
        name = f"{row.label}\n({row.side_effect})" if row.side_effect else row.label
        lines.append((name, row.comparison and row.difference, row.result))
        if row.comparison:
            _interval(axis, place, row.comparison, limits)
    _columns(axis, across, lines)
    axis.set(xlim=limits, yticks=[], xlabel="difference in validation accuracy (points)")
    axis.set_ylim(len(rows) + 0.5, -0.5)
    axis.xaxis.set_major_locator(MaxNLocator(5, integer=True))
    axis.spines["left"].set_visible(False)
    return figure


def _interval(axis, place, comparison, limits):
    """A dot with its interval, as far as the axis shows it."""
    face = "white" if comparison.verdict == "no difference" else INK
    if np.isfinite(comparison.half_width):
        ends = np.clip([comparison.points - comparison.half_width, comparison.points + comparison.half_width], *limits)
        axis.plot(ends, [place, place], "-", color=INK)
    axis.plot(comparison.points, place, "o", color=INK, markerfacecolor=face, markersize=11, markeredgewidth=2)


def _columns(axis, across, lines):
    """Beside the axis, for each (name, difference, VariantResult or None): its name and numbers, under headings."""
    lines = [(None, "accuracy,\ndifference", ("parameters\n(million)", "multiply-adds\n(million)"))] + [
        (
            name,
            difference or "not trained yet",
            result and (f"{result.parameters / 1e6:.2f}", f"{result.multiply_adds / 1e6:.1f}"),
        )
        for name, difference, result in lines
    ]
    for place, (name, difference, costs) in enumerate(lines, start=-1):
        style = {"transform": across, "ha": "right", "va": "center", "linespacing": 1.05}
        for x, text in zip((0.27, 0.725, 0.845, 0.995), (name, difference, *(costs or ()))):
            if text:
                axis.text(x, place, text, **style)
