"""The lecture edition in a real JupyterLab and a real browser: what the class sees, and that no source changes."""

import json
import os
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
import servers
from playwright.sync_api import expect
from test_browser import CHROMIUM, browser  # noqa: F401, the fixture of a real browser

from helpers.editions import cells, clock, lecture

ROOT = Path(__file__).resolve().parents[1]
IDLE = "() => window.jupyterapp?.shell.currentWidget?.sessionContext?.session?.kernel?.status === 'idle'"
# Of the first cells every code cell has a number, none a star.
HAVE_RUN = """(count) => jupyterapp.shell.currentWidget.content.widgets.slice(0, count).map((widget) => widget.model).every(
  (cell) => cell.type !== "code" || cell.executionState === "idle" && cell.executionCount)"""
BARS = 55  # pixels: the menu and the tools above the notebook

pytestmark = pytest.mark.skipif(not CHROMIUM, reason="no chromium found: apt install chromium, or set CHROMIUM to one")


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    """The lecture edition's folder, and address and token of a JupyterLab that shows it as `make lecture` does."""
    folder, runtime = tmp_path_factory.mktemp("edition") / "lecture", tmp_path_factory.mktemp("runtime")
    lecture.write(folder, cells.stored())
    settings(folder, "docmanager-extension/plugin", autosaveInterval=3)
    command, environment = lecture.server(
        folder, "--no-browser", "--allow-root", "--ip=127.0.0.1", "--expose-app-in-browser"
    )
    environment |= {"JUPYTER_RUNTIME_DIR": str(runtime)}
    server = subprocess.Popen(command, env=environment, cwd=folder)
    try:
        note = servers.running(runtime, server)  # Jupyter chooses the port, and tells
        yield folder, (note["url"], note["token"])
    finally:
        server.terminate()
        try:
            server.wait(30)
        except subprocess.TimeoutExpired:  # Jupyter sometimes waits for a kernel that is ending
            server.kill()
            server.wait()


def tracked():
    """Names and contents of all files that git tracks, as git sees them."""
    return subprocess.run(["git", "status", "--porcelain"], cwd=ROOT, capture_output=True, text=True).stdout + str(
        {path: path.stat().st_mtime_ns for path in (ROOT / "notebooks").iterdir()}
    )


def settings(folder, name, **values):
    """Change what the lecture's JupyterLab begins with."""
    path = folder / lecture.PRIVATE / "settings" / "@jupyterlab" / f"{name}.jupyterlab-settings"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(values))


def opened(page, address, name):
    """Open a notebook and wait for its kernel; from then on no message of JupyterLab's may appear."""
    url, token = address
    page.goto(f"{url}?token={token}" if name == cells.names()[0] else f"{url}doc/tree/{name}.ipynb?token={token}&reset")
    page.wait_for_function(IDLE, timeout=120_000)
    assert f"/doc/tree/{name}.ipynb" in page.url  # one document, and 01 where nothing else is asked for


def sources(page):
    """The sources of all cells that are on the page."""
    return page.evaluate(
        "() => jupyterapp.shell.currentWidget.content.widgets.map((widget) => widget.model.sharedModel.source)"
    )


def run_to(page, place, before=0):
    """Press Shift+Enter for the cells from `before` to `place`, and wait until they have run."""
    for _ in range(before, place):
        page.keyboard.press("Shift+Enter")
    page.wait_for_function(HAVE_RUN, arg=place, timeout=600_000)


def closed(page):
    """End the notebook's kernel and close its page."""
    page.evaluate("() => jupyterapp.shell.currentWidget.sessionContext.shutdown()")
    page.close()


def tall_cells(path, end):
    """The cells before `end` that show a figure or sliders, by number."""
    every = nbformat.read(path, 4).cells[:end]
    shows = ("figures.show(", "figures.LiveCurve(", "FgsmExplorer(")
    return [
        at
        for at, cell in enumerate(every)
        if cell.cell_type == "code" and any(word in cell.source for word in shows) and "import" not in cell.source
    ]


def saved_cells(path):
    """How many cells a notebook has, or None while JupyterLab writes it."""
    try:
        return len(nbformat.read(path, 4).cells)
    except nbformat.reader.NotJSONError:
        return None


ONE_IN_MAKE_TEST = [pytest.param(name, marks=[pytest.mark.long] * (name != "01-data")) for name in cells.names()]


