"""What the ablation study says: every sentence is chosen by the records, whichever of them there are."""

import math
import shutil

import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg

from helpers import ablations, figures, findings, runs

QUESTIONS = findings.LAYERS + findings.OPERATIONS
# Parameters and multiply-adds; the others have the baseline's.
COSTS = {
    "two-blocks": (591_274, 25_003_264),
    "four-blocks": (1_304_746, 52_921_600),
    "batch-norm": (551_914, 38_896_896),
}


def study(seeds=4, **effects):
    """A VariantResult for every variant, `effects` points better than the baseline (with _ for - in names)."""
    rng, difficulty = np.random.default_rng(0), np.random.default_rng(1).random(5000)
    results = {}
    for variant in ablations.VARIANTS:
        shift = effects.get(variant.replace("-", "_"), 0) / 100
        correct = np.array([difficulty + rng.normal(0, 0.01, 5000) < 0.8 + shift for _ in range(seeds)])
        costs = COSTS.get(variant, (550_570, 38_896_896))
        results[variant] = ablations.VariantResult(list(correct.mean(axis=1)), correct, *costs, gap=10.0)
    return results


def said(results):
    """All sentences of a study, one after the other."""
    parts = [text for row in findings.answers(QUESTIONS, results) for text in row]
    parts += [
        findings.recap(results),
        findings.caption(QUESTIONS, results, "CIFAR-10"),
        findings.costliest(findings.LABELS, results),
    ]
    return "\n".join(parts)


def test_every_variant_answers_one_question_and_has_a_label():
    asked = [variant for question in QUESTIONS for variant in question.variants]
    assert sorted(asked) == sorted(findings.LABELS) == sorted(set(ablations.VARIANTS) - {"baseline"})


def test_what_a_change_drags_along_is_what_the_networks_have():
    def weights(variant):
        changes = {name: value for name, value in ablations.VARIANTS[variant].items() if name != "augment"}
        layers = [layer for layer in ablations.network(**changes).layers if hasattr(layer, "kernel")]
        return layers, next(layer for layer in layers if len(layer.kernel.shape) == 2).kernel.shape[0]

    fractions = {"½": 0.5, "¼": 0.25, "2": 2, "4": 4}
    for variant, (_, dragged) in findings.LABELS.items():
        layers, inputs = weights(variant)
        factor = fractions[dragged.rpartition("×")[2]] if dragged.startswith("dense layer") else 1
        assert inputs == factor * weights("baseline")[1], variant
        assert any(layer.kernel.shape[:2] == (1, 1) for layer in layers) == ("residual" in variant)
    strided, plain = weights("strided-convolution")[0][1], weights("baseline")[0][1]
    assert np.prod(plain.output.shape[1:3]) == 4 * np.prod(strided.output.shape[1:3])


def test_the_answers_follow_the_numbers():
    results = study(two_blocks=-3, augmentation=3, four_blocks=0.2)
    blocks, initial, regularisation, normalisation = (
        next(findings.answer(question, results) for question in QUESTIONS if variant in question.variants)
        for variant in ("two-blocks", "glorot", "augmentation", "batch-norm")
    )
    assert (
        blocks.startswith("**supported** against two blocks (2.9 ")
        and "points worse); **no preference** over one block (" in blocks
    )
    assert "four blocks (no difference larger than" in blocks
    assert "1.36 times the multiply-adds and 2.37 times the parameters)" in blocks
    assert initial.startswith("**no preference** over Glorot")
    assert initial.endswith(", with the same parameters and multiply-adds)")
    assert normalisation.endswith(", with about the same parameters and multiply-adds)")
    assert regularisation.startswith("**not supported** against augmentation (3.") and "points better" in regularisation
    recap = findings.recap(results)
    assert (
        "less accurate with two blocks." in recap
        and "**Not supported**: the slides' network would be more accurate with augmentation." in recap
    )
    assert findings.costliest(findings.LABELS, results).startswith("the costliest of these: two blocks (")
    assert "Not answered" not in recap and "Undecided" not in recap


def test_the_recap_bounds_every_difference_that_it_does_not_show():
    results = study(two_blocks=-3, augmentation=3)
    bound = float(findings.recap(results).split("No difference larger than ")[1].split()[0])
    equal = [name for name in findings.LABELS if findings.verdict(name, results) == "no difference"]
    assert len(equal) > 8 and bound == pytest.approx(
        max(findings.compare(name, results).bound for name in equal), abs=0.1
    )


def test_few_runs_are_told_from_none():
    """As early in a sweep: one seed of some variants."""
    results = study(1, two_blocks=-3)
    partial = {name: results[name] for name in ("baseline", "one-block", "two-blocks")}
    recap, caption = findings.recap(partial), findings.caption(QUESTIONS, partial, "CIFAR-10")
    assert "**Undecided**: one block and two blocks. There are too few training runs" in recap
    assert "**Not answered yet**: four blocks, " in recap
    assert "A dot without an interval is a single run." in caption and "filled dot" not in caption
    assert "Undecided: one block and two blocks; not trained: four blocks" in caption
    assert "points in a single run); **not answered yet**: four blocks" in findings.answer(findings.LAYERS[0], partial)
    lowest = findings.costliest(findings.LABELS, partial)
    assert lowest.startswith("the least accurate of the 2 of these that were trained, but not shown to be worse")
    assert findings.costliest(("glorot", "residual"), partial).startswith("no two of these networks")


