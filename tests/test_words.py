"""The words of the series: the field's terms and no others, each explained before it is used, and the glossary.

A reader who goes on to a paper should meet the words again; CONTRIBUTING.md says more.
"""

import ast
import re
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote

import jupytext
import nbformat
import pytest

from helpers.editions import cells

ROOT = Path(__file__).resolve().parents[1]
NAMES = cells.names()

# Word that no paper uses → the field's. Each is a regular expression, without regard to case.
PROSE = {
    r"pictures?": "image",
    r"photographs?": "image, unless it is one from a camera",
    r"(?:own|network's) answers?|what the network says": "prediction, predicted label",
    r"still right|right under|are right on|is right on|answers? right(?:ly)?": "correct; accuracy; robust accuracy",
    r"surest?": "confident, most confident",
    r"(?:a|the|what|which|same|largest|smallest) shares?|shares? of": "fraction, proportion",
    r"maps?": "feature map",
    r"gaps?": "generalisation gap",
    r"halved?|to half": "downsample",
    r"the box": "ℓ∞ ball",
    r"random signs": "random-sign noise",
}
EVERYWHERE = {
    r"untouched": "clean",
    r"gr[ea]y levels?": "intensity level",
    r"held[- ]out": "validation",
    r"by heart": "memorised",
    r"number formats?": "mixed precision, dtype policy",
    r"settl(?:e|es|ed|ing)": "converge; recalibrate batch normalisation",
    r"six (?:views|answers)": "test-time augmentation",
    r"moved and mirrored": "random translation and horizontal flip",
    r"ways? (?:forward|back)": "forward pass, backward pass",
    r"(?:un)?defended": "adversarially trained; standard",
    r"trainings": "training runs",
    r"reasons? on trial": "ablation study",
    r"smallest fooling": "minimal adversarial ε",
    r"learns? from both": "converges",
    r"shortcuts?": "skip (residual) connection",
    r"attacked (?:pictures?|images?)": "adversarial example",
    r"under your hand|same ink|the judge": "what is meant, without an image of speech",
    r"whoever": "a sentence with its subject named",
}

# Phrases in which such a word is used honestly.
HONEST = {
    "one from a camera": r"(?:your(?: own)?|its|the same|two|a|large|of|with the) photographs?|my_photograph"
    r"|photographs? (?:of|from|as|in|is|has)|photograph,",
    "what a paper calls it": r"shortcut (?:connection|learning)|also: [^)]*",
    "a feature map, or a function": r"feature maps?|activation maps?|maps? (?:names?|an?|each) \w*",
    "the generalisation gap, once it is named": r"generalisation gaps?|(?:a|is) narrow gap|narrow the gap|the gap of each",
    "a number that becomes half": r"images halve it|halves? the interval|half of the|(?:first|second) half",
    "several views, explained beside it": r"six views of (?:an|each test) image",
    "what a screen or a file shows": r"key press to picture|a picture belongs in a file",
    "the verb": r"(?:make|be|made) sure|shares? (?:one|a|its|their) (?:colou?r|scale)",
}


# What is read


def prose(markdown):
    """Markdown without code, formulas, addresses and file names, as one line."""
    text = re.sub(r"```.*?```|\$\$.*?\$\$", " ", markdown, flags=re.DOTALL)
    text = re.sub(r"`[^`\n]*`|\$[^$\n]+\$|\]\([^)]*\)|<[^>]+>|https?://\S+", " ", text)
    return re.sub(r"[*_]{1,2}(?=\S)|(?<=\S)[*_]{1,2}", "", " ".join(text.split()))


def sources():
    """The notebooks' sources, in order: name → notebook."""
    return {name: jupytext.read(cells.NOTEBOOKS / f"{name}.py", fmt="py:percent") for name in NAMES}


def captions(name):
    """The texts under a stored notebook's figures."""
    book = nbformat.read(cells.NOTEBOOKS / f"{name}.ipynb", 4)
    outputs = (output for cell in book.cells for output in cell.get("outputs", ()))
    return [output.metadata["image/png"].get("alt", "") for output in outputs if "image/png" in output.get("data", {})]


def docstrings(path):
    """The docstrings of a module and of what it defines."""
    nodes = ast.walk(ast.parse(path.read_text(encoding="utf-8")))
    kinds = (ast.Module, ast.ClassDef, ast.FunctionDef)
    return [text for node in nodes if isinstance(node, kinds) and (text := ast.get_docstring(node))]


def found(texts, terms):
    """Which of `terms` occur in `texts`: (term, what to say, the words around it)."""
    honest = re.compile("|".join(HONEST.values()), re.IGNORECASE)
    cleaned = [honest.sub(" … ", prose(text)) for text in texts]
    return [
        (match[0], better, text[max(0, match.start() - 30) : match.end() + 30])
        for text in cleaned
        for term, better in terms.items()
        for match in re.finditer(rf"\b(?:{term})\b", text, re.IGNORECASE)
    ]


