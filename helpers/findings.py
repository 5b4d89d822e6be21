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

# How a variant is called in a figure, and what else its one change alters.
LABELS = {
    "one-block": ("one block", "dense layer ×4"),
    "two-blocks": ("two blocks", "dense layer ×2"),
    "four-blocks": ("four blocks", "dense layer ×½"),
    "one-5x5": ("one 5×5 for two 3×3", "one ReLU fewer"),
    "deep-plain": ("four 3×3 per block", ""),
    "constant-filters": ("32 filters throughout", "dense layer ×¼"),
    "average-pooling": ("average pooling", ""),
    "strided-convolution": ("strided convolutions", "second conv. ×¼ work"),
    "residual": ("skip connections", "adds 1×1 convolutions"),
    "deep-residual": ("four 3×3 with skips", "against four 3×3"),
    "glorot": ("Glorot initialisation", ""),
    "no-dropout": ("no dropout", ""),
    "augmentation": ("augmentation", ""),
    "batch-norm": ("batch normalisation", ""),
}


# The verdicts on a variant, as ablations.compare gives them and for too few runs.
KINDS = "better", "worse", "no difference", "undecided", "not trained"


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
    return f"{round(comparison.points, 1) + 0:+.1f}".replace("-", "−") + width  # never −0.0


def finding(variant, results, cost=""):
    """What was measured for one variant: "two blocks (1.3 ± 0.8 points worse)"; `cost` follows within the brackets."""
    label = LABELS[variant][0]
    if variant in ablations.COMPARED_WITH:
        label += f", compared with {LABELS[ablations.COMPARED_WITH[variant]][0]}"
    return f"{label} ({_outcome(variant, results)}{cost})"


def _outcome(variant, results):
    comparison = compare(variant, results)
    if comparison is None:
        return "not trained yet"
    if verdict(variant, results) == "undecided":
        return _measured(comparison)
    if comparison.verdict == "no difference":
        return f"no difference larger than {_bound(comparison):.1f} points"
    return f"{abs(comparison.points):.1f} ± {comparison.half_width:.1f} points {comparison.verdict}"


def _measured(comparison):
    """What came out of training runs that are too few to decide anything."""
    runs = "in a single run" if math.isinf(comparison.half_width) else "in too few runs"
    return f"{_difference(comparison)} points {runs}"


def answers(questions, results):
    """For each Question a row of Markdown: its topic, the slides' choice, and what the study says."""
    return [(f"**{question.topic}**", question.choice, answer(question, results)) for question in questions]


def answer(question, results):
    """Whether the study supports the slides' choice; where it shows no difference, how large one could be."""
    own, found = _own(question), {variant: verdict(variant, results) for variant in question.variants}
    better, worse, equal, undecided, pending = (
        [variant for variant in own if found[variant] == kind] for kind in KINDS
    )
    parts = [
        f"{heading} " + _listed([finding(variant, results, cost(variant, results)) for variant in variants])
        for heading, variants, cost in (
            ("**not supported** against", better, _cost),
            ("**supported** against", worse, lambda *_: ""),
            ("**no preference** over", equal, _cost),
            ("**undecided** against", undecided, lambda *_: ""),
        )
        if variants
    ]
    if pending:
        parts.append("**not answered yet**" + ("" if pending == own else f": {names(pending)}"))
    parts += [finding(twin, results) for twin in question.variants if twin not in own and found[twin] != "not trained"]
    return "; ".join(parts)


