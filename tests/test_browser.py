"""The explorer in a real browser: in a real JupyterLab, and in a hand-out that has neither kernel nor network."""

import io
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
from PIL import Image
from playwright.sync_api import expect, sync_playwright

from helpers import attacks, data, explorer
from helpers.photographs import photograph

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
    options = (
        "--no-browser --allow-root --ip=127.0.0.1 --LabApp.news_url=None --LabApp.expose_app_in_browser=True".split()
        + [f"--port={port}", f"--IdentityProvider.token={token}", f"--ServerApp.root_dir={folder}"]
    )
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


def find_flip(page, epsilon, image):
    """Press keys as a lecturer would, until the page says of an image that was right that the network is fooled."""
    verdict, caption = page.locator(".fgsm .verdict"), page.locator(".fgsm figcaption").first
    for _ in range(30):
        if "not fooled" in verdict.inner_text():
            for step in range(1, explorer.LAST + 1):
                epsilon.press("ArrowRight")
                expect(page.locator(".fgsm .epsilon")).to_have_text(f"ε = {step}/255 = {step / 255:.3f}")
                if verdict.inner_text().startswith("✗ fooled"):
                    return step
            epsilon.press("Home")
        before = caption.inner_text()
        image.press("ArrowRight")
        expect(caption).not_to_have_text(before)
    raise AssertionError("none of 30 images is fooled at any ε")


def pixels(page):
    """What the three canvases show: uint8 (3, 32, 32, 3)."""
    shown = page.evaluate(
        "() => [...document.querySelectorAll('.fgsm canvas')]"
        ".map((canvas) => [...canvas.getContext('2d').getImageData(0, 0, 32, 32).data])"
    )
    return np.array(shown, np.uint8).reshape(3, 32, 32, 4)[..., :3]


def test_one_slider_moves_both_networks_of_06(page, tmp_path):
    write_part(tmp_path / "06-defence.ipynb", "## Both under your hand", "above, below = ")
    with jupyterlab(tmp_path) as address:
        run_all(page, address("06-defence.ipynb"))
        views = page.locator(".fgsm")
        expect(views).to_have_count(2, timeout=180_000)
        for name, step, word in (("ε", ".epsilon", "1/255"), ("image", "figcaption >> nth=0", "image 110")):
            page.get_by_role("slider", name=name, exact=True).first.press("ArrowRight")
            for view in (views.first, views.last):
                expect(view.locator(step)).to_contain_text(word, timeout=20_000)


def by_keys_alone(page, image):
    """From the ε slider on, at an ε that fools: every control is reached by Tab, and does what it says."""
    caption, verdict = page.locator(".fgsm figcaption span").first, page.locator(".fgsm .verdict")
    sum_of, heard = page.locator(".fgsm figcaption span").last, page.locator(".fgsm .heard")
    page.keyboard.press("Tab")
    page.keyboard.press("ArrowRight")
    expect(sum_of).to_have_text("with random signs")
    expect(heard).to_contain_text("random signs: ")
    page.keyboard.press("ArrowLeft")
    expect(sum_of).to_have_text("adversarial image")
    page.keyboard.press("Tab")
    for key in ("Enter", "Space"):  # on the button
        before = caption.inner_text()
        page.keyboard.press(key)
        expect(caption).not_to_have_text(before, timeout=20_000)
        expect(verdict).to_contain_text("✗ fooled")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")  # opens the fold
    page.keyboard.press("Tab")
    chosen = page.get_by_role("combobox", name="images of class")
    expect(chosen).to_be_focused()
    name = verdict.inner_text().split("label: ")[1].rstrip(")")
    chosen.press_sequentially(name)
    expect(chosen.locator("option:checked")).to_contain_text(name)
    for key in ("ArrowRight", "Home", "End"):  # the image slider now stops at this class alone
        before = caption.inner_text()
        image.press(key)
        expect(caption).not_to_have_text(before, timeout=20_000)
        expect(verdict).to_contain_text(f"(true label: {name})")
    expect(heard).to_contain_text(f"true label {name}")
    expect(page.get_by_role("img", name=f"the probability of {name}, the true class")).to_be_visible()
    chosen.press_sequentially("any")
    expect(chosen).to_have_value("-1")


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


