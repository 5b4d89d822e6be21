"""Notebooks as HTML that loads nothing from anywhere: what the site and the decks share. No cell is run.

Whatever a notebook may hold is shown, or refused with the number of its cell: formulas become paths, pictures beside
the notebook and pasted ones become part of the page, and the sliders compute in the page.
"""

import base64
import functools
import html
import mimetypes
import re
import shutil
from pathlib import Path
from urllib.parse import quote, unquote, urlsplit

import nbformat
from bs4 import BeautifulSoup
from jinja2 import pass_context
from nbconvert import HTMLExporter
from nbconvert.filters.markdown_mistune import IPythonRenderer, MarkdownWithMath
from pygments.formatters import HtmlFormatter

from . import cells, formulas, notebooks

TEMPLATES = Path(__file__).resolve().parent / "templates"
SLIDERS = 20  # images, 4 kB each
PICTURES = ("image/png", "image/jpeg", "image/gif", "image/webp", "image/svg+xml")
PAGE = re.compile(r"^(?:([\w-]+)\.ipynb|(glossary)\.md)\b")  # a link to what becomes a page
SHOWN = ("text/html", "text/markdown", "text/latex", "text/plain")  # the best first


class Refused(ValueError):
    """What a page cannot show, with the number of its cell, counted from 1."""

    def __init__(self, cell, reason):
        super().__init__(f"cell {cell.metadata['number']}: {reason}")


class _Exporter(HTMLExporter):
    @pass_context
    def markdown2html(self, context, source):
        return rendered(source, context["cell"])


def rendered(markdown, cell):
    """The Markdown of a cell, or of its output, as HTML. Raises Refused."""
    try:
        text, found = formulas.taken_out(markdown)
    except ValueError as error:
        raise Refused(cell, error) from None
    pasted = {quote(name): held for name, held in cell.get("attachments", {}).items()}  # as an address names it
    renderer = IPythonRenderer(escape=False, exclude_anchor_links=True, attachments=pasted)
    parser = MarkdownWithMath(renderer=renderer)
    parser.inline.rules = [rule for rule in parser.inline.rules if "math" not in rule]  # what is left of $ is money
    try:
        text = formulas.put_back(parser.render(text), found)
    except Exception as error:  # a pasted picture that is not there
        raise Refused(cell, error) from None
    return self_contained(text, cell)


def self_contained(text, cell):
    """HTML with its pictures in it. Raises Refused for what a page without a network would miss, and for a dead link."""
    for address in map(html.unescape, re.findall(r'<a\b[^>]*?\bhref="([^"#]+)', text)):
        if not (urlsplit(address).scheme or address.endswith(".html") or PAGE.match(address) or beside(address)):
            raise Refused(cell, f"the link to {address} is dead: no such file is beside the notebook; save it there")
    if not re.search(r"<(img|script|iframe|video|audio|source|link|object|embed)\b", text, re.IGNORECASE):
        return text
    soup = BeautifulSoup(text, "html.parser")
    for node in soup.find_all(True):
        address = node.get("src") or (node.get("href") if node.name == "link" else None) or node.get("data")
        if not address or node.name == "a" or address.startswith(("data:", "#")):
            continue
        path = cells.NOTEBOOKS / unquote(urlsplit(address).path)
        if node.name != "img" or "://" in address or not path.is_file():
            kind = "is not beside the notebook" if "://" not in address else "would be loaded from elsewhere"
            raise Refused(cell, f"{address} {kind}: save it there, as a picture, and name it by its file name")
        kind = mimetypes.guess_type(path.name)[0] or "image/png"
        node["src"] = f"data:{kind};base64,{base64.b64encode(path.read_bytes()).decode()}"
    return str(soup)


def beside(address):
    """The file beside the notebooks to which an address leads, such as a picture or a hand-out, or None."""
    folder, parts = cells.NOTEBOOKS.resolve(), urlsplit(address)
    path = (folder / unquote(parts.path)).resolve()
    known = path.is_relative_to(folder) and path.is_file() and path.suffix not in (".py", ".ipynb")
    return path if known and not parts.scheme else None


@functools.cache
def sliders(networks, first):
    """The explorer as a piece of HTML that computes in the page: recorded runs by name, on `first` and the next images."""
    from .. import data, runs
    from ..explorer import FgsmExplorer

    dataset = data.load(download=False)
    models = {name: runs.load(name, dataset.name).model for name in networks}
    shown = slice(data.ORIGINAL_TEST_IMAGES)
    explorer = FgsmExplorer(
        models if len(models) > 1 else models.popitem()[1], dataset.x_test[shown], dataset.y_test[shown]
    )
    others = [index for index in range(SLIDERS) if index != first][: SLIDERS - 1]
    origin = f"Computed in this page, on {SLIDERS} test images of {dataset.title}."
    return f'{explorer.to_html([first, *others], whole=False)}<p class="origin">{origin}</p>'


def _explorer(cell, output):
    """The sliders of a cell that shows them: the runs that it or its output names, on the image that it begins with."""
    from .. import figures, runs

    known = [path.name for path in sorted((runs.RECORDED / "cifar10").iterdir())]
    about = output.get("metadata", {}).get("fgsm_explorer")
    if about and set(about["networks"]) <= set(known):
        return sliders(tuple(about["networks"]), about["image"])
    named = [name for name in re.findall(r'"([\w-]+)"', cell.source) if name in known]
    start = re.search(r"image\.value = (?:figures\.)?(\w+)", cell.source)
    first = start[1] if start else "RUNNING_IMAGE"
    first = int(first) if first.isdigit() else getattr(figures, first, figures.RUNNING_IMAGE)
    return sliders(tuple(dict.fromkeys(named)) or ("vgg3",), first)


