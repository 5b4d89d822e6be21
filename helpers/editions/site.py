"""The site: all notebooks as pages to read at home or on a phone."""

import base64
import hashlib

from . import address, cells
from .pages import markdown, page, sliders
from .pages import write as write_page

POLICY = (
    "default-src 'none'; base-uri 'none'; form-action 'none'; img-src data:; style-src 'unsafe-inline'; "
    "worker-src blob:; script-src "
)


def write(folder, books):
    """The hand-out: an index, one page a notebook, and the glossary, each with ways to the others."""
    where, explorer, names = address.repository(), sliders(), list(books)
    pages = {
        "index": markdown(_index(books)),
        **books,
        "glossary": markdown((cells.NOTEBOOKS / "glossary.md").read_text()),
    }
    for name, book in pages.items():
        ways = [("index", "All notebooks"), ("glossary", "Symbols and glossary")]
        elsewhere = [(where, "The repository")] if where else []
        if name in books:
            place = names.index(name)
            ways += [(names[place - 1], "Previous: " + names[place - 1])] if place else []
            ways += [(other, "Next: " + other) for other in names[place + 1 : place + 2]]
            links = (("GitHub", address.source), ("Binder", address.binder), ("Colab", address.colab))
            elsewhere = [(link(where, name), f"This notebook on {site}") for site, link in links if where]
        ways = " ".join(f'<a href="{other}.html">{text}</a>' for other, text in ways if other != name)
        elsewhere = " · ".join(f'<a href="{link}">{text}</a>' for link, text in elsewhere)
        write_page(folder / f"{name}.html", _locked(page(book, "site", explorer, ways=ways, elsewhere=elsewhere)))


def _index(books):
    """The index, as Markdown: the notebooks with their questions."""
    heading = (cells.NOTEBOOKS.parent / "README.md").read_text(encoding="utf-8").splitlines()[0]
    about = (
        "The notebooks of one lecture, with everything that they print and draw. No page needs a network. Solutions and "
        "the speaker's notes unfold on a click. The sliders of [05-fgsm](05-fgsm.html) work here, too."
    )
    lines = [heading, about, "## The notebooks"]
    for name, book in books.items():
        title, question = cells.opening(book)
        lines.append(f"**[{title}]({name}.html)**  \n{question[0].upper()}{question[1:]}")
    lines += ["## Beside the notebooks", "[What you need, symbols, and a glossary](glossary.html)"]
    return "\n\n".join(lines)


def _locked(soup):
    """The page with a policy under which it runs the scripts that are in it, and neither runs nor loads any other."""
    digests = [hashlib.sha256(script.string.encode()).digest() for script in soup.find_all("script")]
    sources = " ".join(f"'sha256-{base64.b64encode(digest).decode()}'" for digest in digests) or "'none'"
    policy = soup.new_tag("meta", attrs={"http-equiv": "Content-Security-Policy", "content": POLICY + sources})
    soup.head.meta.insert_after(policy)
    return soup
