"""attack.html in a real browser: its predictions, its attacks, the reader's photograph, and who can use it."""

import contextlib
import io
import itertools
import json
import os
import re
import shutil
import subprocess
import time

import numpy as np
import offline
import pytest
import test_browser
import test_photographs
from PIL import Image
from playwright.sync_api import expect

from helpers import attacks, data, evaluation, explorer, figures, runs
from helpers.editions import attack
from helpers.explorer import weights
from helpers.photographs import photograph

browser, pytestmark = test_browser.browser, test_browser.pytestmark
FIREFOX = next(filter(None, map(shutil.which, ("firefox-esr", "firefox"))), None)
LARGEST = 6e6
NETWORKS = tuple(attack.NETWORKS)


@pytest.fixture(scope="module")
def written(tmp_path_factory, dataset):
    folder = tmp_path_factory.mktemp("site")
    attack.write(folder)
    return folder / attack.NAME


@pytest.fixture(scope="module")
def rounded(dataset):
    """The networks as the page has them: Keras networks of the rounded weights."""
    return {name: weights.unpack(weights.pack(runs.load(name, dataset.name).model)) for name in NETWORKS}


@pytest.fixture
def visit(browser, written):
    """Opens the page offline, at the view of an address's code."""
    with offline.watched(browser, (written.as_uri(), "blob:null/", "data:")) as open_page:

        def visit(code="", prepare=None, **options):
            page = open_page(written.as_uri() + code, prepare, **options)
            page.wait_for_selector("html[data-ready]")
            return page

        yield visit


def said(page, name):
    """What a network's section shows: class name, probability, level of ε."""
    shown = page.locator(f"[data-network={name}]").evaluate("(section) => ({...section.dataset})")
    return shown["prediction"], float(shown["probability"]), int(shown["epsilon"])


def settled(page, level):
    """Waits until both networks show what they predict at `level`."""
    for name in NETWORKS:
        expect(page.locator(f"[data-network={name}]")).to_have_attribute("data-epsilon", str(level))
    return {name: said(page, name) for name in NETWORKS}


def pixels(page, place):
    """What one of the view's three canvases shows, uint8 (32, 32, 3)."""
    canvas = page.locator(".fgsm canvas").nth(place)
    values = canvas.evaluate("(canvas) => [...canvas.getContext('2d').getImageData(0, 0, 32, 32).data]")
    return np.array(values, np.uint8).reshape(32, 32, 4)[..., :3]


def move(page, level):
    page.get_by_role("slider", name="ε").fill(str(level))


def test_it_is_one_small_file_that_names_nothing_else(written):
    text = written.read_text(encoding="utf-8")
    assert len(text.encode()) < LARGEST
    assert not re.search(r"""(src|href)\s*=\s*["']?(https?:)?//|url\(\s*["']?(?!data:)""", text)
    assert "unsafe" not in re.search(r'Content-Security-Policy" content="([^"]*)"', text)[1].split("script-src")[1]


def test_the_images_are_twenty_of_each_class(dataset):
    chosen = attack.images(dataset.y_test[:1017])
    counts = np.bincount(dataset.y_test[chosen])
    assert len(chosen) <= 201 and figures.RUNNING_IMAGE in chosen and (counts >= 20).all()


# How a page finds them, by what runs before it.
WORKERS = {
    "there": None,
    "barred": "delete window.Worker",
    "failing": """window.Worker = class {
      constructor() { setTimeout(() => this.onerror(new Event("error")), 50); }
      postMessage() {}
      terminate() {}
    }""",
}


