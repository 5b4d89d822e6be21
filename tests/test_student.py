"""The student edition: nothing given away, and what a student is handed runs. Self-checks: test_exercises.py."""

import ast
import csv
import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import nbformat
import pytest
from test_editions import NOTE, SOLUTION, code, small, sources, text  # noqa: F401, a fixture

from helpers.editions import cells, student

ROOT = Path(__file__).resolve().parents[1]


def test_nothing_is_given_away(small):  # noqa: F811
    made = student.edition(small)
    assert NOTE not in sources(made) and SOLUTION not in sources(made)
    (place,) = (cell for cell in made.cells if "def double" in cell.source)
    assert '"""Twice x."""' in place.source and student.TO_WRITE in place.source and "2 * x" not in place.source
    assert all(not cell.outputs and cell.execution_count is None for cell in made.cells if cell.cell_type == "code")
    assert all("%pip" not in source for source in sources(made))
    on_colab = student.edition(small, "https://github.com/someone/else")
    assert next(cell for cell in on_colab.cells if cell.cell_type == "code").source.count("%pip install") == 1


def test_heads_keep_signature_docstring_and_imports():
    solution = "import math\n\nFACTOR = 2\n\n\n@staticmethod\ndef f(x, *,\n      y=1):\n    return x\n\n\ndef g():\n    'Doc.'\n    pass"
    assert student.heads(solution) == (
        f"import math\n\n\n@staticmethod\ndef f(x, *,\n      y=1):\n    {student.TO_WRITE}\n\n\n"
        f"def g():\n    'Doc.'\n    {student.TO_WRITE}"
    )
    assert "higher" not in student.heads('def f(x):\n    """Prediction: higher."""\n    return x')
    assert student.heads("x = 3") == "# Write your solution here."


@pytest.mark.parametrize(
    "solution",
    [
        "def f(x): return 2 * x",
        "def f(x): 'Doc.'; return 2 * x",
        "async def f(x=lambda y: 1):  # 2 * x\n  # 2 * x\n  return 2 * x",
        "@decorated\ndef f(\n    x: dict[str, int],  # a comment\n) -> {1: 2}:\n  'Doc.'  # 2 * x\n  return 2 * x",
    ],
)
def test_heads_of_unusual_functions_are_whole_and_tell_nothing(solution):
    made = student.heads(solution)
    (function,) = ast.parse(made).body
    assert ast.unparse(function.args) == ast.unparse(ast.parse(solution).body[0].args) and "2 * x" not in made
    assert ("Doc." in made) == ("Doc." in solution) and student.TO_WRITE in made


@pytest.mark.parametrize("solution", ["%matplotlib inline", "!ls", "class Double:\n    pass"])
def test_a_solution_that_cannot_be_taken_apart_is_refused_with_its_cell(small, solution, tmp_path):  # noqa: F811
    small.cells[10].source = f"import math\n{solution}"
    with pytest.raises(ValueError, match="07-small, cell 11.*line 2"):
        student.write(tmp_path / "student", {"07-small": small})
    assert not list(tmp_path.rglob("*.zip"))


def test_the_zip_holds_what_was_written_and_own_work_stays(small, tmp_path, monkeypatch):  # noqa: F811
    beside, folder = tmp_path / "notebooks", tmp_path / "student"
    monkeypatch.setattr(cells, "NOTEBOOKS", beside)
    for name in ("glossary.md", "images/a cat.png", "data/b.csv", "exam-solutions.pdf", ".ipynb_checkpoints/b.csv"):
        (beside / name).parent.mkdir(parents=True, exist_ok=True)
        (beside / name).write_text("x", encoding="utf-8")
    small.cells[6].source += "\n\n![A cat](images/a%20cat.png)"
    small.cells[8].source = "open('data/b.csv')"
    own = ".venv/x", ".ipynb_checkpoints/07-small.ipynb", "06-old.ipynb"
    for name in own:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text("x", encoding="utf-8")
    assert student.write(folder, {"07-small": small}) == [".ipynb_checkpoints", ".venv", "06-old.ipynb"]
    with zipfile.ZipFile(tmp_path / "student.zip") as archive:
        held = {name.removeprefix("student/") for name in archive.namelist()}
    assert all((folder / name).exists() for name in own) and not held & set(own)
    assert {name for name in held if not name.startswith("helpers/")} == {
        "07-small.ipynb",
        "START.md",
        "data/b.csv",
        "glossary.md",
        "images/a cat.png",
        "requirements.txt",
    }


def test_nbgrader_takes_the_edition_for_an_assignment(tmp_path):
    source, release = (tmp_path / folder / "ps1" / "07-small.ipynb" for folder in ("source", "release"))
    book = nbformat.v4.new_notebook(
        metadata={"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}},
        cells=[
            text("# 07", "core"),
            code(SOLUTION, "homework", "solution"),
            code("assert double(2) == 4", "homework", "check"),
        ],
    )
    cells.save(student.edition(book), source)
    scripts = str(Path(sys.executable).parent)  # nbgrader calls alembic by its name
    environment = os.environ | {"PATH": f"{scripts}{os.pathsep}{os.environ['PATH']}"}

    def nbgrader(*words):
        command = [sys.executable, "-m", "nbgrader", *words, "--CourseDirectory.course_id=x"]
        done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr[-2000:]

    nbgrader("generate_assignment", "ps1")
    released = nbformat.read(release, 4)
    assert '"""Twice x."""' in released.cells[1].source and "BEGIN" not in released.cells[1].source
    for name, line in (("ann", "return 2 * x"), ("bob", "return x")):
        released.cells[1].source = f"def double(x):\n    {line}"
        cells.save(released, tmp_path / "submitted" / name / "ps1" / "07-small.ipynb")
    nbgrader("autograde", "ps1")
    nbgrader("export")
    lines = csv.DictReader((tmp_path / "grades.csv").read_text().splitlines())
    assert {line["student_id"]: line["score"] for line in lines} == {"ann": "1.0", "bob": "0.0"}


def test_the_zip_runs_without_this_repository(small, tmp_path):  # noqa: F811
    small.cells[8].source = "from helpers import data\nprint(data.load().name)"
    student.write(tmp_path / "student", {"07-small": small})
    with zipfile.ZipFile(tmp_path / "student.zip") as archive:
        archive.extractall(tmp_path / "elsewhere")
    folder = tmp_path / "elsewhere" / "student"
    program = "; ".join(
        ["from helpers import check, data", "check.ready()", "print(data.__file__, data.load('sketches').name)"]
    )
    environment = {"PATH": "", "HOME": str(tmp_path), "SYSTEMROOT": "", "LECTURE_DOWNLOAD": "0"}
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=folder, env=environment, capture_output=True, text=True, check=True
    )
    assert str(folder) in done.stdout and "sketches" in done.stdout
    assert not list(folder.rglob("editions")) and "-e ." not in (folder / "requirements.txt").read_text()
    assert json.loads((folder / "07-small.ipynb").read_text())["nbformat"] == 4
