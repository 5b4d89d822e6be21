"""Slides and hand-out in a real browser with its network cut: whole, readable by all, and sent nowhere.

Also here: dark pages.
"""

import io
import itertools
import re
import shutil
from pathlib import Path
from urllib.parse import unquote

import nbformat
import numpy as np
import pytest
from bs4 import BeautifulSoup
from offline import barriers, watched
from PIL import Image
from playwright.sync_api import expect
from test_browser import CHROMIUM, browser  # noqa: F401, the fixture of a real browser

from helpers.editions import cells, guide, notebooks, pages, site, slides
from helpers.explorer import LAST

ROOT = Path(__file__).resolve().parents[1]
NAMES = [path.stem for path in sorted((ROOT / "notebooks").glob("[0-9]*.ipynb"))]
PAGES = ["index", *NAMES, "glossary"]
LARGEST_SITE = 20e6
SMALLEST_FIGURE = 0.85  # of the size at which 14 points are readable from the last row

in_browser = pytest.mark.skipif(not CHROMIUM, reason="no chromium found: apt install chromium, or set CHROMIUM to one")


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    """A folder with all that `make site` and `make slides` write."""
    folder = tmp_path_factory.mktemp("written")
    site.write(folder / "site", cells.stored())
    slides.write(folder / "slides", cells.stored(), begin="9:00")
    return folder


@pytest.fixture
def offline(browser):  # noqa: F811
    """Opens a local file without a network, in a given colour scheme."""
    with watched(browser, ("file:", "data:", "blob:null/")) as open_page:
        yield lambda path, query="", **options: open_page(path.as_uri() + query, **options)


def soup(path):
    return BeautifulSoup(path.read_text(encoding="utf-8"), "html.parser")


def notebook(name):
    return nbformat.read(ROOT / "notebooks" / f"{name}.ipynb", 4)


def alternatives(cells):
    """What figures.show said of each picture of these cells."""
    outputs = [output for cell in cells if cell.cell_type == "code" for output in cell.outputs]
    return [output.metadata["image/png"]["alt"] for output in outputs if "image/png" in output.get("data", {})]


# Slides

# What sticks out of the slide that is shown, what is cut off at the side, and figures too small to read.
TROUBLE = """(smallest) => [...Reveal.getCurrentSlide().querySelectorAll("*")].flatMap((node) => {
  const box = node.getBoundingClientRect(), text = node.textContent.trim().slice(0, 50);
  if (!box.width || !box.height || !node.checkVisibility() || node.closest("aside, math")) return [];
  const over = Math.ceil(Math.max(box.bottom - innerHeight, box.right - innerWidth, -box.top, -box.left) - 1);
  const scale = node.matches("img") ? Math.min(box.width / node.naturalWidth, box.height / node.naturalHeight) : 1;
  return [
    ...(over > 0 ? [`${node.tagName} sticks out by ${over} pixels: ${text}`] : []),
    ...(node.matches("pre") && node.scrollWidth > node.clientWidth ? [`cut off at the side: ${text}`] : []),
    ...(scale < smallest ? [`figure at ${scale.toFixed(2)} of its size: ${node.alt}`] : []),
  ];
})"""
# Shows slide i with all of its fragments; returns its heading.
SHOW = """(i) => {
  const slide = document.querySelectorAll(".slides > section > section")[i], {h, v} = Reveal.getIndices(slide);
  Reveal.slide(h, v, slide.querySelectorAll(".fragment").length - 1);
  return slide.querySelector("h1, h2, h3").textContent;
}"""


def troubles(page):
    """What is wrong with the slides of a deck: each with its place and heading."""
    page.wait_for_function("() => window.Reveal?.isReady() && [...document.images].every((image) => image.complete)")
    found = []
    for number in range(page.locator(".slides > section > section").count()):
        heading = page.evaluate(SHOW, number)
        found += [f"slide {number + 1}, {heading}: {what}" for what in page.evaluate(TROUBLE, SMALLEST_FIGURE)]
    return found


@in_browser
@pytest.mark.parametrize("name", NAMES)
def test_no_slide_is_cut_off(offline, written, name):
    page = offline(written / "slides" / f"{name}.html")
    assert troubles(page) == []
    page.set_viewport_size({"width": 1920, "height": 1080})
    page.evaluate("document.querySelectorAll('.slides details').forEach((fold) => { fold.open = true; })")
    assert troubles(page) == []


# What is cut off on a printed page, and what comes nearer to its edge than 20 pixels.
CUT = """() => [...document.querySelectorAll(".pdf-page")].flatMap((page, number) => {
  const edge = page.getBoundingClientRect(), shown = page.querySelectorAll("section :is(h1, h2, h3, p, li, pre, td, img, figcaption)");
  return [...shown].filter((node) => !node.closest("aside, .fgsm, .origin") && node.checkVisibility()).filter((node) => {
    const box = node.getBoundingClientRect();
    return box.bottom > edge.bottom - 20 || box.right > edge.right - 20 || box.left < edge.left + 20 || box.top < edge.top + 20;
  }).map((node) => `page ${number + 1}: ${node.outerHTML.slice(0, 80)}`);
})"""