def middle(locator):
    """The horizontal centre of an element, in CSS pixels."""
    box = locator.bounding_box()
    return box["x"] + box["width"] / 2


def quickest(measure, percent, limit, rounds=8):
    """What `percent` of all key presses stay within, each taken at its best of some rounds, until it is in `limit`.

    `measure()` gives the milliseconds of each key press; other processes can only add to them.
    """
    best = np.inf
    for _ in range(rounds):
        best = np.minimum(best, measure())
        if np.percentile(best, percent) <= limit:
            break
    return np.percentile(best, percent)


def epsilon_to_picture(page, epsilon):
    """Milliseconds from key press to picture for each of 64 key presses."""
    epsilon.press("Home")
    page.evaluate(STOPWATCH, ".fgsm .epsilon")
    for key in ["ArrowUp"] * explorer.LAST + ["ArrowDown"] * explorer.LAST:
        epsilon.press(key)
    expect(page.locator(".fgsm .epsilon")).to_have_text("ε = 0")
    spans = page.evaluate("spans")
    assert len(spans) == 2 * explorer.LAST
    return spans


def image_to_picture(page, image, keys=6):
    """Milliseconds from key press to picture for images that were not shown before."""
    caption = page.locator(".fgsm figcaption span").first
    page.evaluate(STOPWATCH, ".fgsm figcaption span")
    for _ in range(keys):
        before = caption.inner_text()
        image.press("ArrowRight")
        expect(caption).not_to_have_text(before)
    return page.evaluate("spans")


def test_the_explorer_in_jupyterlab(page, tmp_path, capsys):
    write_part(tmp_path / "05-fgsm.ipynb", "## One photograph", "explorer = FgsmExplorer(")
    with jupyterlab(tmp_path) as address:
        run_all(page, address("05-fgsm.ipynb"))
        expect(page.locator(".fgsm")).to_be_visible(timeout=180_000)
        epsilon, image = sliders_of(page)
        cells = page.locator(".jp-Notebook .jp-Cell")
        selected = page.locator(".jp-Notebook .jp-Cell.jp-mod-selected .jp-InputPrompt")
        cell, count = selected.inner_text(), cells.count()
        first = find_flip(page, epsilon, image)
        expect(page.locator(".fgsm .flip")).to_contain_text(f"first fooled at {first}/255")
        expect(epsilon).to_have_attribute("aria-valuetext", f"{first}/255")

        for key in ("ArrowUp", "k", "a"):  # to the notebook: up, up, and a new cell above
            epsilon.press(key)
        by_keys_alone(page, image)
        assert (selected.inner_text(), cells.count()) == (cell, count)

        for key, tick in (("End", f"{explorer.LAST}/255"), ("Home", "0")):
            epsilon.press(key)
            assert abs(middle(epsilon) - middle(page.locator(".fgsm .tick").get_by_text(tick, exact=True))) < 2

        for theme in ("JupyterLab Dark", "JupyterLab Light"):
            page.evaluate("(theme) => jupyterapp.commands.execute('apputils:change-theme', {theme})", theme)
            page.wait_for_function("(theme) => document.body.dataset.jpThemeName === theme", arg=theme)
            expect(page.locator("#jupyterlab-splash")).to_have_count(0)  # JupyterLab trips over a second one
            assert_legible(page)
        assert_fits(page, (390, 640))
        page.set_viewport_size({"width": 1300, "height": 900})

        moved = quickest(lambda: epsilon_to_picture(page, epsilon), 95, limit=5)
        image.press("Home")  # where no image was seen yet
        expect(page.locator(".fgsm figcaption span").first).to_have_text("original: image 0", timeout=20_000)
        anew = quickest(lambda: image_to_picture(page, image), 50, limit=300)
    with capsys.disabled():
        print(f"\nJupyterLab, key press to picture: ε {moved:.1f} ms (95%), a new image {anew:.0f} ms (median)")
    assert moved <= 5 and anew <= 300