@pytest.mark.parametrize("kind", ["fgsm", "target"])
@pytest.mark.parametrize("workers", WORKERS)
def test_predictions_and_images_are_those_of_the_attack(visit, dataset, rounded, kind, workers):
    """With workers and without. The image is the attack's to within a level, the probability to 0.01."""
    index = figures.RUNNING_IMAGE
    page = visit(f"#image={index}&attack={kind}&target=cat&epsilon=8", WORKERS[workers])
    expect(page.get_by_text("starts no workers")).to_have_count(0 if workers == "there" else 1)
    image, label = data.to_float(dataset.x_test[index : index + 1]), dataset.y_test[index : index + 1]
    target = [data.CLASS_NAMES.index("cat")]
    for place, (name, network) in enumerate(rounded.items()):
        page.locator(f"[data-network={name}]").click()
        shown = settled(page, 8)[name]
        wanted = attacks.fgsm(network, image, target if kind == "target" else label, 8 / 255, targeted=kind == "target")
        drawn = pixels(page, 2)
        assert (abs(drawn - 255 * wanted[0]) <= 0.51).mean() >= 0.995
        exact = evaluation.probabilities(network, drawn[None] / np.float32(255))[0]
        assert shown[0] == data.CLASS_NAMES[exact.argmax()] and abs(shown[1] - exact.max()) < 0.01
        assert (pixels(page, 0) == dataset.x_test[index]).all(), place


@pytest.mark.parametrize("kind", [kind for kind in explorer.ATTACKS if kind not in ("fgsm", "target")])
def test_other_attacks(visit, dataset, rounded, kind):
    """They keep to the ball, the prediction is that of the image shown, noise fools nobody, and PGD does as in Python."""
    index = figures.RUNNING_IMAGE
    page = visit(f"#image={index}&attack={kind}&epsilon=4")
    moved, truth = {}, dataset.y_test[index]
    for name, network in rounded.items():
        page.locator(f"[data-network={name}]").click()
        shown = settled(page, 4)[name]
        drawn = pixels(page, 2)
        exact = evaluation.probabilities(network, drawn[None] / np.float32(255))[0]
        assert 0 < abs(drawn.astype(int) - dataset.x_test[index]).max() <= 4
        assert shown[0] == data.CLASS_NAMES[exact.argmax()] and abs(shown[1] - exact.max()) < 0.02
        moved[name] = exact[truth]
    if kind == "pgd":
        image = data.to_float(dataset.x_test[index : index + 1])
        for name, network in rounded.items():
            starts = [
                attacks.pgd(network, image, [truth], 4 / 255, step_size=1 / 255, steps=10, seed=seed)
                for seed in range(4)
            ]
            assert moved[name] < evaluation.probabilities(network, np.concatenate(starts))[:, truth].max() + 0.05
    elif kind == "random":
        assert moved["vgg3"] > 0.5


# Chooses an image, moves ε to and fro as fast as frames come, and notes for each frame the slider's level and what is on
# screen.
DRAG = """async ([place, milliseconds]) => {
  document.querySelectorAll(".strip button")[place].click();
  const slider = document.querySelector(".of-epsilon input"), frames = [], start = performance.now();
  for (let i = 1; performance.now() - start < milliseconds; i++) {
    slider.value = 32 - Math.abs(32 - i % 64);
    slider.dispatchEvent(new Event("input", {bubbles: true}));
    await new Promise(requestAnimationFrame);
    const shown = [...document.querySelectorAll(".net")].map((net) => ({...net.dataset}));
    frames.push([Number(slider.value), shown]);
  }
  return [frames, performance.now() - start];
}"""


def test_what_a_drag_shows_is_computed(visit, dataset, rounded):
    """Never interpolated: each probability on the way is that of the level beside it, on an image not seen before."""
    index = attack.images(dataset.y_test[: data.ORIGINAL_TEST_IMAGES])[7]
    page, shown = visit(), {name: set() for name in NETWORKS}
    while min(len({level for level, _ in pairs}) for pairs in shown.values()) < 3:  # a busy machine may need longer
        frames, _ = page.evaluate(DRAG, [7, 3000])
        # A network without ε is one that the new image is still computed for.
        for one in (one for _, nets in frames for one in nets if "epsilon" in one):
            shown[one["network"]].add((int(one["epsilon"]), float(one["probability"])))
    image, label = data.to_float(dataset.x_test[index : index + 1]), dataset.y_test[index : index + 1]
    for name, network in rounded.items():
        sign = attacks.gradient_sign(network, image, label)
        exact = evaluation.probabilities(network, attacks.perturb(image, sign, explorer.rays.EPSILONS))
        assert max(abs(exact[level].max() - probability) for level, probability in shown[name]) < 0.01


