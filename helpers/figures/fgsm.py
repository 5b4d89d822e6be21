"""The figures of notebooks/05-fgsm."""

import numpy as np

from ..validation import checked_images
from .style import ATTACK_COLOURS, CLEAN, FAINT, FGSM, GREY, SMALLEST_FONT, label_lines, new_figure, styled

EPSILON_AXIS = "ε (intensity levels out of 255)"


@styled
def adversarial_example(image, adversarial, before, after, label, names, epsilon):
    """Original, amplified perturbation and adversarial image, and all ten probabilities before and after.

    `image` and `adversarial` are floats (32, 32, 3) in [0, 1], `before` and `after` probabilities (10,).
    """
    image, adversarial = checked_images(np.stack([image, adversarial]))
    figure, axes = new_figure(columns=4, height=3.9, width_ratios=(1, 1, 1, 1.3))
    parts = (
        (image, f"original\n{names[before.argmax()]} {before.max():.0%}"),
        (
            amplified(adversarial - image, epsilon),
            f"perturbation\n× {1 / (2 * epsilon):.0f}" if epsilon else "perturbation\nnone",
        ),
        (adversarial, f"adversarial\n{names[after.argmax()]} {after.max():.0%}"),
    )
    for axis, (part, title) in zip(axes, parts, strict=False):
        axis.imshow(part)
        axis.set_title(title, fontsize=SMALLEST_FONT)
        axis.axis("off")
    _before_and_after(axes[3], before, after, label, names)
    figure.suptitle(f"ε = {255 * epsilon:.4g}/255, true label: {names[label]}")
    return figure


def amplified(perturbation, epsilon):
    """A perturbation within ±epsilon as an image: grey is "unchanged", black and white are −epsilon and +epsilon."""
    return np.clip(0.5 + perturbation / (2 * epsilon or 1), 0, 1)


def _before_and_after(axis, before, after, label, names):
    places = np.arange(len(names))
    axis.barh(places - 0.2, 100 * before, 0.36, color="white", edgecolor=CLEAN, linewidth=1.5)
    axis.barh(places + 0.2, 100 * after, 0.36, color=FGSM)
    axis.set_yticks(places, [f"● {name}" if number == label else name for number, name in enumerate(names)])
    axis.set(xlim=(0, 100), xticks=(0, 50, 100), xlabel="probability (%)")
    axis.set_title("hollow: before\nfilled: after", fontsize=SMALLEST_FONT)
    axis.invert_yaxis()


@styled
def attack_grid(images, adversarial, captions, epsilon):
    """Original, amplified perturbation and adversarial image of each example, one below the other.

    `images` and `adversarial` are floats (n, 32, 32, 3) in [0, 1], at most ten; the first line of each of the n captions
    stands above the original, up to two more below the adversarial image.
    """
    images, adversarial = checked_images(images), checked_images(adversarial)
    figure, axes = new_figure(3, len(images), height=4.1, squeeze=False, gridspec_kw={"hspace": 0, "wspace": 0.02})
    for axis in axes.flat:
        axis.set(xticks=[], yticks=[])
        axis.spines[:].set_visible(False)
    for number, (column, caption) in enumerate(zip(axes.T, captions, strict=True)):
        change = amplified(adversarial[number] - images[number], epsilon)
        for axis, part in zip(column, (images[number], change, adversarial[number]), strict=True):
            axis.imshow(part)
        above, *below = map(_narrow, caption.split("\n"))
        column[0].set_title(above, fontsize=SMALLEST_FONT, linespacing=1)
        column[2].set_xlabel("\n".join(below), linespacing=1.15)
    for axis, name in zip(axes[:, 0], ("original", "δ", "adversarial"), strict=True):
        axis.set_ylabel(name)
    return figure


def _narrow(text):
    """A text that is wider than a tenth of a figure, in two lines."""
    if len(text) < 10:
        return text
    return text.replace(" ", "\n") if " " in text else f"{text[:4]}-\n{text[4:]}"


@styled
def loss_along_ray(epsilons, losses, slope):
    """The loss of one image along straight lines from it, and the line with the slope at the image.

    `losses` maps "FGSM" and "random-sign noise" to losses in nats (k,), at each of the k `epsilons`; `slope` is in
    nats per unit of ε.
    """
    figure, axis = new_figure(height=4.4)
    linear = losses["FGSM"][0] + slope * epsilons
    rays = {name: (loss, ATTACK_COLOURS[name], "-") for name, loss in losses.items()}
    rays["linear\napproximation"] = (linear, GREY, "--")
    for loss, colour, style in rays.values():
        axis.plot(255 * epsilons, loss, style, color=colour)
    top = max(loss.max() for loss, _, _ in rays.values())
    axis.set(xlabel=EPSILON_AXIS, ylabel="loss of the true class (nats)", ylim=(0, 1.08 * top))
    label_lines(axis, 255 * epsilons[-1], {name: (loss[-1], colour) for name, (loss, colour, _) in rays.items()})
    return figure


