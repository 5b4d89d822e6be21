"""Write what the stored notebooks show as pages for home, or as decks for the hall. No cell is run.

    python notebooks/publish.py site|slides [FOLDER]

Pages and decks load nothing from anywhere: reveal.js is taken from the package sphinx-revealjs, and formulas become
MathML here. The sliders are computed here, on CIFAR-10 where this machine has it and otherwise on the sketches.
"""

import argparse
import base64
import copy
import functools
import hashlib
import html
import re
from importlib.resources import files
from pathlib import Path

import address
import build
import nbformat
from bs4 import BeautifulSoup
from latex2mathml.converter import convert
from nbconvert import HTMLExporter
from nbconvert.filters.markdown_mistune import IPythonRenderer, MarkdownWithMath
from pygments.formatters import HtmlFormatter

from helpers import data, figures, runs
from helpers.explorer import FgsmExplorer

NOTEBOOKS = Path(__file__).resolve().parent
TEMPLATES = NOTEBOOKS / "templates"
REVEAL = files("sphinx_revealjs") / "_static" / "revealjs"
WIDTH, HEIGHT = 1280, 720  # of a slide, in CSS pixels
SLIDERS = 20  # images, 10 kB each
POLICY = (
    "default-src 'none'; base-uri 'none'; form-action 'none'; img-src data:; style-src 'unsafe-inline'; script-src "
)
NOTES = re.compile(r"<details><summary>Speaker notes</summary>\s*(.*?)\s*</details>", re.DOTALL)


class _Renderer(IPythonRenderer):
    """Markdown to HTML, with formulas as MathML, which browsers draw without help."""

    def block_math(self, body):
        return convert(body, display="block")

    def inline_math(self, body):
        return convert(body)


class _Exporter(HTMLExporter):
    def default_filters(self):
        yield from super().default_filters()
        renderer = _Renderer(escape=False, exclude_anchor_links=True)
        yield "markdown2html", lambda source: MarkdownWithMath(renderer=renderer).render(source)


def stored():
    """The notebooks with their outputs, in order: name → notebook."""
    return {path.stem: nbformat.read(path, 4) for path in sorted(NOTEBOOKS.glob("[0-9]*.ipynb"))}


def opening(book):
    """A notebook's title and its question, from its first cell."""
    first = book.cells[0].source
    question = re.search(r"\*\*The question:\*\* (.+?)\n\n", first, re.DOTALL)[1]
    return re.match(r"# (.+)", first)[1], " ".join(question.split())


@functools.cache
def sliders():
    """The explorer as a piece of HTML that needs no kernel: the running photograph, then the first test images."""
    dataset = data.load(download=False)
    shown = slice(data.ORIGINAL_TEST_IMAGES)
    explorer = FgsmExplorer(runs.load("vgg3", dataset.name).model, dataset.x_test[shown], dataset.y_test[shown])
    body = BeautifulSoup(explorer.to_html([figures.RUNNING_IMAGE, *range(SLIDERS - 1)]), "html.parser").body
    body.h1.decompose()
    origin = f"Computed for this page on {SLIDERS} test images of {dataset.name}."
    return f'{body.decode_contents()}<p class="origin">{origin}</p>'


def write_site(folder, books):
    """The hand-out: an index, one page a notebook, and the glossary, each with ways to the others."""
    where, explorer, names = address.repository(), sliders(), list(books)
    pages = {"index": _markdown(_index(books)), **books, "glossary": _markdown((NOTEBOOKS / "glossary.md").read_text())}
    for name, book in pages.items():
        ways = [("index", "All notebooks"), ("glossary", "Symbols and glossary")]
        elsewhere = [(where, "The repository")]
        if name in books:
            place = names.index(name)
            ways += [(names[place - 1], "Previous: " + names[place - 1])] if place else []
            ways += [(other, "Next: " + other) for other in names[place + 1 : place + 2]]
            links = (("GitHub", address.source), ("Binder", address.binder), ("Colab", address.colab))
            elsewhere = [(link(where, name), f"This notebook on {site}") for site, link in links]
        ways = " ".join(f'<a href="{other}.html">{text}</a>' for other, text in ways if other != name)
        elsewhere = " · ".join(f'<a href="{link}">{text}</a>' for link, text in elsewhere)
        _write(folder / f"{name}.html", _locked(_page(book, "site", explorer, ways=ways, elsewhere=elsewhere)))


def write_slides(folder, books):
    """A deck for each notebook: its core cells as they are shown, without code, with the notes for the speaker."""
    explorer = sliders()
    for name, book in books.items():
        book.cells = [cell for cell in book.cells if "core" in cell.metadata.tags and _slide_type(cell) != "skip"]
        for cell in book.cells:
            cell.source = NOTES.sub(r"\1", cell.source)  # the speaker's window has no use for a fold
            if _is_listing(cell):
                cell.metadata.slideshow = {"slide_type": "subslide"}
        _write(folder / f"{name}.html", _completed(_page(book, "slides", explorer, width=WIDTH, height=HEIGHT)))


def _slide_type(cell):
    return cell.metadata.get("slideshow", {}).get("slide_type")


