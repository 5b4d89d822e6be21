"""The student edition: nothing given away, and self-checks that tell typical wrong answers from a solution."""

import contextlib
import csv
import io
import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import nbformat
import numpy as np
import pytest
from flows import slice_of
from test_editions import NOTE, SOLUTION, code, small, sources, text  # noqa: F401, a fixture

from helpers.editions import cells, student

ROOT = Path(__file__).resolve().parents[1]

# For each notebook and function two or more answers that people give; the check must say what is wrong with each.
WRONG = {
    "01-data": {
        "possible_images": [
            "def possible_images(side, channels, levels): return side * side * np.log10(levels)",
            "def possible_images(side, channels, levels): return np.log10(side * side * channels * levels)",
        ],
        "best_of_many": [
            "def best_of_many(g, y, k): return (g == y)[:, :k].mean(), (g == y)[:, k:].mean()",
            "def best_of_many(g, y, k): return (g == y)[:, :k].mean(1).max() * 100, 10.0",
            "def best_of_many(g, y, k): c = g == y; return c[:, :k].mean(1).max(), c[:, :k].mean(1).max()",
        ],
        "nearest_mean": [
            "def nearest_mean(x, y, new):\\n"
            "    m = np.array([x[y == k].mean(axis=0).ravel() for k in range(10)])\\n"
            "    return ((new.reshape(len(new), 1, -1) - m) ** 2).sum(axis=2).argmax(axis=1)",
            "def nearest_mean(x, y, new):\\n"
            "    m = np.array([x[y == k].mean(axis=0).ravel() for k in range(10)], np.uint8)\\n"
            "    return ((new.reshape(len(new), 1, -1) - m) ** 2).sum(axis=2, dtype=np.uint8).argmin(axis=1)",
        ],
        "thumbnails": [
            "def thumbnails(x): return x.reshape(len(x), -1).astype(float)",
            "def thumbnails(x):\\n"
            "    s = x.reshape(-1, 8, 4, 8, 4, 3).mean(axis=(2, 4)).reshape(len(x), -1)\\n"
            "    return s - s.mean(axis=1, keepdims=True)",
        ],
    },
    "02-architecture": {
        "convolution_cost": [
            "def convolution_cost(k, a, b, s): return k * k * a * b, k * k * a * b * s * s",
            "def convolution_cost(k, a, b, s): return k * k * b + b, k * k * b * s * s",
            "def convolution_cost(k, a, b, s): p = k * k * a * b + b; return p, p * s * s",
        ],
        "price_of_pair": [
            "def price_of_pair(a, b): return 18 / 25",
            "def price_of_pair(a, b): return 25 * a * b / (9 * (a * b + b * b))",
        ],
        "vgg_parameters": [
            "def vgg_parameters(f): return 65_568 + (2048 + 1) * 128 + 1290",
            "def vgg_parameters(f): return 65_568 + 8 * 8 * 64 * 128 + 128 * 10",
        ],
        "residual_unit": [
            "def residual_unit(x, f):\n"
            "    y = keras.layers.Conv2D(f, 3, padding='same', activation='relu')(x)\n"
            "    return keras.layers.Conv2D(f, 3, padding='same', activation='relu')(y)",
            "def residual_unit(x, f):\n"
            "    y = keras.layers.Conv2D(f, 3, padding='same', activation='relu')(x)\n"
            "    y = keras.layers.Conv2D(f, 3, padding='same', activation='relu')(y)\n"
            "    return keras.layers.Add()([y, x])",
        ],
    },
    "03-training": {
        "cross_entropy": [
            "def cross_entropy(p, y): return -np.log2(p[np.arange(len(y)), y]).mean()",
            "def cross_entropy(p, y): return -np.log(p[np.arange(len(y)), y]).sum()",
        ],
        "velocities": [
            "def velocities(m, g): return [sum(m**i for i in range(n + 1)) for n in range(len(g))]",
            "def velocities(m, g): return [-(1 - m) * sum(m**i for i in range(n + 1)) for n in range(len(g))]",
        ],
        "stopping_epoch": [
            "def stopping_epoch(losses, patience): return int(np.argmin(losses)) + 1",
            "def stopping_epoch(losses, patience): return 6",
        ],
        "with_random_labels": [
            "def with_random_labels(d, s):\n"
            "    return dataclasses.replace(d, y_train=np.random.default_rng(s).permutation(d.y_train))",
            "def with_random_labels(d, s):\n"
            "    r = np.random.default_rng(s)\n"
            "    return dataclasses.replace(d, y_train=r.integers(0, 10, 96), y_test=r.integers(0, 10, len(d.y_test)))",
        ],
    },
    "04-evaluation": {
        "kind_accuracy": [
            "def kind_accuracy(m, v): return np.trace(m) / m.sum()",
            "def kind_accuracy(m, v): return (m[v[:, None] == v].sum() - np.trace(m)) / m.sum()",
        ],
        "images_needed": [
            "def images_needed(a, w): return a * (1 - a) / w**2",
            "def images_needed(a, w): return 1.96 * (a * (1 - a)) ** 0.5 / w",
        ],
        "selective": [
            "def selective(p, y, t): k = p[np.arange(len(y)), y] >= t; return k.mean(), (p.argmax(1) == y)[k].mean()",
            "def selective(p, y, t): k = p.max(1) >= t; return k.mean(), ((p.argmax(1) == y) & k).mean()",
        ],
        "bootstrap_interval": [
            "def bootstrap_interval(c, n, seed): return (c.mean(), c.mean())",
            "def bootstrap_interval(c, n, seed):\\n"
            "    r = np.random.default_rng(seed)\\n"
            "    return np.quantile([r.choice(c, len(c)).mean() for _ in range(n)], (0.05, 0.95))",
        ],
    },
    "05-fgsm": {
        "my_fgsm": [
            "def my_fgsm(x, y, e): return x + np.float32(e) * attacks.gradient_sign(model, x, y)",
            "def my_fgsm(x, y, e): return np.clip(x - np.float32(e) * attacks.gradient_sign(model, x, y), 0, 1)",
            "def my_fgsm(x, y, e): return np.clip(x + np.float32(e * 255) * attacks.gradient_sign(model, x, y), 0, 1)",
        ],
        "success_rate": [
            "def success_rate(a, x, y): return 1 - (evaluation.predictions(model, a) == y).mean()",
            "def success_rate(a, x, y):\n"
            "    return ((evaluation.predictions(model, x) == y) & (evaluation.predictions(model, a) != y)).mean()",
        ],
        "accuracy_without_labels": [
            "def accuracy_without_labels(x, y, e): return evaluation.accuracy(model, attacks.fgsm(model, x, y, e), y)",
            "def accuracy_without_labels(x, y, e):\n"
            "    p = evaluation.predictions(model, x)\n"
            "    return evaluation.accuracy(model, attacks.fgsm(model, x, p, e), p)",
        ],
        "reached": [
            "def reached(t, x, y, e):\n"
            "    x = x[y != t]\n"
            "    return (evaluation.predictions(model, attacks.fgsm(model, x, np.full(len(x), t), e)) == t).mean()",
            "def reached(t, x, y, e):\n"
            "    moved = attacks.fgsm(model, x, np.full(len(x), t), e, targeted=True)\n"
            "    return (evaluation.predictions(model, moved) == t).mean()",
        ],
        "my_pgd": [
            "def my_pgd(x, y, e, s, n):\n    for _ in range(n): x = attacks.fgsm(model, x, y, s)\n    return x",
            "def my_pgd(x, y, e, s, n): return attacks.fgsm(model, x, y, s)",
        ],
    },
    "06-defence": {
        "fraction_left": [
            "def fraction_left(m, x, y): return evaluation.accuracy(m, attacks.fgsm(m, x, y, 16 / 255), y)",
            "def fraction_left(m, x, y):\n"
            "    a, b = (evaluation.accuracy(m, attacks.fgsm(m, x, y, k / 255), y) for k in (8, 16))\n"
            "    return a / b",
        ],
        "lost_and_gained": [
            "def lost_and_gained(f, s, x, y): return tuple((evaluation.predictions(m, x) == y).sum() for m in (f, s))",
            "def lost_and_gained(f, s, x, y):\n"
            "    a, b = (evaluation.predictions(m, x) == y for m in (f, s))\n"
            "    return (~a & b).sum(), (a & ~b).sum()",
        ],
        "transfer": [
            "def transfer(s, t, x, y, e): return evaluation.accuracy(s, attacks.fgsm(s, x, y, e), y)",
            "def transfer(s, t, x, y, e): return evaluation.accuracy(s, attacks.fgsm(t, x, y, e), y)",
        ],
        "worst_case": [
            "def worst_case(m, attacked, y): return np.mean([evaluation.predictions(m, x) == y for x in attacked])",
            "def worst_case(m, attacked, y):\n"
            "    return np.mean(np.any([evaluation.predictions(m, x) == y for x in attacked], axis=0))",
        ],
    },
}


