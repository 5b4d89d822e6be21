"""Every notebook is what it claims to be: built from its source, run once from a fresh kernel, described in words.

nbval runs the cells themselves. A check here takes a notebook and returns what is wrong with it; `BREAKS` breaks a
sound one in every way that a check should notice.
"""

import copy
import html
import re
from collections import Counter
from pathlib import Path

import nbformat
import pytest
from flows import taken_and_given
from nbclient.exceptions import CellExecutionError

from helpers.editions import cells, notebooks, schedule

ROOT = Path(__file__).resolve().parents[1]
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
AUDIENCES = {"core", "optional", "homework"}
LARGEST_FILE, LONGEST_CELL, WIDEST_LINE = 1_500_000, 20, 120
# A path on the machine that built the notebook, outside of an address or encoded data; an object's place in memory.
MACHINE = re.compile(r"(?<![\w/+.:])/(?:home|root|tmp|usr|opt|var|mnt|srv|work|Users|private)/\w|\b[A-Z]:\\|\bat 0x\w+")

SAMPLE = """# %% [markdown] tags=["core"] slideshow={"slide_type": "slide"}
# # 07 · A sample
#
# Takes 3 minutes.

# %% tags=["core"]
import ipywidgets
from matplotlib.figure import Figure

from helpers import figures

# %% tags=["optional", "nbval-check-output"]
print("on any machine")
print("the same")

# %% tags=["core"]
figures.show(Figure(figsize=(1, 1)), "Nothing < but white")

# %% tags=["homework"] jupyter={"source_hidden": true}
ipywidgets.IntSlider()

# %% [markdown] tags=["core"]
# On to [the next](08-next.ipynb).

# %% [markdown] tags=["core"] slideshow={"slide_type": "notes"}
# <details><summary>Speaker notes</summary>
#
# What the lecturer says.
#
# </details>
"""
FRAME = 3, "08-next.ipynb"


def code(book):
    return [cell for cell in book.cells if cell.cell_type == "code"]


def outputs(book):
    return [output for cell in code(book) for output in cell.outputs]


def words(output):
    """All that a person reads in an output."""
    kinds = ("text/plain", "text/markdown", "text/html")
    return "\n".join([output.get("text", ""), *(output.get("data", {}).get(kind, "") for kind in kinds)])


def differs_from_source(book, source):
    """The cells on which a notebook and its .py disagree."""
    wanted = cells.read(source)
    differ = [
        f"cell {number}: {want.source[:60]!r}"
        for number, (cell, want) in enumerate(zip(book.cells, wanted.cells))
        if (cell.cell_type, cell.source, cell.metadata, cell.id)
        != (want.cell_type, want.source, want.metadata, want.id)
    ]
    if len(book.cells) != len(wanted.cells):
        differ.append(f"{len(book.cells)} cells, the source has {len(wanted.cells)}")
    return differ + [
        key for key in book.metadata | wanted.metadata if book.metadata.get(key) != wanted.metadata.get(key)
    ]


def not_one_clean_run(book):
    counts = [cell.execution_count for cell in code(book)]
    wrong = [] if counts == list(range(1, len(counts) + 1)) else [f"execution counts {counts}"]
    wrong += [
        f"{cell.source!r}: nbval shows what the ; hides" for cell in code(book) if cell.source.rstrip().endswith(";")
    ]
    for output in outputs(book):
        if output.output_type == "error" or output.get("name") == "stderr" or "Traceback (most" in words(output):
            wrong.append(f"error or warning: {output.get('ename', words(output)[:200])}")
    return wrong


def without_words(book):
    """Pictures without an `alt`, or without a caption right below that says the same."""
    wrong = []
    for cell in code(book):
        for output, below in zip(cell.outputs, [*cell.outputs[1:], None]):
            if "image/png" in output.get("data", {}):
                alt = output.metadata.get("image/png", {}).get("alt")
                if not alt or below is None or alt not in html.unescape(words(below)):
                    wrong.append(f"{cell.source[-60:]!r}: alt {alt!r}")
    return wrong


def does_not_fit(book):
    """Cells too large for a projector, notes in another form, cells for nobody, a file too large for GitHub to show."""
    size = len(nbformat.writes(book))
    wrong = [f"{size / 1e6:.1f} MB"] if size > LARGEST_FILE else []
    wrong += [f"{cell.source[:60]!r} is too long" for cell in code(book) if cell.source.count("\n") >= LONGEST_CELL]
    wrong += [
        f"{line!r} is too wide" for cell in code(book) for line in cell.source.splitlines() if len(line) > WIDEST_LINE
    ]
    notes = [cell for cell in book.cells if is_note(cell)]
    wrong += [f"{cell.source[:60]!r} is not folded" for cell in notes if cells.without(cell.source, cells.NOTES)]
    tags = [set(cell.metadata.get("tags", ())) & AUDIENCES for cell in book.cells]
    return wrong + [
        f"{cell.source[:60]!r}: {for_whom}" for cell, for_whom in zip(book.cells, tags) if len(for_whom) != 1
    ]


