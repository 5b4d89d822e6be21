"""The student edition: notebooks to work in, without outputs, notes and solutions; and student.zip, which runs anywhere.

Each solution becomes its functions' heads with a place to write. The self-check after it says what is wrong. Cells
carry the metadata by which nbgrader takes the folder for a released assignment.
"""

import ast
import copy
import io
import shutil
import tokenize
import zipfile
from pathlib import Path

import nbformat

from . import address, cells

# nbgrader, too, knows the place to write by these comments.
TO_WRITE = """### BEGIN SOLUTION
    raise NotImplementedError("Write your solution here, in the place of this line.")
    ### END SOLUTION"""
START = """# {title}

You need Python 3.11 to 3.13. In a terminal, in this folder:

    python3 -m venv .venv                                    (Windows: py -m venv .venv,
    .venv/bin/python -m pip install -r requirements.txt       then .venv\\Scripts\\python)
    .venv/bin/python -m jupyterlab 01-data.ipynb

Run a notebook's cells from top to bottom. Each exercise has a cell to write in and, below it, a cell that checks what
you wrote. If your solution is correct, the check is silent or prints a result; if not, it says what to look at.
"""


def edition(book, public=None):
    """A notebook for students. With a `public` address it begins with the cell that installs the lecture on Colab.

    Raises ValueError, with the number of its cell, for a solution that cannot be taken apart.
    """
    result = nbformat.v4.new_notebook(metadata=copy.deepcopy(book.metadata))
    for number, cell in enumerate(book.cells, start=1):
        if cells.has(cell, "notes") or address.is_for_colab(cell) or (cell.cell_type != "code" and cells.solves(cell)):
            continue
        cell = cells.without_outputs(cell)
        if cell.cell_type == "markdown":
            cell.source = cells.without(cell.source, cells.SOLUTIONS)
        elif cells.solves(cell):
            try:
                cell.source = heads(cell.source)
            except ValueError as error:
                raise ValueError(f"cell {number} cannot become a place to write: {error}") from None
            cell.metadata.pop("jupyter", None)
        result.cells.append(cell)
    if public is not None:
        first = next((place for place, cell in enumerate(result.cells) if cell.cell_type == "code"), len(result.cells))
        result.cells.insert(first, address.colab_cell(public))
    for cell, name in zip(result.cells, cells.identifiers(result.cells), strict=True):
        cell.id = name
        _for_nbgrader(cell)
    return result


def heads(solution):
    """The code of a solution with a place to write in each of its functions; what else solves is left out.

    Raises ValueError for what is not plain Python, such as %magic, and for a class.
    """
    lines, parts = solution.splitlines(), []
    try:
        statements = ast.parse(solution).body
    except SyntaxError as error:
        reason = f"its line {error.lineno} is not plain Python; put % and ! commands into a cell of their own"
        raise ValueError(reason) from None
    for node in statements:
        if isinstance(node, ast.ClassDef):
            raise ValueError(
                f"its line {node.lineno} defines a class; write functions, or take the tag “solution” away"
            )
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            start = min([node.lineno, *(decorator.lineno for decorator in node.decorator_list)])
            told = ast.get_docstring(node) or "Prediction:"  # a prediction is the answer to a part of the exercise
            kept = [] if told.startswith("Prediction:") else [f"    {ast.get_source_segment(solution, node.body[0])}"]
            signature = _signature("\n".join(lines[node.lineno - 1 :]))
            parts.append("\n".join([*lines[start - 1 : node.lineno - 1], signature, *kept, f"    {TO_WRITE}"]))
        elif isinstance(node, ast.Import | ast.ImportFrom):
            parts.append("\n".join(lines[node.lineno - 1 : node.end_lineno]))
    return "\n\n\n".join(parts) or "# Write your solution here."


def _signature(function):
    """A function's code up to the colon after its signature: a comment there may tell the solution."""
    depth = 0
    for token in tokenize.generate_tokens(io.StringIO(function).readline):
        depth += {"(": 1, "[": 1, "{": 1, ")": -1, "]": -1, "}": -1}.get(token.string, 0)
        if token.string == ":" and not depth:
            row, column = token.end
            return "\n".join([*function.splitlines()[: row - 1], function.splitlines()[row - 1][:column]])


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
    """Write the notebooks of the students into `folder`, with all that they need to run, and a zip of that beside it.

    Returns the names of what else is in `folder`: somebody's own work, which stays there and is not in the zip.
    """
    made = {}
    for name, book in books.items():
        try:
            made[folder / f"{name}.ipynb"] = edition(book, public)
        except ValueError as error:
            raise ValueError(f"{name}, {error}") from None
    for path, book in made.items():
        cells.save(book, path)
    written = [*made, *cells.copy_beside(folder, made.values())]
    title = (cells.ROOT / "README.md").read_text(encoding="utf-8").splitlines()[0].removeprefix("# ")
    needed = (cells.ROOT / "requirements.txt").read_text(encoding="utf-8").splitlines()
    needed = "\n".join(line for line in needed if not line.startswith("-e")) + "\n"
    for name, text in (("START.md", START.format(title=title)), ("requirements.txt", needed)):
        (folder / name).write_text(text, encoding="utf-8", newline="\n")
        written.append(folder / name)

    def copied(path, new):
        written.append(Path(shutil.copy2(path, new)))

    unwanted = shutil.ignore_patterns("__pycache__", "checkpoint.*", "editions")
    shutil.copytree(
        cells.ROOT / "helpers", folder / "helpers", ignore=unwanted, dirs_exist_ok=True, copy_function=copied
    )
    with zipfile.ZipFile(folder.with_suffix(".zip"), "w", zipfile.ZIP_DEFLATED) as archive:
        for path in sorted(written):
            archive.write(path, path.relative_to(folder.parent))
    return sorted({path.name for path in folder.iterdir()} - {path.relative_to(folder).parts[0] for path in written})