def test_two_variants_that_change_places_change_the_text():
    before = study(glorot=-4, batch_norm=4)
    after = before | {"glorot": before["batch-norm"], "batch-norm": before["glorot"]}
    assert said(before) != said(after)
    assert "would be more accurate with batch normalisation." in said(before)
    assert "would be more accurate with Glorot initialisation." in said(after)
    costs = [findings.costliest(findings.LABELS, results) for results in (before, after)]
    assert costs[0].startswith("the costliest of these: Glorot") and ": batch norm" in costs[1]


def test_two_recorded_files_that_change_places_change_the_text(tmp_path):
    """With the records that come with the series, whichever there are."""
    source = runs.folder("ablations", "cifar10")
    target = shutil.copytree(source, runs.folder("ablations", "cifar10", tmp_path))
    before = ablations.results("cifar10", tmp_path)
    one, two = target / "one-block-0.json", target / "two-blocks-0.json"
    content = one.read_bytes(), two.read_bytes()
    one.write_bytes(content[1]), two.write_bytes(content[0])
    after = ablations.results("cifar10", tmp_path)
    assert said(after) != said(before)
    risen, fallen = (
        findings.compare(variant, after).points - findings.compare(variant, before).points
        for variant in ("one-block", "two-blocks")
    )
    assert risen > 0 > fallen


def test_a_bound_is_the_far_end_of_the_interval():
    results = study(glorot=0.1)
    found = findings.compare("glorot", results)
    bound = float(findings.finding("glorot", results).split("than ")[1].split()[0])
    assert found.verdict == "no difference" and bound == pytest.approx(found.bound, abs=0.1)
    row = next(row for row in findings.rows(QUESTIONS, results) if row.label.startswith("Glorot"))
    shown = [float(part.replace("−", "-")) for part in row.difference.split(" ± ")]
    assert bound == pytest.approx(abs(shown[0]) + shown[1])


def test_every_set_of_finished_runs_gives_text_and_figure():
    """Seed by seed, as a sweep goes: no sentence claims what its interval does not show."""
    full, results = study(two_blocks=-3, augmentation=3), {}
    for variant, seed in [(variant, seed) for seed in range(4) for variant in ablations.VARIANTS]:
        whole = full[variant]
        results[variant] = whole._replace(accuracies=whole.accuracies[: seed + 1], correct=whole.correct[: seed + 1])
        text = said(results)
        assert "nan" not in text and "inf" not in text
        for name in findings.LABELS:
            found = findings.compare(name, results)
            decided = found is not None and abs(found.points) > found.half_width
            assert (findings.verdict(name, results) in ("better", "worse")) == decided
            assert (
                " worse" in findings.finding(name, results) or " better" in findings.finding(name, results)
            ) == decided
        low, high = findings.limits(results)
        assert math.isfinite(low) and math.isfinite(high) and low < 0 < high


def test_a_wide_interval_decides_where_it_does_not_contain_0():
    """As on the sketches, where a seed more or less moves the accuracy by several points."""
    results = study(4)
    for name, shift in (("one-block", 0.5), ("two-blocks", 0.01)):
        noise = np.array([[-0.1], [0.1], [-0.1], [0.1]])
        accuracies = [value + shift + float(off) for value, off in zip(results[name].accuracies, noise.ravel())]
        results[name] = results[name]._replace(accuracies=accuracies)
    widths = [findings.compare(name, results).half_width for name in ("one-block", "two-blocks")]
    assert min(widths) > findings.TOO_WIDE
    assert [findings.verdict(name, results) for name in ("one-block", "two-blocks")] == ["better", "undecided"]
    assert "points better" in findings.finding("one-block", results)
    assert "points in too few runs" in findings.finding("two-blocks", results)


@pytest.mark.parametrize("seeds", [0, 1, 4])
def test_the_figure_shows_what_is_there(seeds):
    results = study(seeds, two_blocks=-3) if seeds else {}
    rows = findings.rows(findings.LAYERS, results)
    figure = figures.ablations(rows, results.get("baseline"), findings.limits(results))
    FigureCanvasAgg(figure).draw()
    words = [text.get_text() for text in figure.axes[0].texts]
    assert words.count("not trained yet") == (0 if seeds else 7)
    axis = figure.axes[0]
    assert len(axis.lines) == {0: 1, 1: 7, 4: 13}[seeds]  # the line at 0; dots; dots and intervals
    if seeds == 4:
        filled = [line.get_markerfacecolor() != "white" for line in axis.lines if line.get_marker() == "o"]
        assert filled == [row.comparison.verdict != "no difference" for row in rows] and any(filled)
    sizes = [text.get_fontsize() for text in figure.axes[0].texts]
    assert min(sizes) >= 14


def test_a_name_that_is_no_variant():
    with pytest.raises(ValueError, match="variant='he'.*glorot"):
        findings.compare("he", study())
