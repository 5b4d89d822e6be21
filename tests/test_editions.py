"""Editions as functions on notebooks: the schedule, the README's parts, the public address. The browser is in test_site."""

import base64
import os
import re
import shutil
import subprocess
import sys
import tomllib
import types
from copy import deepcopy
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import nbformat
import pytest
from bs4 import BeautifulSoup
from IPython.core.interactiveshell import InteractiveShell
from packaging.requirements import Requirement
from traitlets.config import Config

from helpers import data, robustness
from helpers.editions import __main__ as editions
from helpers.editions import (
    address,
    cells,
    clock,
    formulas,
    guide,
    lecture,
    pages,
    readme,
    reveal,
    schedule,
    site,
    slides,
    student,
    waiting,
)

ROOT = Path(__file__).resolve().parents[1]
PUBLIC = "https://github.com/someone/else"


def test_the_minutes_add_up():
    assert list(schedule.MINUTES) == cells.names()
    assert sum(schedule.MINUTES.values()) == schedule.LECTURE and schedule.LECTURE + schedule.QUESTIONS == 90
    assert schedule.starts()[:2] == [0, schedule.SECTIONS[0].minutes]
    assert sum(section.minutes for section in schedule.SHORT) == 45


def test_the_readme_is_generated_from_schedule_notebooks_and_records():
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    assert readme.renewed(text, cells.stored()) == text


# A small notebook with a cell of every kind.


def code(source, *tags, outputs=(), **metadata):
    outputs = [nbformat.v4.new_output("stream", text=text) for text in outputs]
    return nbformat.v4.new_code_cell(
        source, metadata={"tags": list(tags), **metadata}, outputs=outputs, execution_count=7 if outputs else None
    )


def text(source, *tags, slide=None):
    metadata = {"tags": list(tags)} | ({"slideshow": {"slide_type": slide}} if slide else {})
    return nbformat.v4.new_markdown_cell(source, metadata=metadata)


NOTE = "<details><summary>Speaker notes</summary>\n\nSay it slowly.\n\n</details>"
SOLUTION = 'def double(x):\n    """Twice x."""\n    return 2 * x'


@pytest.fixture
def small():
    """One cell of every kind, in an order that a notebook may have."""
    book = nbformat.v4.new_notebook()
    book.cells = [
        text("# 07 · Small\n\n**The question:** why?\n\nTime: 3 minutes.", "core", slide="slide"),
        text(NOTE, "core", slide="notes"),
        code("from helpers import check\n\ncheck.ready()", "core", "setup", slideshow={"slide_type": "skip"}),
        text("**Bet:** how many?", "core", "bet", slide="slide"),
        code("my_bet = 3", "core", "bet"),
        code("print(4)", "core", "reveal", outputs=["4"], jupyter={"outputs_hidden": True}),
        text("Four, as you see.", "core", "reveal"),
        text("## Beside the way", "optional"),
        code("print(5)", "optional", outputs=["5"], scrolled=True),
        text("## Homework\n\nWrite `double`.", "homework"),
        code(SOLUTION, "homework", "solution"),
        code("assert double(2) == 4", "homework", "check", outputs=["right"]),
        text("## What we saw", "core", slide="slide"),
        nbformat.v4.new_code_cell("1 + 1"),  # JupyterLab adds such a cell at the last Shift+Enter
    ]
    return book


def sources(book):
    return [cell.source for cell in book.cells]


def test_the_lecture_edition_is_the_core_without_outputs_then_an_appendix(small):
    before = nbformat.writes(small)
    made = lecture.edition(small)
    nbformat.validate(made)
    headings = [cell.source.splitlines()[0] for cell in made.cells if cell.source.startswith("#")]
    assert headings == [
        "# 07 · Small",
        "## What we saw",
        "# Appendix: optional cells",
        "## Beside the way",
        "# Appendix: homework",
        "## Homework",
    ]
    assert len(made.cells) == len(small.cells) - 1 + len(lecture.APPENDIX) and "Say it slowly" not in str(sources(made))
    ran = [cell for cell in made.cells if cell.cell_type == "code"]
    assert all(not cell.outputs and cell.execution_count is None for cell in ran)
    assert not {"scrolled", "collapsed"} & set().union(*(cell.metadata for cell in ran))
    folded = [cell.source for cell in ran if cell.metadata.get("jupyter", {}).get("source_hidden")]
    assert folded == [small.cells[2].source, "print(4)", SOLUTION]  # the set-up, the answer to the bet, the solution
    assert nbformat.writes(small) == before


