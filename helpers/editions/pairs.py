"""A notebook and its source, NN-name.ipynb and NN-name.py, kept together by what they hold and never by their times.

The .ipynb notes the digest that its cells had when both were the same. So it can be told which of them was edited since:
that one is taken, and what the other held is kept beside it. Where both were edited nothing is written, and a person decides.
"""

import copy
import re
import time
from pathlib import Path

import jupytext
import nbformat
from jupyter_server.services.contents.largefilemanager import LargeFileManager
from tornado.web import HTTPError

from . import cells

FILTER = {"notebook_metadata_filter": "-all", "cell_metadata_filter": f"{','.join(cells.KEPT)},-all"}
MARKER = re.compile(r"^# %%", re.MULTILINE)  # begins a cell in a .py; other scripts are no notebook's source


class Conflict(ValueError):
    """Why a pair cannot be brought together without a person."""


def as_source(book):
    """The text of the .py. Raises Conflict with the number of a cell that a .py cannot hold."""
    plain = nbformat.v4.new_notebook(metadata={"jupytext": FILTER})
    for number, cell in enumerate(book.cells, start=1):
        if cell.get("attachments"):
            raise Conflict(
                f"cell {number} holds a pasted picture, which a .py cannot: save it as a file beside the notebook, and "
                "name that in the cell, ![what it shows](file.png)"
            )
        new = {"markdown": nbformat.v4.new_markdown_cell, "code": nbformat.v4.new_code_cell}.get(
            cell.cell_type, nbformat.v4.new_raw_cell
        )
        kept = {key: copy.deepcopy(cell.metadata[key]) for key in cells.KEPT if cell.metadata.get(key)}
        plain.cells.append(new(cells.plain(cell), metadata=kept))
    text = jupytext.writes(plain, fmt="py:percent")
    again = jupytext.reads(text, fmt="py:percent").cells
    for number, (before, after) in enumerate(zip(plain.cells, [*again, None] * 2), start=1):
        if after is None or (before.cell_type, before.source) != (after.cell_type, after.source):
            raise Conflict(f"cell {number} would be another one when its .py is read: {_reason(before.source)}")
    return text


def _reason(source):
    """What a .py cannot hold in a cell with this source, and what to do about it."""
    if MARKER.search(source):
        return "a line in it begins with “# %%”; put something before the #"
    if odd := re.search("[\v\f\x1c-\x1e\x85\u2028\u2029]", source):
        return f"it holds the unusual line break {odd[0]!r}; put an ordinary one there"
    return "a string in it does not end, or a line looks like jupytext's own; end the string, or change the line"


def reconcile(source, say=print, building=False):
    """Make NN-name.ipynb and the .py at `source` the same again, if only one was edited. Raises Conflict.

    Before `building`, an edit of the .py is left to the build.
    """
    path = source.with_suffix(".ipynb")
    if not path.exists() or not source.exists():
        return
    book, wanted = nbformat.read(path, 4), cells.read(source)
    here, there, base = cells.digest(book), cells.digest(wanted), book.metadata.get("pair")
    if here == there:
        return
    if base == there:
        _write(source, as_source(book))
        book.metadata["pair"] = here
        cells.save(book, path)
        say(f"{path.name} was edited: {source.name} follows.")
    elif base == here and building:
        return
    elif base == here:
        kept = source.parent / ".ipynb_checkpoints" / f"{source.stem}-{time.strftime('%Y%m%d-%H%M%S')}.ipynb"
        cells.save(book, kept)
        cells.save(with_outputs(wanted, book), path)
        say(f"{source.name} was edited: {path.name} follows. What it held is kept in {kept.parent.name}/{kept.name}.")
    else:
        raise Conflict(
            f"{path.name} and {source.name} {'were both edited since they were' if base else 'have never been'} the same. "
            "Move one of them away, or bring it back by git restore, and open the notebook again; then put in what is missing."
        )


def with_outputs(book, old):
    """A notebook with the outputs that another one has of the same cells."""
    ran = {cells.plain(cell): cell for cell in old.cells if cell.cell_type == "code"}
    for cell in book.cells:
        if cell.cell_type == "code" and cell.source in ran:
            cell.outputs, cell.execution_count = ran[cell.source].outputs, ran[cell.source].execution_count
    return book


def _write(path, text):
    path.write_text(text, encoding="utf-8", newline="\n")


class PairedContents(LargeFileManager):
    """JupyterLab's access to files, with both files of a pair read and written as one. `make lab` uses it."""

    def __init__(self, *arguments, **options):
        super().__init__(*arguments, **options)
        self._seen = {}  # path → the digest of the .py as this server read or wrote it last

    def _source(self, path):
        source = Path(self._get_os_path(path)).with_suffix(".py")
        if not (path.endswith(".ipynb") and source.exists()):
            return None
        return source if MARKER.search(source.read_text(encoding="utf-8", errors="replace")) else None

    def get(self, path, content=True, type=None, format=None, **options):
        source = self._source(path)
        if source and content and type in (None, "notebook"):
            try:
                reconcile(source, self.log.warning)
            except Conflict as error:
                raise HTTPError(409, str(error)) from None
            self._seen[path] = cells.digest(cells.read(source))
        return super().get(path, content, type, format, **options)

    def save(self, model, path=""):
        source = self._source(path)
        if not source or model.get("type") != "notebook":
            return super().save(model, path)
        book = nbformat.from_dict(model["content"])
        try:
            text = as_source(book)
            if cells.digest(cells.read(source)) not in (
                self._seen.get(path),
                book.metadata.get("pair"),
                cells.digest(book),
            ):
                raise Conflict(
                    f"{source.name} was changed outside of JupyterLab, so nothing was saved. Copy what you changed here, "
                    "then File, Reload Notebook from Disk."
                )
        except Conflict as error:
            raise HTTPError(409, str(error)) from None
        book.metadata["pair"] = cells.digest(book)
        saved = super().save(model | {"content": book}, path)
        _write(source, text)
        self._seen[path] = book.metadata["pair"]
        return saved
