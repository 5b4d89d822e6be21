"""The explorer in a real browser: in a real JupyterLab, and in a hand-out that has neither kernel nor network."""

import json
import os
import re
import secrets
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from contextlib import contextmanager
from pathlib import Path

import nbformat
import numpy as np
import pytest
from playwright.sync_api import expect, sync_playwright

NOTEBOOKS = Path(__file__).parent.parent / "notebooks"
CHROMIUM = os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, ("chromium", "chromium-browser"))), None)
SETTINGS = {
    "notebook-extension/tracker": {"windowingMode": "none"},  # cells out of sight exist too
    "apputils-extension/notification": {"fetchNews": "false", "checkForUpdates": False},
    "docmanager-extension/plugin": {"autosave": False},
}

expect.set_options(timeout=30_000)  # a machine may be busy with a training

pytestmark = pytest.mark.skipif(not CHROMIUM, reason="no chromium found: apt install chromium, or set CHROMIUM to one")


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    home = {"HOME": str(tmp_path_factory.mktemp("home"))}  # chromium writes into it
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"], env=os.environ | home
        )
        yield browser
        browser.close()


@pytest.fixture
def page(browser):
    """A page on which an uncaught error fails the test."""
    page, errors = browser.new_page(viewport={"width": 1300, "height": 900}), []
    page.on("pageerror", lambda error: errors.append(str(error)))
    yield page
    page.close()
    assert not errors


@contextmanager
def jupyterlab(folder):
    """The address of a JupyterLab that serves `folder` and reads and writes nothing outside it."""
    private = folder / "private"
    for name, value in SETTINGS.items():
        file = private / "settings" / "@jupyterlab" / f"{name}.jupyterlab-settings"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps(value))
    places = {
        "JUPYTER_CONFIG_DIR": "config",
        "JUPYTER_DATA_DIR": "data",
        "JUPYTER_RUNTIME_DIR": "runtime",
        "JUPYTERLAB_SETTINGS_DIR": "settings",
        "JUPYTERLAB_WORKSPACES_DIR": "workspaces",
        "IPYTHONDIR": "ipython",
    }
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    token = secrets.token_hex(16)
    options = [
        "--no-browser",
        "--allow-root",
        "--ip=127.0.0.1",
        "--LabApp.news_url=None",
        "--LabApp.expose_app_in_browser=True",
    ] + [f"--port={port}", f"--IdentityProvider.token={token}", f"--ServerApp.root_dir={folder}"]
    with open(folder / "lab.log", "w+") as log:
        server = subprocess.Popen(
            [sys.executable, "-m", "jupyterlab", *options],
            env=os.environ | {name: str(private / place) for name, place in places.items()},
            stdout=log,
            stderr=subprocess.STDOUT,
        )
        try:
            address = f"http://127.0.0.1:{port}"
            wait_for(f"{address}/api/status?token={token}", server, folder / "lab.log")
            yield lambda notebook: f"{address}/doc/tree/{notebook}?token={token}&reset"
        finally:
            server.terminate()
            try:
                server.wait(60)
            except subprocess.TimeoutExpired:
                server.kill()
                raise


def wait_for(address, server, log, seconds=90):
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline and server.poll() is None:
        try:
            return urllib.request.urlopen(address, timeout=2)
        except OSError:
            time.sleep(0.2)
    raise RuntimeError(f"JupyterLab did not answer within {seconds} s:\n{log.read_text()[-2000:]}")


def run_all(page, address):
    """Open a notebook and run every cell of it."""
    page.goto(address)
    page.wait_for_function(
        "() => window.jupyterapp?.shell.currentWidget?.sessionContext?.session?.kernel?.status === 'idle'",
        timeout=90_000,
    )
    page.evaluate("() => window.jupyterapp.commands.execute('notebook:run-all-cells')")


def write_part(target, first, last):
    """Write the notebook of this name without outputs: the code at its beginning, and the cells `first` to `last`."""
    notebook = nbformat.read(NOTEBOOKS / target.name, as_version=4)
    words = ("from helpers.explorer import", first, last)
    opening, start, end = (next(i for i, c in enumerate(notebook.cells) if word in c.source) for word in words)
    notebook.cells = [notebook.cells[opening], *notebook.cells[start : end + 1]]
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = [], None
    nbformat.write(notebook, target)


# Milliseconds from each key press until the text of the element that `selector` finds has changed.
STOPWATCH = """(selector) => {
  const watched = document.querySelector(selector), spans = window.spans = [];
  let text = watched.textContent, pressed;
  document.addEventListener("keydown", () => { pressed = performance.now(); }, true);
  new MutationObserver(() => {
    if (text !== watched.textContent) spans.push(performance.now() - pressed);
    text = watched.textContent;
  }).observe(watched, {childList: true});
}"""


def sliders_of(page):
    return (page.get_by_role("slider", name=name, exact=True) for name in ("ε", "image"))


def pixels(page):
    """What the three canvases show: uint8 (3, 32, 32, 3)."""
    shown = page.evaluate(
        "() => [...document.querySelectorAll('.fgsm canvas')]"
        ".map((canvas) => [...canvas.getContext('2d').getImageData(0, 0, 32, 32).data])"
    )
    return np.array(shown, np.uint8).reshape(3, 32, 32, 4)[..., :3]


OUTSIDE = """() => {
  const view = document.querySelector(".fgsm"), edge = view.getBoundingClientRect();
  const nodes = [...view.querySelectorAll("*:not(style, option, .heard)")].filter((node) => {
    const box = node.getBoundingClientRect();
    return box.width && (box.left < edge.left - 1 || box.right > Math.min(edge.right + 1, innerWidth));
  });
  return [document.documentElement.scrollWidth > innerWidth, nodes.map((node) => node.outerHTML.slice(0, 100))];
}"""


def assert_fits(page, widths):
    """Nothing sticks out of the view, or makes the page wider than the window, once it is drawn anew."""
    for width in widths:
        page.set_viewport_size({"width": width, "height": 800})
        for _ in range(50):
            page.wait_for_timeout(300)
            too_wide, outside = page.evaluate(OUTSIDE)
            if not too_wide and not outside:
                break
        assert not too_wide and not outside, (width, outside)


def assert_legible(page):
    """Every text of the view has a contrast of 4.5 to what lies behind it."""
    found = page.evaluate("""() => {
      const behind = (node) => {
        const colour = getComputedStyle(node).backgroundColor;
        return colour.startsWith("rgba(") && colour.endsWith(", 0)") ? behind(node.parentElement) : colour;
      };
      const texts = [...document.querySelectorAll(".fgsm *:not(style, option)")].filter((node) =>
        node.checkVisibility() && [...node.childNodes].some((child) => child.nodeType === 3 && child.data.trim()));
      return texts.map((node) => {
        const style = getComputedStyle(node);
        return [node.outerHTML.slice(0, 100), node.closest("svg") ? style.fill : style.color, behind(node)];
      });
    }""")
    assert len(found) > 50
    assert [text for text in found if contrast(*text[1:]) < 4.5] == []


def contrast(*colours):
    """WCAG's contrast ratio of two colours written as rgb(r, g, b)."""
    rgb = np.array([re.findall(r"\d+", colour)[:3] for colour in colours], float) / 255
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    dark, light = sorted(linear @ (0.2126, 0.7152, 0.0722))
    return (light + 0.05) / (dark + 0.05)