def test_your_own_photograph_in_jupyterlab(page, tmp_path):
    """Without an upload, a picture of the data set; then a real file, chosen in the browser, with a malicious name."""
    write_part(tmp_path / "05-fgsm.ipynb", "FileUpload(", "FgsmExplorer(model, one")
    picture = Image.fromarray(np.arange(60 * 90 * 3, dtype=np.uint32).reshape(60, 90, 3).astype(np.uint8))
    name, file = "<script>window.ran = 1<img src=x onerror='window.ran = 1'>.png", io.BytesIO()
    picture.save(file, "PNG")
    with jupyterlab(tmp_path) as address:
        run_all(page, address("05-fgsm.ipynb"))
        caption = page.locator(".fgsm figcaption span").first
        expect(caption).to_have_text("original: test image 8", timeout=180_000)
        with page.expect_file_chooser() as chooser:
            page.get_by_role("button", name="your photograph (0)").click()
        chooser.value.set_files({"name": name, "mimeType": "image/png", "buffer": file.getvalue()})
        expect(page.get_by_role("button", name="your photograph (1)")).to_be_visible()
        page.evaluate("() => { jupyterapp.shell.currentWidget.content.activeCellIndex = 2; }")
        page.evaluate("() => jupyterapp.commands.execute('notebook:run-all-below')")
        expect(caption).to_have_text(f"original: {name}", timeout=60_000)
        assert (pixels(page)[0] == photograph(file.getvalue())).all()
        expect(page.locator(".jp-Cell").filter(has_text="FGSM needs").last).to_contain_text(f"{name}: FGSM needs")
        assert page.evaluate("window.ran") is None
        assert page.get_by_role("slider", name="image", exact=True).count() == 0
        assert page.get_by_role("button", name="next fooled image").count() == 0


def test_handout_without_kernel_or_network(page, tmp_path, dataset, network):
    sliders = explorer.FgsmExplorer(network, dataset.x_test[:40], dataset.y_test[:40])
    (tmp_path / "handout.html").write_text(sliders.to_html(images=range(30)), encoding="utf-8")
    asked = []
    page.route("**/*", lambda route: route.continue_() if route.request.url.startswith("file:") else route.abort())
    page.on("request", lambda request: asked.append(request.url))
    page.goto((tmp_path / "handout.html").as_uri())
    epsilon, image = sliders_of(page)
    assert (pixels(page)[1] == 128).all()  # at ε = 0 the perturbation is flat grey
    sliders.epsilon.value = find_flip(page, epsilon, image) / 255
    sliders.image.value = int(image.input_value())

    answer, index = sliders.answer(), slice(sliders.image.value, sliders.image.value + 1)
    verdict = f"✗ fooled: {answer.before} → {answer.after} (true label: {answer.label})"
    expect(page.locator(".fgsm .verdict")).to_have_text(verdict)
    images, labels = data.to_float(dataset.x_test[index]), dataset.y_test[index]
    adversarial = attacks.fgsm(network, images, labels, sliders.epsilon.value)
    original, perturbation, shown = pixels(page)
    assert (original == dataset.x_test[index][0]).all()
    assert (shown == np.rint(255 * adversarial[0])).all()
    assert (np.sign(perturbation.astype(int) - 128) == attacks.gradient_sign(network, images, labels)[0]).all()
    assert asked == [page.url]


@pytest.fixture
def handout(page, tmp_path, dataset, network):
    """Opens a page written by `to_html`, with its fold open, and gives its explorer."""

    def opened(count=30, **names):
        sliders = explorer.FgsmExplorer(network, dataset.x_test[:count], dataset.y_test[:count], **names)
        (tmp_path / "handout.html").write_text(sliders.to_html(images=range(count)), encoding="utf-8")
        page.goto((tmp_path / "handout.html").as_uri())
        page.evaluate("document.querySelector('.fgsm details').open = true")
        return sliders

    return opened


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_handout_is_legible_and_fits_narrow_screens_and_200_percent(page, handout, scheme):
    page.emulate_media(color_scheme=scheme)
    handout(3, image_names=["x", "a_photograph_with_a_name_that_is_much_longer_than_it_is_wide.jpeg", "z"])
    next(sliders_of(page)).press("End")
    page.get_by_role("button").press("Enter")
    assert_legible(page)
    assert_fits(page, (320, 390, 640, 1280))


