"""What 01 and 04 say follows from their numbers: other numbers change a sentence or stop the notebook."""

import re

import nbformat
import numpy as np
import pytest

from helpers import data, evaluation, figures, runs
from helpers.editions import cells

VEHICLE = np.isin(data.CLASS_NAMES, ["airplane", "automobile", "ship", "truck"])


@pytest.fixture
def said(monkeypatch, capsys):
    """Runs the cells of a notebook that have none of the given tags, and returns what they print and show."""

    def walk(name, scope, without):
        shown = []
        monkeypatch.setattr(figures, "show", lambda figure, alt: shown.append(alt))
        for cell in cells.read(cells.NOTEBOOKS / f"{name}.py").cells:
            if cell.cell_type == "code" and not cells.has(cell, *without) and cells.part(cell) != "homework":
                exec(cell.source, scope)  # noqa: S102, the project's own cells
        return "\n".join([capsys.readouterr().out, *shown])

    return walk


def evaluated(dataset, errors, sharpness, other_errors):
    """The names that 04's set-up defines, for a network with these wrong predictions: (image, class) pairs."""
    labels = dataset.y_test
    predicted = labels.copy()
    predicted[errors[:, 0]] = errors[:, 1]
    logits = sharpness * np.eye(10, dtype=np.float32)[predicted]
    logits += np.random.default_rng(0).normal(0, 0.3, logits.shape).astype(np.float32)
    other = labels.copy()
    other[other_errors] = (labels[other_errors] + 1) % 10
    probability = evaluation.softmax(logits)
    predicted = probability.argmax(axis=1)
    scope = {"np": np, "data": data, "evaluation": evaluation, "figures": figures, "runs": runs, "dataset": dataset}
    scope |= {"labels": labels, "names": data.CLASS_NAMES, "shown": slice(data.ORIGINAL_TEST_IMAGES)}
    return (
        scope
        | {"logits": logits, "other": other, "probability": probability}
        | {
            "predicted": predicted,
            "correct": predicted == labels,
        }
    )


def errors_of(dataset, count, plausible):
    """`count` errors: each to another class of the same kind, or to one of the other kind."""
    rng, labels = np.random.default_rng(1), dataset.y_test
    images = rng.choice(len(labels), count, replace=False)
    return np.array(
        [
            (
                image,
                rng.choice(
                    [c for c in range(10) if c != labels[image] and (VEHICLE[c] == VEHICLE[labels[image]]) == plausible]
                ),
            )
            for image in images
        ]
    )


@pytest.fixture(scope="module")
def sketches():
    return data.load("sketches")


def test_04_says_which_way_the_confidence_is_wrong_and_which_network_is_better(said, sketches):
    errors = errors_of(sketches, 200, plausible=True)
    few, many = np.arange(100, 110), np.arange(400, 900)
    sharp = said("04-evaluation", evaluated(sketches, errors, 9, few), ("setup", "bet"))
    assert "the network is overconfident" in sharp and "trained so long" in sharp and "vgg3 − fast: -" in sharp
    flat = said("04-evaluation", evaluated(sketches, errors, 3, many), ("setup", "bet"))
    assert "the network is underconfident" in flat and "trained with dropout" in flat and "vgg3 − fast: +" in flat
    assert "more than chance explains" in sharp and "more than chance explains" in flat
    same = said("04-evaluation", evaluated(sketches, errors, 9, np.unique(errors[:, 0])), ("setup", "bet"))
    assert "no more than chance may explain" in same


def test_04_stops_where_errors_are_not_plausible(said, sketches):
    errors = errors_of(sketches, 200, plausible=False)
    with pytest.raises(AssertionError, match="plausible"):
        said("04-evaluation", evaluated(sketches, errors, 9, errors[:150, 0]), ("setup", "bet"))


def test_01_stops_where_the_opening_image_does_not_flip(said, sketches, monkeypatch):
    from helpers import attacks, models
    from helpers.explorer import FgsmExplorer

    monkeypatch.setattr(attacks, "fgsm", lambda model, images, labels, epsilon: images)
    shown, labels = sketches.x_test[: data.ORIGINAL_TEST_IMAGES], sketches.y_test[: data.ORIGINAL_TEST_IMAGES]
    scope = {"np": np, "attacks": attacks, "data": data, "evaluation": evaluation, "figures": figures, "models": models}
    scope |= {"runs": runs, "FgsmExplorer": FgsmExplorer, "dataset": sketches, "names": data.CLASS_NAMES}
    scope |= {"model": runs.load("vgg3", "sketches").model, "shown": shown, "labels": labels}
    with pytest.raises(AssertionError, match="must flip"):
        said("01-data", scope, ("setup", "bet"))


@pytest.mark.parametrize("name", cells.names())
def test_every_slide_of_the_core_tells_the_lecturer_what_people_ask(name):
    slides = []
    for cell in cells.read(cells.NOTEBOOKS / f"{name}.py").cells:
        if cells.part(cell) == "core":
            if cells.slide_type(cell) == "slide":
                slides.append([])
            slides[-1].append(cell)
    silent = [
        slide[0].source.splitlines()[0]
        for slide in slides
        if not any(cells.has(cell, "notes") and "They will ask" in cell.source for cell in slide)
    ]
    assert slides and silent == []


@pytest.mark.parametrize("name", cells.names())
def test_stored_outputs_call_the_data_set_by_its_name(name):
    """`cifar10` is what a command or a folder is called."""
    book = nbformat.read(cells.NOTEBOOKS / f"{name}.ipynb", 4)
    outputs = [str(output) for cell in book.cells for output in cell.get("outputs", ())]
    images = re.compile(r"'image/png': '[^']*'|--dataset cifar10")
    assert [output for output in outputs if "cifar10" in images.sub("", output)] == []
