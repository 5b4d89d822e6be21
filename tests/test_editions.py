"""Editions as functions on notebooks: the schedule, the README's parts, the public address. The browser is in test_site."""

import shutil
import subprocess
import sys
import tomllib
import types
from pathlib import Path

import nbformat
import pytest
from IPython.core.interactiveshell import InteractiveShell
from packaging.requirements import Requirement
from traitlets.config import Config

from helpers.editions import address, cells, lecture, readme, schedule

ROOT = Path(__file__).resolve().parents[1]
PUBLIC = "https://github.com/someone/else"


def test_the_minutes_add_up():
    assert list(schedule.MINUTES) == cells.names()
    assert sum(schedule.MINUTES.values()) == schedule.LECTURE and schedule.LECTURE + schedule.QUESTIONS == 90
    assert schedule.starts()[:3] == [0, 4, 11]
    assert sum(section.minutes for section in schedule.SHORT) == 45


def test_the_readme_is_generated_from_schedule_notebooks_and_records():
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    assert readme.renewed(text, cells.stored()) == text


# A small notebook with a cell of every kind.


def code(source, *tags, outputs=(), **metadata):
    outputs = [nbformat.v4.new_output("stream", text=text) for text in outputs]
    return nbformat.v4.new_code_cell(
        source, metadata={"tags": list(tags), **metadata}, outputs=outputs, execution_count=7 if outputs else None
    )


def text(source, *tags, slide=None):
    metadata = {"tags": list(tags)} | ({"slideshow": {"slide_type": slide}} if slide else {})
    return nbformat.v4.new_markdown_cell(source, metadata=metadata)


NOTE = "<details><summary>Speaker notes</summary>\n\nSay it slowly.\n\n</details>"
SOLUTION = 'def double(x):\n    """Twice x."""\n    return 2 * x'


@pytest.fixture
def small():
    """One cell of every kind, in an order that a notebook may have."""
    book = nbformat.v4.new_notebook()
    book.cells = [
        text("# 07 · Small\n\n**The question:** why?\n\nTime: 3 minutes.", "core", slide="slide"),
        text(NOTE, "core", slide="notes"),
        code("from helpers import check\n\ncheck.ready()", "core", "setup", outputs=["ready"]),
        text("**Bet:** how many?", "core", "bet", slide="slide"),
        code("my_bet = 3", "core", "bet"),
        code("print(4)", "core", "reveal", outputs=["4"], jupyter={"outputs_hidden": True}),
        text("Four, as you see.", "core", "reveal"),
        text("## Beside the way", "optional"),
        code("print(5)", "optional", outputs=["5"], scrolled=True),
        text("## Homework\n\nWrite `double`.", "homework"),
        code(SOLUTION, "homework", "solution"),
        code("assert double(2) == 4", "homework", "check", outputs=["right"]),
        text("## What we saw", "core", slide="slide"),
        nbformat.v4.new_code_cell("1 + 1"),  # JupyterLab adds such a cell at the last Shift+Enter
    ]
    return book


def sources(book):
    return [cell.source for cell in book.cells]


def test_the_lecture_edition_is_the_core_without_outputs_then_an_appendix(small):
    before = nbformat.writes(small)
    made = lecture.edition(small)
    nbformat.validate(made)
    headings = [cell.source.splitlines()[0] for cell in made.cells if cell.source.startswith("#")]
    assert headings == [
        "# 07 · Small",
        "## What we saw",
        "# Appendix: optional cells",
        "## Beside the way",
        "# Appendix: homework",
        "## Homework",
    ]
    assert len(made.cells) == len(small.cells) - 1 + len(lecture.APPENDIX) and "Say it slowly" not in str(sources(made))
    ran = [cell for cell in made.cells if cell.cell_type == "code"]
    assert all(not cell.outputs and cell.execution_count is None for cell in ran)
    assert not {"scrolled", "collapsed"} & set().union(*(cell.metadata for cell in ran))
    folded = [cell.source for cell in ran if cell.metadata.get("jupyter", {}).get("source_hidden")]
    assert folded == [small.cells[2].source, SOLUTION]
    assert nbformat.writes(small) == before