def test_in_the_lecture_an_answer_is_one_step_and_what_shows_nothing_is_folded(small):
    small.cells[5:5] = [code("half = 2", "core", "reveal"), code("print(2 * half)", "core", "reveal", outputs=["4"])]
    small.cells[8:8] = [code("assert 2 * half == 4", "core"), code("other_bet = 5", "core", "bet")]
    small.cells[10:10] = [code(text, "core", outputs=["6"]) for text in ("figures.show(x)", "print(6)")]
    made = lecture.edition(small)
    hidden = {cell.source: "jupyter" in cell.metadata for cell in made.cells if cell.cell_type == "code"}
    assert list(hidden)[1:8] == ["my_bet = 3", "half = 2\n\n\nprint(2 * half)", "print(4)", *sources(small)[8:12]]
    assert list(hidden.values())[1:8] == [False, True, True, True, False, True, False]
    assert all("jupyter" not in cell.metadata for cell in made.cells if cell.cell_type == "markdown")


def test_in_the_lecture_what_is_as_high_as_a_figure_says_so(small):
    figure, table = ({"image/png": "…"}, "image/png"), ({"text/markdown": 20 * "| 1 |\n"}, "a long table")
    for data_, source in (figure, table):
        small.cells.append(code(source, "core", outputs=["4"]))
        small.cells[-1].outputs = [nbformat.v4.new_output("display_data", data_)]
    made = lecture.edition(small)
    assert [cell.source for cell in made.cells if cell.metadata.get("scrolled")] == ["image/png", "a long table"]


def test_the_clock_counts_words_bets_and_figures(small):
    small.cells[5].outputs.append(nbformat.v4.new_output("display_data", {"image/png": "…"}))
    small.cells[12].source += "\n\n[Four words, one link](https://example.org/not/read) and $$x + y$$ `no_code(1, 2)`."
    words = len("07 Small The question why Time 3 minutes Bet how many Four as you see What we saw".split())
    words += len("Four words one link and formula formula".split())
    assert clock.of(small, 30) == clock.Clock(words=words, bets=1, figures=1, waiting=30)
    assert clock.Clock(words=260, bets=1, figures=3, waiting=30).minutes == 2 + 1 + 1 + 0.5


@pytest.mark.parametrize("name", cells.names())
def test_each_notebook_keeps_to_its_minutes(name):
    measured = waiting.measured().get(name)
    found = clock.of(cells.stored()[name], waiting.seconds(measured) if measured else 0)
    assert found.minutes <= schedule.MINUTES[name], found


@pytest.mark.parametrize("name", cells.names())
def test_nobody_waited_long_for_a_cell_when_it_was_measured(name):
    found = waiting.measured().get(name)
    if not found:
        pytest.skip(
            "never measured: python -m helpers.editions lecture --measure, on a quiet machine with two processors"
        )
    assert waiting.complaints(found) == [] and 0 < waiting.seconds(found)


def test_a_silent_cell_is_told_from_one_that_shows_its_progress(small, tmp_path):
    small.cells[4].source = "import time\ntime.sleep(1.5)"
    small.cells[5].source = "for step in range(15):\n    time.sleep(0.1)\n    print(step, flush=True)"
    start, found = waiting.run(small, tmp_path, os.environ)
    silent, shown = found[1:3]
    assert start > 0 and [line for line, *_ in found] == [
        "from helpers import check",
        "import time",
        "for step in range(15):",
    ]
    assert silent[1] >= silent[2] >= 1.5 and shown[1] >= 1.5 and shown[2] < shown[1] / 2
    slow = [["slow()", 9.0, 9.0, False], ["with a bar", 9.0, 0.2, False], ["training", 60.0, 0.5, True]]
    wrong = waiting.complaints({"start": 1, "cells": slow})
    assert [line.split(":")[0] for line in wrong] == ["slow()", "slow()", "with a bar"]
    assert waiting.seconds({"start": 1, "cells": slow}) == 19


# Slides and site