@in_browser
@pytest.mark.parametrize("name", NAMES)
def test_a_printed_slide_is_one_whole_page(offline, written, name):
    page = offline(written / "slides" / f"{name}.html", query="?print-pdf")
    page.wait_for_selector(".pdf-page")
    assert page.evaluate(CUT) == []
    slides = len(soup(written / "slides" / f"{name}.html").select(".slides > section > section"))
    printed = page.pdf(prefer_css_page_size=True)
    assert len(re.findall(rb"/Type\s*/Page\b", printed)) == slides > 5


@in_browser
def test_a_slide_that_is_cut_off_is_noticed(offline, written):
    page = offline(written / "slides" / "01-data.html")
    page.evaluate("document.querySelectorAll('.slides p')[0].style.paddingTop = '700px'")
    page.evaluate(
        "document.querySelector('.slides section section').append("
        "Object.assign(document.createElement('pre'), {textContent: 'x'.repeat(400)}))"
    )
    page.evaluate("document.querySelector('img').style.height = '100px'")
    found = "\n".join(troubles(page))
    assert "sticks out by" in found and "cut off at the side" in found and "figure at 0." in found


@pytest.mark.parametrize("name", NAMES)
def test_a_deck_is_the_core_with_notes(written, name):
    core = [cell for cell in notebook(name).cells if cells.part(cell) == "core" and cells.slide_type(cell) != "skip"]
    shown = [cell for cell in core if not (cells.has(cell, "bet") and cell.cell_type == "code")]
    deck = soup(written / "slides" / f"{name}.html")
    assert [image["alt"] for image in deck.select(".slides img")] == alternatives(shown)
    assert not deck.select(".cm-editor") and not deck.select("aside details")
    assert len(deck.select("aside.notes")) == len(deck.select(".slides > section > section"))
    assert len(deck.select_one("aside.notes").get_text().split()) > 20
    slides = deck.select(".slides > section > section")
    assert [slide.get_text()[:50] for slide in slides if not slide.find(["h1", "h2", "h3"])] == []


OF_CELLS = re.compile(
    r"\b(run|rerun|change|edit) (this|the|that) cell|(into|in) the (next )?cell|[Tt]he (next )?cell (below|above)|Run this",
    re.IGNORECASE,
)


@pytest.mark.parametrize("name", NAMES)
def test_a_deck_never_speaks_of_cells(written, name):
    deck = soup(written / "slides" / f"{name}.html")
    for aside in deck.select("aside, script, style"):
        aside.decompose()
    words = deck.select_one(".slides").get_text()
    assert [words[max(0, found.start() - 50) : found.end() + 30] for found in OF_CELLS.finditer(words)] == []


@in_browser
def test_the_speaker_sees_the_notes(offline, written):
    page = offline(written / "slides" / "01-data.html")
    page.wait_for_function("() => window.Reveal?.isReady()")
    with page.expect_popup() as popup:
        page.keyboard.press("s")
    notes = popup.value.locator(".speaker-controls-notes")
    expect(notes).to_contain_text("Minute 0 of 75 · 9:00", timeout=30_000)


@in_browser
@pytest.mark.parametrize("folder", ["site", "slides"])
def test_the_sliders_work_without_kernel_and_network(offline, written, folder):
    page = offline(written / folder / "05-fgsm.html")
    if folder == "slides":
        page.wait_for_function("() => window.Reveal?.isReady()")
        page.evaluate("Reveal.slide(1)")
    epsilon = page.get_by_role("slider", name="ε", exact=True)
    epsilon.press("End")
    expect(page.locator(".fgsm .epsilon")).to_contain_text(f"ε = {LAST}/255")
    page.get_by_role("radio", name="random-sign noise").click()
    expect(page.get_by_role("radio", name="random-sign noise")).to_be_checked()
    if folder == "slides":  # a touched slider keeps no key of a clicker
        page.keyboard.press("-")
        expect(page.locator(".fgsm .epsilon")).to_contain_text(f"ε = {LAST - 1}/255")
        epsilon.focus()
        place = "Reveal.getIndices().h + 100 * Reveal.getIndices().v"
        for key in ("PageDown", "ArrowRight", "ArrowDown", " "):
            before = page.evaluate(f"[{place}, Reveal.getIndices().f]")
            page.keyboard.press(key)
            assert page.evaluate(f"[{place}, Reveal.getIndices().f]") != before, key


