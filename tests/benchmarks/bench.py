"""This project beside what a reader would use instead; `make bench` runs it, `make bench FULL=1` on more images.

Each test times one way to do one thing and leaves a note for report.py: its group is the thing, `way` says who does
it, "here" being this project. Unless a note names its own `seconds`, the best round counts: whatever else the machine
does can only add to it. Where two ways should give the same answer, the test fails if they do not.
"""

import itertools
import json
import os
import signal
import subprocess
import sys
import tarfile
import threading
import time
import xml.etree.ElementTree as xml
from contextlib import contextmanager, suppress
from pathlib import Path

import nbformat
import numpy as np
import pytest
import test_attack_page
import test_browser
from nbclient import NotebookClient

from helpers import attacks, cifar10, data, explorer, figures, models
from helpers.backend import tf
from helpers.editions import attack, cells
from helpers.explorer import weights

FULL = bool(os.environ.get("FULL"))
IMAGES, SWEPT, ROUNDS = (2000, 500, 7) if FULL else (500, 100, 3)
EPSILON, EPSILONS = 8 / 255, [k / 255 for k in range(33)]
BATCH = attacks.BATCH_SIZE
HERE, ROOT = Path(__file__).parent, Path(__file__).resolve().parents[2]
LAST_TEST = ROOT / ".pytest_cache" / "make-test.xml"
browser = test_browser.browser


@pytest.fixture
def measure(benchmark):
    """Time `action` under a group's name, after one round that is not counted; `note` takes what else is known."""

    def time_it(group, way, action, rounds=ROUNDS, warmup_rounds=1, **note):
        benchmark.group = group
        benchmark.extra_info.update(way=way, **note)
        return benchmark.pedantic(action, rounds=rounds, warmup_rounds=warmup_rounds)

    def once(group, way, action):
        """The same for an action that times itself, which returns its note."""
        benchmark.extra_info.update(time_it(group, way, action, rounds=1, warmup_rounds=0))

    time_it.once = once
    return time_it


