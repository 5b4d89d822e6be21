"""The figures of notebooks/03-training."""

import numpy as np

from .style import FAINT, GREY, INK, TEST, TRAIN, label_lines, new_figure, styled


@styled
def live_curve(points, tests, part):
    """Loss and accuracy against training steps; `points` and `tests` are lists of (step, loss, accuracy).

    `part` says on which images the second were taken, "test" or "validation".
    """
    figure, axes = new_figure(columns=2, height=3.6)
    for column, (axis, label) in enumerate(zip(axes, ("cross-entropy (nats)", "accuracy (%)"), strict=True), start=1):
        scale = 100 if column == 2 else 1
        for place, (rows, colour, name, style) in enumerate(
            ((points, TRAIN, "line: training", "-"), (tests, TEST, f"dot: {part}", "o"))
        ):
            axis.plot(
                [row[0] for row in rows], [scale * row[column] for row in rows], style, color=colour, markersize=9
            )
            axis.set_title(name, color=colour, fontsize=14, loc=("left", "right")[place])
        axis.set(xlabel="training steps (batches)", ylabel=label)
        axis.margins(y=0.2)
    return figure


@styled
def momentum_paths(paths, curvatures):
    """Where gradient descent walks in a long valley; `paths` maps a name to its points (steps, 2).

    The valley is the loss ½ Σ curvature · w² with the two `curvatures`.
    """
    figure, axes = new_figure(columns=len(paths), height=3.4, sharey=True)
    w1, w2 = np.meshgrid(np.linspace(-11, 2, 120), np.linspace(-2.4, 2.4, 80))
    for axis, (name, points) in zip(axes, paths.items(), strict=True):
        loss = (curvatures[0] * w1**2 + curvatures[1] * w2**2) / 2
        axis.contour(w1, w2, loss, levels=12, colors=FAINT, linewidths=1)
        axis.plot(*points.T, ".-", color=INK, linewidth=1.5, markersize=9)
        axis.plot(0, 0, "*", color=GREY, markersize=18)
        axis.set(title=name, xlabel="weight 1")
    axes[0].set_ylabel("weight 2")
    return figure


@styled
def learning_curves(history, target=None):
    """Loss and accuracy against epochs, in training and on test images; dashed is the running mean with dropout on.

    The epoch of the lowest test loss is marked. `target`, if given, holds the slides' training and test accuracy in
    [0, 1], drawn as dotted lines.
    """
    figure, (loss, accuracy) = new_figure(columns=2, height=4.6)
    last = len(history["loss"])
    lines = (("training", "train_", TRAIN, "-"), ("dropout on", "", TRAIN, "--"), ("test", "test_", TEST, "-"))
    for axis, quantity, scale in ((loss, "loss", 1), (accuracy, "accuracy", 100)):
        ends = {}
        for name, prefix, colour, style in lines:
            values = scale * np.array(history[prefix + quantity])
            axis.plot(range(1, last + 1), values, style, color=colour)
            ends[name] = values[-1], colour
        axis.set_ylim(0 if axis is loss else None, None if axis is loss else 104)
        label_lines(axis, last, ends)
    best = int(np.argmin(history["test_loss"])) + 1
    loss.axvline(best, color=GREY, linestyle=":", linewidth=1.5)
    side = "right" if best > 0.6 * last else "left"
    text = f" lowest test loss: \n after epoch {best} "
    loss.annotate(text, (best, 0.98), xycoords=("data", "axes fraction"), ha=side, va="top", color=GREY)
    for value, colour in zip(target or (), (TRAIN, TEST)):
        accuracy.axhline(100 * value, color=colour, linestyle=":", linewidth=1.5)
    loss.set(xlabel="epoch", ylabel="cross-entropy (nats)", title="Loss")
    accuracy.set(xlabel="epoch", ylabel="accuracy (%)", title="Accuracy; dotted: the slides" if target else "Accuracy")
    return figure


@styled
def accuracy_against_time(curves):
    """Test accuracy against seconds of training on a logarithmic axis.

    `curves` maps a name to (seconds since the start, accuracies in [0, 1]), one value per epoch.
    """
    figure, axis = new_figure(height=4.6)
    for name, (seconds, accuracies) in curves.items():
        values = 100 * np.array(accuracies)
        axis.plot(seconds, values, "o-", color=TEST, markersize=5)
        axis.annotate(name, (seconds[-1], values[-1]), (0, 12), textcoords="offset points", color=TEST, ha="right")
    marks = {1: "1 s", 10: "10 s", 60: "1 min", 600: "10 min", 3600: "1 h"}
    axis.set(xscale="log", xlabel="time since the first step", ylabel="test accuracy (%)")
    axis.set_xticks(list(marks), marks.values())
    axis.set_xticks([], minor=True)
    axis.set_xlim(0.7 * min(seconds[0] for seconds, _ in curves.values()))
    axis.margins(y=0.15)
    return figure


@styled
def cumulative_improvements(steps):
    """Step by step to a higher accuracy; `steps` are (what was changed, test accuracy before, after), in [0, 1].

    The first step has no accuracy before it: None. Gains are those of the rounded accuracies that stand beside them.
    """
    figure, axis = new_figure(height=0.75 * len(steps) + 1.2)
    for place, (_, before, after) in enumerate(steps):
        end = round(100 * after, 1)
        start = end if before is None else round(100 * before, 1)
        axis.plot([start, end], [place, place], "-", color=TEST, linewidth=6, alpha=0.5)
        axis.plot(end, place, "o", color=TEST, markersize=13)
        gain = "" if before is None else f"  ({end - start:+.1f})".replace("-", "−")
        axis.annotate(f"{end:.1f}%{gain}", (max(start, end), place), (14, 0), textcoords="offset points", va="center")
    axis.set(yticks=range(len(steps)), yticklabels=[step[0] for step in steps], xlabel="test accuracy (%)")
    axis.set_ylim(len(steps) - 0.4, -0.6)
    axis.margins(x=0.25)
    return figure
