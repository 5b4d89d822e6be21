"""How long a notebook's core takes to teach: words on screen, bets, figures, and the waiting that was measured."""

import re
from dataclasses import dataclass

from . import cells, schedule

WORDS_PER_MINUTE = 130
SECONDS_PER_BET = 60
SECONDS_PER_FIGURE = 20
LIVE = "LiveCurve("  # in the cell that trains while the lecturer explains: nobody waits for it


@dataclass(frozen=True)
class Clock:
    """What a notebook's core holds; `waiting` in seconds."""

    words: int
    bets: int
    figures: int
    waiting: float

    @property
    def minutes(self):
        seconds = SECONDS_PER_BET * self.bets + SECONDS_PER_FIGURE * self.figures + self.waiting
        return self.words / WORDS_PER_MINUTE + seconds / 60


def core(book):
    """The cells that are shown to a class."""
    return [cell for cell in book.cells if cells.part(cell) == "core" and not cells.has(cell, "notes")]


def words(markdown):
    """How many words a class reads: a formula counts as one, the address of a link and the bars of a table as none."""
    text = re.sub(r"\$\$.+?\$\$|\$.+?\$|`[^`]+`", " formula ", cells.without(markdown, cells.NOTES), flags=re.DOTALL)
    text = re.sub(r"\]\([^)]*\)|<[^>]+>", " ", text)
    return len(re.findall(r"\w[\w'’.,-]*", text))


def of(book, waiting=0.0):
    """The Clock of a stored notebook."""
    shown = core(book)
    text = [cell for cell in shown if cell.cell_type == "markdown"]
    outputs = [output for cell in shown if cell.cell_type == "code" for output in cell.outputs]
    return Clock(
        words=sum(words(cell.source) for cell in text),
        bets=sum(cells.has(cell, "bet") for cell in text),
        figures=sum("image/png" in output.get("data", {}) for output in outputs),
        waiting=waiting,
    )


def table(books, waiting):
    """The clock of all notebooks, as lines to print; `waiting` in seconds by notebook."""
    lines = [f"{'':16}{'words':>7}{'bets':>6}{'figures':>9}{'waiting':>9}{'minutes':>9}{'of':>5}"]
    total = 0
    for name, book in books.items():
        clock, minutes = of(book, waiting.get(name, 0)), schedule.MINUTES.get(name, 0)
        total += clock.minutes
        lines.append(
            f"{name:16}{clock.words:7,}{clock.bets:6}{clock.figures:9}{clock.waiting:8.0f}s{clock.minutes:9.1f}"
            f"{minutes:5}{'' if clock.minutes <= minutes else '  too long'}"
        )
    return [*lines, f"{'all':16}{total:40.1f}{schedule.LECTURE:5}"]
