"""The figures of notebooks/06-defence."""

import numpy as np

from .style import ATTACK_COLOURS, FAINT, label_lines, new_figure, styled


@styled
def clean_vs_robust(networks, epsilon):
    """One row per network: clean accuracy as a hollow marker, accuracy under each attack as a filled one.

    `networks` maps a name to {"clean": accuracy, attack: accuracy, …} in [0, 1]; the attacks are those of
    style.ATTACK_COLOURS, at `epsilon`.
    """
    figure, axis = new_figure(height=0.85 * len(networks) + 1.6)
    named = {}
    for place, (name, accuracies) in enumerate(networks.items()):
        percent = {attack: 100 * value for attack, value in accuracies.items()}
        axis.hlines(place, min(percent.values()), max(percent.values()), color=FAINT, linewidth=5, zorder=1)
        for attack, value in percent.items():
            shape = {"marker": "D" if attack == "AutoAttack" else "o", "markersize": 12, "markeredgewidth": 2.5}
            face = "white" if attack == "clean" else ATTACK_COLOURS[attack]
            shape |= {"color": ATTACK_COLOURS[attack], "markerfacecolor": face, "linestyle": "none", "clip_on": False}
            (named[attack],) = axis.plot(value, place, **shape)
        _values(axis, place, percent)
    axis.set_yticks(range(len(networks)), networks)
    axis.tick_params(axis="y", length=0, pad=16)  # a marker at 0 keeps clear of the names
    axis.spines["left"].set_visible(False)  # it would cross the values at 0
    axis.set(xlim=(0, 100), ylim=(len(networks) - 0.4, -0.6))
    axis.set_xlabel(f"accuracy (%), attacks at ε = {255 * epsilon:.3g}/255")
    figure.legend(named.values(), named, loc="outside upper center", ncols=len(named), frameon=False)
    return figure


def _values(axis, place, percent):
    """Each marker's value, in turn above and below the row, so that close markers keep theirs apart."""
    for number, (attack, value) in enumerate(sorted(percent.items(), key=lambda item: -item[1])):
        side = 1 if number % 2 == 0 else -1
        axis.annotate(
            f"{value:.1f}",
            (value, place),
            (0, 11 * side),
            textcoords="offset points",
            color=ATTACK_COLOURS[attack],
            ha="center",
            va="bottom" if side > 0 else "top",
        )


@styled
def epochs_under_attack(history, final):
    """Accuracy after each training epoch under FGSM and under PGD.

    `final` maps the names of further conditions to the accuracy in [0, 1] that the trained network has under them;
    each name contains one of style.ATTACK_COLOURS, the longest of which gives the colour. They are drawn as diamonds at
    the last epoch.
    """
    figure, axis = new_figure(height=4.2)
    epochs = np.arange(1, len(history["loss"]) + 1)
    lines = {"FGSM": "fgsm_accuracy", "PGD": "pgd_accuracy"}
    labels = {}
    for name, key in lines.items():
        percent, colour = 100 * np.array(history[key]), ATTACK_COLOURS[name]
        axis.plot(epochs, percent, "o-", color=colour, markersize=8, clip_on=False)
        labels[name] = percent[-1], colour
    for name, accuracy in final.items():
        colour = ATTACK_COLOURS[max((attack for attack in ATTACK_COLOURS if attack in name), key=len)]
        axis.plot(
            epochs[-1], 100 * accuracy, "D", color=colour, markerfacecolor="white", markeredgewidth=2.5, markersize=10
        )
        labels[name] = 100 * accuracy, colour
    axis.set(xlabel="epoch", ylabel="accuracy (%)", ylim=(0, 100), xticks=epochs[:: -(-len(epochs) // 10)])
    label_lines(axis, epochs[-1], labels)
    return figure