def alone(*arguments, **environment):
    """What alone.py finds in a process of its own."""
    command = [sys.executable, str(HERE / "alone.py"), *map(str, arguments)]
    done = subprocess.run(command, env=os.environ | environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


# The machine's own limit: how fast it multiplies matrices, and how many products the network asks for.


def operations(network, passes):
    """Additions and multiplications of `passes` of one image; the gradient for the pixels is a second forward pass."""
    return 2 * passes * sum(layer.multiply_adds for layer in models.layer_table(network))


def test_matrix_rate(measure, network, dataset):
    """In rounds as long and as many as FGSM's: among many short ones the best is a moment that no long one sees."""
    side, load = 2048, os.getloadavg()[0] if hasattr(os, "getloadavg") else None
    matrix, products = tf.random.normal((side, side)), round(IMAGES * operations(network, 2) / (2 * side**3))
    product = tf.function(lambda: tf.matmul(matrix, matrix)[0, 0])
    about = {"dataset": dataset.name, "full": FULL, "load": load, "operations": products * 2 * side**3}
    measure("limit", "here", lambda: [float(product()) for _ in range(products)], **about)


# FGSM, and accuracy at many ε. Every way gets the same network, batches and true labels.


def of_this_project(network):
    return lambda images, labels, epsilon: attacks.fgsm(network, images, labels, epsilon)


def of_cleverhans(network):
    from cleverhans.tf2.attacks.fast_gradient_method import fast_gradient_method

    def attack(images, labels, epsilon):
        images, labels = tf.constant(images), tf.constant(labels)
        return fast_gradient_method(network, images, epsilon, np.inf, clip_min=0.0, clip_max=1.0, y=labels).numpy()

    return attack


def foolbox_attack(network):
    import foolbox

    attack, known = foolbox.attacks.LinfFastGradientAttack(), foolbox.TensorFlowModel(network, (0, 1), "/CPU:0")
    return lambda images, labels, epsilons: attack(known, tf.constant(images), tf.constant(labels), epsilons=epsilons)


def of_foolbox(network):
    attack = foolbox_attack(network)
    return lambda images, labels, epsilon: attack(images, labels, epsilon)[1].numpy()


def of_art(network):
    from art.attacks.evasion import FastGradientMethod
    from art.estimators.classification import TensorFlowV2Classifier

    loss = models.keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    known = TensorFlowV2Classifier(network, 10, (32, 32, 3), loss_object=loss, clip_values=(0, 1))
    attack = FastGradientMethod(known, batch_size=BATCH)

    def with_epsilon(images, labels, epsilon):
        attack.set_params(eps=epsilon)
        return attack.generate(images, labels)

    return with_epsilon


WAYS = {"here": of_this_project, "CleverHans": of_cleverhans, "Foolbox": of_foolbox, "ART": of_art}


def loss_of(way):
    """The libraries take the textbook form, which loses signs in float32: what they find is compared with that."""
    return "log-odds" if way == "here" else "cross-entropy"


def in_batches(function, images, labels):
    return np.concatenate(
        [function(images[i : i + BATCH], labels[i : i + BATCH]) for i in range(0, len(images), BATCH)]
    )


@pytest.fixture(scope="module")
def attacked(dataset):
    return data.to_float(dataset.x_test[:IMAGES]), dataset.y_test[:IMAGES]


@pytest.mark.parametrize("way", WAYS)
def test_fgsm(measure, network, attacked, way):
    attack, note = WAYS[way](network), {"images": IMAGES, "operations": operations(network, 2)}
    moved = measure("fgsm", way, lambda: in_batches(lambda *batch: attack(*batch, EPSILON), *attacked), **note)
    assert np.mean(abs(moved - attacks.fgsm(network, *attacked, EPSILON, loss=loss_of(way))) > 1e-6) < 1e-3


@pytest.mark.parametrize("way", WAYS)
def test_accuracy_at_33_epsilons(measure, network, attacked, way):
    images, labels = (part[:SWEPT] for part in attacked)
    note = {"images": SWEPT, "operations": operations(network, 2 + len(EPSILONS))}
    attack = foolbox_attack(network) if way == "Foolbox" else WAYS[way](network)

    def all_at_once():
        return attacks.epsilon_sweep(network, images, labels, EPSILONS, loss=loss_of(way))[0]

    def judged_by_foolbox(images, labels):
        return ~attack(images, labels, EPSILONS)[2].numpy().T

    def judged(images, labels):
        moved = (attack(images, labels, epsilon) for epsilon in EPSILONS)
        return np.transpose([network.predict_on_batch(part).argmax(axis=1) == labels for part in moved])

    def one_by_one():
        return in_batches(judged_by_foolbox if way == "Foolbox" else judged, images, labels).mean(axis=0)

    found = measure("sweep", way, all_at_once if way == "here" else one_by_one, 2, 0, **note)
    assert found == pytest.approx(all_at_once(), abs=2 / SWEPT)


# A new image in the explorer, from the kernel's side.


def test_a_new_image_here(measure, network, dataset):
    sliders = explorer.FgsmExplorer(network, dataset.x_test[:IMAGES], dataset.y_test[:IMAGES])
    unseen = itertools.count(1)  # a second look at an image would find it computed

    def move():
        sliders.image.value = next(unseen)

    measure("new image", "here", move, rounds=50, warmup_rounds=3)


@pytest.mark.parametrize("way", ["one predict for all ε", "predict for each ε"])
def test_a_new_image_by_predict(measure, network, dataset, way):
    """What the explorer computes, as far as `model.predict` can: its picture is not drawn."""
    images, labels = data.to_float(dataset.x_test[1:2]), tf.constant(dataset.y_test[1:2])

    def answers():
        pixels = tf.constant(images)
        with tf.GradientTape() as tape:
            tape.watch(pixels)
            loss = tf.nn.sparse_softmax_cross_entropy_with_logits(labels, network(pixels, training=False))
        moved = attacks.perturb(images, np.sign(tape.gradient(loss, pixels)), explorer.rays.EPSILONS)
        batches = [moved] if way.startswith("one") else np.split(moved, len(moved))
        return [network.predict(batch, verbose=0) for batch in batches]

    measure("new image", way, answers)


# The page that computes by itself: from a cold open to a prediction, and how many frames of a drag show one.


@pytest.mark.skipif(not test_browser.CHROMIUM, reason="no chromium found")
def test_the_attack_in_a_page(measure, browser, dataset, network, tmp_path):
    attack.write(tmp_path)
    file = tmp_path / attack.NAME

    def opened():
        """A page in a new context, and the seconds from the call to the first prediction."""
        page = browser.new_context().new_page()
        start = time.perf_counter()
        page.goto(f"{file.as_uri()}#image={figures.RUNNING_IMAGE}&attack=fgsm&epsilon=0")
        page.wait_for_selector("html[data-ready]")
        return page, time.perf_counter() - start

    def frames(factor):
        """Per second of a drag over an image that is new to the page: those that show what both networks predict at its ε."""
        page, _ = opened()
        with slowed_down(browser, factor):
            shown, milliseconds = page.evaluate(test_attack_page.DRAG, [7, 3000])
        page.context.close()
        whole = [level for level, nets in shown if all(one.get("epsilon") == str(level) for one in nets)]
        return 1000 * len(whole) / milliseconds

    def once():
        seconds = []
        for _ in range(ROUNDS):
            page, first = opened()
            seconds.append(first)
            page.context.close()
        prediction, gradient = computing(browser, network, dataset)
        found = {"seconds": min(seconds), "prediction": prediction, "gradient": gradient}
        found |= {name: max(frames(factor) for _ in range(ROUNDS)) for name, factor in (("frames", 1), ("slow", 4))}
        return found | {"megabytes": file.stat().st_size / 1e6}

    measure.once("page", "here", once)


@contextmanager
def slowed_down(browser, factor, period=0.008):
    """As on a slower processor: each process of the browser, its workers included, runs one part in `factor` of the time.

    Chromium's own throttling slows down the page's main thread alone, so that workers would compute at full speed.
    """
    info = browser.new_browser_cdp_session().send("SystemInfo.getProcessInfo")["processInfo"]
    processes, over = [process["id"] for process in info], threading.Event()

    def send(signal):
        for process in processes:
            with suppress(ProcessLookupError):
                os.kill(process, signal)

    def switch():
        while not over.is_set():
            send(signal.SIGSTOP)
            time.sleep(period * (1 - 1 / factor))
            send(signal.SIGCONT)
            time.sleep(period / factor)

    thread = threading.Thread(target=switch)
    if factor > 1:
        thread.start()
    try:
        yield
    finally:
        over.set()
        if factor > 1:
            thread.join()


def computing(browser, network, dataset):
    """Seconds that network.js takes for a prediction and for a gradient: the median of 30 images at their best."""
    page = browser.new_page()
    page.goto("about:blank")
    page.add_script_tag(content=explorer.page.source("network.js"))
    task = [weights.pack(network), dataset.x_test[:30].reshape(30, -1).tolist()]
    found = page.evaluate(
        """([packed, images]) => {
          const bytes = Uint8Array.from(atob(packed.weights), (character) => character.charCodeAt(0));
          const network = createNetwork({layers: packed.layers, weights: bytes});
          const scaled = images.map((image) => Float32Array.from(image, (value) => value / 255));
          const timed = (action) => scaled.map((image) => {
            const rounds = Array.from({length: 5}, () => {
              const start = performance.now();
              action(image);
              return performance.now() - start;
            });
            return Math.min(...rounds);
          });
          return [timed((image) => network.probabilities(image)), timed((image) => network.gradient(image, 3))];
        }""",
        task,
    )
    page.close()
    return [float(np.median(spans)) / 1000 for spans in found]


# Reading CIFAR-10.


@pytest.fixture(scope="module")
def folder():
    """The folder of CIFAR-10's batches."""
    try:
        return cifar10.locate(download=False)[1]
    except FileNotFoundError as reason:
        pytest.skip(f"there is no CIFAR-10 on this machine to be loaded: {reason}")


def test_loading_here(measure, folder):
    measure.once("loading", "here", lambda: alone("load", "here", CIFAR10_DIR=str(folder)))


def test_loading_by_keras(measure, folder, tmp_path):
    archive = tmp_path / "datasets" / cifar10.find.ARCHIVE
    archive.parent.mkdir()
    with tarfile.open(archive, "w:gz", compresslevel=1) as whole:
        whole.add(folder, "cifar-10-batches-py")
    measure.once("loading", "keras.datasets", lambda: alone("load", "keras", KERAS_HOME=str(tmp_path)))


def test_reading_the_bytes_alone(measure, folder):
    measure("loading", "limit", lambda: [(folder / name).read_bytes() for name in cifar10.read.BATCHES])


# What a person waits for.


def test_import(measure):
    measure("import", "here", lambda: subprocess.run([sys.executable, "-c", "import helpers"], check=True), rounds=9)


def test_first_figure(measure):
    """From the start of a kernel to the first picture of 05-fgsm."""

    def up_to_first_picture():
        book = cells.read(ROOT / "notebooks" / "05-fgsm.py")
        client = NotebookClient(book, kernel_name="python3", resources={"metadata": {"path": ROOT / "notebooks"}})
        with client.setup_kernel():
            for number, cell in enumerate(book.cells):
                client.execute_cell(cell, number)
                if any("image/png" in output.get("data", {}) for output in cell.get("outputs", ())):
                    return
        raise AssertionError("05-fgsm shows no picture")

    measure("first figure", "here", up_to_first_picture, rounds=3)


def test_the_last_make_test(measure):
    if not LAST_TEST.exists():
        pytest.skip("`make test` has not run in this folder: its time is not known")
    suite, parts = xml.parse(LAST_TEST).getroot().find("testsuite"), {}
    for case in suite.iter("testcase"):
        name = case.get("classname").removeprefix("tests.")
        checks, seconds = parts.get(name, (0, 0))
        parts[name] = checks + 1, seconds + float(case.get("time"))
    slowest = dict(sorted(parts.items(), key=lambda part: -part[1][1])[:8])
    note = {"seconds": float(suite.get("time")), "tests": int(suite.get("tests")), "slowest": slowest}
    measure.once("make test", "here", lambda: note)


# How cost grows.


@pytest.mark.parametrize("axis", ["images", "epsilons", "batch"])
def test_growth(measure, axis):
    measure.once("growth", axis, lambda: {"sizes": alone("growth", axis)})


# Sliders in a browser. These come last: Playwright keeps the event loop that nbclient needs.

# When a key was pressed, and when a picture in the watched cell last changed: an image that was decoded, a canvas drawn
# upon. What is drawn beside it at once, such as bars, counts as well.
STOPWATCH = """
window.watch = {};
const changed = (node) => {
  if (watch.cell?.contains(node)) queueMicrotask(() => { watch.changed = performance.now(); });
};
document.addEventListener("keydown", () => { watch.pressed = performance.now(); watch.changed = 0; }, true);
document.addEventListener("load", (event) => changed(event.target), true);
for (const name of ["drawImage", "putImageData"]) {
  const draw = CanvasRenderingContext2D.prototype[name];
  CanvasRenderingContext2D.prototype[name] = function (...all) { draw.apply(this, all); changed(this.canvas); };
}
"""
QUIET = "() => watch.changed && performance.now() - watch.changed > 100"
SLIDERS = {"here": "here", "interact": "interact", "ipympl": "ipympl", "Image widgets": "image_widgets"}


@pytest.fixture(scope="module")
def sliders(browser, tmp_path_factory):
    """A notebook in JupyterLab with one cell for each of SLIDERS, all run."""
    folder = tmp_path_factory.mktemp("sliders")
    start = f"import sys; sys.path.insert(0, {str(HERE)!r}); import sliders"
    cells = [nbformat.v4.new_code_cell(code) for code in (start, *(f"sliders.{way}()" for way in SLIDERS.values()))]
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}  # else JupyterLab asks which
    nbformat.write(nbformat.v4.new_notebook(cells=cells, metadata={"kernelspec": kernel}), folder / "sliders.ipynb")
    page = browser.new_page(viewport={"width": 1300, "height": 2600})
    page.add_init_script(STOPWATCH)
    with test_browser.jupyterlab(folder) as address:
        test_browser.run_all(page, address("sliders.ipynb"))
        page.locator(".jp-CodeCell").last.locator(".noUi-handle").wait_for(timeout=180_000)
        page.wait_for_timeout(1000)
        yield page
        page.close()