def test_handout_by_keys_alone(page, handout):
    handout()
    page.evaluate("document.querySelector('.fgsm details').open = false")
    epsilon, image = sliders_of(page)
    find_flip(page, epsilon, image)
    by_keys_alone(page, image)


def test_handout_is_quick(page, handout, capsys):
    handout()
    epsilon, image = sliders_of(page)
    moved = quickest(lambda: epsilon_to_picture(page, epsilon), 95, limit=5)
    anew = quickest(lambda: image_to_picture(page, image, keys=3), 50, limit=300)
    with capsys.disabled():
        print(f"\nhand-out, key press to picture: ε {moved:.1f} ms (95%), a new image {anew:.1f} ms (median)")
    assert moved <= 5 and anew <= 300


def test_next_fooled_image_says_when_there_is_none(page, handout):
    handout(2)
    button, told = page.get_by_role("button", name="next fooled image"), page.locator(".fgsm .told")
    button.click()
    expect(told).to_have_text("ε = 0 changes nothing: move ε first")
    epsilon, _ = sliders_of(page)
    epsilon.press("ArrowRight")
    expect(told).to_have_text("")
    page.get_by_role("radio", name="random signs").check()
    button.click()  # at 1/255 random signs fool neither
    expect(told).to_have_text("no other image is fooled at this ε")


def test_a_drag_is_announced_once(page, handout, dataset, network):
    """What a screen reader is told while ε runs there, back and there again, on an image that is fooled on the way."""
    handout(10)
    smallest = attacks.minimal_epsilon(network, data.to_float(dataset.x_test[:10]), dataset.y_test[:10])
    chosen = int(np.flatnonzero(smallest > 1.5 / 255)[0])
    epsilon, image = sliders_of(page)
    image.fill(str(chosen))
    if chosen:
        expect(page.locator(".fgsm .heard")).to_contain_text(f"image {chosen},")
    page.evaluate("""() => {
      const live = document.querySelectorAll(".fgsm [role=status], .fgsm [aria-live]");
      const added = (records) => records.flatMap((record) => [...record.addedNodes]).map((node) => node.data);
      const observer = new MutationObserver((records) => told.push(...added(records)));
      window.told = [];
      for (const node of live) observer.observe(node, {childList: true});
    }""")
    epsilon.evaluate("""async (slider) => {
      for (let step = 1; step <= 96; step++) {
        slider.value = 32 - Math.abs(32 - step % 64);
        slider.dispatchEvent(new Event("input", {bubbles: true}));
        await new Promise((go) => setTimeout(go, 2));
      }
    }""")
    page.wait_for_function("told.length")
    page.wait_for_timeout(1000)
    (said,) = page.evaluate("told")
    assert said.startswith(f"image {chosen}, FGSM: ")
    assert said.split(": ", 1)[1].split(",")[0] in page.locator(".fgsm .verdict").inner_text()
    assert epsilon.evaluate("(slider) => slider.ariaValueText") == "32/255"


def test_smallest_fooling_epsilon_and_curves_are_those_of_the_attack(page, handout, dataset, network):
    sliders = handout(12)
    _, image = sliders_of(page)
    smallest = attacks.minimal_epsilon(network, data.to_float(dataset.x_test[:12]), dataset.y_test[:12])
    for index, epsilon in enumerate(smallest):
        level = f"{255 * epsilon:.0f}/255" if epsilon else "0, because the answer is wrong without any change"
        words = f"Smallest fooling ε: {'none up to 32/255' if np.isnan(epsilon) else level}"
        expect(page.locator(".fgsm .smallest")).to_contain_text(words)
        sliders.image.value = index
        shares = []
        for level in range(explorer.LAST + 1):
            sliders.epsilon.value = level / 255
            shares.append(sliders.answer().probabilities_after)
        true = np.array(shares)[:, dataset.y_test[index]]
        for line, wanted in (("truth", true), ("winner", np.max(shares, axis=1))):
            assert abs(curve(page, f".fgsm polyline.{line}") - wanted).max() < 0.01
        image.press("ArrowRight")


