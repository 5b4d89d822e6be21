"""What 05 and 06 say follows from the records: other numbers change a sentence or stop the notebook. An exercise's
self-check tells a wrong solution what is wrong with it."""

import io
import re
from types import SimpleNamespace

import jupytext
import numpy as np
import pytest
from IPython.display import Markdown
from PIL import Image

from helpers import figures, robustness, runs
from helpers.editions.cells import NOTEBOOKS, part, tags


def code_cells(name, *parts):
    cells = jupytext.read(NOTEBOOKS / f"{name}.py", fmt="py:percent").cells
    return [cell for cell in cells if cell.cell_type == "code" and part(cell) in parts]


@pytest.fixture
def walk(monkeypatch, capsys):
    """Runs code cells in this process; returns their names and what they say without digits: sentences, not numbers."""
    said = []

    def display(*objects, **_):
        said.extend(shown.data for shown in objects if isinstance(shown, Markdown))

    monkeypatch.setattr(figures.notebook, "display", display)

    def run(cells, scope=None):
        said.clear()
        scope = {"__name__": "lecture"} if scope is None else scope
        for cell in cells:
            exec(compile(cell.source, "cell", "exec"), scope)  # noqa: S102, the project's own cells
        return scope, re.sub(r"[\d.,]+", "#", "\n".join([*said, capsys.readouterr().out]))

    return run


@pytest.fixture(params=["cifar10", "sketches"])
def dataset_name(request, monkeypatch, dataset):
    if request.param != "sketches" and dataset.name != request.param:
        pytest.skip("CIFAR-10 is not here")
    monkeypatch.setenv("LECTURE_DATASET", request.param)
    return request.param


def exchange(monkeypatch, one, other):
    """Whoever asks for the run or the report of one network gets that of the other."""
    exchanged = {one: other, other: one}
    for module in (runs, robustness):

        def load(wanted, *rest, original=module.load):
            return original(exchanged.get(wanted, wanted), *rest)

        monkeypatch.setattr(module, "load", load)


@pytest.mark.parametrize("name", ["05-fgsm", "06-defence"])
def test_the_core_runs_on_both_data_sets(name, walk, dataset_name):
    _, words = walk(code_cells(name, "core"))
    assert dataset_name.replace("10", "#") in words


@pytest.mark.parametrize("name", ["05-fgsm", "06-defence"])
def test_exchanged_networks_stop_the_notebook_or_change_its_words(name, walk, monkeypatch):
    """An adversarially trained network in the place of the standard one."""
    monkeypatch.setenv("LECTURE_DATASET", "sketches")
    _, usual = walk(code_cells(name, "core"))
    exchange(monkeypatch, "vgg3", "adversarial-fgsm")
    try:
        _, words = walk(code_cells(name, "core"))
    except AssertionError as stopped:
        assert re.search("[a-z]", str(stopped))
    else:
        assert words != usual


def until_the_price(cells):
    last = next(place for place, cell in enumerate(cells) if "clean_vs_robust" in cell.source)
    return cells[: last + 1]


def collapse_cells(cells):
    first = next(place for place, cell in enumerate(cells) if "catastrophic-overfitting" in cell.source)
    return [*(cell for cell in cells if "setup" in tags(cell)), *cells[first : first + 2]]


def test_the_price_is_said_like_for_like_or_with_its_confounders(walk, monkeypatch, tmp_path):
    """Without a record of standard-twin and AutoAttack; and with both, for which airbench's record stands in."""
    monkeypatch.setenv("LECTURE_DATASET", "sketches")
    cells, folder, load = until_the_price(code_cells("06-defence", "core")), runs.folder, robustness.load

    def with_autoattack(name, *rest):
        found = {attack: values for attack, values in load(name, *rest).items() if attack != "AutoAttack"}
        entry = {"level": 8, "accuracy": 0.0, "attacks": [{}] * 4}
        return found | ({"AutoAttack": entry} if recorded else {})

    def twin_folder(name, *rest):
        twin = folder("airbench", *rest) if recorded else tmp_path
        return twin if name == "standard-twin" else folder(name, *rest)

    monkeypatch.setattr(runs, "folder", twin_folder)
    monkeypatch.setattr(robustness, "load", with_autoattack)
    recorded = False
    _, alone = walk(cells)
    recorded = True
    _, both = walk(cells)
    assert "not the price of the attack" in alone and "so the difference is the price" in both
    assert "AutoAttack" not in alone and "AutoAttack combines four attacks" in both
    assert "standard-twin" not in alone and "images that standard-twin classifies correctly" in both


def test_a_collapse_is_reported_where_there_is_one_and_only_there(walk, monkeypatch):
    monkeypatch.setenv("LECTURE_DATASET", "sketches")
    cells, load = collapse_cells(code_cells("06-defence", "core")), runs.load
    histories = {
        "It does": {"pgd_accuracy": [0.3, 0.2, 0.0], "fgsm_accuracy": [0.3, 0.4, 0.8]},
        "Not on sketches": {"pgd_accuracy": [0.2, 0.3, 0.4], "fgsm_accuracy": [0.3, 0.4, 0.5]},
    }
    for verdict, history in histories.items():

        def with_history(name, dataset, history=history):
            run = load(name, dataset)
            return runs.Run(run.model, run.record | {"history": history | {"loss": [2.0, 1.5, 1.0]}})

        monkeypatch.setattr(runs, "load", with_history)
        _, words = walk(cells)
        assert verdict in words and all(other == verdict or other not in words for other in histories)


def as_ipywidgets_8(name, content):
    return ({"name": name, "content": memoryview(content)},)


def as_ipywidgets_7(name, content):
    return {name: {"metadata": {"name": name}, "content": content}}


