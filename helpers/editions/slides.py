"""The decks: a reveal.js deck for each notebook's core, for who teaches without a kernel."""

import copy

from bs4 import BeautifulSoup

from . import address, attack, cells, clock, reveal, schedule
from .pages import Refused, numbered, page
from .pages import write as write_page

WIDTH, HEIGHT = 1280, 720  # of a slide, in CSS pixels
BEGIN = "10:15"
REPLAY_STEPS = 5
SLIDERS, SECONDS_FOR_SLIDERS = ".origin", 120
LINES_BESIDE_TEXT = 16  # a longer listing takes a slide of its own
KEYS = "On this slide + and − move ε; Page Down, Space and the arrow keys turn the slides, whatever was clicked."


def write(folder, books, begin=BEGIN):
    """Write a deck for each notebook; its notes tell the minute of the lecture and the time, if it begins at `begin`."""
    resources = {"width": WIDTH, "height": HEIGHT, "steps": REPLAY_STEPS}
    start = 0
    for name, book in books.items():
        shown = edition(book)
        if not shown.cells:
            print(f"{name} has no deck: none of its cells has the tag “core”.")
            continue
        try:
            deck = page(shown, "slides", [str(reveal.folder())], name, **resources)
        except Refused as error:
            raise ValueError(f"{name}, {error}") from None
        if not start:
            invited(deck)
        timed(completed(deck), start, schedule.MINUTES.get(name, 0), begin)
        start += schedule.MINUTES.get(name, 0)
        write_page(folder / f"{name}.html", deck)


def edition(book):
    """What is projected of a notebook: its core, without the bets' own code, and each answer on a step of its own."""
    book = numbered(copy.deepcopy(book))
    for cell in book.cells:
        if cells.has(cell, "notes"):
            _step(cell, "notes")
    book.cells = _projected(book.cells)
    for cell in book.cells:
        if cell.cell_type == "markdown":  # the speaker's window has no use for a fold; the screen shows no notes
            cell.source = cells.without(cell.source, cells.NOTES, keep=cells.slide_type(cell) == "notes")
        if _listing(cell) > LINES_BESIDE_TEXT:
            _step(cell, "subslide")
        elif cells.has(cell, "reveal") and cells.slide_type(cell) in (None, "", "-"):
            _step(cell, "fragment")
        cell.metadata["replay"] = cell.cell_type == "code" and clock.LIVE in cell.source
    return book


def _projected(every):
    """The cells that are projected. Where one that is not began a slide, the next one begins it."""
    kept, begun = [], None
    for cell in every:
        if not _is_projected(cell):
            begun = cells.slide_type(cell) if cells.slide_type(cell) in ("slide", "subslide") else begun
            continue
        if begun and cells.slide_type(cell) in (None, "", "-"):
            _step(cell, begun)
        if cells.slide_type(cell) != "notes":
            begun = None
        kept.append(cell)
    return kept


def _is_projected(cell):
    code_of_a_bet = cells.has(cell, "bet") and cell.cell_type == "code"
    nothing_to_see = cell.cell_type == "code" and not cell.outputs
    hidden = cells.slide_type(cell) == "skip" or address.is_for_colab(cell)
    return cells.part(cell) == "core" and not (code_of_a_bet or nothing_to_see or hidden)


def _step(cell, kind):
    cell.metadata["slideshow"] = {"slide_type": kind}


def _listing(cell):
    """How many lines of code a cell shows."""
    texts = [output.get("data", {}).get("text/markdown", "") for output in cell.get("outputs", ())]
    return sum(text.count("\n") - 1 for text in texts if text.startswith("```python"))


def completed(deck):
    """The deck with the last heading on each slide that has none, and a slide's notes on those below it as well."""
    heading = None
    for group in deck.select(".slides > section"):
        slides, notes = group.find_all("section", recursive=False), group.aside
        for slide in slides:
            heading = slide.find(["h1", "h2", "h3"]) or heading
            if not slide.find(["h1", "h2", "h3"]) and heading:
                slide.insert(0, copy.copy(heading))
        for slide in reversed(slides):  # notes stand below what they speak of
            notes = slide.aside or notes
            if notes and not slide.aside:
                slide.append(copy.copy(notes))
    return deck


def invited(deck, root=cells.ROOT):
    """The deck with a QR code of attack.html on its first slide, or with a line in its notes that says how to get one."""
    first = deck.select_one(".slides > section > section")
    if attack.public_address(root) is None and not first.aside:
        first.append(deck.new_tag("aside", attrs={"class": "notes"}))
    place = first if attack.public_address(root) else first.aside
    place.append(BeautifulSoup(attack.qr_code(root), "html.parser"))
    return deck


def timed(deck, start, minutes, begin):
    """The deck whose notes begin with the minute and the time of each slide, and name the keys of sliders.

    `minutes` are spread by what is on the slides.
    """
    slides = deck.select(".slides > section > section")
    weights = [_seconds(slide) for slide in slides]
    passed = 0
    for slide, weight in zip(slides, weights):
        minute = start + minutes * passed / sum(weights)
        line = deck.new_tag("p")
        line.string = f"Minute {minute:.0f} of {schedule.LECTURE} · {schedule.clock_time(begin, round(minute))}"
        if not slide.aside:
            slide.append(deck.new_tag("aside", attrs={"class": "notes"}))
        slide.aside.insert(0, line)
        if slide.select(SLIDERS):
            keys = deck.new_tag("p")
            keys.string = KEYS
            slide.aside.insert(1, keys)
        passed += weight
    return deck


def _seconds(slide):
    """How long a slide takes, by the measures of the clock."""
    notes = " ".join(note.get_text() for note in slide.select("aside"))
    read = clock.words(slide.get_text()) - clock.words(notes)
    seconds = clock.SECONDS_PER_FIGURE * len(slide.select("figure"))
    seconds += clock.SECONDS_PER_BET * len(slide.select(".celltag_bet")) + SECONDS_FOR_SLIDERS * len(
        slide.select(SLIDERS)
    )
    return max(1, 60 * read / clock.WORDS_PER_MINUTE + seconds)
