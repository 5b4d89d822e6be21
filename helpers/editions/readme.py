"""The README's generated parts, each between <!-- name --> and <!-- /name -->: notebooks, plan, results, badges."""

from . import address, cells, schedule
from .parts import with_part


def notebooks(books):
    """The table of notebooks: name → stored notebook."""
    lines = ["| notebook | title | minutes |", "| --- | --- | ---: |"]
    for name, book in books.items():
        title = cells.opening(book, name)[0].split(" · ", 1)[-1]
        lines.append(f"| [{name}](notebooks/{name}.ipynb) | {title} | {schedule.MINUTES[name]} |")
    return "\n".join(lines) + "\n"


def plan():
    """The plan of the lecture, and the path of 45 minutes."""
    total = f"The lecture takes {schedule.LECTURE} minutes and leaves {schedule.QUESTIONS} for questions:"
    lines = [total, "", "| minutes | notebook | what happens | if it fails |", "| --- | --- | --- | --- |"]
    for start, section in zip(schedule.starts(), schedule.SECTIONS):
        span = f"{start}–{start + section.minutes}"
        lines.append(f"| {span} | {section.notebook[:2]} | {section.what} | {section.instead} |")
    end = schedule.LECTURE
    lines.append(f"| {end}–{end + schedule.QUESTIONS} | | questions | |")
    short = "; ".join(f"{section.notebook[:2]}, {section.what} ({section.minutes})" for section in schedule.SHORT)
    minutes = sum(section.minutes for section in schedule.SHORT)
    return "\n".join([*lines, "", f"**{minutes} minutes.** {short[0].upper()}{short[1:]}.", ""])


def renewed(text, books):
    """The README's text with all generated parts but the benchmarks written anew."""
    from .. import runs  # which starts TensorFlow

    parts = {
        "badges": address.badges(address.repository()),
        "notebooks": notebooks(books),
        "plan": plan(),
        "results": runs.results_table(),
    }
    for name, part in parts.items():
        text = with_part(text, name, part)
    return text


def renew(root=cells.ROOT):
    """Write the README's generated parts anew."""
    path = root / "README.md"
    text = renewed(path.read_text(encoding="utf-8"), cells.stored(root / "notebooks"))
    path.write_text(text, encoding="utf-8", newline="\n")
