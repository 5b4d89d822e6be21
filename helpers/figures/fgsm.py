"""The figures of notebooks/05-fgsm."""

import numpy as np

from .style import BLUE, GREEN, GREY, ORANGE, label_lines, new_figure, styled


@styled
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


@styled
def loss_along_ray(epsilons, rays):
    """The loss of one image along straight lines; `rays` maps a name to (losses, colour, line style)."""
    figure, axis = new_figure(height=4.4)
    for losses, colour, style in rays.values():
        axis.plot(255 * epsilons, losses, style, color=colour)
    top = max(losses.max() for losses, _, _ in rays.values())
    axis.set(xlabel="ε (grey levels of 255)", ylabel="loss of the true class (nats)", ylim=(-0.03 * top, 1.08 * top))
    label_lines(axis, 255 * epsilons[-1], {name: (losses[-1], colour) for name, (losses, colour, _) in rays.items()})
    return figure


@styled
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
    label_lines(axis, 255 * epsilons[-1], {n: (100 * a[-1], c) for n, (a, c) in curves.items()})
    return figure


@styled
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
                label_lines(axis, last, {attack: (100 * accuracies[-1], colour)})
            else:  # beside its end, other curves go on
                axis.text(levels[-2] - 0.4, 100 * accuracies[-2], attack, color=colour, ha="right", va="top")
    axes[0].set_ylabel("accuracy (%)")
    return figure


@styled
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
    label_lines(axis, levels[-1], {"all classes": (100 * overall[-1], BLUE)})
    axis.set(xlabel="ε (grey levels of 255)", ylabel="never fooled so far (%)", ylim=(0, 100))
    return figure
