"""Every picture of the series: arrays in, matplotlib Figure out. Only `show` and `LiveCurve` know about notebooks.

Figures are built without pyplot, so nothing is drawn twice or kept open. Colours are those of Okabe and Ito, some of
them darker; they never carry meaning alone.
"""

import ast
import base64
import html
import inspect
import io

import matplotlib
import numpy as np
from IPython.display import DisplayHandle, Markdown, display
from matplotlib.figure import Figure
from matplotlib.patches import Polygon, Rectangle

# Dark enough for words on white, and as far apart for the colour-blind as for others: tests/test_site.py measures both.
BLUE, ORANGE, GREEN, GREY = "#0072B2", "#C05400", "#006240", "#5A6068"
# Training is blue and test is orange throughout, as on the slides.
TRAIN, TEST = BLUE, ORANGE

# A figure 10 inches wide fills a projected notebook, so 14 points are readable from the last row.
WIDTH, DPI = 10, 100

# The test image that goes through all notebooks: people know it at once, the network is right and not quite certain,
# and FGSM flips it early and for good. The same index of the sketches behaves alike.
RUNNING_IMAGE = 109

matplotlib.rcParams.update(
    {
        "font.size": 14,
        "axes.titlesize": 15,
        "axes.spines.top": False,
        "axes.spines.right": False,
        "lines.linewidth": 2.5,
        "image.interpolation": "nearest",
    }
)


def show(figure, alt):
    """Show `figure` in a notebook with `alt`, one or two sentences that state what the picture shows.

    The text is stored as the image's `alt`, which exported pages turn into the attribute, and stands below the
    picture as its caption, because JupyterLab and GitHub ignore the stored one.
    """
    display(_png(figure, alt), raw=True, metadata={"image/png": {"alt": alt}})
    _caption(alt)


def _png(figure, alt):
    memory = io.BytesIO()
    figure.savefig(memory, format="png", dpi=DPI, facecolor="white")
    return {"image/png": base64.b64encode(memory.getvalue()).decode(), "text/plain": alt}


def _caption(alt):
    display(Markdown(f"*{html.escape(alt, quote=False)}*"))


def show_source(*functions):
    """Show the code that runs, without docstrings: a taught idea is written once, in helpers, and read from there."""
    blocks = []
    for function in functions:
        source = inspect.getsource(getattr(function, "python_function", function))
        tree = ast.parse(source).body[0]
        lines = source.splitlines()
        if ast.get_docstring(tree):
            del lines[tree.body[0].lineno - 1 : tree.body[0].end_lineno]
        blocks.append("\n".join(lines))
    display(Markdown("```python\n" + "\n\n\n".join(blocks) + "\n```"))


def show_table(headings, rows):
    """Show `rows` of text and numbers in a notebook: numbers stand right, whole ones with thousands separators."""
    lines = [headings, [":---" if isinstance(value, str) else "---:" for value in rows[0]]]
    lines += [[f"{value:,}" if isinstance(value, int) else str(value) for value in row] for row in rows]
    # Escaped, because a notebook trusts its own outputs: a name that is HTML would run.
    display(Markdown("\n".join(f"| {' | '.join(html.escape(text, quote=False) for text in line)} |" for line in lines)))


