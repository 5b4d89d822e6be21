"""The explorer in a real browser: in a real JupyterLab, and in pages that have neither kernel nor network."""

import json
import os
import re
import shutil
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path

import nbformat
import numpy as np
import pytest
import servers
from playwright.sync_api import expect, sync_playwright

from helpers import attacks, data, evaluation, explorer, figures
from helpers.backend import keras

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
    options = ["--no-browser", "--allow-root", "--ip=127.0.0.1", f"--ServerApp.root_dir={folder}"]
    options += ["--LabApp.news_url=None", "--LabApp.expose_app_in_browser=True"]
    server = subprocess.Popen(
        [sys.executable, "-m", "jupyterlab", *options],
        env=os.environ | {name: str(private / place) for name, place in places.items()},
        stderr=subprocess.STDOUT,
    )
    try:
        facts = servers.running(private / "runtime", server)
        yield lambda notebook: f"{facts['url']}doc/tree/{notebook}?token={facts['token']}&reset"
    finally:
        server.terminate()
        try:
            server.wait(60)
        except subprocess.TimeoutExpired:
            server.kill()
            raise


@pytest.fixture(scope="module")
def lab(tmp_path_factory):
    """A JupyterLab for all: its folder, and what gives the address of a notebook there."""
    folder = tmp_path_factory.mktemp("lab")
    with jupyterlab(folder) as address:
        yield folder, address


@pytest.fixture
def run_notebook(page, lab):
    """Opens a new notebook with these cells in JupyterLab and runs them all; its kernel ends with the test."""
    folder, address = lab

    def run(name, *cells):
        write_notebook(folder / name, *cells)
        run_all(page, address(name))

    yield run
    page.evaluate("() => window.jupyterapp?.shell.currentWidget?.sessionContext?.shutdown()")


def run_all(page, address):
    """Open a notebook and run every cell of it."""
    page.goto(address)
    page.wait_for_function(
        "() => window.jupyterapp?.shell.currentWidget?.sessionContext?.session?.kernel?.status === 'idle'",
        timeout=90_000,
    )
    page.evaluate("() => window.jupyterapp.commands.execute('notebook:run-all-cells')")


def write_notebook(path, *cells):
    kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
    cells = [nbformat.v4.new_code_cell(cell) for cell in cells]
    nbformat.write(nbformat.v4.new_notebook(metadata=kernel, cells=cells), path)


SETUP = """from helpers import data, figures, runs
from helpers.explorer import FgsmExplorer

dataset = data.load()
networks = {name: runs.load(name, dataset.name).model for name in ("vgg3", "adversarial-fgsm")}
images, labels = dataset.x_test[:1017], dataset.y_test[:1017]"""
ONE = "FgsmExplorer(networks['vgg3'], images, labels)"
TWO = "explorer = FgsmExplorer(networks, images, labels)\nexplorer.image.value = figures.RUNNING_IMAGE\nexplorer"


def sliders_of(page):
    return (page.get_by_role("slider", name=name, exact=True) for name in ("ε", "image"))


def pixels(page):
    """What the three canvases of the view show: uint8 (3, 32, 32, 3)."""
    shown = page.evaluate(
        "() => [...document.querySelectorAll('.fgsm .pictures canvas')]"
        ".map((canvas) => [...canvas.getContext('2d').getImageData(0, 0, 32, 32).data])"
    )
    return np.array(shown, np.uint8).reshape(3, 32, 32, 4)[..., :3]


def settled(page, level, attack="fgsm"):
    """Waits until every network shows what it predicts at `level`: {network: (class name, probability)}."""
    there = f"[data-epsilon='{level}'][data-attack='{attack}']"
    expect(page.locator(f".fgsm .net:not({there}):visible")).to_have_count(0)
    shown = page.locator(".fgsm .net:visible").evaluate_all("(nets) => nets.map((net) => ({...net.dataset}))")
    return {one["network"]: (one["prediction"], float(one["probability"])) for one in shown}