@pytest.mark.parametrize("name", NAMES)
def test_notebooks_use_the_fields_words(name):
    book = sources()[name]
    texts = [cell.source for cell in book.cells if cell.cell_type == "markdown"]
    assert found([*texts, *captions(name)], PROSE | EVERYWHERE) == []


@pytest.mark.parametrize("path", ["README.md", "notebooks/glossary.md", "CONTRIBUTING.md"])
def test_documents_use_the_fields_words(path):
    if not (ROOT / path).exists():
        pytest.skip("there is none yet")
    assert found([(ROOT / path).read_text(encoding="utf-8")], PROSE | EVERYWHERE) == []


MODULES = sorted((ROOT / "helpers").rglob("*.py"))


@pytest.mark.parametrize("path", MODULES, ids=[str(path.relative_to(ROOT)) for path in MODULES])
def test_docstrings_use_the_fields_words(path):
    assert found(docstrings(path), EVERYWHERE) == []


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("An untouched picture has a grey level.", 3),
        ("Its *shares* of the held-out images: the share", 3),
        ("Take your own photograph; make sure the feature map is in `maps`, and see the generalisation gap.", 0),
        ("the gap, a map and the surest answer", 3),
    ],
)
def test_words_that_no_paper_uses_are_noticed(text, count):
    assert len(found([text], PROSE | EVERYWHERE)) == count


# The glossary


@dataclass(frozen=True)
class Section:
    """The prose under one heading of a notebook, in one of its parts; the first cell's aims look ahead."""

    notebook: str
    heading: str
    part: str
    text: str
    code: str
    opening: bool


@dataclass(frozen=True)
class Entry:
    term: str
    synonyms: tuple
    notebook: str
    heading: str
    part: str


# What the assignment asks is said in its own words; the explanation follows where the series answers it.
ANNOUNCED = ("01-data", "The assignment"), ("Skip connection", "Max pooling", "Convolution")


def sections(books):
    """All sections in the order of teaching: the core of all notebooks first, because a lecture shows nothing else."""
    found = []
    for name, book in books.items():
        heading = None
        for place, cell in enumerate(book.cells):
            if cells.has(cell, "notes"):
                continue
            title = re.match(r"#+ (.+)", cell.source) if cell.cell_type == "markdown" else None
            heading = title[1] if title else heading
            text, code = (cell.source, "") if cell.cell_type == "markdown" else ("", cell.source)
            found.append(Section(name, heading, cells.part(cell), text, code, place == 0))
    return sorted(found, key=lambda section: section.part != "core")


def forms(term):
    """How a term appears in a sentence: plurals, hyphens or spaces, the verb of a noun, with or without what it is of."""
    names = {term} | SPELLINGS.get(term, set())
    longer = "" if " " in term else r"(?![\s-]+(?:normalisation|gap))"  # a batch is not batch normalisation
    return re.compile(
        "|".join(
            r"(?<![\w-])" + r"[\s-]+".join(map(re.escape, re.split(r"[\s-]", name))) + r"(?:s|es)?(?!\w)" + longer
            for name in names
        ),
        re.IGNORECASE,
    )


SPELLINGS = {
    "Adaptive attack": {"adaptive"},
    "Balanced classes": {"balanced"},
    "Calibration": {"calibrated"},
    "Downsampling": {"downsample"},
    "FGSM": {"Fast Gradient Sign Method"},
    "Paired comparison": {"paired"},
    "Precision of a class": {"precision and recall"},
    "Recall of a class": {"precision and recall"},
    "PGD": {"projected gradient descent"},
    "Skip connection": {"skip (residual) connection", "residual connection"},
    "Strided convolution": {"stride 2"},
    "Transferability": {"transfer"},
    "Untargeted attack": {"untargeted"},
    "Whitening": {"whiten"},
}


def first_use(term, everything):
    """The section in which a term first occurs, aims and what the assignment announces left out."""
    pattern, ((notebook, heading), announced) = forms(term), ANNOUNCED
    for section in everything:
        ahead = term in announced and (section.notebook, section.heading) == (notebook, heading)
        if not section.opening and not ahead and pattern.search(prose(section.text)):
            return section
    return None


def entries(glossary):
    """The entries of the glossary's last part."""
    pattern = r"- \*\*(.+?)\*\*(?: \(also: (.+?)\))?: .+? \[(\d\d) · .+?\]\(([\w-]+)\.ipynb#(\S+?)\)(?: \((\w+)\))?$"
    found = []
    for line in re.sub(r"\n  ", " ", glossary.split("## Glossary")[1]).splitlines():
        if line.startswith("- "):
            match = re.match(pattern, line)
            assert match, f"not an entry: {line}"
            term, synonyms, _, notebook, anchor, part = match.groups()
            part = {"exercise": "homework", None: "core"}.get(part, part)
            heading = unquote(anchor).replace("-", " ")
            found.append(Entry(term, tuple((synonyms or "").split(", ")), notebook, heading, part))
    return found


