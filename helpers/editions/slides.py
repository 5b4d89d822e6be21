"""The decks: a reveal.js deck for each notebook, for who teaches without a kernel."""

import copy
from importlib.resources import files

from . import cells
from .pages import page, sliders
from .pages import write as write_page

REVEAL = files("sphinx_revealjs") / "_static" / "revealjs"
WIDTH, HEIGHT = 1280, 720  # of a slide, in CSS pixels


def write(folder, books):
    """A deck for each notebook: its core cells as they are shown, without code, with the notes for the speaker."""
    explorer = sliders()
    for name, book in books.items():
        book.cells = [cell for cell in book.cells if cells.part(cell) == "core" and cells.slide_type(cell) != "skip"]
        for cell in book.cells:
            cell.source = cells.NOTES.sub(r"\1", cell.source)  # the speaker's window has no use for a fold
            if _is_listing(cell):
                cell.metadata.slideshow = {"slide_type": "subslide"}
        write_page(
            folder / f"{name}.html",
            _completed(page(book, "slides", explorer, [str(REVEAL)], width=WIDTH, height=HEIGHT)),
        )


def _is_listing(cell):
    """Whether a cell shows code: that takes a slide of its own."""
    return any(
        output.get("data", {}).get("text/markdown", "").startswith("```python") for output in cell.get("outputs", ())
    )


def _completed(deck):
    """The deck with the last heading on each slide that has none, and a slide's notes on those below it as well."""
    heading = None
    for group in deck.select(".slides > section"):
        slides, notes = group.find_all("section", recursive=False), group.aside
        for slide in slides:
            heading = slide.find(["h1", "h2", "h3"]) or heading
            if not slide.find(["h1", "h2", "h3"]):
                slide.insert(0, copy.copy(heading))
        for slide in reversed(slides):  # notes stand below what they speak of
            notes = slide.aside or notes
            if notes and not slide.aside:
                slide.append(copy.copy(notes))
    return deck