def run_and_select_next(page, number):
    """What Shift+Enter does in a cell, once its explorer is there."""
    page.evaluate("(number) => { jupyterapp.shell.currentWidget.content.activeCellIndex = number; }", number)
    page.evaluate("() => jupyterapp.commands.execute('notebook:run-cell-and-select-next')")
    expect(page.locator(".fgsm .net[data-prediction]").first).to_be_visible(timeout=180_000)
    page.wait_for_timeout(1000)  # JupyterLab scrolls when outputs have grown


def whole_on_screen(page, *selectors):
    """Each element that is found lies within the notebook's window, and within the screen."""
    window = page.locator(".jp-WindowedPanel-outer").first.bounding_box()
    for selector in selectors:
        for node in page.locator(selector).all():
            box = node.bounding_box()
            inside = box["y"] >= window["y"] - 1 and box["y"] + box["height"] <= window["y"] + window["height"] + 1
            assert inside and box["x"] + box["width"] <= window["x"] + window["width"] + 1, (selector, box, window)


def test_all_of_two_networks_and_of_one_is_on_screen_at_once(page, run_notebook):
    """After Shift+Enter: sliders, verdicts and both rows of numbers, and they stay there while ε moves."""
    seen = (".fgsm-epsilon", ".fgsm-image", ".fgsm .verdict", ".fgsm .bars [role=row] > *", ".fgsm .large canvas")
    page.set_viewport_size({"width": 1280, "height": 720})
    run_notebook("two.ipynb", SETUP, TWO, "explorer.answer()")
    expect(page.locator(".jp-OutputArea-output").last).to_contain_text("Answer(label=", timeout=180_000)
    for width, height in ((1280, 720), (1920, 1080)):
        page.set_viewport_size({"width": width, "height": height})
        run_and_select_next(page, 1)
        whole_on_screen(page, *seen)
        epsilon, _ = sliders_of(page)
        for _ in range(8):
            epsilon.press("ArrowRight")
        shown = settled(page, 8)
        assert set(shown) == {"vgg3", "adversarial-fgsm"}
        whole_on_screen(page, *seen, ".fgsm .chart")
        assert page.locator(".fgsm .pair").first.bounding_box()["width"] > 25

    # The same with one network, in the same cell.
    page.set_viewport_size({"width": 1280, "height": 720})
    page.evaluate(
        "(code) => { jupyterapp.shell.currentWidget.content.widgets[1].model.sharedModel.source = code; }", ONE
    )
    run_and_select_next(page, 1)
    expect(page.locator(".fgsm .net[data-prediction]")).to_have_count(1)
    page.wait_for_timeout(1000)
    whole_on_screen(page, ".fgsm-epsilon", ".fgsm .verdict", ".fgsm .number", ".fgsm .chart", ".fgsm .switches")


