"""Notebooks as all editions read them: where they are, and what a cell is for.

A cell's tags hold one part of PARTS and any of ROLES. A cell without a part is optional, so what a reader adds, or
JupyterLab itself at the last Shift+Enter, passes through every edition.
"""

import copy
import hashlib
import json
import re
import shutil
from collections import Counter
from pathlib import Path

import nbformat

ROOT = Path(__file__).resolve().parents[2]
NOTEBOOKS = ROOT / "notebooks"
KEPT = ("tags", "slideshow", "jupyter")  # the metadata that a source holds
PARTS = ("core", "optional", "homework")
ROLES = ("setup", "notes", "bet", "reveal", "solution", "check")
NOTES = re.compile(r"<details><summary>Speaker notes</summary>\s*(.*?)\s*</details>", re.DOTALL)


def names():
    """The names of all notebooks, in the lecture's order."""
    return [path.stem for path in sorted(NOTEBOOKS.glob("[0-9]*.py"))]


def read(source):
    """The notebook that a .py describes: sources, the KEPT metadata and the digest of both (see pairs.py).

    A cell's id depends on its content alone.
    """
    import jupytext  # only authors have it

    book = nbformat.v4.new_notebook(
        metadata={
            "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
            "language_info": {"name": "python"},
        }
    )
    cells = jupytext.read(source, fmt="py:percent").cells
    for cell, name in zip(cells, identifiers(cells), strict=True):
        cell.id = name
        cell.metadata = nbformat.from_dict({key: cell.metadata[key] for key in KEPT if key in cell.metadata})
        book.cells.append(cell)
    book.metadata["pair"] = digest(book)
    return book


def stored(folder=NOTEBOOKS):
    """The notebooks with their outputs, in order: name → notebook."""
    return {path.stem: nbformat.read(path, 4) for path in sorted(folder.glob("[0-9]*.ipynb"))}


def digest(book):
    """What the cells of a notebook are, without outputs: kind, source and the metadata that a .py holds."""
    held = [
        (cell.cell_type, plain(cell), {key: cell.metadata[key] for key in KEPT if cell.metadata.get(key)})
        for cell in book.cells
    ]
    return hashlib.sha256(json.dumps(held, sort_keys=True).encode()).hexdigest()[:16]


def plain(cell):
    """A cell's source as a .py can hold it: with ordinary line breaks, and without white space at its end."""
    return re.sub(r"\r\n?", "\n", cell.source).rstrip()


def identifiers(cells):
    """An id for each cell that depends on its kind and its source alone."""
    seen = Counter()
    for cell in cells:
        digest = hashlib.sha256(f"{cell.cell_type}\n{cell.source}".encode()).hexdigest()[:8]
        seen[digest] += 1
        yield digest if seen[digest] == 1 else f"{digest}-{seen[digest]}"


def tags(cell):
    """A cell's tags, as a set."""
    return set(cell.metadata.get("tags", ()))


def part(cell):
    """The part that a cell belongs to: "core", "optional" or "homework"."""
    return next((name for name in PARTS if name in tags(cell)), "optional")


def has(cell, *roles):
    """Whether a cell has any of `roles`. Speaker notes are known by their slide type as well."""
    return not tags(cell).isdisjoint(roles) or ("notes" in roles and slide_type(cell) == "notes")


def solves(cell):
    """Whether a cell holds the solution of an exercise: by its role, or because its source is folded."""
    folded = cell.metadata.get("jupyter", {}).get("source_hidden", False)
    return has(cell, "solution") or (folded and part(cell) == "homework")


def slide_type(cell):
    """What a cell does to a deck: "slide", "subslide", "fragment", "skip", "notes", or None where it goes on."""
    return cell.metadata.get("slideshow", {}).get("slide_type")


def opening(book):
    """A notebook's title and its question, from its first cell."""
    first = book.cells[0].source
    question = re.search(r"\*\*The question:\*\* (.+?)\n\n", first, re.DOTALL)[1]
    return re.match(r"# (.+)", first)[1], " ".join(question.split())


def without_outputs(cell):
    """A copy of a cell as it is before any run, without the speaker notes that its text may hold."""
    cell = copy.deepcopy(cell)
    if cell.cell_type == "code":
        cell.outputs, cell.execution_count = [], None
        for key in ("collapsed", "scrolled", "execution"):
            cell.metadata.pop(key, None)
        kept = {key: value for key, value in cell.metadata.pop("jupyter", {}).items() if key != "outputs_hidden"}
        cell.metadata |= {"jupyter": kept} if kept else {}
    else:
        cell.source = NOTES.sub("", cell.source).strip()
    return cell


def copy_beside(folder):
    """Copy what stands beside the notebooks, such as the glossary and pictures, into `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    for path in NOTEBOOKS.iterdir():
        if path.is_file() and path.suffix not in (".py", ".ipynb", ".toml", ".part"):
            shutil.copy(path, folder)


def save(book, path):
    """Write a notebook with the newlines that git keeps."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(nbformat.writes(book) + "\n", encoding="utf-8", newline="\n")
