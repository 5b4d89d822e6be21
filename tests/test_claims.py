"""What 05 and 06 say follows from the records: other numbers change a sentence or stop the notebook."""

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


def exchange(monkeypatch, one, other):
    """Whoever asks for the run or the report of one network gets that of the other."""
    exchanged = {one: other, other: one}
    for module in (runs, robustness):

        def load(wanted, *rest, original=module.load):
            return original(exchanged.get(wanted, wanted), *rest)

        monkeypatch.setattr(module, "load", load)


@pytest.mark.parametrize("name", ["05-fgsm", "06-defence"])
def test_exchanged_networks_stop_the_notebook_or_change_its_words(name, walk, monkeypatch):
    """An adversarially trained network in the place of the standard one."""
    monkeypatch.setenv("LECTURE_DATASET", "sketches")
    _, usual = walk(code_cells(name, "core"))
    assert "sketches" in usual
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


def test_the_price_and_autoattack_are_said_as_the_records_have_them(walk, monkeypatch):
    """A price that turns into a gain, with the two networks exchanged; AutoAttack where all of it is recorded."""
    monkeypatch.setenv("LECTURE_DATASET", "sketches")
    cells, load = until_the_price(code_cells("06-defence", "core")), robustness.load

    def with_autoattack(name, *rest):
        found = {attack: values for attack, values in load(name, *rest).items() if attack != "AutoAttack"}
        entry = {"level": 8, "accuracy": 0.0, "attacks": [{}] * attacks_run}
        return found | ({"AutoAttack": entry} if attacks_run else {})

    monkeypatch.setattr(robustness, "load", with_autoattack)
    said_of = {}
    for attacks_run in (0, 3, 4):
        _, said_of[attacks_run] = walk(cells)
    assert [number for number, words in said_of.items() if "AutoAttack combines four attacks" in words] == [4]


def test_the_price_is_lower_or_higher_as_recorded_and_needs_a_standard_twin(walk, monkeypatch):
    monkeypatch.setenv("LECTURE_DATASET", "sketches")
    cells = until_the_price(code_cells("06-defence", "core"))
    twin, trained = (robustness.load(name, "sketches") for name in ("standard-twin", "adversarial-fgsm"))
    change = "lower" if trained["FGSM"]["accuracy"][0] < twin["FGSM"]["accuracy"][0] else "higher"
    _, words = walk(cells)
    assert f"that of adversarial-fgsm is # points {change}# These two are compared like for like" in words
    exchange(monkeypatch, "standard-twin", "adversarial-fgsm")
    with pytest.raises(AssertionError, match="robust accuracy is gained"):
        walk(cells)


def test_a_collapse_is_reported_where_there_is_one_and_only_there(walk, monkeypatch):
    monkeypatch.setenv("LECTURE_DATASET", "sketches")
    cells, load = collapse_cells(code_cells("06-defence", "core")), runs.load
    histories = {
        "It happens": {"pgd_accuracy": [0.3, 0.2, 0.0], "fgsm_accuracy": [0.3, 0.4, 0.8]},
        "it does not happen": {"pgd_accuracy": [0.2, 0.3, 0.4], "fgsm_accuracy": [0.3, 0.4, 0.5]},
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