def test_the_explorer_in_jupyterlab(page, run_notebook, dataset, network):
    """Sliders, switches, keys, themes and a restart, in one session; what is shown is what `attacks` computes."""
    run_notebook("explorer.ipynb", SETUP, TWO, "1 + 1")
    expect(page.locator(".fgsm .net[data-prediction]")).to_have_count(2, timeout=180_000)
    epsilon, image = sliders_of(page)
    cells = page.locator(".jp-Notebook .jp-Cell")
    selected = page.locator(".jp-Notebook .jp-Cell.jp-mod-selected .jp-InputPrompt")
    assert "first fooled" not in page.locator(".fgsm").inner_text()
    for _ in range(8):
        epsilon.press("ArrowRight")
    cell, count = selected.inner_text(), cells.count()
    for key in ("k", "a", "x"):  # to the notebook: up, a new cell above, cut the cell
        epsilon.press(key)
    assert (selected.inner_text(), cells.count()) == (cell, count)
    shown = settled(page, 8)
    index = slice(figures.RUNNING_IMAGE, figures.RUNNING_IMAGE + 1)
    images, labels = data.to_float(dataset.x_test[index]), dataset.y_test[index]
    adversarial = attacks.fgsm(network, images, labels, 8 / 255)
    exact = evaluation.probabilities(network, adversarial)[0]
    assert shown["vgg3"][0] == data.CLASS_NAMES[exact.argmax()] and abs(shown["vgg3"][1] - exact.max()) < 1e-3
    original, _, drawn = pixels(page)
    assert (original == dataset.x_test[index][0]).all() and (drawn == np.rint(255 * adversarial[0])).all()

    every = {}
    for attack, name in explorer.ATTACKS.items():
        page.get_by_role("radio", name=name).check()
        every[name] = settled(page, 8, attack)["vgg3"][1], pixels(page)[2].tobytes()
    assert len(set(every.values())) == len(explorer.ATTACKS)
    page.get_by_role("radio", name="FGSM").check()
    settled(page, 8)

    caption = page.locator(".fgsm figcaption").first
    before = caption.inner_text()
    page.get_by_role("button", name="next fooled image").press("Enter")
    expect(caption).not_to_have_text(before)
    expect(page.locator(".net[data-pictured] .verdict")).to_contain_text("fooled: ")
    page.get_by_role("combobox", name="images of class").select_option(label="frog")
    expect(caption).to_contain_text("frog")
    image.press("ArrowRight")
    expect(caption).to_contain_text("frog")
    page.get_by_role("combobox", name="networks").select_option(label="only adversarial-fgsm")
    assert list(settled(page, 8)) == ["adversarial-fgsm"]
    page.get_by_role("combobox", name="networks").select_option(label="side by side")
    assert cells.count() == count

    for theme in ("JupyterLab Dark", "JupyterLab Light"):
        page.evaluate("(theme) => jupyterapp.commands.execute('apputils:change-theme', {theme})", theme)
        page.wait_for_function("(theme) => document.body.dataset.jpThemeName === theme", arg=theme)
        expect(page.locator("#jupyterlab-splash")).to_have_count(0)  # JupyterLab trips over a second one
        assert_legible(page)

    page.evaluate("() => jupyterapp.shell.currentWidget.sessionContext.session.kernel.restart()")
    page.wait_for_timeout(2000)
    image.press("ArrowRight")
    expect(page.locator(".fgsm .told")).to_contain_text("run all cells above")


def assert_legible(page):
    """Every text of the view has a contrast of 4.5 to what is behind it."""
    found = page.evaluate("""() => {
      const behind = (node) => {
        const colour = getComputedStyle(node).backgroundColor;
        return colour.startsWith("rgba(") && colour.endsWith(", 0)") ? behind(node.parentElement) : colour;
      };
      const texts = [...document.querySelectorAll(".fgsm *:not(style, option, .unseen)")].filter((node) =>
        node.checkVisibility() && [...node.childNodes].some((child) => child.nodeType === 3 && child.data.trim()));
      return texts.map((node) => [node.outerHTML.slice(0, 100), getComputedStyle(node).color, behind(node)]);
    }""")
    assert len(found) > 50
    assert [text for text in found if contrast(*text[1:]) < 4.5] == []


def test_the_page_of_a_network_of_your_own(page, tmp_path, dataset):
    """Written by `to_html`: the image slider, the next fooled image, and predictions as in Keras."""
    keras.utils.set_random_seed(0)
    layers = [keras.Input((32, 32, 3)), keras.layers.Conv2D(8, 3, activation="silu"), keras.layers.MaxPooling2D(2)]
    own = keras.Sequential([*layers, keras.layers.Flatten(), keras.layers.Dense(10, activation="softmax")])
    own.compile("adam", "sparse_categorical_crossentropy")
    own.fit(data.to_float(dataset.x_test[:200]), dataset.y_test[:200], epochs=20, verbose=0)
    with pytest.warns(UserWarning, match="ends in softmax"):
        sliders = explorer.FgsmExplorer({"mine": own}, dataset.x_test[:200], dataset.y_test[:200])
    (tmp_path / "page.html").write_text(sliders.to_html(images=range(30), title="mine"), encoding="utf-8")
    asked = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto((tmp_path / "page.html").as_uri())
    epsilon, image = sliders_of(page)
    button, told = page.get_by_role("button", name="next fooled image"), page.locator(".fgsm .told")
    button.click()
    expect(told).to_have_text("ε = 0 changes nothing: move ε first.")
    epsilon.fill("3")
    button.click()
    expect(image).not_to_have_value("0")
    expect(page.locator(".fgsm .verdict")).to_contain_text("fooled: ")
    index = int(image.input_value())
    shown = settled(page, 3)["mine"]
    images, labels = data.to_float(dataset.x_test[index][None]), dataset.y_test[index : index + 1]
    earlier = data.to_float(dataset.x_test[1:index]), dataset.y_test[1:index]
    exact = evaluation.probabilities(own, attacks.fgsm(own, images, labels, 3 / 255))[0]
    assert shown[0] == data.CLASS_NAMES[exact.argmax()] and abs(shown[1] - exact.max()) < 0.01
    if index > 1:
        before, after = (evaluation.predictions(own, x) for x in (earlier[0], attacks.fgsm(own, *earlier, 3 / 255)))
        assert not ((before == earlier[1]) & (after != earlier[1])).any()
    assert [url for url in asked if not url.startswith(("file:", "blob:"))] == []