@pytest.mark.parametrize("name", ONE_IN_MAKE_TEST)
def test_a_walk_through_everything(browser, served, name):  # noqa: F811
    (folder, address), before = served, tracked()
    page = browser.new_page(viewport={"width": 1280, "height": 720})
    opened(page, address, name)
    every = sources(page)
    expect(page.get_by_role("heading", name=every[0].splitlines()[0].removeprefix("# "))).to_be_in_viewport()
    expect(page.locator(".jp-InputPlaceholder, .jp-Placeholder-content").first).to_be_visible()
    assert page.locator(".jp-OutputArea-output, .jp-Notification").count() == 0
    size = "(node) => parseFloat(getComputedStyle(node).fontSize)"
    assert page.locator(".jp-RenderedMarkdown p").first.evaluate(size) >= 18
    assert page.locator(".jp-CodeCell .cm-content").last.evaluate(size) >= 16
    place = next(at for at, source in enumerate(every) if source.startswith("# Appendix"))
    done = 0
    for at in tall_cells(folder / f"{name}.ipynb", place):
        run_to(page, at + 1, done)
        done = at + 1
        cell, following = (page.locator(".jp-Notebook .jp-Cell").nth(number) for number in (at, at + 1))
        shown = cell.locator(".fgsm-explorer, .jp-RenderedImage img").first  # sliders with all of their switches
        expect(cell.locator(".fgsm .verdict, .jp-RenderedImage img").first).to_be_visible(timeout=120_000)
        page.wait_for_timeout(1000)  # JupyterLab scrolls when outputs have grown
        whole, room = (
            shown.bounding_box(),
            720 - following.locator(".jp-Cell-inputWrapper").first.bounding_box()["height"],
        )
        if room > 500:  # beside a long text there is no room for both
            assert whole["y"] > BARS - 12 and whole["y"] + whole["height"] < 720, (at, whole)
    run_to(page, len(every), done)  # the last one adds an empty cell
    for kind in ("stderr", "error"):
        expect(page.locator(f"[data-mime-type='application/vnd.jupyter.{kind}']")).to_have_count(0)
    expect(page.locator(".jp-Notification")).to_have_count(0)
    while saved_cells(folder / f"{name}.ipynb") in (None, len(every)):
        page.wait_for_timeout(500)  # for the next autosave
    closed(page)
    assert tracked() == before


def test_interrupting_the_training_leaves_one_quiet_line_and_the_lecture_goes_on(browser, served):  # noqa: F811
    address = served[1]
    page = browser.new_page(viewport={"width": 1280, "height": 720})
    opened(page, address, "03-training")
    live = next(at for at, source in enumerate(sources(page)) if clock.LIVE in source)
    run_to(page, live)
    page.keyboard.press("Shift+Enter")
    cell = page.locator(".jp-Notebook .jp-Cell").nth(live)
    expect(cell.locator("img")).to_be_visible(timeout=300_000)  # the curve has begun
    page.keyboard.press("Shift+Enter")  # the text that is read out meanwhile
    page.get_by_role("button", name="Interrupt the kernel").click()
    expect(cell.locator(".jp-RenderedMarkdown")).to_contain_text("Interrupted after", timeout=60_000)
    assert len(cell.locator(".jp-OutputArea-output").all()) == 2  # the curve and its caption
    expect(page.locator(".jp-RenderedText")).to_have_count(1)  # what the second cell prints: no traceback
    run_to(page, live + 4, live + 2)
    closed(page)


def test_while_01_is_shown_the_others_caches_are_warmed(monkeypatch, tmp_path):
    settings_of = {"LECTURE_CACHE": "cache", "MPLCONFIGDIR": "fonts"}
    for name, value in settings_of.items():
        monkeypatch.setenv(name, str(tmp_path / value))
    monkeypatch.setenv("LECTURE_DATASET", "sketches")
    # In the place of JupyterLab: runs until the data set and the list of fonts are kept.
    wait = "import pathlib, sys, time\nwhile not all(map(any, map(pathlib.Path().glob, sys.argv[1:]))): time.sleep(0.1)"
    command = [sys.executable, "-c", wait, "../cache/sketches.json", "../fonts/fontlist*"]
    monkeypatch.setattr(lecture, "server", lambda folder, *options: (command, os.environ.copy()))
    (tmp_path / "lecture").mkdir()
    assert lecture.show(tmp_path / "lecture") == 0