def tells_the_machine(book):
    return [found[0] for output in outputs(book) for found in MACHINE.finditer(words(output))]


def ambiguous(book):
    """Names that a cell takes from others and that several cells give: what they mean hangs on which one ran last."""
    flows = [taken_and_given(cell.source) for cell in code(book)]
    givers = Counter(name for _, given in flows for name in given)
    return [
        f"cell {number} takes {name!r}, which {givers[name]} cells give"
        for number, (taken, _) in enumerate(flows, start=1)
        for name in sorted(taken)
        if givers[name] > 1
    ]


def badly_framed(book, minutes, following):
    """The opening cell has a title and these minutes; the core's closing cell leads to the next notebook."""
    first, last = book.cells[0], [cell for cell in book.cells if cells.part(cell) == "core" and not is_note(cell)][-1]
    said = re.search(r"(\d+) minutes", first.source)
    wrong = [] if first.cell_type == "markdown" and re.match(r"# \d+ · .+", first.source) else ["no title"]
    if not said or int(said[1]) != minutes:
        wrong.append(f"the schedule gives {minutes} minutes, the first cell says {said and said[1]}")
    if following and f"]({following})" not in last.source:
        wrong.append(f"no link to {following}")
    return wrong


def is_note(cell):
    return cell.metadata.get("slideshow", {}).get("slide_type") == "notes"


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    """A small notebook, built as the real ones are."""
    path = tmp_path_factory.mktemp("notebooks") / "07-sample.py"
    path.write_text(SAMPLE, encoding="utf-8")
    notebooks.build(path)
    return path


@pytest.fixture(scope="module")
def sample(source):
    return nbformat.read(source.with_suffix(".ipynb"), 4)


@pytest.fixture(params=NOTEBOOKS, ids=lambda path: path.stem)
def path(request):
    return request.param


@pytest.fixture
def book(path):
    return nbformat.read(path, 4)


def test_every_source_is_built():
    assert {path.stem for path in NOTEBOOKS} == {path.stem for path in (ROOT / "notebooks").glob("[0-9]*.py")}


def test_holds_the_cells_of_its_source(book, path):
    assert differs_from_source(book, path.with_suffix(".py")) == []


@pytest.mark.parametrize("check", [not_one_clean_run, without_words, does_not_fit, tells_the_machine, ambiguous])
def test_stored_outputs(check, book):
    assert check(book) == []


def test_opens_with_its_minutes_and_leads_on(book, path):
    following = next((other.name for other in NOTEBOOKS if other > path), None)
    assert badly_framed(book, schedule.MINUTES[path.stem], following) == []


def test_a_sound_notebook_passes(sample, source):
    assert differs_from_source(sample, source) == badly_framed(sample, *FRAME) == []
    checks = not_one_clean_run, without_words, does_not_fit, tells_the_machine, ambiguous
    assert [check(sample) for check in checks] == [[]] * len(checks)


def test_building_again_changes_nothing(source):
    before = source.with_suffix(".ipynb").read_bytes()
    notebooks.build(source)
    assert source.with_suffix(".ipynb").read_bytes() == before


def test_a_widget_is_replaced_by_words(sample):
    shown = code(sample)[-1].outputs[0].data
    assert list(shown) == ["text/plain"] and "Run this cell" in shown["text/plain"] and "widgets" not in sample.metadata


def test_a_failing_cell_leaves_the_old_notebook(tmp_path):
    source, built = tmp_path / "07-broken.py", tmp_path / "07-broken.ipynb"
    source.write_text("# %%\n1 / 1\n")
    notebooks.build(source)
    before = built.read_bytes()
    source.write_text("# %%\n1 / 0\n")
    with pytest.raises(CellExecutionError, match="ZeroDivisionError"):
        notebooks.build(source)
    assert built.read_bytes() == before and len(list(tmp_path.iterdir())) == 2


def test_building_writes_the_minutes_of_the_schedule(tmp_path, monkeypatch):
    monkeypatch.setitem(schedule.MINUTES, "07-sample", 9)
    source = tmp_path / "07-sample.py"
    source.write_text(
        "# %% [markdown]\n# # 07 · A sample\n#\n# Takes 3 minutes. **Time:** 3 minutes.\n", encoding="utf-8"
    )
    notebooks.build(source)
    for book in (cells.read(source), nbformat.read(source.with_suffix(".ipynb"), 4)):
        assert book.cells[0].source.endswith("Takes 3 minutes. **Time:** 9 minutes.")