def test_the_curve_gives_nothing_away(visit):
    page = visit(f"#image={figures.RUNNING_IMAGE}&attack=fgsm&epsilon=0")
    settled(page, 0)
    reach = "() => Math.max(...[...document.querySelectorAll('.fgsm polyline')].flatMap((line) => "
    reach += "line.getAttribute('points').split(' ').map((point) => Number(point.split(',')[0]))))"
    page.wait_for_timeout(1000)  # the rest is computed by now
    assert page.evaluate(reach) == 0
    move(page, 6)
    settled(page, 6)
    move(page, 2)
    settled(page, 2)
    assert page.evaluate(reach) == 6
    text = page.locator(".fgsm").inner_text()
    assert "first fooled" not in text and "smallest" not in text


def test_an_address_opens_a_view_and_a_view_writes_its_address(visit, dataset):
    page = visit("#image=109&attack=fgsm&epsilon=8")
    settled(page, 8)
    assert page.locator("[role=radio][aria-checked=true]").get_attribute("aria-label").endswith("image 109")
    page.get_by_role("radio", name="make it a").check()
    page.get_by_label("target").select_option(label="ship")
    page.get_by_label("networks").select_option(label="only adversarially trained network")
    move(page, 5)
    expect(page.locator(".code")).to_contain_text("epsilon=5")
    code = page.evaluate("location.hash")
    assert code == "#image=109&attack=target&target=ship&network=adversarial-fgsm&epsilon=5"
    expect(page.locator("[data-network=adversarial-fgsm]")).to_have_attribute("data-epsilon", "5")
    again = visit(code)
    expect(again.locator("[data-network=vgg3]")).to_be_hidden()
    assert said(again, "adversarial-fgsm") == said(page, "adversarial-fgsm")
    again.evaluate("location.hash = '#image=7777'")
    expect(again.locator(".trouble")).to_have_text("This page has no image 7777.")
    again.evaluate("location.hash = '#image=109&attack=none&epsilon=99'")
    expect(again.locator(".trouble")).to_have_text("This page has no attack none, no epsilon 99.")
    expect(again.locator(".trouble")).to_be_in_viewport()
    again.evaluate("location.hash = '#image=109&attack=fgsm&epsilon=9'")
    expect(again.locator(".trouble")).to_be_empty()
    settled(again, 9)


def test_a_bet_is_judged_when_epsilon_gets_there(visit, dataset, rounded):
    index = figures.RUNNING_IMAGE
    page = visit(f"#image={index}&attack=fgsm&epsilon=0")
    image = data.to_float(dataset.x_test[index : index + 1])
    flip = round(255 * attacks.minimal_epsilon(rounded["vgg3"], image, dataset.y_test[index : index + 1])[0])
    outcome = page.locator(".outcome")
    page.get_by_role("spinbutton").fill(str(flip + 3))
    page.get_by_role("button", name="bet", exact=True).click()
    expect(outcome).to_have_text(f"Your bet: {flip + 3}/255. Now move ε.")
    if flip > 1:
        move(page, flip - 1)
        settled(page, flip - 1)
        page.wait_for_timeout(300)
        expect(outcome).to_have_text(f"Your bet: {flip + 3}/255. Now move ε.")
    move(page, flip)
    expect(outcome).to_have_text(f"It flipped at {flip}/255: 3 away from your bet of {flip + 3}/255.")
    page.get_by_role("button", name="bet", exact=True).click()
    expect(outcome).to_have_text("You have seen the answer: choose another image.")


def test_the_class_counts_all_images(browser, dataset, rounded, tmp_path, monkeypatch):
    """Both networks at 2/255, against the attack in float32; an image on the edge may fall to either side."""
    monkeypatch.setattr(attack, "EACH", 4)  # of a page with fewer images
    attack.write(tmp_path)
    page = browser.new_page()
    page.goto((tmp_path / attack.NAME).as_uri() + "#image=109&attack=fgsm&epsilon=2")
    page.get_by_role("button", name="How many are fooled").click()
    expect(page.get_by_role("button", name="How many are fooled")).to_be_visible(timeout=180_000)
    chosen = attack.images(dataset.y_test[: data.ORIGINAL_TEST_IMAGES])
    images, labels = data.to_float(dataset.x_test[chosen]), dataset.y_test[chosen]
    for name, network in rounded.items():
        found = page.locator(f"[data-count={name}]").evaluate("(words) => ({...words.dataset})")
        before, after = (
            evaluation.predictions(network, x) for x in (images, attacks.fgsm(network, images, labels, 2 / 255))
        )
        assert int(found["done"]) == len(chosen) and int(found["correct"]) == (before == labels).sum()
        assert abs(int(found["fooled"]) - ((before == labels) & (after != labels)).sum()) <= 1
    page.close()