def curve(page, selector):
    """The heights of a line of the chart, read against its 0% and 100% lines."""
    points, bottom, top = page.evaluate(
        """(selector) => [document.querySelector(selector).getAttribute("points"),
          ...[0, 2].map((i) => document.querySelectorAll(".fgsm svg line")[i].getAttribute("y1"))]""",
        selector,
    )
    heights = np.array([point.split(",")[1] for point in points.split()], float)
    return (float(bottom) - heights) / (float(bottom) - float(top))


def test_names_are_text_and_never_run(page, handout):
    trick = "<script>window.ran = 1</script><img src=x onerror='window.ran = 1'>"
    handout(1, class_names=[f"{trick}{i}" for i in range(10)], image_names=[f"{trick}.jpg"])
    expect(page.locator(".fgsm figcaption span").first).to_have_text(f"original: {trick}.jpg")
    expect(page.locator(".fgsm .verdict")).to_contain_text(f"(true label: {trick}")
    expect(page.get_by_role("img", name=f"{trick}.jpg, FGSM: ")).to_be_visible()
    assert page.evaluate("window.ran") is None
    assert page.locator(".fgsm img, .fgsm script").count() == 0
    assert_fits(page, (390,))


def contrast(*colours):
    """WCAG's contrast ratio of two colours written as rgb(r, g, b)."""
    rgb = np.array([re.findall(r"\d+", colour)[:3] for colour in colours], float) / 255
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    dark, light = sorted(linear @ (0.2126, 0.7152, 0.0722))
    return (light + 0.05) / (dark + 0.05)


# What would run, if a name were taken for HTML: in a page, in Markdown, and within a script.
HOSTILE = "<script>window.ran = 1</script><img src=x onerror='window.ran = 2'></script><script>window.ran = 3</script>"


def test_names_in_a_handout_are_shown_and_never_run(page, tmp_path, dataset, network):
    names = [f"{number}{HOSTILE}" for number in range(10)]
    sliders = explorer.FgsmExplorer(network, dataset.x_test[:2], dataset.y_test[:2], class_names=names)
    (tmp_path / "handout.html").write_text(sliders.to_html(title=f"model{HOSTILE}.h5"), encoding="utf-8")
    page.goto((tmp_path / "handout.html").as_uri())
    expect(page.locator(".fgsm .name").last).to_have_text(f"9{HOSTILE}")
    expect(page.locator("h1")).to_have_text(f"model{HOSTILE}.h5")
    assert page.evaluate("window.ran") is None


def test_names_in_jupyterlab_are_shown_and_never_run(page, tmp_path):
    """A class name in a table, a caption, the sliders and a printed line; a file name in an error."""
    cells = [
        f"from helpers import data, explorer, figures, models, sketches\nhostile = {HOSTILE!r}\nprint(hostile)",
        "figures.show_table([hostile], [[hostile]])",
        "figures.show(figures.new_figure()[0], hostile)",
        "explorer.FgsmExplorer(models.build('vgg3'), *sketches.draw(2, 0), class_names=[hostile] * 10)",
        "import os; os.environ['CIFAR10_DIR'] = '/' + hostile\ndata.load()",
    ]
    kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
    book = nbformat.v4.new_notebook(metadata=kernel, cells=[nbformat.v4.new_code_cell(cell) for cell in cells])
    nbformat.write(book, tmp_path / "hostile.ipynb")
    with jupyterlab(tmp_path) as address:
        run_all(page, address("hostile.ipynb"))
        expect(page.locator(".jp-OutputArea-output").last).to_contain_text("CIFAR10_DIR=", timeout=180_000)
        expect(page.locator(".fgsm .name").last).to_have_text(HOSTILE)
        assert page.locator(".jp-OutputArea-output").filter(has_text="window.ran").count() >= 5
        assert page.evaluate("window.ran") is None