def exercises(name):
    """Of each exercise of a notebook: the name of its function, and the sources of solution and check, with what they need."""
    book = cells.read(ROOT / "notebooks" / f"{name}.py")
    code = [cell for cell in book.cells if cell.cell_type == "code"]
    texts = [cell.source for cell in code]
    for place, cell in enumerate(code):
        if cells.has(cell, "check"):
            solution = max(at for at in range(place) if cells.solves(code[at]))
            function = texts[solution].split("def ", 1)[1].split("(")[0]
            yield function, [texts[at] for at in slice_of(texts, place)], texts[solution], texts[place]


@pytest.mark.parametrize("name", cells.names())
def test_a_check_passes_on_its_solution_and_tells_what_is_wrong_with_others(name, monkeypatch):
    monkeypatch.chdir(ROOT / "notebooks")
    for function, needed, solution, check in exercises(name):
        scope, said = {"np": np}, io.StringIO()
        with contextlib.redirect_stdout(said):
            for source in needed:
                exec(source, scope)  # the solution, then the check, without an error
        for wrong in WRONG[name][function]:
            exec(wrong.replace("\\n", "\n"), scope)
            with pytest.raises(AssertionError) as complaint, contextlib.redirect_stdout(said):
                exec(check, scope)
            assert len(str(complaint.value).split()) >= 4, f"{function}: no hint for {wrong!r}"
        assert len(WRONG[name][function]) >= 2
        exec(student.heads(solution), scope)
        with pytest.raises(NotImplementedError, match="Write your solution here"):
            exec(check, scope)


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