@in_browser
def test_the_recorded_training_run_grows_with_each_press_and_then_says_what_came_out(offline, written):
    page = offline(written / "slides" / "03-training.html")
    page.wait_for_function("() => window.Reveal?.isReady()")
    page.evaluate("Reveal.slide(1)")
    picture, caption = page.locator(".replay img"), page.locator(".replay figcaption")
    seen = []
    for _ in range(slides.REPLAY_STEPS):
        seen.append(picture.evaluate("(node) => getComputedStyle(node).maskImage"))
        expect(caption).to_be_hidden()
        page.keyboard.press("PageDown")
    assert len(set(seen)) == slides.REPLAY_STEPS
    expect(caption).to_be_visible()
    expect(picture).to_have_css("mask-image", "none")


# Hand-out


def test_the_site_holds_every_notebook_twice_and_is_small(written):
    for folder in (written / "site", written / "site" / "teachers"):
        more = {"attack"} if folder.name == "site" else {"exam"}
        assert {path.stem for path in folder.glob("*.html")} == set(PAGES) | more
        assert sum(path.stat().st_size for path in folder.glob("*.html")) < LARGEST_SITE


@pytest.mark.parametrize("name", PAGES)
def test_every_link_leads_somewhere(written, name):
    links = {link["href"] for link in soup(written / "site" / f"{name}.html").find_all("a", href=True)}
    inside = {link for link in links if not link.startswith(("https:", "http:", "#"))}
    for link in inside:
        file, _, place = link.partition("#")
        assert (written / "site" / file).is_file(), link
        assert not place or soup(written / "site" / file).find(id=unquote(place)), link
    around = {other for pair in itertools.pairwise(NAMES) if name in pair for other in pair if other != name}
    assert {f"{other}.html" for other in ({"index", "glossary"} | around) - {name}} <= inside


def test_a_page_shows_the_networks_and_the_image_that_the_notebook_showed():
    cell = nbformat.v4.new_code_cell("FgsmExplorer(compared, dataset.x_test, labels)")
    about = {"fgsm_explorer": {"networks": ["vgg3", "adversarial-fgsm"], "image": 5}}
    output = nbformat.v4.new_output("display_data", {"text/plain": notebooks.NO_KERNEL}, metadata=about)
    shown = pages._shown(output, cell, "slides")["data"]["text/html"]
    assert '"networks":["vgg3","adversarial-fgsm"]' in shown
    assert re.search(r'"images":\[\{"name":"image 5"', shown)


def test_the_page_of_the_attack_is_linked_and_its_code_needs_an_address(written, tmp_path):
    for folder, link in (("site", "attack.html"), ("site/teachers", "../attack.html")):
        for name in ("index", "05-fgsm", "06-defence"):
            page = soup(written / folder / f"{name}.html")
            assert page.select_one(f'a[href="{link}"]') and not page.select(".qr")
    assert "Set Repository" in soup(written / "site" / "teachers" / "index.html").get_text()
    assert "Answer:" in soup(written / "site" / "teachers" / "exam.html").get_text()
    assert not (written / "site" / "exam.html").exists()
    assert "Set Repository" in soup(written / "slides" / "01-data.html").select_one(".slides aside").get_text()
    (tmp_path / "pyproject.toml").write_text('[project.urls]\nRepository = "https://github.com/you/lecture"\n')
    first = slides.invited(soup(written / "slides" / "01-data.html"), tmp_path).select_one(".slides section section")
    assert first.select_one(".qr > svg") and "you.github.io/lecture/attack.html" in first.select_one(".qr a")["href"]


@pytest.mark.parametrize("name", NAMES)
def test_teachers_have_everything_and_students_neither_notes_nor_solutions(written, name):
    book = notebook(name)
    teachers, students = (soup(written / folder / f"{name}.html") for folder in ("site/teachers", "site"))
    of_bets = [cell for cell in book.cells if cells.has(cell, "bet") and cell.cell_type == "code"]
    assert [image["alt"] for image in teachers.find_all("img")] == alternatives(
        [c for c in book.cells if c not in of_bets]
    )
    codes = sum(cell.cell_type == "code" for cell in book.cells)
    assert len(teachers.select(".cm-editor")) == codes - len(of_bets)
    assert "Speaker notes" in teachers.get_text() and "Speaker notes" not in students.get_text()
    solutions = sum(cells.solves(cell) and cell.cell_type == "code" for cell in book.cells)
    assert len(students.select(".cm-editor")) == codes - len(of_bets) - solutions
    assert not {summary.get_text() for summary in students.select("summary")} & {"Solution", "Idea"}
    for page in (teachers, students):
        assert not page.select("details[open]") and all(
            "teachers" not in link["href"] for link in page.select("a[href]")
        )
        reveals = [cells.has(cell, "reveal") for cell in book.cells if cell not in of_bets]
        begun = sum(here and not before for before, here in itertools.pairwise([False, *reveals]))
        assert len(page.select("details.answer")) == begun


