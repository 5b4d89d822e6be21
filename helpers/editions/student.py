"""The student edition: notebooks to work in, without outputs, notes and solutions; and student.zip, which runs anywhere.

Each solution becomes its functions' heads with a place to write. The self-check after it says what is wrong. Cells
carry the metadata by which nbgrader takes the folder for a released assignment.
"""

import ast
import copy
import re
import shutil
import zipfile

import nbformat

from . import address, cells

# nbgrader, too, knows the place to write by these comments.
TO_WRITE = """### BEGIN SOLUTION
    raise NotImplementedError("Write your solution here, in the place of this line.")
    ### END SOLUTION"""
SOLUTION = re.compile(r"<details>\s*<summary>(?:Solution|Idea)</summary>.*?</details>", re.DOTALL)
START = """# {title}

You need Python 3.11 to 3.13. In a terminal, in this folder:

    python3 -m venv .venv                                    (Windows: py -m venv .venv,
    .venv/bin/python -m pip install -r requirements.txt       then .venv\\Scripts\\python)
    .venv/bin/python -m jupyterlab 01-data.ipynb

Run a notebook's cells from top to bottom. Each exercise has a cell to write in and, below it, a cell that checks what
you wrote. If your solution is correct, the check is silent or prints a result; if not, it says what to look at.
"""


def edition(book, public=None):
    """A notebook for students. With a `public` address it begins with the cell that installs the lecture on Colab."""
    result = nbformat.v4.new_notebook(metadata=copy.deepcopy(book.metadata))
    for cell in book.cells:
        if cells.has(cell, "notes") or address.is_for_colab(cell) or (cell.cell_type != "code" and cells.solves(cell)):
            continue
        cell = cells.without_outputs(cell)
        if cell.cell_type == "markdown":
            cell.source = SOLUTION.sub("", cell.source).strip()
        elif cells.solves(cell):
            cell.source = heads(cell.source)
            cell.metadata.pop("jupyter", None)
        result.cells.append(cell)
    if public is not None:
        first = next(place for place, cell in enumerate(result.cells) if cell.cell_type == "code")
        result.cells.insert(first, address.colab_cell(public))
    for cell, name in zip(result.cells, cells.identifiers(result.cells), strict=True):
        cell.id = name
        _for_nbgrader(cell)
    return result


def heads(solution):
    """The code of a solution with a place to write in each of its functions; what else solves is left out."""
    lines, parts = solution.splitlines(), []
    for node in ast.parse(solution).body:
        if isinstance(node, ast.FunctionDef):
            told = ast.get_docstring(node) or "Prediction:"  # a prediction is the answer to a part of the exercise
            kept = None if told.startswith("Prediction:") else node.body[0]
            end = kept.end_lineno if kept else node.body[0].lineno - 1
            start = min([node.lineno, *(decorator.lineno for decorator in node.decorator_list)])
            parts.append("\n".join([*lines[start - 1 : end], f"    {TO_WRITE}"]))
        elif isinstance(node, ast.Import | ast.ImportFrom):
            parts.append("\n".join(lines[node.lineno - 1 : node.end_lineno]))
    return "\n\n\n".join(parts) or "# Write your solution here."


def _for_nbgrader(cell):
    """Mark what students write, and what grades it, as nbgrader does."""
    checks = cells.has(cell, "check") and cell.cell_type == "code"
    writes = cells.solves(cell) and cell.cell_type == "code"
    if not (checks or writes):
        return
    cell.metadata["nbgrader"] = {
        "grade": checks,
        "grade_id": f"cell-{cell.id}",
        "locked": checks,
        "schema_version": 3,
        "solution": writes,
        "task": False,
    } | ({"points": 1} if checks else {})


def write(folder, books, public=None):
    """Write the notebooks of the students into `folder`, with all that they need to run, and a zip beside it."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, book in books.items():
        cells.save(edition(book, public), folder / f"{name}.ipynb")
    cells.copy_beside(folder)
    title = (cells.ROOT / "README.md").read_text(encoding="utf-8").splitlines()[0].removeprefix("# ")
    (folder / "START.md").write_text(START.format(title=title), encoding="utf-8", newline="\n")
    needed = (cells.ROOT / "requirements.txt").read_text(encoding="utf-8").splitlines()
    needed = "\n".join(line for line in needed if not line.startswith("-e")) + "\n"
    (folder / "requirements.txt").write_text(needed, encoding="utf-8", newline="\n")
    unwanted = shutil.ignore_patterns("__pycache__", "checkpoint.*", "editions")
    shutil.copytree(cells.ROOT / "helpers", folder / "helpers", ignore=unwanted, dirs_exist_ok=True)
    with zipfile.ZipFile(folder.with_suffix(".zip"), "w", zipfile.ZIP_DEFLATED) as archive:
        for path in sorted(folder.rglob("*")):
            if path.is_file():
                archive.write(path, path.relative_to(folder.parent))
