"""The site: all notebooks as pages to read at home or on a phone, and the same once more for teachers.

Students' pages fold each answer under its bet and leave solutions and speaker notes out. The teachers' pages, in the
folder `teachers`, have everything; no page of the students leads there.
"""

import base64
import copy
import hashlib

from . import address, attack, cells
from .pages import Refused, markdown, numbered, page
from .pages import write as write_page

POLICY = (
    "default-src 'none'; base-uri 'none'; form-action 'none'; img-src data:; style-src 'unsafe-inline'; "
    "worker-src blob:; script-src "
)
TEACHERS = "teachers"
ATTACKING = ("05-fgsm", "06-defence")  # their pages lead to attack.html, as the index does


def write(folder, books):
    """Write the pages of the students into `folder`, and those of the teachers into a folder in it."""
    _write_all(folder, {name: for_students(copy.deepcopy(book)) for name, book in books.items()})
    attack.write(folder)
    _write_all(folder / TEACHERS, {name: folded(numbered(copy.deepcopy(book))) for name, book in books.items()}, "../")


def for_students(book):
    """A notebook without solutions and speaker notes, and without what a self-check says of the solution."""
    book = numbered(book)
    book.cells = [
        cell
        for cell in book.cells
        if not cells.has(cell, "notes") and not cells.solves(cell) and not address.is_for_colab(cell)
    ]
    for cell in book.cells:
        if cells.has(cell, "check") and cell.cell_type == "code":
            cell.outputs = []
        if cell.cell_type == "markdown":
            cell.source = cells.without(cell.source, cells.NOTES + cells.SOLUTIONS)
    return folded(book)


def folded(book):
    """A notebook whose bets can be played: their own code is left out, and each answer is folded under its question.

    So is a check of the answer right after it, which shows nothing but would give it away.
    """
    book.cells = [cell for cell in book.cells if not (cells.has(cell, "bet") and cell.cell_type == "code")]
    reveals = []
    for cell in book.cells:
        checks = cell.cell_type == "code" and not cell.outputs and cells.part(cell) == "core"
        reveals.append(cells.has(cell, "reveal") or (checks and reveals[-1:] == [True]))
    for cell, before, here, after in zip(book.cells, [False, *reveals], reveals, [*reveals[1:], False]):
        cell.metadata["opens"] = here and not before
        cell.metadata["closes"] = here and not after
    return book


def _write_all(folder, books, ways_up=""):
    """An index, one page a notebook, and the glossary, each with ways to the others."""
    where, names = address.repository(), list(books)
    pages = {"index": markdown(_index(books, ways_up)), **books}
    pages["glossary"] = markdown((cells.NOTEBOOKS / "glossary.md").read_text(encoding="utf-8"))
    if ways_up:  # the teachers' folder
        pages["exam"] = markdown((cells.ROOT / "helpers" / "editions" / "exam.md").read_text(encoding="utf-8"))
    for name, book in pages.items():
        ways = [("index", "All notebooks"), ("glossary", "Symbols and glossary")]
        if name in ATTACKING:
            ways.append((f"{ways_up}{attack.NAME.removesuffix('.html')}", "Attack a photograph of your own"))
        elsewhere = [(where, "The repository")] if where else []
        if name in books:
            place = names.index(name)
            ways += [(names[place - 1], "Previous: " + names[place - 1])] if place else []
            ways += [(other, "Next: " + other) for other in names[place + 1 : place + 2]]
            links = (("GitHub", address.source), ("Binder", address.binder), ("Colab", address.colab))
            links = links if address.on_github(where) else ()
            elsewhere = [(link(where, name), f"This notebook on {site}") for site, link in links]
        ways = " ".join(f'<a href="{other}.html">{text}</a>' for other, text in ways if other != name)
        elsewhere = " · ".join(f'<a href="{link}">{text}</a>' for link, text in elsewhere)
        try:
            made = page(book, "site", name=name, ways=ways, elsewhere=elsewhere)
        except Refused as error:
            raise ValueError(f"{name}, {error}") from None
        write_page(folder / f"{name}.html", _locked(made))
    for path in folder.glob("[0-9][0-9]-*.html"):
        if path.stem not in books:  # of a notebook that is gone
            path.unlink()


def _index(books, where):
    """The index, as Markdown: the notebooks with their questions, and the way to the attack page."""
    heading = (cells.ROOT / "README.md").read_text(encoding="utf-8").splitlines()[0]
    about = (
        "The notebooks of one lecture, with everything that they print and draw. No page needs a network, and the sliders "
        "compute in the page. Answers are folded under their questions, so bet first."
    )
    lines = [heading, about, "## The notebooks"]
    for name, book in books.items():
        title, question = cells.opening(book, name)
        lines.append(f"**[{title}]({name}.html)**  \n{question[:1].upper()}{question[1:]}")
    lines += ["## Further pages", f"[Attack an image, or a photograph of your own]({where}{attack.NAME})"]
    lines += ["[What you need, symbols, and a glossary](glossary.html)"]
    if where:  # the teachers' index
        lines += ["[Exam questions, with answers](exam.html)", "## For the class's phones", attack.qr_code()]
    return "\n\n".join(lines)


def _locked(soup):
    """The page with a policy under which it runs the scripts that are in it, and neither runs nor loads any other."""
    digests = [hashlib.sha256((script.string or "").encode()).digest() for script in soup.find_all("script")]
    sources = " ".join(f"'sha256-{base64.b64encode(digest).decode()}'" for digest in digests) or "'none'"
    policy = soup.new_tag("meta", attrs={"http-equiv": "Content-Security-Policy", "content": POLICY + sources})
    soup.head.meta.insert_after(policy)
    return soup