class LiveCurve:
    """A learning curve that redraws in place: pass `on_step` and `on_epoch` to training.train, then call `finish`."""

    def __init__(self):
        self.step, self.recent, self.points, self.tests = 0, [], [], []
        self.handle = DisplayHandle()
        self.handle.display({"text/plain": "waiting for the first batches"}, raw=True)

    def on_step(self, done, total, loss, accuracy):
        """Every 25 batches, or a hundredth of a long training, and at its end, add their mean to the curve."""
        self.step = done
        self.recent.append((loss, accuracy))
        if done % max(25, total // 100) == 0 or done == total:
            self.points.append((done, *np.mean(self.recent, axis=0)))
            self.recent = []
            self._redraw("training in progress")

    def on_epoch(self, history):
        self.tests.append((self.step, history["test_loss"][-1], history["test_accuracy"][-1]))
        self._redraw("training in progress")

    def finish(self, alt):
        """Draw once more, with the text that states what came out."""
        self._redraw(alt)
        _caption(alt)

    def _redraw(self, alt):
        data = _png(live_curve(self.points, self.tests), alt)
        self.handle.update(data, raw=True, metadata={"image/png": {"alt": alt}})


def live_curve(points, tests):
    """Loss and accuracy against training steps; `points` and `tests` are lists of (step, loss, accuracy)."""
    figure, axes = new_figure(columns=2, height=3.6)
    for column, (axis, label) in enumerate(zip(axes, ("cross-entropy (nats)", "accuracy (%)"), strict=True), start=1):
        scale = 100 if column == 2 else 1
        for place, (rows, colour, name, style) in enumerate(
            ((points, TRAIN, "line: training", "-"), (tests, TEST, "dot: test", "o"))
        ):
            axis.plot(
                [row[0] for row in rows], [scale * row[column] for row in rows], style, color=colour, markersize=9
            )
            axis.set_title(name, color=colour, fontsize=14, loc=("left", "right")[place])
        axis.set(xlabel="training steps (batches)", ylabel=label)
        axis.margins(y=0.2)
    return figure


def new_figure(rows=1, columns=1, height=4.0, **subplots):
    """An empty figure of the series' width, `height` in inches, and its axes."""
    figure = Figure(figsize=(WIDTH, height), layout="constrained")
    return figure, figure.subplots(rows, columns, **subplots)


# 01-data


def three_views(image):
    """One picture at about its true size, enlarged pixel by pixel, and enlarged with smooth transitions."""
    figure, axes = new_figure(columns=3, height=3.9)
    middle = (145, 177, 177, 145)  # 32 of the 322 screen pixels that a panel has
    axes[0].imshow(image, extent=middle)
    axes[0].set(xlim=(0, 322), ylim=(322, 0))
    axes[1].imshow(image)
    axes[2].imshow(image, interpolation="bicubic")
    for axis, title in zip(axes, ("as large as it is", "every pixel enlarged", "smoothed"), strict=True):
        axis.set_title(title)
        axis.axis("off")
    return figure


def image_and_pixel_values(image, top, left, size=4):
    """A photograph with a small patch marked, and the patch as the network gets it: three numbers a pixel, 0–255."""
    figure, (photograph, patch) = new_figure(columns=2, height=5)
    photograph.imshow(image)
    photograph.add_patch(Rectangle((left - 0.5, top - 0.5), size, size, fill=False, edgecolor=ORANGE, linewidth=4))
    photograph.set_title("what you see")
    numbers = image[top : top + size, left : left + size]
    patch.imshow(numbers)
    for row, column in np.ndindex(size, size):
        pixel = numbers[row, column]
        ink = "black" if pixel @ (0.3, 0.6, 0.1) > 120 else "white"
        patch.text(column, row, "\n".join(map(str, pixel)), color=ink, ha="center", va="center", fontsize=16)
    patch.set_title("what the network gets: red, green, blue")
    for axis, colour in ((photograph, "none"), (patch, ORANGE)):
        axis.set(xticks=[], yticks=[])
        axis.spines[:].set(visible=True, color=colour, linewidth=4)
    return figure


def class_grid(images, labels, names, rows=3, columns=2):
    """The first `rows` × `columns` images of each class as a block, under the class's number and name."""
    figure, axes = new_figure(2, 5, height=7)
    for number, (axis, name) in enumerate(zip(axes.flat, names, strict=True)):
        chosen = images[labels == number][: rows * columns]
        framed = np.pad(chosen, ((0, 0), (1, 1), (1, 1), (0, 0)), constant_values=255)  # white lines between pictures
        side = framed.shape[1]
        block = framed.reshape(rows, columns, side, side, 3).swapaxes(1, 2).reshape(rows * side, columns * side, 3)
        axis.imshow(block)
        axis.set_title(f"{number}  {name}", fontsize=16)
        axis.axis("off")
    return figure


def channel_histogram(counts):
    """How often each level 0–255 occurs in red, green and blue; `counts` has shape (3, 256). Means are marked."""
    figure, axis = new_figure(height=4.2)
    levels = np.arange(256)
    share = 100 * counts / counts.sum(axis=1, keepdims=True)
    means = share @ levels / 100
    heights = share[:, 3:-3].max() * (1.28 - 0.1 * np.argsort(np.argsort(means)))  # three names at three heights
    channels = zip(
        ("red", "green", "blue"), (ORANGE, GREEN, BLUE), ("-", "--", ":"), share, means, heights, strict=True
    )
    for name, colour, style, row, mean, height in channels:
        axis.plot(levels, row, style, color=colour)
        axis.plot([mean, mean], [0, height], style, color=colour, linewidth=1.5)
        axis.text(mean + 3, height, f"{name}, mean {mean:.0f}", color=colour, va="center")
    axis.set(xlabel="level of one channel of a pixel (0–255)", ylabel="share of pixels (%)", xlim=(0, 255))
    axis.set_ylim(0, 1.05 * heights.max())
    return figure


# 02-architecture


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


# 03-training


def momentum_paths(paths, scales):
    """Where gradient descent walks in a long valley; `paths` maps a name to its points (steps, 2).

    The valley is the loss ½ Σ scale · w² with the two `scales`.
    """
    figure, axes = new_figure(columns=len(paths), height=3.4, sharey=True)
    w1, w2 = np.meshgrid(np.linspace(-11, 2, 120), np.linspace(-2.4, 2.4, 80))
    for axis, (name, points), colour in zip(axes, paths.items(), (GREY, BLUE), strict=True):
        axis.contour(w1, w2, scales[0] * w1**2 + scales[1] * w2**2, levels=12, colors="#C8CCD1", linewidths=1)
        axis.plot(*points.T, ".-", color=colour, linewidth=1.5, markersize=7)
        axis.plot(0, 0, "*", color=ORANGE, markersize=16)
        left = np.hypot(*points[-1])
        axis.set(title=f"{name}: {left:.1f} from the minimum", xlabel="weight 1")
    axes[0].set_ylabel("weight 2")
    return figure


def learning_curves(history, target=None):
    """Loss and accuracy against epochs: training blue, test orange; dashed is what Keras reports, dropout on.

    `target`, if given, holds the slides' training and test accuracy, drawn as marks at the right edge.
    """
    figure, (loss, accuracy) = new_figure(columns=2, height=4.6)
    epochs = np.arange(1, len(history["loss"]) + 1)
    rows = (("loss", TRAIN, "--"), ("train_loss", TRAIN, "-"), ("test_loss", TEST, "-"))
    for key, colour, style in rows:
        loss.plot(epochs, history[key], style, color=colour)
        accuracy.plot(epochs, 100 * np.array(history[key.replace("loss", "accuracy")]), style, color=colour)
    _label_lines(
        accuracy,
        epochs[-1],
        {
            "training": (100 * history["train_accuracy"][-1], TRAIN),
            "training,\ndropout on": (100 * history["accuracy"][-1], TRAIN),
            "test": (100 * history["test_accuracy"][-1], TEST),
        },
    )
    _label_lines(
        loss,
        epochs[-1],
        {
            "training": (history["train_loss"][-1], TRAIN),
            "training,\ndropout on": (history["loss"][-1], TRAIN),
            "test": (history["test_loss"][-1], TEST),
        },
    )
    if target:
        for value, colour in zip(target, (TRAIN, TEST), strict=True):
            accuracy.plot(
                epochs[-1], 100 * value, "D", color="white", markeredgecolor=colour, markersize=9, clip_on=False
            )
        accuracy.plot([], [], "D", color="white", markeredgecolor=GREY, markersize=9, label="the slides' results")
        accuracy.legend(loc="lower right", frameon=False)
    loss.set(xlabel="epoch", ylabel="cross-entropy (nats)", ylim=(0, None), title="Loss")
    accuracy.set(xlabel="epoch", ylabel="accuracy (%)", ylim=(None, 101), title="Accuracy")
    return figure


def accuracy_against_time(curves):
    """Test accuracy against seconds of training on a logarithmic axis.

    `curves` maps a name to (seconds since the start, accuracies in [0, 1], colour), one value an epoch.
    """
    figure, axis = new_figure(height=4.6)
    for name, (seconds, accuracies, colour) in curves.items():
        values = 100 * np.array(accuracies)
        axis.plot(seconds, values, "o-", color=colour, markersize=5)
        axis.annotate(name, (seconds[-1], values[-1]), (0, 12), textcoords="offset points", color=colour, ha="right")
    marks = {1: "1 s", 10: "10 s", 60: "1 min", 600: "10 min", 3600: "1 h"}
    axis.set(xscale="log", xlabel="time since the first step", ylabel="test accuracy (%)")
    axis.set_xticks(list(marks), marks.values())
    axis.set_xticks([], minor=True)
    axis.set_xlim(0.7 * min(seconds[0] for seconds, _, _ in curves.values()))
    axis.margins(y=0.15)
    return figure


def cumulative_improvements(steps):
    """Step by step to a higher accuracy; `steps` are (what was changed, accuracy before, accuracy after), in [0, 1].

    The first step has no accuracy before it: None.
    """
    figure, axis = new_figure(height=0.75 * len(steps) + 1.2)
    for place, (_, before, after) in enumerate(steps):
        start = after if before is None else before
        axis.plot(
            [100 * start, 100 * after], [place, place], "-", color=BLUE if after >= start else ORANGE, linewidth=8
        )
        axis.plot(100 * after, place, "o", color=BLUE, markersize=13)
        gain = "" if before is None else f"  ({100 * (after - before):+.1f})"
        axis.annotate(
            f"{100 * after:.1f}%{gain}",
            (100 * max(start, after), place),
            (14, 0),
            textcoords="offset points",
            va="center",
        )
    axis.set(yticks=range(len(steps)), yticklabels=[step[0] for step in steps], xlabel="accuracy (%)")
    axis.set_ylim(len(steps) - 0.4, -0.6)
    axis.margins(x=0.25)
    return figure


def _label_lines(axis, x, labels):
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


# 04-evaluation


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


# 05-fgsm


def adversarial_example(image, adversarial, before, after, label, names, epsilon):
    """Original, amplified perturbation and adversarial image, and all ten probabilities before and after.

    `image` and `adversarial` are floats (32, 32, 3) in [0, 1], `before` and `after` probabilities (10,).
    """
    figure, axes = new_figure(columns=4, height=3.7, width_ratios=(1, 1, 1, 1.25))
    pictures = (
        (image, f"original\n{names[before.argmax()]} {before.max():.0%}"),
        (amplified(adversarial - image, epsilon), f"perturbation\n× {1 / (2 * epsilon):.2g}"),
        (adversarial, f"adversarial\n{names[after.argmax()]} {after.max():.0%}"),
    )
    for axis, (picture, title) in zip(axes, pictures, strict=False):
        axis.imshow(picture)
        axis.set_title(title)
        axis.axis("off")
    _before_and_after(axes[3], before, after, label, names)
    figure.suptitle(f"ε = {255 * epsilon:.4g}/255, true label: {names[label]}", fontsize=16)
    return figure


def amplified(perturbation, epsilon):
    """A perturbation within ±epsilon as a picture: grey is "unchanged", black and white are −epsilon and +epsilon."""
    return np.clip(0.5 + perturbation / (2 * epsilon), 0, 1)


def _before_and_after(axis, before, after, label, names):
    places = np.arange(len(names))
    axis.barh(places - 0.2, 100 * before, 0.36, color="white", edgecolor=GREY, linewidth=1.5)
    axis.barh(places + 0.2, 100 * after, 0.36, color=ORANGE if after.argmax() != label else BLUE)
    axis.set_yticks(
        places, [f"● {name}" if number == label else name for number, name in enumerate(names)], fontsize=12
    )
    axis.set(xlim=(0, 100), xticks=(0, 50, 100), xlabel="probability (%)")
    axis.set_title("hollow: before, filled: after", fontsize=13)
    axis.invert_yaxis()


def loss_along_ray(epsilons, rays):
    """The loss of one image along straight lines; `rays` maps a name to (losses, colour, line style)."""
    figure, axis = new_figure(height=4.4)
    for losses, colour, style in rays.values():
        axis.plot(255 * epsilons, losses, style, color=colour)
    top = max(losses.max() for losses, _, _ in rays.values())
    axis.set(xlabel="ε (grey levels of 255)", ylabel="loss of the true class (nats)", ylim=(-0.03 * top, 1.08 * top))
    _label_lines(axis, 255 * epsilons[-1], {name: (losses[-1], colour) for name, (losses, colour, _) in rays.items()})
    return figure


def accuracy_against_epsilon(epsilons, curves, marked):
    """Accuracy against ε; `curves` maps a name to (accuracies in [0, 1], colour); the gap at `marked` is named."""
    figure, axis = new_figure(height=4.8)
    epsilons = np.asarray(epsilons)
    for accuracies, colour in curves.values():
        axis.plot(255 * epsilons, 100 * np.asarray(accuracies), "o-", color=colour, markersize=7)
    place = int(np.argmin(abs(epsilons - marked)))
    ends = sorted(100 * np.asarray(accuracies)[place] for accuracies, _ in curves.values())
    x = 255 * epsilons[place]
    axis.annotate("", (x, ends[0]), (x, ends[-1]), arrowprops={"arrowstyle": "<->", "linewidth": 2})
    axis.text(x + 0.4, np.mean(ends), f"{ends[-1] - ends[0]:.0f} points\nat ε = {x:.0f}/255", va="center")
    axis.axhline(10, color=GREY, linewidth=1.2, linestyle=":")
    axis.text(255 * epsilons[-1], 8.5, "guessing among ten classes", color=GREY, ha="right", va="top")
    axis.set(xlabel="ε (grey levels of 255)", ylabel="accuracy (%)", ylim=(0, 100))
    _label_lines(axis, 255 * epsilons[-1], {n: (100 * a[-1], c) for n, (a, c) in curves.items()})
    return figure


def robustness_curves(panels, marked):
    """Accuracy against ε under several attacks, one panel a network; a dotted line stands at ε = `marked`.

    `panels` maps a network's name to {attack: (grey levels of 255, accuracies in [0, 1], colour)}.
    """
    figure, axes = new_figure(columns=len(panels), height=4.8, sharey=True)
    for axis, (name, curves) in zip(axes, panels.items(), strict=True):
        for levels, accuracies, colour in curves.values():
            axis.plot(levels, 100 * np.asarray(accuracies), "o-", color=colour, markersize=6)
        axis.axvline(255 * marked, color=GREY, linewidth=1.2, linestyle=":")
        axis.set(title=name, xlabel="ε (grey levels of 255)", ylim=(0, 100))
        last = max(levels[-1] for levels, _, _ in curves.values())
        for attack, (levels, accuracies, colour) in curves.items():
            if levels[-1] == last:
                _label_lines(axis, last, {attack: (100 * accuracies[-1], colour)})
            else:  # beside its end, other curves go on
                axis.text(levels[-2] - 0.4, 100 * accuracies[-2], attack, color=colour, ha="right", va="top")
    axes[0].set_ylabel("accuracy (%)")
    return figure


def survival_curve(levels, overall, classes, names):
    """Which share of the images FGSM has fooled at no ε so far: all images blue, each class grey, the extremes named.

    `levels` are grey levels of 255, `overall` shares in [0, 1], `classes` the same for each class (k, classes).
    """
    figure, axis = new_figure(height=4.8)
    shares = 100 * np.asarray(classes)
    axis.plot(levels, shares, color="#C8CCD1", linewidth=1.5)
    axis.plot(levels, 100 * np.asarray(overall), color=BLUE, linewidth=4)
    middle = int(np.argmax(np.ptp(shares, axis=1)))  # where the classes are furthest apart
    first, last = np.argsort(shares[middle])[[0, -1]]
    for extreme, colour in ((first, ORANGE), (last, GREEN)):
        axis.plot(levels, shares[:, extreme], color=colour)
        aside, beside = (10, "left") if extreme == last else (-10, "right")
        axis.annotate(
            names[extreme],
            (levels[middle], shares[middle, extreme]),
            (aside, aside),
            textcoords="offset points",
            color=colour,
            ha=beside,
            va="center",
        )
    _label_lines(axis, levels[-1], {"all classes": (100 * overall[-1], BLUE)})
    axis.set(xlabel="ε (grey levels of 255)", ylabel="never fooled so far (%)", ylim=(0, 100))
    return figure


# 06-defence


def epochs_under_attack(history):
    """Accuracy on test images after each epoch: untouched, under FGSM, and under PGD."""
    figure, axis = new_figure(height=4.6)
    epochs = np.arange(1, len(history["loss"]) + 1)
    lines = {"untouched": ("test_accuracy", BLUE), "FGSM": ("fgsm_accuracy", ORANGE), "PGD": ("pgd_accuracy", GREEN)}
    for key, colour in lines.values():
        axis.plot(epochs, 100 * np.array(history[key]), "o-", color=colour, markersize=8)
    axis.set(xlabel="epoch", ylabel="accuracy (%)", ylim=(0, 100), xticks=epochs[:: -(-len(epochs) // 10)])
    _label_lines(axis, epochs[-1], {name: (100 * history[key][-1], colour) for name, (key, colour) in lines.items()})
    return figure


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
