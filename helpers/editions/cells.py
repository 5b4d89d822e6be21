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
from urllib.parse import unquote

import nbformat

ROOT = Path(__file__).resolve().parents[2]
NOTEBOOKS = ROOT / "notebooks"
KEPT = ("tags", "slideshow", "jupyter")  # the metadata that a source holds
PARTS = ("core", "optional", "homework")
ROLES = ("setup", "notes", "bet", "reveal", "solution", "check")
NOTES, SOLUTIONS = ("speaker notes ",), ("solution ", "solutions ", "idea ")  # how the summary of a fold begins
FOLD = re.compile(r"<details\b[^>]*>|</details\s*>", re.IGNORECASE)
SUMMARY = re.compile(r"\s*<summary\b[^>]*>(.*?)</summary\s*>", re.IGNORECASE | re.DOTALL)


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
    """The notebooks with their outputs, in order: name → notebook. One without a source is somebody's copy or trial."""
    paths = sorted(path for path in folder.glob("[0-9]*.ipynb") if path.with_suffix(".py").exists())
    return {path.stem: nbformat.read(path, 4) for path in paths}


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


def opening(book, name):
    """A notebook's title, or its `name` where it has none, and its question, which may be empty."""
    text = "\n\n".join(cell.source for cell in book.cells if cell.cell_type == "markdown")
    title = re.search(r"^# (.+)", text, re.MULTILINE)
    question = re.search(r"\*\*The question:\*\* (.+?)(?:\n\n|\Z)", text, re.DOTALL)
    return title[1] if title else name, " ".join(question[1].split()) if question else ""


def without(markdown, summaries, keep=False):
    """Markdown without each <details> whose summary begins with one of `summaries`; to `keep` it, without its fold alone."""
    while fold := next((fold for fold in _folds(markdown) if fold[0].startswith(summaries)), None):
        _, inside, begin, end = fold
        markdown = markdown[:begin] + (inside.strip() if keep else "") + markdown[end:]
    return markdown.strip()


def _folds(markdown):
    """Each <details>: its summary in lower-case words, each with a space after it; what it holds; its begin and its end."""
    begun, found = [], []
    for tag in FOLD.finditer(markdown):
        if not tag[0].startswith("</"):
            begun.append(tag)
        elif begun:
            found.append((begun.pop(), tag.start(), tag.end()))
    found += [(tag, len(markdown), len(markdown)) for tag in begun]  # a browser ends it there, too
    for tag, inner_end, end in found:
        if summary := SUMMARY.match(markdown, tag.end(), inner_end):
            words = re.sub(r"(?:<[^>]*>|[\W\d_])+", " ", summary[1] + " ").lstrip().lower()
            yield words, markdown[summary.end() : inner_end], tag.start(), end


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
        cell.source = without(cell.source, NOTES)
    return cell


def copy_beside(folder, books):
    """Copy the glossary, and whatever else lies beside the notebooks and is named in `books`; returns the new paths."""
    named = "\n".join(unquote(cell.source) for book in books for cell in book.cells)
    copied = []
    for path in sorted(NOTEBOOKS.rglob("*.*")):
        name = path.relative_to(NOTEBOOKS).as_posix()
        if name.startswith(".") or "/." in name or path.suffix in (".py", ".ipynb") or not path.is_file():
            continue
        if name == "glossary.md" or re.search(rf"(?<![\w/-])(?:\./)?{re.escape(name)}(?![\w-])", named):
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            copied.append(Path(shutil.copy(path, folder / name)))
    return copied


def save(book, path):
    """Write a notebook with the newlines that git keeps."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(nbformat.writes(book) + "\n", encoding="utf-8", newline="\n")