@pytest.mark.parametrize("form", [as_ipywidgets_8, as_ipywidgets_7])
def test_an_uploaded_photograph_is_taken_in_either_form(form, walk, dataset):
    """Colab has ipywidgets 7, whose upload is a dictionary by file name."""
    cell = next(cell for cell in code_cells("05-fgsm", "optional") if "files = upload.value" in cell.source)
    memory = io.BytesIO()
    Image.fromarray(np.full((40, 60, 3), (10, 200, 30), np.uint8)).save(memory, "PNG")
    upload = SimpleNamespace(value=form("my cat.png", memory.getvalue()))
    scope, words = walk([cell], {"upload": upload, "figures": figures, "dataset": dataset})
    assert "my cat.png" in words.replace("#", ".") and (scope["small"] == (10, 200, 30)).all()
    assert scope["small"].shape == (32, 32, 3)


# Typical wrong solutions, and a word of the hint that each of them gets.
WRONG = {
    "my_fgsm": [
        ("return images + np.float32(epsilon) * attacks.gradient_sign(model, images, labels)", r"outside \[0, 1\]"),
        ("return attacks.fgsm(model, images, labels, epsilon, targeted=True)", "climb the loss, or descend"),
        ("return np.clip(images + epsilon * np.zeros_like(images), 0, 1)", "take the sign"),
    ],
    "success_rate": [
        ("return np.mean(evaluation.predictions(model, adversarial) != labels)", "wrong without an attack"),
        (
            (
                "a = evaluation.predictions(model, images) == labels\n"
                "    return np.mean(a & (evaluation.predictions(model, adversarial) != labels))"
            ),
            "not by all images",
        ),
    ],
    "accuracy_without_labels": [
        (
            (
                "own = evaluation.predictions(model, images)\n"
                "    return evaluation.accuracy(model, attacks.fgsm(model, images, own, epsilon), own)"
            ),
            "true labels",
        ),
        (
            "return evaluation.accuracy(model, attacks.fgsm(model, images, labels, epsilon), labels)",
            "must not see the true labels",
        ),
    ],
    "reached": [
        (
            (
                "wanted = np.full(len(images), target)\n"
                "    x = attacks.fgsm(model, images, wanted, epsilon, targeted=True)\n"
                "    return np.mean(evaluation.predictions(model, x) == target)"
            ),
            "leave out the images",
        ),
        (
            (
                "x = images[labels != target]\n    wanted = np.full(len(x), target)\n"
                "    return np.mean(evaluation.predictions(model, attacks.fgsm(model, x, wanted, epsilon)) == target)"
            ),
            "targeted=True",
        ),
    ],
    "my_pgd": [
        (
            "x = images\n    for _ in range(steps):\n        x = my_fgsm(x, labels, step_size)\n    return x",
            "project after each step",
        ),
        (
            "for _ in range(steps):\n        x = my_fgsm(images, labels, step_size)\n    return x",
            "where the last one ended",
        ),
    ],
    "fraction_left": [
        ("return evaluation.accuracy(network, attacks.fgsm(network, images, labels, 16 / 255), labels)", "divide it"),
        (
            (
                "small, large = (attacks.fgsm(network, images, labels, k / 255) for k in (8, 16))\n"
                "    return evaluation.accuracy(network, small, labels) / evaluation.accuracy(network, large, labels)"
            ),
            "upside down",
        ),
    ],
    "lost_and_gained": [
        (
            "return tuple((evaluation.predictions(n, images) == labels).sum() for n in (first, second))",
            "leave out what both do",
        ),
        (
            (
                "a, b = (evaluation.predictions(n, images) == labels for n in (first, second))\n"
                "    return (~a & b).sum(), (a & ~b).sum()"
            ),
            "the other way round",
        ),
    ],
    "transfer": [
        ("return evaluation.accuracy(source, attacks.fgsm(source, images, labels, epsilon), labels)", "judge `target`"),
        (
            "return evaluation.accuracy(source, attacks.fgsm(target, images, labels, epsilon), labels)",
            "attack `source`, judge `target`",
        ),
    ],
    "worst_case": [
        ("return np.mean([evaluation.accuracy(network, x, labels) for x in attacked])", "no worst case"),
        (
            "return np.mean(np.any([evaluation.predictions(network, x) == labels for x in attacked], axis=0))",
            "every attack must fail",
        ),
    ],
}


@pytest.mark.parametrize("name", ["05-fgsm", "06-defence"])
def test_self_checks_accept_the_solution_and_explain_wrong_ones(name, walk, monkeypatch):
    monkeypatch.setenv("LECTURE_DATASET", "sketches")
    scope, _ = walk([cell for cell in code_cells(name, "core") if "setup" in tags(cell)])
    homework = code_cells(name, "homework")
    assert [sorted(tags(cell) - {"homework"}) for cell in homework] == [["solution"], ["check"]] * (len(homework) // 2)
    for solution, check in zip(homework[::2], homework[1::2]):
        function = re.search(r"def (\w+)", solution.source)[1]
        head = re.search(r"def .*:", solution.source)[0]
        for body, hint in WRONG[function]:
            exec(f"{head}\n    {body}", scope)  # noqa: S102, the project's own cells
            with pytest.raises(AssertionError, match=hint):
                walk([check], scope)
        assert "correct: " in walk([solution, check], scope)[1]


def test_every_exercise_is_tried_wrongly():
    functions = [
        re.search(r"def (\w+)", cell.source)[1]
        for name in ("05-fgsm", "06-defence")
        for cell in code_cells(name, "homework")
        if "solution" in tags(cell)
    ]
    assert sorted(functions) == sorted(WRONG)
