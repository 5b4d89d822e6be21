"""The lecture edition in a real JupyterLab and a real browser: what the class sees, and that no source changes."""

import subprocess
from contextlib import contextmanager
from pathlib import Path

import pytest
import servers
from playwright.sync_api import expect
from test_browser import CHROMIUM, browser  # noqa: F401, the fixture of a real browser

from helpers.editions import cells, lecture

ROOT = Path(__file__).resolve().parents[1]
IDLE = "() => window.jupyterapp?.shell.currentWidget?.sessionContext?.session?.kernel?.status === 'idle'"
# Every code cell down to the first heading "Appendix" has a number, none a star.
CORE_HAS_RUN = """() => {
  const cells = jupyterapp.shell.currentWidget.content.widgets.map((widget) => widget.model);
  const end = cells.findIndex((cell) => cell.sharedModel.source.startsWith("# Appendix"));
  return cells.slice(0, end).every((cell) => cell.type !== "code" || cell.executionState === "idle" && cell.executionCount);
}"""

pytestmark = pytest.mark.skipif(not CHROMIUM, reason="no chromium found: apt install chromium, or set CHROMIUM to one")


@contextmanager
def serving(folder, runtime):
    """The address and the token of a JupyterLab as `make lecture` starts it. Jupyter chooses the port, and tells."""
    command, environment = lecture.server(
        folder, "--no-browser", "--allow-root", "--ip=127.0.0.1", "--expose-app-in-browser"
    )
    environment |= {"JUPYTER_RUNTIME_DIR": str(runtime)}
    server = subprocess.Popen(command, env=environment, cwd=folder)
    try:
        note = servers.running(runtime, server)
        yield note["url"], note["token"]
    finally:
        server.terminate()
        server.wait(60)


def tracked():
    """Names and contents of all files that git tracks, as git sees them."""
    return subprocess.run(["git", "status", "--porcelain"], cwd=ROOT, capture_output=True, text=True).stdout + str(
        {path: path.stat().st_mtime_ns for path in (ROOT / "notebooks").iterdir()}
    )


def test_a_walk_through_the_lecture(browser, tmp_path):  # noqa: F811
    folder, before = tmp_path / "lecture", tracked()
    lecture.write(folder, {"01-data": cells.stored()["01-data"]})
    page = browser.new_page(viewport={"width": 1280, "height": 720})
    with serving(folder, tmp_path) as (url, token):
        page.goto(f"{url}?token={token}")  # as the browser opens it
        page.wait_for_function(IDLE, timeout=120_000)
        assert "/doc/tree/01-data.ipynb" in page.url  # one document, and the first one
        expect(page.get_by_role("heading", name="01 · What does the network get to see?")).to_be_in_viewport()
        expect(page.locator(".jp-InputPlaceholder, .jp-Placeholder-content").first).to_be_visible()
        assert page.locator(".jp-OutputArea-output, .jp-Notification").count() == 0
        size = "(node) => parseFloat(getComputedStyle(node).fontSize)"
        assert page.locator(".jp-RenderedMarkdown p").first.evaluate(size) >= 18
        assert page.locator(".jp-CodeCell .cm-content").last.evaluate(size) >= 16
        sliders, core = page.evaluate(
            "() => ['FgsmExplorer(model', '# Appendix'].map((words) => jupyterapp.shell.currentWidget.content.widgets"
            ".findIndex((widget) => widget.model.sharedModel.source.includes(words)))"
        )
        for _ in range(sliders + 1):
            page.keyboard.press("Shift+Enter")
        expect(page.locator(".fgsm .verdict")).to_be_visible(timeout=120_000)
        whole = page.locator(".fgsm-explorer").bounding_box()  # with both sliders and the switches
        assert whole["y"] > 0 and whole["y"] + whole["height"] < 720, whole
        for _ in range(core - sliders - 1):
            page.keyboard.press("Shift+Enter")
        page.wait_for_function(CORE_HAS_RUN, timeout=180_000)
        expect(page.locator(".jp-RenderedText[data-mime-type='application/vnd.jupyter.stderr']")).to_have_count(0)
        page.evaluate("() => jupyterapp.commands.execute('docmanager:save')")
        expect(page.locator(".jp-Notification")).to_have_count(0)
    page.close()
    assert tracked() == before