# What would run, if a name were taken for HTML: in a page, in Markdown, and within a script.
HOSTILE = "<script>window.ran = 1</script><img src=x onerror='window.ran = 2'></script><script>window.ran = 3</script>"


def test_names_in_a_page_are_shown_and_never_run(page, tmp_path, dataset, network):
    names = [f"{number}{HOSTILE}" for number in range(10)]
    options = {"class_names": names, "image_names": [f"{HOSTILE}.jpg", "b"]}
    sliders = explorer.FgsmExplorer({HOSTILE: network}, dataset.x_test[:2], dataset.y_test[:2], **options)
    (tmp_path / "page.html").write_text(sliders.to_html(title=f"model{HOSTILE}.h5"), encoding="utf-8")
    page.goto((tmp_path / "page.html").as_uri())
    expect(page.locator(".fgsm .name").last).to_have_text(f"9{HOSTILE}")
    expect(page.locator(".fgsm figcaption").first).to_contain_text(f"{HOSTILE}.jpg")
    expect(page.locator(".fgsm .title")).to_have_text(HOSTILE)
    expect(page.locator(".fgsm .verdict")).not_to_be_empty()
    expect(page.locator("h1")).to_have_text(f"model{HOSTILE}.h5")
    assert page.evaluate("() => window.ran") is None
    assert page.evaluate("() => [document.documentElement.scrollWidth, innerWidth]") == [1300, 1300]


def test_a_page_may_have_several(page, tmp_path, dataset, network):
    """As a notebook has them where ipywidgets is too old: an uncaught error fails the test."""
    sliders = explorer.FgsmExplorer({"one": network}, dataset.x_test[:3], dataset.y_test[:3])
    pieces = [sliders.to_html(images=[number], whole=False) for number in (0, 1)]
    (tmp_path / "page.html").write_text("<!doctype html>" + "".join(pieces), encoding="utf-8")
    page.goto((tmp_path / "page.html").as_uri())
    expect(page.locator(".fgsm .net[data-prediction]")).to_have_count(2)
    expect(page.locator(".fgsm .small figcaption").nth(2)).to_contain_text("image 1")


def test_names_in_jupyterlab_are_shown_and_never_run(page, run_notebook):
    """A class name in a table, a caption, the sliders and a printed line; a file name in an error."""
    run_notebook(
        "hostile.ipynb",
        f"from helpers import data, explorer, figures, models, sketches\nhostile = {HOSTILE!r}\nprint(hostile)",
        "figures.show_table([hostile], [[hostile]])",
        "figures.show(figures.new_figure()[0], hostile)",
        "explorer.FgsmExplorer(models.build('vgg3'), *sketches.draw(2, 0), class_names=[hostile] * 10)",
        "import os; os.environ['CIFAR10_DIR'] = '/' + hostile\ndata.load()",
    )
    expect(page.locator(".jp-OutputArea-output").last).to_contain_text("CIFAR10_DIR=", timeout=180_000)
    expect(page.locator(".fgsm .name").last).to_have_text(HOSTILE)
    assert page.locator(".jp-OutputArea-output").filter(has_text="window.ran").count() >= 5
    assert page.evaluate("window.ran") is None


def contrast(*colours):
    """WCAG's contrast ratio of two colours written as rgb(r, g, b)."""
    rgb = np.array([re.findall(r"\d+", colour)[:3] for colour in colours], float) / 255
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    dark, light = sorted(linear @ (0.2126, 0.7152, 0.0722))
    return (light + 0.05) / (dark + 0.05)