def test_a_deck_has_each_answer_on_a_step_of_its_own(small):
    made = slides.edition(small)
    assert [cell.source.splitlines()[0] for cell in made.cells] == [
        "# 07 · Small",
        "Say it slowly.",
        "**Bet:** how many?",
        "print(4)",
        "Four, as you see.",
        "## What we saw",
    ]
    assert [cells.slide_type(cell) for cell in made.cells[3:5]] == ["fragment", "fragment"]


def test_a_slide_begins_where_a_cell_that_shows_nothing_began_it():
    book = nbformat.v4.new_notebook(
        cells=[
            text("# Title", "core", slide="slide"),
            code("compute()", "core", slideshow={"slide_type": "subslide"}),
            text("Say it slowly.", "core", "notes", slide="notes"),
            code("show()", "core", outputs=["4"]),
            code("show()", "core", outputs=["5"]),
        ]
    )
    assert [cells.slide_type(cell) for cell in slides.edition(book).cells] == ["slide", "notes", "subslide", None]


def test_the_notes_of_a_deck_tell_minute_and_time():
    group = "<section>{}</section>"
    deck = BeautifulSoup(f'<div class="slides">{group.format(group.format("word " * 130) * 3)}</div>', "html.parser")
    notes = slides.timed(deck, 27, 12, "10:15").select("aside.notes")
    assert [note.p.get_text() for note in notes] == [
        "Minute 27 of 75 · 10:42",
        "Minute 31 of 75 · 10:46",
        "Minute 35 of 75 · 10:50",
    ]


def test_bets_and_sliders_take_their_time_and_sliders_have_keys():
    slides_ = ("plain", '<div class="celltag_bet">bet</div>', '<p class="origin">sliders</p>', "plain")
    slides_ = "".join(f"<section><section>{words}</section></section>" for words in slides_)
    deck = slides.timed(BeautifulSoup(f'<div class="slides">{slides_}</div>', "html.parser"), 0, 4, "10:15")
    minutes = [note.p.get_text().split()[1] for note in deck.select("aside.notes")]
    assert minutes == ["0", "0", "1", "4"]
    assert [slides.KEYS in note.get_text() for note in deck.select("aside.notes")] == [False, False, True, False]


def test_a_short_listing_stays_beside_its_text_and_a_long_one_has_a_slide():
    def listing(lines):
        shown = nbformat.v4.new_output("display_data", {"text/markdown": "```python\n" + "x\n" * lines + "```"})
        cell = code("show_source()", "core")
        cell.outputs = [shown]
        return cell

    book = nbformat.v4.new_notebook(cells=[text("# T", "core", slide="slide"), listing(10), listing(40)])
    assert [cells.slide_type(cell) for cell in slides.edition(book).cells] == ["slide", None, "subslide"]


def test_students_pages_fold_answers_and_hold_no_solution(small):
    small.cells.insert(7, code("assert 4 > 3", "core"))
    small.cells[10].source += "\n\n<details><summary>Idea</summary>\n\nTwo times.\n\n</details>"
    made = site.for_students(small)
    assert not [source for source in sources(made) if source in (NOTE, SOLUTION, "my_bet = 3") or "Two times" in source]
    assert [(cell.source, cell.metadata.opens, cell.metadata.closes) for cell in made.cells[3:6]] == [
        ("print(4)", True, False),
        ("Four, as you see.", False, False),
        ("assert 4 > 3", False, True),
    ]
    assert not any(cell.metadata.opens or cell.metadata.closes for cell in made.cells[:3] + made.cells[6:])
    assert made.cells[-3].source == "assert double(2) == 4" and not made.cells[-3].outputs


FOLDS = [
    "<details>\n<summary>{}</summary>\n\nSecret.\n\n</details>",
    '<details open class="x">\n  <summary class="y"> <b>{}</b>: </summary>Secret.</details>',
    "<details><summary>{}</summary>\n\n<details><summary>More</summary>x</details>\n\nSecret.\n\n</details>",
    "<details><summary>More</summary>\n\n<details><summary>**{}**</summary>\n\nSecret.\n\n</details></details>",
    "<DETAILS><summary>{}</summary>\n\nSecret.",
]