@pytest.fixture(scope="module")
def glossary():
    return entries((cells.NOTEBOOKS / "glossary.md").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def everything():
    return sections(sources())


def misplaced(entry, everything):
    """What is wrong with where an entry leads: there is no such section, another one uses the term before."""
    there = [s for s in everything if s.notebook == entry.notebook and same(s.heading, entry.heading)]
    if not there:
        return f"{entry.term}: {entry.notebook} has no section {entry.heading!r}"
    if not any(forms(entry.term).search(prose(section.text) + section.code) for section in there):
        return f"{entry.term}: not in the section {entry.heading!r} of {entry.notebook}"
    if {section.part for section in there} != {entry.part}:
        return f"{entry.term}: the glossary says {entry.part}, the section {entry.heading!r} is not"
    first = first_use(entry.term, everything)
    if first and everything.index(first) < everything.index(there[0]):
        return f"{entry.term}: explained in {entry.notebook}, {entry.heading!r}, used before in {first.notebook}, " + (
            f"{first.heading!r}"
        )
    return None


def same(heading, other):
    """Headings as an address keeps them: it turns spaces into hyphens."""
    return heading is not None and heading.replace("-", " ") == other


@pytest.mark.parametrize("name", NAMES)
def test_terms_are_explained_where_they_first_occur(name, glossary, everything):
    """So no core cell uses a term that only an optional cell introduces: all core cells come first."""
    wrong = [misplaced(entry, everything) for entry in glossary if entry.notebook == name]
    assert [complaint for complaint in wrong if complaint] == []


def test_the_glossary_is_in_order_and_names_each_term_once(glossary):
    terms = [entry.term.replace("ℓ", "l").lower() for entry in glossary]
    assert terms == sorted(set(terms)) and len(terms) > 60


NEEDED = {
    *("validation set", "generalisation", "regularisation", "early stopping", "weight decay", "backpropagation"),
    *("test-time augmentation", "mixed precision", "attack success rate", "black box", "surrogate model"),
    *("adaptive attack", "expected calibration error", "reliability diagram", "evasion attack", "capacity"),
}


def test_the_glossary_has_the_words_that_papers_use(glossary):
    assert NEEDED - {entry.term.lower() for entry in glossary} == set()


SAMPLE = [
    Section("01-data", "Start", "core", "A **batch** of images", "", False),
    Section("02-architecture", "Later", "core", "An epoch is long.", "", False),
    Section("01-data", "More", "optional", "One **epoch**, and whitening", "", False),
]


@pytest.mark.parametrize(
    ("entry", "wrong"),
    [
        (Entry("Batch", (), "01-data", "Start", "core"), None),
        (Entry("Epoch", (), "01-data", "More", "optional"), "used before in 02-architecture"),
        (Entry("Batch", (), "01-data", "Start", "optional"), "the glossary says optional"),
        (Entry("Batch", (), "02-architecture", "Later", "core"), "not in the section"),
        (Entry("Batch", (), "02-architecture", "Never", "core"), "no section"),
        (Entry("Whitening", (), "01-data", "More", "optional"), None),
    ],
)
def test_a_term_in_the_wrong_place_is_noticed(entry, wrong):
    complaint = misplaced(entry, SAMPLE)
    assert complaint is None if wrong is None else wrong in complaint


# Symbols


def test_each_symbol_is_used_where_its_row_says():
    table = (cells.NOTEBOOKS / "glossary.md").read_text(encoding="utf-8").split("## Symbols")[1].split("## Glossary")[0]
    rows = re.findall(r"^\| (?!symbol|---)(.+?) \| .+? \| \[.+?\]\(([\w-]+)\.ipynb\) \|$", table, re.MULTILINE)
    assert len(rows) == 17
    latex = {r"\varepsilon": "ε", r"\delta": "δ", r"\nabla": "∇", r"\eta": "η", r"\mu": "μ", r"\sqrt": "√"}
    latex |= {r"\lVert": "‖", r"\rVert_\infty": "‖∞", r"\rVert": "‖", r"\operatorname{sign}": "sign"}
    for symbol, name in rows:
        text = "\n".join(cell.source for cell in sources()[name].cells if cell.cell_type == "markdown")
        for command, character in latex.items():
            text = text.replace(command, character)
        assert re.search(rf"(?<![^\W_]){re.escape(symbol)}(?![^\W_]{{2}})", text), (symbol, name)