def test_a_notebook_without_minutes_is_refused_before_anything_runs(monkeypatch):
    monkeypatch.setattr(schedule, "MINUTES", {name: 1 for name in schedule.MINUTES if name != "06-defence"})
    monkeypatch.setattr(notebooks, "build", lambda source: pytest.fail(f"{source} was built"))
    for names in ([], ["06-defence"]):
        with pytest.raises(ValueError, match="06-defence: add a Section to helpers/editions/schedule.py"):
            notebooks.write(names)


def output(kind, **fields):
    return nbformat.v4.new_output(kind, **fields)


# Cells of which the last one depends on which of the others ran later.
USE = ("bet = 7", "bet = 16", "import bet as own\nprint(own, bet)")
USE_LATER = ("for bet in (1, 2): pass", "bet = 16", "def late():\n    return [bet for _ in '12']")
# What is done to the sample → the check that must notice.
BREAKS = {
    "another source": (lambda cells: cells[1].update(source="import os"), "differs_from_source"),
    "another tag": (lambda cells: cells[1].metadata.update(tags=["optional"]), "differs_from_source"),
    "another slide": (lambda cells: cells[0].metadata.update(slideshow={"slide_type": "notes"}), "differs_from_source"),
    "another kind": (lambda cells: cells[0].update(cell_type="raw"), "differs_from_source"),
    "a missing cell": (lambda cells: cells.pop(), "differs_from_source"),
    "a second run": (lambda cells: cells[1].update(execution_count=9), "not_one_clean_run"),
    "a final ;": (lambda cells: cells[1].update(source="1;\n"), "not_one_clean_run"),
    "a warning": (lambda cells: cells[1].outputs.append(output("stream", name="stderr")), "not_one_clean_run"),
    "an error": (lambda cells: cells[1].outputs.append(output("error", ename="E")), "not_one_clean_run"),
    "no alt": (lambda cells: cells[3].outputs[0].metadata.clear(), "without_words"),
    "no caption": (lambda cells: cells[3].outputs.pop(), "without_words"),
    "another caption": (lambda cells: cells[3].outputs[1].data.update({"text/markdown": "x"}), "without_words"),
    "a long cell": (lambda cells: cells[1].update(source="1\n" * 20 + "1"), "does_not_fit"),
    "a wide cell": (lambda cells: cells[1].update(source="1" * 121), "does_not_fit"),
    "open notes": (lambda cells: cells[0].metadata.update(slideshow={"slide_type": "notes"}), "does_not_fit"),
    "translated notes": (
        lambda cells: cells[-1].update(source=cells[-1].source.replace("Speaker notes", "Notes")),
        "does_not_fit",
    ),
    "for nobody": (lambda cells: cells[0].metadata.update(tags=[]), "does_not_fit"),
    "for all": (lambda cells: cells[0].metadata.update(tags=["core", "optional"]), "does_not_fit"),
    "a large output": (lambda cells: cells[2].outputs[0].update(text="x" * LARGEST_FILE), "does_not_fit"),
    "a path": (lambda cells: cells[2].outputs[0].update(text="in '/home/me/x'"), "tells_the_machine"),
    "a Windows path": (lambda cells: cells[2].outputs[0].update(text=r"in C:\Users"), "tells_the_machine"),
    "an address": (lambda cells: cells[2].outputs[0].update(text="<object at 0x7f00>"), "tells_the_machine"),
    "two givers": (lambda cells: [cell.update(source=text) for cell, text in zip(cells[1:], USE)], "ambiguous"),
    "two in a function": (lambda cells: [cell.update(source=t) for cell, t in zip(cells[1:], USE_LATER)], "ambiguous"),
    "no title": (lambda cells: cells[0].update(source="3 minutes"), "badly_framed"),
    "other minutes": (lambda cells: cells[0].update(source="# 07 · A sample\n\n4 minutes"), "badly_framed"),
    "no way on": (lambda cells: cells[-2].update(source="The end."), "badly_framed"),
}


@pytest.mark.parametrize("name", BREAKS)
def test_a_broken_notebook_is_noticed(name, sample, source):
    broken, (damage, check) = copy.deepcopy(sample), BREAKS[name]
    damage(broken.cells)
    more = {"differs_from_source": (source,), "badly_framed": FRAME}
    assert globals()[check](broken, *more.get(check, ()))