@pytest.mark.parametrize("fold", FOLDS)
@pytest.mark.parametrize("summary", ["Speaker notes", "Solution", "Solution of exercise 2"])
def test_however_a_fold_is_written_no_student_gets_what_is_in_it(small, fold, summary):
    small.cells[3].source += "\n\n" + fold.format(summary)
    small.cells[6].source += "\n\n" + fold.format(summary)
    assert "Secret" not in guide.sheet(guide.bets({"07-small": deepcopy(small)}))
    for made in (student.edition(small), site.for_students(deepcopy(small))):
        assert "Four, as you see." in str(sources(made)) and "Secret" not in str(sources(made))


def test_speaker_notes_are_in_the_speakers_window_alone(small):
    small.cells[6].source += "\n\n" + FOLDS[0].format("Speaker notes")
    small.cells.insert(7, text(FOLDS[0].format("Speaker notes"), "core", "notes"))
    made = slides.edition(small)
    assert [cells.slide_type(cell) for cell in made.cells if "Secret" in cell.source] == ["notes"]
    assert made.cells[5].source == "Secret."


FIRST = {
    "a title": [text("# A title", "core")],
    "nothing": [],
    "an empty cell": [text("", "core")],
    "a raw cell": [nbformat.v4.new_raw_cell("---")],
    "code": [code("print(1)", "core", outputs=["1"])],
}


@pytest.mark.parametrize("rest", [[text("# A title\n\n**The question:** why?", "core")], [text("Words.", "core")], []])
@pytest.mark.parametrize("first", FIRST)
def test_a_notebook_of_ones_own_may_begin_with_anything_and_lack_a_title_or_a_question(first, rest, tmp_path):
    books = {"07-own": nbformat.v4.new_notebook(cells=deepcopy([*FIRST[first], *rest]))}
    (tmp_path / "06-gone.html").write_text("a page of a notebook that is gone", encoding="utf-8")
    site._write_all(tmp_path, {name: site.for_students(deepcopy(book)) for name, book in books.items()})
    assert {path.stem for path in tmp_path.glob("*.html")} == {"index", "07-own", "glossary"}
    title = BeautifulSoup((tmp_path / "07-own.html").read_text(encoding="utf-8"), "html.parser").title.get_text()
    assert title == ("A title" if "A title" in str(books) else "07-own")
    slides.write(tmp_path / "slides", books)
    assert "07-own" in clock.table(books, {})[1] and student.edition(books["07-own"], PUBLIC)


