"""What the ablation study says, in words that its numbers choose. Taught in notebooks/02-architecture.

Every function takes the `results` of ablations.results and is right for any set of finished variants and seeds.
"""

import math
from typing import NamedTuple

import numpy as np

from . import ablations

# An interval around 0 with a half-width beyond this, in points, comes from too few seeds: it says more about the study
# than about the network.
TOO_WIDE = 5.0

# How a variant is called in a figure, and what its one change drags along.
LABELS = {
    "one-block": ("one block", "dense layer ×4"),
    "two-blocks": ("two blocks", "dense layer ×2"),
    "four-blocks": ("four blocks", "dense layer ×½"),
    "one-5x5": ("one 5×5 for two 3×3", "one ReLU fewer"),
    "deep-plain": ("four 3×3 per block", ""),
    "constant-filters": ("32 filters throughout", "dense layer ×¼"),
    "average-pooling": ("average pooling", ""),
    "strided-convolution": ("stride 2 for pooling", "second conv. ×¼ work"),
    "residual": ("skip connections", "adds 1×1 convolutions"),
    "deep-residual": ("four 3×3 with skips", "against four 3×3"),
    "glorot": ("Glorot initialisation", ""),
    "no-dropout": ("no dropout", ""),
    "augmentation": ("augmentation", ""),
    "batch-norm": ("batch normalisation", ""),
}


class Question(NamedTuple):
    """A question of the assignment, the choice of the slides, and the variants that test it."""

    topic: str
    choice: str
    variants: tuple


LAYERS = (
    Question("How many blocks?", "three", ("one-block", "two-blocks", "four-blocks")),
    Question("How are they interleaved?", "two 3×3 convolutions, then pooling", ("one-5x5", "deep-plain")),
    Question("How many filters?", "twice as many in each block", ("constant-filters",)),
)
OPERATIONS = (
    Question("Which pooling?", "max pooling", ("average-pooling", "strided-convolution")),
    Question("Skip connections?", "none", ("residual", "deep-residual")),
    Question("Which initial weights?", "He", ("glorot",)),
    Question("Which regularisation?", "dropout alone", ("no-dropout", "augmentation")),
    Question("Which normalisation?", "none", ("batch-norm",)),
)


class Row(NamedTuple):
    """One variant in a figure; what has no record yet is None. `difference` reads "−1.3 ± 0.8"."""

    label: str
    side_effect: str
    result: ablations.VariantResult | None
    comparison: ablations.Comparison | None
    difference: str | None


def compare(variant, results):
    """The ablations.Comparison of a variant, or None while it or what it is compared with has no record.

    Raises ValueError for a name that is not a variant.
    """
    if variant not in LABELS:
        raise ValueError(f"variant={variant!r}: no network is called that; there are: {', '.join(LABELS)}")
    needed = {variant, ablations.COMPARED_WITH.get(variant, "baseline")}
    return ablations.compare(variant, results) if needed <= results.keys() else None


def rows(questions, results):
    """One Row for each variant of `questions`, in order."""
    variants = [variant for question in questions for variant in question.variants]
    compared = [compare(variant, results) for variant in variants]
    return [
        Row(*LABELS[variant], results.get(variant), comparison, comparison and _difference(comparison))
        for variant, comparison in zip(variants, compared, strict=True)
    ]


def limits(results):
    """Limits in points that hold 0, every difference, and every interval that is not too wide to say anything."""
    low, high = 0.0, 0.0
    for found in (compare(variant, results) for variant in LABELS):
        if found:
            width = min(found.half_width, max(TOO_WIDE, abs(found.points))) if math.isfinite(found.half_width) else 0
            low, high = min(low, found.points - width), max(high, found.points + width)
    return low - 0.5, high + 0.5


def _difference(comparison):
    width = f" ± {comparison.half_width:.1f}" if math.isfinite(comparison.half_width) else ""
    return f"{comparison.points:+.1f}".replace("-", "−") + width


def finding(variant, results):
    """What was measured for one variant: "two blocks: 1.3 ± 0.8 points worse"."""
    comparison = compare(variant, results)
    label = LABELS[variant][0]
    if variant in ablations.COMPARED_WITH:
        label += f", compared with {LABELS[ablations.COMPARED_WITH[variant]][0]}"
    if comparison is None:
        return f"{label}: not trained yet"
    if math.isinf(comparison.half_width):
        return f"{label}: {_difference(comparison)} points in one run, no interval yet"
    if verdict(variant, results) == "open":
        return f"{label}: {_difference(comparison)} points, too few seeds to decide"
    points, width = round(abs(comparison.points), 1), round(comparison.half_width, 1)
    if comparison.verdict == "no difference":
        return f"{label}: no difference larger than {points + width:.1f} points"
    return f"{label}: {points:.1f} ± {width:.1f} points {comparison.verdict}"