@styled
def accuracy_against_epsilon(curves, marked):
    """Accuracy against ε under an attack and under the control, with the gap between the two at ε = `marked`/255.

    `curves` maps an attack's name to (levels out of 255, accuracies in [0, 1]).
    """
    figure, axis = new_figure(height=4.8)
    _draw_curves(axis, curves)
    ends = sorted(100 * _at(curve, marked) for curve in curves.values())
    ends = ends[0], ends[-1]
    axis.annotate("", (marked, ends[0]), (marked, ends[1]), arrowprops={"arrowstyle": "<->", "linewidth": 2})
    axis.text(marked + 0.3, np.mean(ends), f"{ends[1] - ends[0]:.0f} points\nat ε = {marked}/255", va="center")
    axis.axhline(10, color=GREY, linewidth=1.2, linestyle=":")
    axis.text(0, 8.5, "chance level", color=GREY, va="top")
    axis.set_ylabel("accuracy (%)")
    return figure


def _at(curve, level):
    levels, accuracies = curve
    return accuracies[list(levels).index(level)]


@styled
def robustness_curves(panels, marked):
    """Accuracy against ε under several attacks, one panel per network; a dotted line marks ε = `marked`/255.

    `panels` maps a network's name to {attack: (levels out of 255, accuracies in [0, 1])}.
    """
    figure, axes = new_figure(columns=len(panels), height=4.4, sharey=True, squeeze=False)
    for axis, (name, curves) in zip(axes[0], panels.items(), strict=True):
        _draw_curves(axis, curves)
        axis.axvline(marked, color=GREY, linewidth=1.2, linestyle=":")
        axis.set_title(name)
    axes[0, 0].set_ylabel("accuracy (%)")
    return figure


def _draw_curves(axis, curves):
    """Each attack's curve with its name at its end; where a curve ends early, other curves continue beside its end."""
    last = max(levels[-1] for levels, _ in curves.values())
    axis.set(xlabel=EPSILON_AXIS, ylim=(0, 100))
    at_the_end = {}
    for attack, (levels, accuracies) in curves.items():
        colour, percent = ATTACK_COLOURS[attack], 100 * np.asarray(accuracies)
        # Accuracies of 0 keep the whole of their marker.
        axis.plot(levels, percent, "D" if len(levels) == 1 else "o-", color=colour, markersize=7, clip_on=False)
        if levels[-1] == last:
            at_the_end[attack] = percent[-1], colour
        elif len(levels) == 1:
            low = percent[0] < 8  # then there is no room for a name below, and no curve to the right
            place = (levels[0] + 0.5, max(percent[0], 4.5)) if low else (levels[0] - 0.5, percent[0])
            axis.text(*place, attack, color=colour, ha="left" if low else "right", va="center")
        else:
            axis.text(levels[-2] - 0.4, percent[-2], attack, color=colour, ha="right", va="top")
    label_lines(axis, last, at_the_end)


@styled
def sign_agreement(lead, agreement, limit):
    """Of each image's signs, the percentage that survives in float32, against the lead of the true class.

    `lead` (n,) is log(p / (1 − p)), by how much the true class leads all others taken together, `agreement` (n,) a
    fraction in [0, 1]; from a lead of about `limit` on, p rounds to 1.
    """
    figure, axis = new_figure(height=4.4)
    axis.plot(lead, 100 * agreement, "o", color=FGSM, markersize=6, alpha=0.6)
    axis.axvline(limit, color=GREY, linewidth=1.5, linestyle=":")
    axis.text(limit - 0.3, 62, "p rounds to 1\nfrom here on", color=GREY, ha="right", va="center")
    axis.axhline(50, color=GREY, linewidth=1.5, linestyle=":")
    axis.text(min(lead), 48.5, "a coin flip for every sign", color=GREY, va="top")
    axis.set(xlabel="lead of the true class, log(p / (1 − p))", ylabel="correct signs (%)", ylim=(40, 102))
    return figure


@styled
def survival_curve(levels, overall, classes, names):
    """The fraction of images correct at every ε so far, under FGSM: overall in colour, classes grey, extremes named.

    `levels` are intensity levels out of 255, `overall` fractions in [0, 1], `classes` the same for each class
    (k, classes).
    """
    figure, axis = new_figure(height=4.8)
    percent = 100 * np.asarray(classes)
    axis.plot(levels, percent, color=FAINT, linewidth=1.5)
    middle = int(np.argmax(np.ptp(percent, axis=1)))  # where the classes are furthest apart
    first, last = np.argsort(percent[middle])[[0, -1]]
    for extreme in (first, last):
        axis.plot(levels, percent[:, extreme], "--", color=GREY, linewidth=2)
        aside, beside = (10, "left") if extreme == last else (-10, "right")
        axis.annotate(
            names[extreme],
            (levels[middle], percent[middle, extreme]),
            (aside, aside),
            textcoords="offset points",
            color=GREY,
            ha=beside,
            va="center",
        )
    axis.plot(levels, 100 * np.asarray(overall), color=FGSM, linewidth=4)
    label_lines(axis, levels[-1], {"all classes": (100 * overall[-1], FGSM)})
    axis.set(xlabel=EPSILON_AXIS, ylabel="correct so far (%)", ylim=(0, 100))
    return figure