def recap(results):
    """What the study says of the slides' choices, one Markdown line for each kind of answer that occurs."""
    own = [variant for question in LAYERS + OPERATIONS for variant in _own(question)]
    found = {kind: [variant for variant in own if verdict(variant, results) == kind] for kind in KINDS}
    bounds = [_bound(compare(variant, results)) for variant in found["no difference"]]
    texts = {
        "worse": "**Supported**: the slides' network would be less accurate with {}.",
        "better": "**Not supported**: the slides' network would be more accurate with {}.",
        "no difference": f"**No difference larger than {max(bounds, default=0):.1f} points** with {{}}. Here, the "
        "slides follow convention; cost may decide.",
        "undecided": "**Undecided**: {}. There are too few training runs, and the differences measured so far may be due to "
        "chance.",
        "not trained": "**Not answered yet**: {}. No training run has been recorded.",
    }
    words = {
        kind: names(those, "and" if kind in ("undecided", "not trained") else "or") for kind, those in found.items()
    }
    return "\n".join(f"- {text.format(words[kind])}" for kind, text in texts.items() if found[kind])


def _bound(comparison):
    """The largest difference, in points, that the interval does not exclude, as its rounded numbers give it."""
    return round(abs(comparison.points), 1) + round(comparison.half_width, 1)


def _own(question):
    """The variants that are compared with the slides' network, not with a twin."""
    return [variant for variant in question.variants if variant not in ablations.COMPARED_WITH]


def verdict(variant, results):
    """The verdict on a variant, one of KINDS: "undecided" where its runs are too few, "not trained" without any."""
    comparison = compare(variant, results)
    if comparison is None:
        return "not trained"
    too_few = comparison.verdict == "no difference" and comparison.half_width > TOO_WIDE
    return "undecided" if too_few else comparison.verdict


def costliest(variants, results):
    """A sentence that names the one of `variants` that costs the most accuracy, as far as the records go."""
    compared = {variant: compare(variant, results) for variant in variants}
    points = {variant: found.points for variant, found in compared.items() if found}
    if not points:
        return "no two of these networks can be compared yet"
    lowest = min(points, key=points.get)
    trained = "of these" if len(points) == len(variants) else f"of the {len(points)} of these that were trained"
    if verdict(lowest, results) == "worse":
        return f"the costliest {trained}: {finding(lowest, results)}"
    return f"the least accurate {trained}, but not shown to be worse: {finding(lowest, results)}"


def caption(questions, results, dataset):
    """What a figure of these questions shows, and how its dots are to be read; `dataset` as a sentence calls it."""
    if "baseline" not in results:
        return f"No training run of the slides' network on {dataset} has been recorded yet, so nothing can be compared."
    accuracies = results["baseline"].accuracies
    variants = [variant for question in questions for variant in question.variants]
    found = {kind: [variant for variant in variants if verdict(variant, results) == kind] for kind in KINDS}
    text = "; ".join(f"{kind}: {names(those)}" for kind, those in found.items() if those)
    measured = [comparison for comparison in (compare(variant, results) for variant in variants) if comparison]
    finite = [math.isfinite(comparison.half_width) for comparison in measured]
    dots = "A filled dot means that the interval excludes 0. " if any(finite) else ""
    dots += "A dot without an interval is a single run. " if not all(finite) else ""
    return (
        f"Validation accuracy on {dataset}, compared with {np.mean(accuracies):.1%} for the slides' network "
        f"({len(accuracies)} seed{'s' if len(accuracies) > 1 else ''}). {dots}{text[0].upper() + text[1:]}."
    )


def names(variants, conjunction="and"):
    """The labels of some variants as a list in words."""
    return _listed([LABELS[variant][0] for variant in variants], conjunction)


def _listed(parts, conjunction="and"):
    return f" {conjunction} ".join([", ".join(parts[:-1]), parts[-1]]) if len(parts) > 1 else "".join(parts)


def _cost(variant, results):
    """What a variant costs beside the slides' network, to follow its finding."""
    work, size = (
        getattr(results[variant], cost) / getattr(results["baseline"], cost) for cost in ("multiply_adds", "parameters")
    )
    if max(abs(work - 1), abs(size - 1)) < 0.005:
        about = "" if work == size == 1 else "about "
        return f", with {about}the same parameters and multiply-adds"
    return f", at {work:.2f} times the multiply-adds and {size:.2f} times the parameters"