def markdown(text):
    """A notebook of one Markdown cell."""
    return nbformat.v4.new_notebook(cells=[nbformat.v4.new_markdown_cell(text)])


def numbered(book):
    """A notebook whose cells know their numbers, as JupyterLab counts them."""
    for number, cell in enumerate(book.cells, start=1):
        cell.metadata["number"] = number
        cell.metadata["tags"] = sorted(cells.tags(cell))
    return book


def page(book, template, more=(), name="A notebook", **resources):
    """A notebook as one HTML page that loads nothing, parsed; `name` is its title where it has none. Raises Refused."""
    numbered(book) if not all("number" in cell.metadata for cell in book.cells) else None
    for cell in book.cells:
        if cell.cell_type == "code":
            cell.outputs = [shown for output in _with_captions(cell) if (shown := _shown(output, cell, template))]
    exporter = _Exporter(
        template_name=template,
        extra_template_basedirs=[str(TEMPLATES)],
        extra_template_paths=[str(TEMPLATES), *more],
        exclude_input=template == "slides",
        exclude_input_prompt=True,
        exclude_output_prompt=True,
    )
    styles = {theme: HtmlFormatter(style=theme).get_style_defs(".highlight") for theme in ("default", "github-dark")}
    text, _ = exporter.from_notebook_node(book, {"title": cells.opening(book, name)[0], "code": styles, **resources})
    soup = BeautifulSoup(text, "html.parser")
    for link in soup.find_all("a", href=True):
        link["href"] = PAGE.sub(r"\1\2.html", link["href"])
    for heading in soup.find_all(re.compile("^h[1-6]$")):
        heading["id"] = heading.get_text().replace(" ", "-")  # as in JupyterLab, where the glossary leads to it, too
    for table in soup.find_all("table"):
        table.wrap(soup.new_tag("div", attrs={"class": "wide"}))
    for block in soup.select("pre, .wide"):
        block["tabindex"] = "0"  # so that the keyboard can scroll what is wider than the screen
    return soup


def _with_captions(cell):
    """A cell's outputs, each picture with the caption that figures.show puts below it: one figure."""
    outputs = list(cell.outputs)
    while outputs:
        output = outputs.pop(0)
        picture = next((kind for kind in PICTURES if kind in output.get("data", {})), None)
        if not picture:
            yield output
            continue
        told = output.metadata.get(picture, {}).get("alt")
        below = outputs[0].get("data", {}).get("text/markdown") if outputs else None
        captioned = told is not None and below == f"*{html.escape(told, quote=False)}*"
        if captioned:
            outputs.pop(0)
        alt = told or f"Output of cell {cell.metadata['number']}"
        chart = picture == "image/png" and told and "needs_background" not in output.metadata
        yield _html(_figure(output.data[picture], picture, alt, captioned, "chart" if chart else "images"))


def _figure(content, kind, alt, captioned, drawn):
    """A picture with its text alternative, which is shown below it as well where it is a caption.

    A dark theme turns light and dark of what is `drawn` as a "chart" around.
    """
    encoded = base64.b64encode(content.encode()).decode() if kind == "image/svg+xml" else "".join(content.split())
    alt = html.escape(alt)
    # To a screen reader the caption would say the same again.
    caption = f'<figcaption aria-hidden="true">{alt}</figcaption>' if captioned else ""
    return f'<figure class="{drawn}"><img alt="{alt}" src="data:{kind};base64,{encoded}">{caption}</figure>'


def _shown(output, cell, template):
    """An output as it is exported, or None where a deck leaves it out. Raises Refused."""
    kinds = output.get("data")
    if kinds is None:  # printed text, or an error
        return output
    if kinds.get("text/plain") == notebooks.NO_KERNEL or notebooks.WIDGET in kinds:
        if "FgsmExplorer(" in cell.source and "x_test" in cell.source:
            return _html(_explorer(cell, output))
        return None if template == "slides" else _html(f"<p>{notebooks.NO_KERNEL}</p>")
    best = next((kind for kind in SHOWN if kind in kinds), None)
    if best is None:
        raise Refused(cell, f"an output of the kind {', '.join(kinds)} can be shown by Jupyter alone; show a picture")
    text = kinds[best]
    if best in ("text/markdown", "text/latex"):
        return _html(rendered(text, cell))
    return (
        _html(self_contained(text, cell))
        if best == "text/html"
        else nbformat.v4.new_output("display_data", {best: text})
    )


def _html(text):
    return nbformat.v4.new_output("display_data", {"text/html": text})


def write(path, soup):
    """Write a page, and beside it the files to which it links."""
    path.parent.mkdir(parents=True, exist_ok=True)
    for file in filter(None, (beside(link["href"]) for link in soup.find_all("a", href=True))):
        copy = path.parent / file.relative_to(cells.NOTEBOOKS.resolve())
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(file, copy)
    path.write_text(str(soup), encoding="utf-8", newline="\n")
