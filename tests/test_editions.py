"""Editions as functions on notebooks: the schedule, the README's parts, the public address. The browser is in test_site."""

import shutil
import sys
import tomllib
import types
from pathlib import Path

import nbformat
import pytest
from IPython.core.interactiveshell import InteractiveShell
from packaging.requirements import Requirement
from traitlets.config import Config

from helpers.editions import address, cells, readme, schedule

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