def test_git_ignores_what_the_editions_write():
    folders = [
        "lecture/01-data.ipynb",
        "student/01-data.ipynb",
        "student.zip",
        "site/index.html",
        "slides/01-data.html",
    ]
    done = subprocess.run(["git", "check-ignore", *folders], cwd=ROOT, capture_output=True, text=True)
    if done.returncode == 128:
        pytest.skip("no git repository here")
    assert done.stdout.split() == folders


# The public address


@pytest.fixture
def copy(tmp_path):
    """A copy of what holds the address: its folder."""
    for name in ("pyproject.toml", "README.md", "notebooks"):
        take = shutil.copytree if (ROOT / name).is_dir() else shutil.copy
        take(ROOT / name, tmp_path / name)
    return tmp_path


def contents(folder):
    return {path: path.read_bytes() for path in folder.rglob("*") if path.suffix in (".md", ".py", ".ipynb")}


def test_an_address_opens_every_door_and_without_one_there_is_none(copy):
    before, project = contents(copy), copy / "pyproject.toml"
    assert address.repository(copy) is None
    address.renew(copy)
    assert contents(copy) == before
    line = 'Repository = "https://github.com/you/cnn-fgsm-lecture"'
    text = project.read_text(encoding="utf-8")
    project.write_text(text.replace(f"# {line}", f'Repository = "{PUBLIC}"'), encoding="utf-8")
    address.renew(copy)
    shown = (copy / "README.md").read_text(encoding="utf-8")
    assert "https://mybinder.org/v2/gh/someone/else/main?urlpath=lab/tree/notebooks/01-data.ipynb" in shown
    assert "https://colab.research.google.com/github/someone/else/blob/main/notebooks/01-data.ipynb" in shown
    for source in (copy / "notebooks").glob("[0-9]*.py"):
        stored, wanted = nbformat.read(source.with_suffix(".ipynb"), 4).cells, cells.read(source).cells
        assert sum(PUBLIC in cell.source for cell in stored) == 1
        assert [(cell.source, cell.id) for cell in stored] == [(cell.source, cell.id) for cell in wanted]
    project.write_text(text, encoding="utf-8")
    address.renew(copy)
    assert contents(copy) == before


def test_colab_installs_before_the_set_up_and_no_other_place_does(monkeypatch, tmp_path):
    source = tmp_path / "01-data.py"
    plain = (ROOT / "notebooks" / source.name).read_text(encoding="utf-8")
    source.write_text(address.for_colab(plain, PUBLIC), encoding="utf-8")
    first = next(cell.source for cell in cells.read(source).cells if cell.cell_type == "code")
    asked = []
    shell = InteractiveShell(config=Config({"HistoryManager": {"enabled": False}}))
    shell.register_magic_function(lambda line: asked.append(line), magic_name="pip")
    shell.run_cell(first).raise_error()
    assert asked == []
    monkeypatch.setitem(sys.modules, "google.colab", types.SimpleNamespace())
    shell.run_cell(first).raise_error()
    wanted = Requirement(asked[0].removeprefix('install -q "').removesuffix('"'))
    name = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["name"]
    assert (wanted.name, wanted.extras, wanted.url) == (name, {"colab"}, f"git+{PUBLIC}")


@pytest.mark.parametrize("path", sorted((ROOT / "notebooks").glob("[0-9]*.py")), ids=lambda path: path.stem)
def test_the_set_up_cell_is_three_lines(path):
    first = next(cell for cell in cells.read(path).cells if cell.cell_type == "code")
    assert first.source == "from helpers import check\n\ncheck.ready()" and cells.tags(first) == {"core", "setup"}