def _is_listing(cell):
    """Whether a cell shows code: that takes a slide of its own."""
    return any(
        output.get("data", {}).get("text/markdown", "").startswith("```python") for output in cell.get("outputs", ())
    )


def _completed(deck):
    """The deck with the last heading on each slide that has none, and a slide's notes on those below it as well."""
    heading = None
    for group in deck.select(".slides > section"):
        slides, notes = group.find_all("section", recursive=False), group.aside
        for slide in slides:
            heading = slide.find(["h1", "h2", "h3"]) or heading
            if not slide.find(["h1", "h2", "h3"]):
                slide.insert(0, copy.copy(heading))
        for slide in reversed(slides):  # notes stand below what they speak of
            notes = slide.aside or notes
            if notes and not slide.aside:
                slide.append(copy.copy(notes))
    return deck


def _index(books):
    """The index, as Markdown: the notebooks with their questions."""
    heading = (NOTEBOOKS.parent / "README.md").read_text(encoding="utf-8").splitlines()[0]
    lines = [
        heading,
        "The notebooks of one lecture, with everything that they print and draw. No page needs a network. Solutions "
        "and the speaker's notes unfold on a click. The sliders of [05-fgsm](05-fgsm.html) work here, too.",
        "## The notebooks",
    ]
    for name, book in books.items():
        title, question = opening(book)
        lines.append(f"**[{title}]({name}.html)**  \n{question[0].upper()}{question[1:]}")
    lines += ["## Beside the notebooks", "[What you need, symbols, and a glossary](glossary.html)"]
    return "\n\n".join(lines)


def _markdown(text):
    return nbformat.v4.new_notebook(cells=[nbformat.v4.new_markdown_cell(text)])


def _page(book, template, explorer, **resources):
    """A notebook as one HTML page that loads nothing, parsed."""
    for cell in book.cells:
        if cell.cell_type == "code":
            cell.outputs = list(_outputs(cell, explorer))
    exporter = _Exporter(
        template_name=template,
        extra_template_basedirs=[str(TEMPLATES)],
        extra_template_paths=[str(TEMPLATES), str(REVEAL)],
        exclude_input=template == "slides",
        exclude_input_prompt=True,
        exclude_output_prompt=True,
    )
    title = re.match(r"# (.+)", book.cells[0].source)[1]
    styles = {theme: HtmlFormatter(style=theme).get_style_defs(".highlight") for theme in ("default", "github-dark")}
    text, _ = exporter.from_notebook_node(book, {"title": title, "code": styles, **resources})
    soup = BeautifulSoup(text, "html.parser")
    for link in soup.find_all("a", href=True):
        link["href"] = re.sub(r"^([\w-]+)\.(ipynb|md)\b", r"\1.html", link["href"])
    for table in soup.find_all("table"):
        table.wrap(soup.new_tag("div", attrs={"class": "wide"}))
    for block in soup.select("pre, .wide"):
        block["tabindex"] = "0"  # so that the keyboard can scroll what is wider than the screen
    return soup


def _outputs(cell, explorer):
    """A cell's outputs: each picture and its caption as one figure, and the explorer of the test images."""
    outputs = iter(cell.outputs)
    for output in outputs:
        shown = output.get("data", {})
        if "image/png" in shown:
            alt = html.escape(output.metadata["image/png"]["alt"])
            next(outputs)  # the caption, which figures.show puts below; to a screen reader it would say the same again
            picture = f'<img alt="{alt}" src="data:image/png;base64,{shown["image/png"]}">'
            yield _html(f'<figure>{picture}<figcaption aria-hidden="true">{alt}</figcaption></figure>')
        elif shown.get("text/plain") == build.NO_KERNEL and "FgsmExplorer(model, dataset.x_test" in cell.source:
            yield _html(explorer)
        else:
            yield output


def _html(text):
    return nbformat.v4.new_output("display_data", {"text/html": text})


def _locked(soup):
    """The page with a policy under which it runs the scripts that are in it, and neither runs nor loads any other."""
    digests = [hashlib.sha256(script.string.encode()).digest() for script in soup.find_all("script")]
    sources = " ".join(f"'sha256-{base64.b64encode(digest).decode()}'" for digest in digests) or "'none'"
    policy = soup.new_tag("meta", attrs={"http-equiv": "Content-Security-Policy", "content": POLICY + sources})
    soup.head.meta.insert_after(policy)
    return soup


def _write(path, soup):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(str(soup), encoding="utf-8", newline="\n")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("what", choices=("site", "slides"))
    parser.add_argument("folder", nargs="?", type=Path, help="where to write; a folder called as `what` if left out")
    chosen = parser.parse_args()
    folder = chosen.folder or Path(chosen.what)
    {"site": write_site, "slides": write_slides}[chosen.what](folder, stored())
    size = sum(path.stat().st_size for path in folder.glob("*.html"))
    print(
        f"{size / 1e6:.1f} MB in {folder}: open {folder / ('index.html' if chosen.what == 'site' else '01-data.html')}"
    )


if __name__ == "__main__":
    main()