def seconds_to_picture(page, cell, slider, keys):
    """Seconds from each key press on a slider until the last picture of its cell is there."""
    page.evaluate("(cell) => { watch.cell = cell; }", cell.element_handle())
    cell.locator(".widget-slider", has_text=slider).locator(".noUi-handle").focus()
    for key in keys:
        page.keyboard.press(key)
        page.wait_for_function(QUIET)
        yield page.evaluate("() => watch.changed - watch.pressed") / 1000


@pytest.mark.parametrize("way", SLIDERS)
@pytest.mark.skipif(not test_browser.CHROMIUM, reason="no chromium found")
def test_moving_epsilon(measure, sliders, way):
    cell = sliders.locator(".jp-CodeCell").nth(1 + list(SLIDERS).index(way))
    keys = (["ArrowRight"] * 32 + ["ArrowLeft"] * 32) * (3 if FULL else 1)
    found = seconds_to_picture(sliders, cell, "ε", keys)
    measure.once("slider", way, lambda: {"seconds": float(np.percentile(list(found), 95))})


@pytest.mark.skipif(not test_browser.CHROMIUM, reason="no chromium found")
def test_a_new_image_in_the_browser(measure, sliders):
    found = seconds_to_picture(sliders, sliders.locator(".jp-CodeCell").nth(1), "image", ["ArrowRight"] * 30)
    measure.once("new image in the browser", "here", lambda: {"seconds": float(np.median(list(found)))})