@pytest.mark.parametrize("name", PAGES)
def test_headings_are_in_order(written, name):
    levels = [int(heading.name[1]) for heading in soup(written / "site" / f"{name}.html").select("h1,h2,h3,h4,h5,h6")]
    assert levels[0] == 1 and levels.count(1) == 1
    assert all(below <= above + 1 for above, below in itertools.pairwise(levels)), levels


DRAWN = """(sliders) => {
  const views = [...document.querySelectorAll(".fgsm")];
  return Boolean(views.length) === sliders && views.every(
    (view) => view.querySelector(".verdict")?.textContent && !view.classList.contains("waiting"));
}"""
WITH_SLIDERS = "01-data", "05-fgsm", "06-defence"


@in_browser
@pytest.mark.parametrize("name", PAGES)
def test_nothing_keeps_people_out(offline, written, name):
    page = offline(written / "site" / "teachers" / f"{name}.html", bypass_csp=True)  # axe is a script
    page.emulate_media(reduced_motion="reduce")  # what fades in is pale on the way
    page.evaluate("document.querySelectorAll('details').forEach((fold) => { fold.open = true; })")
    page.wait_for_function(DRAWN, arg=name in WITH_SLIDERS)  # what waits for an answer is pale
    assert barriers(page) == []
    if name == "05-fgsm":
        assert barriers(page, dark=True) == []
    page.set_viewport_size({"width": 390, "height": 800})
    for family in (
        "* {}",
        "* { font-family: monospace !important; letter-spacing: 0.06em; }",
    ):  # whatever fonts are there
        page.add_style_tag(content=family)
        assert page.evaluate("document.documentElement.scrollWidth") <= 390


@in_browser
@pytest.mark.parametrize("name", NAMES)
def test_nothing_is_cut_off_on_paper(offline, written, name):
    page = offline(written / "site" / f"{name}.html")
    page.emulate_media(media="print")
    page.set_viewport_size({"width": 718, "height": 1000})  # A4 within Chromium's margins
    wide = """() => [...document.querySelectorAll("main *")].filter((node) => !node.closest(".heard, .fgsm")
      && node.getBoundingClientRect().right > innerWidth + 1).map((node) => node.outerHTML.slice(0, 100))"""
    assert page.evaluate(wide) == []


@in_browser
def test_a_page_runs_and_loads_nothing_but_its_own(browser, written, tmp_path):  # noqa: F811
    whole = (written / "site" / "05-fgsm.html").read_text(encoding="utf-8")
    foreign = '<script>document.title = "taken";</script><img src="other.png"><script src="other.js"></script>'
    (tmp_path / "page.html").write_text(whole.replace("</main>", f"{foreign}</main>"), encoding="utf-8")
    page, asked = browser.new_page(), []
    page.on("requestfinished", lambda request: asked.append(request.url))
    (tmp_path / "other.js").write_text('document.title = "taken";')
    shutil.copy(ROOT / ".github" / "sliders.png", tmp_path / "other.png")
    page.goto((tmp_path / "page.html").as_uri())
    expect(page.locator(".fgsm .epsilon")).to_have_text("ε = 0")
    assert page.title() != "taken" and [url for url in asked if "other" in url] == []
    page.close()


@in_browser
def test_the_page_for_the_eve_is_one_sheet_and_nothing_on_the_others_is_cut_off(offline, tmp_path):
    guide.write(tmp_path, cells.stored(), "10:15")
    for name, sheets in (("guide", 1), ("bets", 1), ("answers", 2)):
        page = offline(tmp_path / f"{name}.html")
        page.emulate_media(media="print")
        page.set_viewport_size({"width": 703, "height": 1000})  # A4 within the page's margins
        assert page.evaluate("document.documentElement.scrollWidth") <= 703
        assert len(re.findall(rb"/Type\s*/Page\b", page.pdf(prefer_css_page_size=True))) <= sheets


@in_browser
def test_a_dark_page_turns_light_and_dark_of_charts_around_and_not_of_images(written, offline):
    def background(name, scheme, kind):
        page = offline(written / "site" / f"{name}.html", color_scheme=scheme)
        image = page.locator(f".{kind} img").first
        image.evaluate(
            "(node) => { for (let e = node; e; e = e.parentElement) if (e.matches('details')) e.open = true; }"
        )
        with Image.open(io.BytesIO(image.screenshot())) as shot:
            return np.asarray(shot.convert("L"))[-3, 40]

    assert background("04-evaluation", "light", "chart") == background("01-data", "light", "images") == 255
    assert background("04-evaluation", "dark", "chart") < 40
    assert 180 < background("01-data", "dark", "images") < 255