def test_a_notebook_without_a_source_is_left_out_of_every_edition(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(cells, "NOTEBOOKS", tmp_path)
    for name in ("07-own.ipynb", "07-own-Copy1.ipynb"):
        cells.save(nbformat.v4.new_notebook(), tmp_path / name)
    (tmp_path / "07-own.py").write_text("# %%\n")
    assert list(cells.stored(tmp_path)) == ["07-own"]
    editions._stored()
    assert "07-own-Copy1" in capsys.readouterr().out


PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNkYPhfDwAChwGA60e6kgAAAABJRU5ErkJggg=="


def output(**kinds):
    kinds = {kind.replace("_", "/", 1).replace("_xml", "+xml"): value for kind, value in kinds.items()}
    return nbformat.v4.new_output("display_data", kinds)


# What a teacher's own cell may hold → what the page then has.
SHOWN = {
    "a plot": (output(image_png=PIXEL, text_plain="<Figure>"), 'img[alt="Output of cell 2"]'),
    "a photograph": (output(image_jpeg=PIXEL, text_plain="<PIL>"), 'img[src^="data:image/jpeg"]'),
    "a drawing": (output(image_svg_xml="<svg/>"), 'img[src^="data:image/svg+xml"]'),
    "a table": (output(text_html="<table><tr><td>1</td></tr></table>", text_plain="1"), "td"),
    "a formula": (output(text_latex="$x^2$", text_plain="x**2"), ".formula svg"),
    "words": (output(text_markdown="**bold**"), "strong"),
    "a value": (output(text_plain="42"), "pre"),
    "a script": (output(text_html="<script>1</script>"), "script"),
    "data with words for them": (output(application_json={"a": 1}, text_plain="{'a': 1}"), "pre"),
    "an error": (nbformat.v4.new_output("error", ename="E", evalue="e", traceback=["\x1b[31mE\x1b[0m: e"]), "pre"),
    "a warning": (nbformat.v4.new_output("stream", name="stderr", text="careful"), "pre"),
}
REFUSED = {
    "data for Jupyter alone": output(application_json={"a": 1}),
    "a picture from elsewhere": output(text_html='<img src="https://example.org/x.png">'),
    "a frame": output(text_html='<iframe src="https://example.org"></iframe>'),
    "a picture that is not there": "![](no-such.png)",
    "a link to a file that is not there": "[hand-out](no-such.pdf)",
    "a link to what is not beside the notebook": "[source](../helpers/attacks.py)",
    "a link to solutions": "[source](05-fgsm.py)",
    "a pasted picture that is lost": "![](attachment:image.png)",
    "a formula nobody knows": r"$\nonsense x$",
    "a formula that no parser can read": "$$a & b$$",
}


def with_a_cell(content):
    """A notebook that somebody added to: its second cell has no tags, and this source or output."""
    cell = nbformat.v4.new_markdown_cell(content) if isinstance(content, str) else nbformat.v4.new_code_cell("1")
    if not isinstance(content, str):
        cell.outputs = [content]
    return nbformat.v4.new_notebook(cells=[text("# A title", "core", slide="slide"), cell])


@pytest.mark.parametrize("name", SHOWN)
def test_whatever_jupyter_stores_is_shown(name):
    shown, selector = SHOWN[name]
    book = with_a_cell(shown)
    assert pages.page(site.folded(pages.numbered(book)), "site").select(f"main {selector}")
    book = with_a_cell(shown)
    book.cells[1].metadata.tags = ["core"]
    assert pages.page(slides.edition(book), "slides", [str(reveal.folder())]).select(f".slides {selector}")


@pytest.mark.parametrize("name", REFUSED)
def test_what_a_page_cannot_show_is_refused_with_its_cell(name):
    with pytest.raises(pages.Refused, match="cell 2"):
        pages.page(pages.numbered(with_a_cell(REFUSED[name])), "site")


def test_pasted_pictures_pictures_beside_the_notebook_and_dollars_are_shown(tmp_path, monkeypatch):
    (tmp_path / "logo.png").write_bytes(base64.b64decode(PIXEL))
    monkeypatch.setattr(cells, "NOTEBOOKS", tmp_path)
    book = with_a_cell(
        "It costs $5, or \\$10; `$PATH`.\n\n    echo $HOME\n\n![ours](logo.png) ![theirs](attachment:a.png) $a_1$"
    )
    book.cells[1].attachments = {"a.png": {"image/png": PIXEL}}
    book.cells[1].source += "\n\n\\begin{equation}\nE = mc^2\n\\end{equation}"
    page = pages.page(pages.numbered(book), "site")
    assert (
        "It costs $5, or $10; $PATH." in page.get_text()
        and "echo $HOME" in page.get_text()
        and len(page.select(".formula")) == 2
    )
    assert [image["src"][:22] for image in page.select("img")] == ["data:image/png;base64,"] * 2


def test_names_with_spaces_and_umlauts_are_found_and_linked_files_come_along(tmp_path, monkeypatch):
    beside = tmp_path / "notebooks"
    monkeypatch.setattr(cells, "NOTEBOOKS", beside)
    for name in ("images/mein Käse.png", "hand-out ü.pdf", "secret.pdf"):
        (beside / name).parent.mkdir(parents=True, exist_ok=True)
        (beside / name).write_bytes(base64.b64decode(PIXEL))
    book = with_a_cell(
        "![a](images/mein%20Käse.png?raw=true) ![b](<attachment:ein Käse.png>)\n\n[c](<hand-out ü.pdf#page=2>)"
    )
    book.cells[1].attachments = {"ein Käse.png": {"image/png": PIXEL}}
    page = pages.page(pages.numbered(book), "site")
    assert [image["src"][:22] for image in page.select("img")] == ["data:image/png;base64,"] * 2
    pages.write(tmp_path / "site" / "07.html", page)
    assert {path.name for path in (tmp_path / "site").iterdir()} == {"07.html", "hand-out ü.pdf"}


def test_formulas_are_paths_that_need_no_font():
    drawn = formulas.picture(r"\lVert g\rVert_1 = \sum_{i=1}^{3072} |g_i|", True)
    assert "<text" not in drawn and drawn.count("<path") > 10 and "<math" in drawn


@pytest.mark.parametrize(
    "latex",
    [
        r"$$\begin{aligned}a&=b\\c&=d\end{aligned}$$",
        r"\begin{cases}a & b\\c & d\end{cases}",
        r"\begin{pmatrix}a & b\\c & d\end{pmatrix}",
        r"\begin{alignat}{2}a&=b\\c&=d\end{alignat}",
        r"\\[ a = b \\]",
        r"\\( a = b \\)",
    ],
)
def test_formulas_are_drawn_as_jupyterlab_takes_them_without_ending_a_list(latex):
    cell = nbformat.v4.new_markdown_cell(f"1. one\n\n   {latex}\n2. two", metadata={"number": 1})
    shown = BeautifulSoup(pages.rendered(cell.source, cell), "html.parser")
    assert (
        len(shown.select("ol")) == 1 and len(shown.select("ol > li")) == 2 and len(shown.select("li .formula svg")) == 1
    )
    assert "\\" not in shown.get_text() and "(1)" not in shown.get_text()


def test_a_sign_takes_less_room_than_a_difference_and_a_sum_keeps_its_distance():
    def width(latex):
        return float(re.search(r"width: ([\d.]+)em", formulas.picture(latex, True))[1])

    assert width("a = -b") - width("a = b") < 0.8 * (width("a - b") - width("ab"))
    assert width(r"a \sum_i b") - width("a") - width(r"\sum_i b") > 0


# What a lecturer takes along


def test_the_page_for_the_eve_has_clock_cuts_and_numbers_of_the_records():
    page = guide.eve("9:00", guide.expected())
    times = [cell.get_text() for cell in BeautifulSoup(page, "html.parser").select("td:first-child")]
    starts = schedule.starts()
    assert times[:2] == [f"9:00 (0–{starts[1]})", f"9:{starts[1]:02} ({starts[1]}–{starts[2]})"]
    assert len(times) == len(starts) + 1 and times[-1] == "10:15 (75–90)"
    late = {s.notebook: start + guide.LATE for start, s in reversed(list(zip(starts, schedule.SECTIONS)))}
    for name in guide.CUTS:
        time = schedule.clock_time("9:00", late[name])
        assert f"{time}, minute {late[name]}: Has {name[:2]} begun?" in page
    kept = robustness.load("vgg3", data.load(download=False).name)["FGSM"]
    assert f"{dict(zip(kept['levels'], kept['accuracy']))[8]:.1%} under FGSM" in page


def test_the_sheet_of_bets_hides_what_the_answers_tell(small):
    found = guide.bets({"07-small": small})
    assert len(found) == 1 and "how many?" in found[0][1]
    assert "as you see" in guide.answers(found) and "as you see" not in guide.sheet(found)


@pytest.mark.parametrize("begin", ["25:99", "10:60", "ten", "10"])
def test_a_time_that_no_clock_shows_is_refused(monkeypatch, capsys, begin):
    monkeypatch.setattr(sys, "argv", ["editions", "slides", "--begin", begin])
    with pytest.raises(SystemExit):
        editions.main()
    assert f"got '{begin}'" in capsys.readouterr().err


def test_a_folder_name_that_the_terminal_cannot_show_ends_no_command():
    code = "from helpers.editions import __main__ as m; m._address = lambda _: print('Übung – Kurs'); m.main()"
    settings = os.environ | {"PYTHONIOENCODING": "latin-1", "PYTHONUTF8": "0", "PYTHONPATH": str(ROOT)}
    done = subprocess.run([sys.executable, "-c", code, "address"], env=settings, capture_output=True)
    assert (done.returncode, done.stdout.decode("latin-1").strip()) == (0, "Übung ? Kurs"), done.stderr


def test_git_ignores_what_the_editions_write():
    folders = [
        "lecture/01-data.ipynb",
        "student/01-data.ipynb",
        "student.zip",
        "site/index.html",
        "slides/01-data.html",
    ]
    done = subprocess.run(["git", "check-ignore", *folders], cwd=ROOT, capture_output=True, text=True)
    if done.returncode == 128:
        pytest.skip("no git repository here")
    assert done.stdout.split() == folders


# The public address


@pytest.fixture
def copy(tmp_path):
    """A copy of what holds the address: its folder."""
    for name in ("pyproject.toml", "README.md", "HUB.md", "CITATION.cff", "notebooks"):
        take = shutil.copytree if (ROOT / name).is_dir() else shutil.copy
        take(ROOT / name, tmp_path / name)
    return tmp_path


def contents(folder):
    return {path: path.read_bytes() for path in folder.rglob("*") if path.suffix in (".md", ".cff", ".py", ".ipynb")}


def test_an_address_opens_every_door_and_without_one_there_is_none(copy):
    before, project = contents(copy), copy / "pyproject.toml"
    assert address.repository(copy) is None
    address.renew(copy)
    assert contents(copy) == before
    line = 'Repository = "https://github.com/you/cnn-fgsm-lecture"'
    text = project.read_text(encoding="utf-8")
    project.write_text(text.replace(f"# {line}", f'Repository = "{PUBLIC}"'), encoding="utf-8")
    address.renew(copy)
    shown = (copy / "README.md").read_text(encoding="utf-8")
    assert "https://mybinder.org/v2/gh/someone/else/main?urlpath=lab/tree/notebooks/01-data.ipynb" in shown
    assert "https://colab.research.google.com/github/someone/else/blob/main/notebooks/01-data.ipynb" in shown
    assert f"repository-code: {PUBLIC}\n" in (copy / "CITATION.cff").read_text(encoding="utf-8")
    link = next(line for line in (copy / "HUB.md").read_text(encoding="utf-8").splitlines() if "git-pull" in line)
    opened = {"repo": [PUBLIC], "branch": ["main"], "urlpath": ["lab/tree/else/notebooks/01-data.ipynb"]}
    assert parse_qs(urlsplit(link).query) == opened and urlsplit(link).path == "/hub/user-redirect/git-pull"
    for source in (copy / "notebooks").glob("[0-9]*.py"):
        stored, wanted = nbformat.read(source.with_suffix(".ipynb"), 4).cells, cells.read(source).cells
        assert sum(PUBLIC in cell.source for cell in stored) == 1
        assert [(cell.source, cell.id) for cell in stored] == [(cell.source, cell.id) for cell in wanted]
    project.write_text(text, encoding="utf-8")
    address.renew(copy)
    assert contents(copy) == before


@pytest.mark.parametrize(
    "given", [f"{PUBLIC}/", f"{PUBLIC}.git", f" {PUBLIC}.git/ ", "https://gitlab.com/someone/else"]
)
def test_an_address_may_end_as_people_copy_it_and_colab_and_binder_open_github_alone(tmp_path, given):
    (tmp_path / "pyproject.toml").write_text(f'[project.urls]\nRepository = "{given}"\n', encoding="utf-8")
    found = address.repository(tmp_path)
    assert found == ("https://gitlab.com/someone/else" if "gitlab" in given else PUBLIC)
    assert address.badges(found) == ("" if "gitlab" in given else address.badges(PUBLIC))


def test_colab_installs_before_the_set_up_and_no_other_place_does(monkeypatch, tmp_path):
    source = tmp_path / "01-data.py"
    plain = (ROOT / "notebooks" / source.name).read_text(encoding="utf-8")
    source.write_text(address.for_colab(plain, PUBLIC), encoding="utf-8")
    first = next(cell.source for cell in cells.read(source).cells if cell.cell_type == "code")
    asked = []
    shell = InteractiveShell(config=Config({"HistoryManager": {"enabled": False}}))
    shell.register_magic_function(lambda line: asked.append(line), magic_name="pip")
    shell.run_cell(first).raise_error()
    assert asked == []
    monkeypatch.setitem(sys.modules, "google.colab", types.SimpleNamespace())
    shell.run_cell(first).raise_error()
    wanted = Requirement(asked[0].removeprefix('install -q "').removesuffix('"'))
    name = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["name"]
    assert (wanted.name, wanted.extras, wanted.url) == (name, {"colab"}, f"git+{PUBLIC}")


@pytest.mark.parametrize("path", sorted((ROOT / "notebooks").glob("[0-9]*.py")), ids=lambda path: path.stem)
def test_the_set_up_cell_is_three_lines(path):
    first = next(cell for cell in cells.read(path).cells if cell.cell_type == "code")
    assert first.source == "from helpers import check\n\ncheck.ready()" and cells.tags(first) == {"core", "setup"}
