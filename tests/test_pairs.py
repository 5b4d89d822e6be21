"""Both files of a notebook stay the same, whatever times and order of metadata are, and no edit is lost in silence."""

import os
import shutil
from pathlib import Path

import nbformat
import pytest
from tornado.web import HTTPError

from helpers.editions import cells, notebooks, pairs

ROOT = Path(__file__).resolve().parents[1]
SOURCE = """# %% [markdown] tags=["core"] slideshow={"slide_type": "slide"}
# # 07 · A pair

# %% tags=["core"]
x = 1
"""


@pytest.fixture
def pair(tmp_path):
    """A notebook, 07.ipynb, that is the same as its source, 07.py, and was run."""
    (tmp_path / "07.py").write_text(SOURCE, encoding="utf-8")
    book = cells.read(tmp_path / "07.py")
    book.cells[1].outputs, book.cells[1].execution_count = [nbformat.v4.new_output("stream", text="ran")], 1
    cells.save(book, tmp_path / "07.ipynb")
    return tmp_path


@pytest.fixture
def lab(pair):
    return pairs.PairedContents(root_dir=str(pair))


def edit_source(pair, new="x = 2"):
    (pair / "07.py").write_text(SOURCE.replace("x = 1", new), encoding="utf-8")


def edit_notebook(pair, new="x = 3", **more):
    """As VS Code or another Jupyter does, which know nothing of the .py."""
    book = nbformat.read(pair / "07.ipynb", 4)
    book.cells[1].source = new
    book.cells[0].update(more)
    nbformat.write(book, pair / "07.ipynb")


def code(pair):
    """What the second cell is: in the .ipynb, and in the .py."""
    stored, source = nbformat.read(pair / "07.ipynb", 4), cells.read(pair / "07.py")
    assert cells.digest(stored) == cells.digest(source)
    return stored.cells[1].source


TIMES = {"source newer": (0, 9e8), "notebook newer": (9e8, 0), "same": (0, 0)}


@pytest.fixture(params=TIMES)
def times(request, pair):
    """Call it to give both files times as git checkout, git pull and touch leave them."""

    def set_them():
        for name, age in zip(("07.py", "07.ipynb"), TIMES[request.param]):
            os.utime(pair / name, (1e9 - age, 1e9 - age))

    return set_them


def test_the_edited_one_is_taken_whatever_the_times_are(pair, lab, times):
    edit_source(pair)
    times()
    assert lab.get("07.ipynb")["content"]["cells"][1]["source"] == "x = 2" == code(pair)
    assert [nbformat.read(path, 4).cells[1].source for path in (pair / ".ipynb_checkpoints").iterdir()] == ["x = 1"]
    edit_notebook(pair)
    times()
    assert lab.get("07.ipynb")["content"]["cells"][1]["source"] == "x = 3" == code(pair)


def test_nothing_happens_to_what_is_the_same(pair, lab, times):
    book = nbformat.read(pair / "07.ipynb", 4)
    book.cells[0].metadata = dict(reversed(book.cells[0].metadata.items()))  # another order is no difference
    nbformat.write(book, pair / "07.ipynb")
    times()
    before = {path.name: path.read_bytes() for path in pair.iterdir()}
    assert lab.get("07.ipynb")["content"]["cells"][1]["outputs"]
    assert {path.name: path.read_bytes() for path in pair.iterdir()} == before


def test_two_edits_are_refused_and_both_are_kept(pair, lab, times):
    edit_source(pair)
    edit_notebook(pair)
    times()
    before = {path.name: path.read_bytes() for path in pair.iterdir()}
    with pytest.raises(HTTPError, match="both edited") as refused:
        lab.get("07.ipynb")
    with pytest.raises(pairs.Conflict, match="both edited"):
        notebooks.build(pair / "07.py")
    assert refused.value.status_code == 409
    assert {path.name: path.read_bytes() for path in pair.iterdir()} == before


