"""Notebooks as HTML pages that load nothing from anywhere: what the site and the decks share. No cell is run.

Formulas become MathML here. The sliders are computed here, on CIFAR-10 where this machine has it and otherwise on the
sketches.
"""

import functools
import html
import re
from pathlib import Path

import nbformat
from bs4 import BeautifulSoup
from latex2mathml.converter import convert
from nbconvert import HTMLExporter
from nbconvert.filters.markdown_mistune import IPythonRenderer, MarkdownWithMath
from pygments.formatters import HtmlFormatter

from .. import data, figures, runs
from ..explorer import FgsmExplorer
from . import notebooks

TEMPLATES = Path(__file__).resolve().parent / "templates"
SLIDERS = 20  # images, 10 kB each


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


@functools.cache
def sliders():
    """The explorer as a piece of HTML that needs no kernel: the running photograph, then the first test images."""
    dataset = data.load(download=False)
    shown = slice(data.ORIGINAL_TEST_IMAGES)
    explorer = FgsmExplorer(runs.load("vgg3", dataset.name).model, dataset.x_test[shown], dataset.y_test[shown])
    origin = f"Computed for this page on {SLIDERS} test images of {dataset.name}."
    return (
        f'{explorer.to_html([figures.RUNNING_IMAGE, *range(SLIDERS - 1)], whole=False)}<p class="origin">{origin}</p>'
    )


def markdown(text):
    return nbformat.v4.new_notebook(cells=[nbformat.v4.new_markdown_cell(text)])


def page(book, template, explorer, more=(), **resources):
    """A notebook as one HTML page that loads nothing, parsed."""
    for cell in book.cells:
        if cell.cell_type == "code":
            cell.outputs = list(_outputs(cell, explorer))
    exporter = _Exporter(
        template_name=template,
        extra_template_basedirs=[str(TEMPLATES)],
        extra_template_paths=[str(TEMPLATES), *more],
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
    formulas = ", math[display=block]" if template == "site" else ""  # wider than a phone with some fonts
    for block in soup.select(f"table{formulas}"):
        block.wrap(soup.new_tag("div", attrs={"class": "wide"}))
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
        elif shown.get("text/plain") == notebooks.NO_KERNEL and "FgsmExplorer(model, dataset.x_test" in cell.source:
            yield _html(explorer)
        else:
            yield output


def _html(text):
    return nbformat.v4.new_output("display_data", {"text/html": text})


def write(path, soup):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(str(soup), encoding="utf-8", newline="\n")