def picture(width, height, kind, space=None, turn=1, **options):
    """A colourful photograph of gradients and stripes, as a file: in a colour space, and as a camera held so stores it."""
    y, x = np.mgrid[:height, :width] / 255
    waves = [np.sin(3 * x + k) * np.cos(2 * y - k) + 0.3 * np.sin(40 * x * (k + 1)) for k in range(3)]
    values = np.rint(127.5 + 90 * np.stack(waves, axis=-1)).clip(0, 255).astype(np.uint8)
    file, exif = io.BytesIO(), Image.Exif()
    if space:
        options["icc_profile"] = test_photographs.profile(space)
    if turn != 1:
        exif[0x0112], options["exif"] = turn, exif
    Image.fromarray(values).save(file, kind, **options)
    return {"name": f"me.{kind.lower()}", "mimeType": f"image/{kind.lower()}", "buffer": file.getvalue()}


@pytest.mark.parametrize(
    "file",
    [
        picture(90, 60, "PNG"),
        picture(31, 20, "PNG"),
        picture(900, 1300, "PNG"),
        picture(4000, 3000, "JPEG", quality=90),
    ],
    ids=["small", "tiny", "large", "camera"],
)
def test_your_own_photograph(visit, rounded, file):
    """The same pixels as helpers.photographs within two levels, attacked as what the network predicts."""
    page = visit()
    page.locator("input[type=file]").set_input_files(file)
    page.get_by_role("button", name="attack this").click()
    expect(page.locator(".fgsm figcaption").first).to_have_text("your photograph")
    shown = pixels(page, 0)
    assert abs(shown.astype(int) - photograph(file["buffer"])).max() <= 2
    before = settled(page, 0)
    move(page, 32)
    after = settled(page, 32)
    for name, network in rounded.items():
        exact = evaluation.probabilities(network, data.to_float(shown[None]))[0]
        assert before[name][0] == data.CLASS_NAMES[exact.argmax()]
    assert any(before[name][0] != after[name][0] for name in NETWORKS)
    expect(page.locator(".verdict").first).not_to_contain_text("wrong")
    expect(page).not_to_have_url(re.compile("image="))  # it is written when a drag has ended


FILES = [picture(600, 400, "PNG", space) for space in test_photographs.SPACES]
FILES += [picture(600, 400, kind, "Display P3", quality=95) for kind in ("JPEG", "WEBP")]
FILES += [picture(1200, 800, "JPEG", "Adobe RGB", turn, quality=92) for turn in test_photographs.TURNS]


def test_the_browser_applies_colour_profiles_and_turns(visit):
    """Wide-gamut photographs, and every way to hold a camera: the pixels of helpers.photographs within two levels."""
    page, seen = visit(), set()
    images = page.locator(".strip button")
    count = images.count()
    for file in FILES:
        page.locator("input[type=file]").set_input_files(file)
        page.get_by_role("button", name="attack this").click()
        wanted = photograph(file["buffer"])
        seen.add(wanted.tobytes())
        expect(images).to_have_count(count + len(seen))
        expect(images.first).to_have_attribute("aria-checked", "true")
        page.evaluate("new Promise(requestAnimationFrame)")
        settled(page, 0)
        assert abs(pixels(page, 0).astype(int) - wanted).max() <= 2, file["name"]
    assert len(seen) == len(FILES)  # a profile or a turn that were ignored would make two of them alike