def test_a_save_writes_both_again_and_again_and_never_over_an_edit_from_elsewhere(pair, lab):
    model = lab.get("07.ipynb")
    for value in ("x = 4", "x = 5"):
        model["content"]["cells"][1]["source"] = value
        lab.save(model, "07.ipynb")
        assert code(pair) == value
    edit_source(pair, "x = 6")
    model["content"]["cells"][1]["source"] = "x = 7"
    with pytest.raises(HTTPError, match="outside of JupyterLab"):
        lab.save(model, "07.ipynb")
    assert "x = 6" in (pair / "07.py").read_text() and "x = 5" in (pair / "07.ipynb").read_text()


PICTURE = {"attachments": {"image.png": {"image/png": "iVBORw0KGgo="}}}


def test_what_a_source_cannot_hold_is_refused_with_its_cell(pair, lab):
    model = lab.get("07.ipynb")
    model["content"]["cells"][0] |= PICTURE
    with pytest.raises(HTTPError, match="cell 1 holds a pasted picture"):
        lab.save(model, "07.ipynb")
    del model["content"]["cells"][0]["attachments"]
    model["content"]["cells"][1]["source"] = "x = 1\n# %% not a cell\ny = 2"
    with pytest.raises(HTTPError, match="cell 2 would be another one"):
        lab.save(model, "07.ipynb")
    assert code(pair) == "x = 1"
    edit_notebook(pair, "x = 1", **PICTURE, source="# another title")
    with pytest.raises(pairs.Conflict, match="cell 1 holds a pasted picture"):
        notebooks.build(pair / "07.py")
    assert "image.png" in (pair / "07.ipynb").read_text()


@pytest.mark.parametrize("source", ["x = 8\n", "\n\n", "x = 8\n    ", "if x:\r\n    y", "%%time\nx\n"])
def test_a_line_break_that_a_source_cannot_hold_is_no_reason_to_lose_a_save(pair, lab, source):
    model = lab.get("07.ipynb")
    model["content"]["cells"][1]["source"] = source
    lab.save(model, "07.ipynb")
    assert nbformat.read(pair / "07.ipynb", 4).cells[1].source == source
    assert cells.read(pair / "07.py").cells[1].source == source.replace("\r", "").rstrip()
    before = {path.name: path.read_bytes() for path in pair.iterdir() if path.is_file()}
    assert lab.get("07.ipynb")["content"]["cells"][1]["source"] == source
    assert {path.name: path.read_bytes() for path in pair.iterdir() if path.is_file()} == before


@pytest.mark.parametrize("source, reason", [("x = 1\u2028y = 2", "u2028"), ('"""\nx', "string in it does not end")])
def test_the_reason_given_is_the_reason(source, reason):
    book = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(text) for text in ("a", source, "b")])
    with pytest.raises(pairs.Conflict, match=f"cell 2 .*{reason}"):
        pairs.as_source(book)


@pytest.mark.parametrize("script", ["import os\n", "# %%\nprint('another program')\n"])
def test_a_script_of_the_same_name_never_replaces_a_notebook(tmp_path, script):
    (tmp_path / "my.py").write_text(script, encoding="utf-8")
    cells.save(nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("1 + 1")]), tmp_path / "my.ipynb")
    lab = pairs.PairedContents(root_dir=str(tmp_path))
    if pairs.MARKER.search(script):
        with pytest.raises(HTTPError, match="never been the same"):
            lab.get("my.ipynb")
    else:
        lab.save(lab.get("my.ipynb"), "my.ipynb")
    assert nbformat.read(tmp_path / "my.ipynb", 4).cells[0].source == "1 + 1"
    assert (tmp_path / "my.py").read_text(encoding="utf-8") == script


def test_every_source_survives_a_save(tmp_path):
    for name in cells.names():
        shutil.copy(ROOT / "notebooks" / f"{name}.py", tmp_path)
        book = cells.read(tmp_path / f"{name}.py")
        (tmp_path / f"{name}.py").write_text(pairs.as_source(book), encoding="utf-8")
        assert cells.digest(cells.read(tmp_path / f"{name}.py")) == cells.digest(book), name