def answers(questions, results):
    """For each Question a row of Markdown: its topic, the slides' choice, and what the study says."""
    return [(f"**{question.topic}**", question.choice, answer(question, results)) for question in questions]


def answer(question, results):
    """Whether the study supports the slides' choice; where it shows no difference, how large one could be."""
    own, found = _own(question), {variant: verdict(variant, results) for variant in question.variants}
    better, worse, equal, pending = (
        [variant for variant in own if found[variant] == kind] for kind in ("better", "worse", "no difference", "open")
    )
    parts = [f"**not supported**: {finding(variant, results)}{_cost(variant, results)}" for variant in better]
    if worse:
        parts.append("**supported**" if worse == own else f"**supported** against {names(worse)}")
    parts += [f"{finding(variant, results)}{_cost(variant, results)}" for variant in equal]
    if pending:
        begun = [finding(variant, results) for variant in pending if compare(variant, results)]
        parts.append(
            "; ".join(["**not answered yet**", *begun] if pending == own else [f"not answered yet: {names(pending)}"])
        )
    parts += [
        finding(variant, results) for variant in question.variants if variant not in own and found[variant] != "open"
    ]
    return "; ".join(parts)


def recap(results):
    """What the study says of the slides' choices, one Markdown line for each kind of answer that occurs."""
    kinds = {
        "worse": "**Supported by measurement**: the slides' network beats {}.",
        "better": "**Not supported**: {} would have been better.",
        "no difference": "**No difference shown**: {}. If asked, answer that the slides follow convention here "
        "and that cost may choose.",
        "open": "**Not answered yet**, because there are too few training runs: {}.",
    }
    own = [variant for question in LAYERS + OPERATIONS for variant in _own(question)]
    found = {kind: [variant for variant in own if verdict(variant, results) == kind] for kind in kinds}
    return "\n".join(f"- {text.format(names(found[kind]))}" for kind, text in kinds.items() if found[kind])


def _own(question):
    """The variants that are compared with the slides' network, not with a twin."""
    return [variant for variant in question.variants if variant not in ablations.COMPARED_WITH]


def verdict(variant, results):
    """The verdict on a variant, or "open" while there are too few records for one."""
    comparison = compare(variant, results)
    if comparison is None or (comparison.verdict == "no difference" and comparison.half_width > TOO_WIDE):
        return "open"
    return comparison.verdict


def costliest(variants, results):
    """What was measured for that one of `variants` that costs the most accuracy so far."""
    compared = {variant: compare(variant, results) for variant in variants}
    points = {variant: found.points for variant, found in compared.items() if found}
    return finding(min(points, key=points.get), results) if points else "no two networks can be compared yet"


def caption(questions, results, dataset):
    """What a figure of these questions shows, in one or two sentences."""
    if "baseline" not in results:
        return f"No training run of the baseline on {dataset} has been recorded yet, so nothing can be compared."
    accuracies = results["baseline"].accuracies
    variants = [variant for question in questions for variant in question.variants]
    found = {variant: verdict(variant, results) for variant in variants}
    kinds = {"worse": "worse", "better": "better", "no difference shown": "no difference", "not answered yet": "open"}
    parts = {name: names([v for v in variants if found[v] == kind]) for name, kind in kinds.items()}
    text = "; ".join(f"{name}: {labels}" for name, labels in parts.items() if labels)
    return (
        f"Validation accuracy on {dataset}, compared with {np.mean(accuracies):.1%} for the slides' network "
        f"({len(accuracies)} seed{'s' if len(accuracies) > 1 else ''}). {text[0].upper() + text[1:]}."
    )


def names(variants):
    """The labels of some variants as a list in words."""
    labels = [LABELS[variant][0] for variant in variants]
    return " and ".join([", ".join(labels[:-1]), labels[-1]]) if len(labels) > 1 else "".join(labels)


def _cost(variant, results):
    """What a variant costs beside the slides' network, to follow its finding."""
    work, size = (
        getattr(results[variant], cost) / getattr(results["baseline"], cost) for cost in ("multiply_adds", "parameters")
    )
    if max(abs(work - 1), abs(size - 1)) < 0.005:
        return ", with the same parameters and multiply-adds"
    return f", at {work:.2f} times the multiply-adds and {size:.2f} times the parameters"