def test_a_photograph_is_cropped_and_named_and_a_broken_one_is_refused(visit):
    page = visit()
    page.locator("input[type=file]").set_input_files(
        {"name": "<b>no</b>.png", "mimeType": "image/png", "buffer": b"nothing"}
    )
    expect(page.locator(".trouble")).to_contain_text("<b>no</b>.png cannot be opened")
    page.locator("input[type=file]").set_input_files(picture(300, 200, "PNG"))
    whole = page.get_by_role("img", name="Your photograph")
    read = "() => document.querySelector('.shrunk').toDataURL()"
    looks = {page.evaluate(read)}
    box = whole.bounding_box()
    page.mouse.move(box["x"] + 100, box["y"] + 100)
    page.mouse.down()
    page.mouse.move(box["x"] + 40, box["y"] + 100)
    page.mouse.up()
    for action in (
        lambda: None,
        lambda: whole.press("+"),
        lambda: whole.press("ArrowLeft"),
        page.get_by_label("zoom out").click,
    ):
        action()
        page.wait_for_timeout(100)
        looks.add(page.evaluate(read))
    assert len(looks) >= 4
    page.get_by_label("What is it?").select_option(label="frog")
    page.get_by_role("button", name="attack this").click()
    expect(page.locator(".fgsm figcaption").first).to_have_text("frog, your photograph")


def test_by_keys_alone(visit, dataset):
    """Every part is reached by Tab, in an order that makes sense, and does what it says."""
    page = visit("#image=109&attack=fgsm&epsilon=0")
    reached = []
    for _ in range(20):
        page.keyboard.press("Tab")
        reached.append(
            page.evaluate("""() => {
              const node = document.activeElement;
              return node.getAttribute("aria-label") || node.closest("label")?.textContent || node.textContent;
            }""")
        )
    names = [
        "your photograph",
        f"{data.CLASS_NAMES[dataset.y_test[109]]}, image 109",
        "standard network",
        "adversarially trained network",
        "ε",
        "FGSM",
        "networks",
    ]
    places = [next(i for i, name in enumerate(reached) if name.startswith(wanted)) for wanted in names]
    assert places == sorted(places)
    strip = page.get_by_role("radio", name="image 109")
    strip.focus()
    page.keyboard.press("ArrowRight")
    expect(page.locator(".fgsm figcaption").first).not_to_contain_text("image 109")
    page.get_by_role("slider", name="ε").focus()
    for _ in range(3):
        page.keyboard.press("ArrowRight")
    settled(page, 3)
    expect(page.locator(".fgsm .unseen[role=status]")).to_contain_text("ε = 3/255")
    assert page.get_by_role("slider", name="ε").evaluate("(slider) => slider.ariaValueText") == "3/255"


def outside(page):
    """How far the page is wider than the window, and what sticks out."""
    return page.evaluate("""() => [document.documentElement.scrollWidth - innerWidth,
      [...document.querySelectorAll("main *")].filter((node) => node.checkVisibility()
        && !node.closest(".strip, .switches, .unseen, .scale, dialog") && node.getBoundingClientRect().width
        && node.getBoundingClientRect().right > innerWidth + 1).map((node) => node.outerHTML.slice(0, 80))]""")


def test_nothing_keeps_people_out(visit):
    """axe finds nothing serious, on a phone and on a projector, folds and the dialog open as well."""
    for width, height in ((360, 640), (1280, 720)):
        size = {"width": width, "height": height}
        page = visit("#image=109&attack=fgsm&epsilon=8", viewport=size, bypass_csp=True)
        settled(page, 8)
        page.evaluate("document.querySelector('.all-ten').click()")
        for dialog in (False, True):
            if dialog:
                page.locator("input[type=file]").set_input_files(picture(90, 60, "PNG"))
                page.get_by_role("button", name="attack this").wait_for()
            assert offline.barriers(page) == [] and offline.barriers(page, dark=True) == []


SCREENS = (320, 640), (360, 640), (390, 800), (640, 360), (960, 540), (1280, 720), (1920, 1080)


