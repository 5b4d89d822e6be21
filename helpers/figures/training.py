"""The figures of notebooks/03-training."""

import numpy as np

from .style import BLUE, GREY, ORANGE, TEST, TRAIN, label_lines, new_figure, styled


@styled
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


@styled
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


@styled
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
    label_lines(
        accuracy,
        epochs[-1],
        {
            "training": (100 * history["train_accuracy"][-1], TRAIN),
            "training,\ndropout on": (100 * history["accuracy"][-1], TRAIN),
            "test": (100 * history["test_accuracy"][-1], TEST),
        },
    )
    label_lines(
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


@styled
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


@styled
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