def test_it_fits(visit):
    """960 × 540 and 640 × 360 are projectors at 133% and 200%. On a phone image, verdicts and ε are on screen at once."""
    page = visit("#image=109&attack=fgsm&epsilon=8", viewport=dict(zip(("width", "height"), SCREENS[0])))
    settled(page, 8)
    for width, height in SCREENS:
        page.set_viewport_size({"width": width, "height": height})
        too_wide, nodes = outside(page)
        assert too_wide <= 0 and nodes == [], (width, height)
        if height < 600 and width != 960 or 400 < width < 1280:
            continue
        for selector in (".large canvas", ".of-epsilon input", ".choice", ".verdict >> nth=0", ".verdict >> nth=1"):
            box = page.locator(f".fgsm {selector}").first.bounding_box()
            assert box["y"] >= 0 and box["y"] + box["height"] <= height + 1, (selector, width, height)


def test_no_motion_where_none_is_wanted(visit):
    page = visit(reduced_motion="reduce")
    moving = "() => [...document.querySelectorAll('*')].filter((node) => getComputedStyle(node).transitionDuration !== '0s').length"
    assert page.evaluate(moving) == 0
    assert page.locator(".strip").evaluate("(strip) => getComputedStyle(strip).scrollBehavior") == "auto"


def test_without_javascript_it_says_so(browser, written):
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(written.as_uri())
    expect(page.locator("main")).to_contain_text("it needs JavaScript")
    expect(page.locator(".extras")).to_be_hidden()
    context.close()


def test_the_qr_code_needs_an_address(tmp_path):
    project = tmp_path / "pyproject.toml"
    project.write_text('[project]\nname = "x"\n')
    assert attack.public_address(tmp_path) is None and "Set Repository in pyproject.toml" in attack.qr_code(tmp_path)
    project.write_text('[project.urls]\nRepository = "https://github.com/Somebody/lecture"\n')
    assert attack.public_address(tmp_path) == "https://somebody.github.io/lecture/attack.html"
    assert "<svg" in attack.qr_code(tmp_path) and "lecture/attack.html</a>" in attack.qr_code(tmp_path)


@pytest.fixture
def in_firefox(tmp_path):
    """Opens a page in Debian's Firefox, which takes commands of the protocol WebDriver BiDi; gives a way to evaluate."""
    if not FIREFOX:
        pytest.skip("no firefox found: apt install firefox-esr")
    import websocket  # comes with jupyter-server

    command = [FIREFOX, "--headless", "--no-remote", "--profile", str(tmp_path), "--remote-debugging-port=0"]
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    process = subprocess.Popen(command, env=os.environ | {"HOME": str(tmp_path)}, **quiet)
    link, count, note = None, itertools.count(), tmp_path / "WebDriverBiDiServer.json"
    while link is None and process.poll() is None:
        with contextlib.suppress(OSError, ValueError):  # no note yet, or one that is being written
            address = f"ws://127.0.0.1:{json.loads(note.read_text())['ws_port']}/session"
            link = websocket.create_connection(address, timeout=60, suppress_origin=True)
        time.sleep(0.2)

    def call(method, **parameters):
        number = next(count)
        link.send(json.dumps({"id": number, "method": method, "params": parameters}))
        while (answer := json.loads(link.recv())).get("id") != number:
            pass
        return answer["result"]

    def visit(address):
        tab = call("browsingContext.getTree")["contexts"][0]["context"]
        call("browsingContext.navigate", context=tab, url=address, wait="complete")
        words = {"target": {"context": tab}, "awaitPromise": True}
        return lambda code: json.loads(
            call("script.evaluate", expression=f"(async () => JSON.stringify(await ({code})))()", **words)["result"][
                "value"
            ]
        )

    try:
        assert link is not None, "Firefox has ended"
        call("session.new", capabilities={})
        yield visit
        call("session.end")
    finally:
        process.terminate()
        process.wait(60)


def test_firefox_computes_the_same(in_firefox, visit, written):
    code = "#image=109&attack=fgsm&epsilon=8"
    evaluate = in_firefox(written.as_uri() + code)
    ready = """new Promise((go) => {
      const look = () => (document.querySelectorAll(".net[data-epsilon='8']").length === 2 ? go(true) : setTimeout(look, 50));
      look();
    })"""
    assert evaluate(ready)
    found = evaluate("[...document.querySelectorAll('.net')].map((net) => ({...net.dataset}))")
    here = settled(visit(code), 8)
    assert {one["network"]: (one["prediction"], float(one["probability"]), 8) for one in found} == here
    assert evaluate("document.documentElement.dataset.ready") == ""
