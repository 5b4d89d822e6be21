"""The repository's public address, which is written in pyproject.toml alone, and everything that is made from it.

Without an address there are no badges, no links to other services and no cell for Colab: no door leads nowhere.
"""

import re
import tomllib
from urllib.parse import urlencode, urlsplit

import nbformat

from . import cells
from .parts import with_part

BRANCH = "main"
START = "01-data"  # what the badges in the README open
HEAD = '# %% tags=["core", "setup"] slideshow={"slide_type": "skip"}\n'
COLAB = """# Colab has this notebook alone: fetch the rest.
import sys

if "google.colab" in sys.modules:
    # %pip install -q "cnn-fgsm-lecture[colab] @ git+{address}"
"""


def repository(root=cells.ROOT):
    """The address that pyproject.toml gives, without a / or .git at its end, or None."""
    project = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    given = project.get("urls", {}).get("Repository")
    return given.strip().rstrip("/").removesuffix(".git") if given else None


def on_github(address):
    """Whether there is an address, and GitHub's, which Colab and the links to Binder need."""
    return bool(address) and urlsplit(address).hostname in ("github.com", "www.github.com")


def source(address, name):
    """Where GitHub shows a notebook."""
    return f"{address}/blob/{BRANCH}/notebooks/{name}.ipynb"


def colab(address, name):
    """Where Colab opens a notebook."""
    return f"https://colab.research.google.com/github{urlsplit(address).path}/blob/{BRANCH}/notebooks/{name}.ipynb"


def binder(address, name):
    """Where Binder opens a notebook."""
    return f"https://mybinder.org/v2/gh{urlsplit(address).path}/{BRANCH}?urlpath=lab/tree/notebooks/{name}.ipynb"


def hub(address, name):
    """What follows a JupyterHub's own address, where nbgitpuller is installed, to open a notebook there."""
    folder = urlsplit(address).path.rsplit("/", 1)[-1]
    asked = {"repo": address, "branch": BRANCH, "urlpath": f"lab/tree/{folder}/notebooks/{name}.ipynb"}
    return "/hub/user-redirect/git-pull?" + urlencode(asked)


def for_hubs(address):
    """HUB.md's part on nbgitpuller, as Markdown; nothing without an address."""
    if address is None:
        return ""
    return (
        "The notebooks themselves, solutions included, come by a link: your hub's address, followed by\n\n"
        f"```\n{hub(address, START)}\n```\n\n"
        "[nbgitpuller](https://nbgitpuller.readthedocs.io) then copies this repository into the student's folder, keeps what\n"
        "the student changed when it is opened again, and opens the first notebook.\n"
    )


def cited(text, address):
    """CITATION.cff with the address; without it where there is none."""
    text = re.sub(r"^repository-code: .*\n", "", text, flags=re.MULTILINE)
    return (
        text if address is None else text.replace("type: software\n", f"type: software\nrepository-code: {address}\n")
    )


def badges(address):
    """The README's badges, as Markdown; nothing without an address on GitHub."""
    if not on_github(address):
        return ""
    return (
        f"[![Open in Binder](https://mybinder.org/badge_logo.svg)]({binder(address, START)})\n"
        f"[![Open in Colab](https://colab.research.google.com/assets/colab-badge.svg)]({colab(address, START)})\n"
    )


def for_colab(source, address):
    """A notebook's .py with the cell that Colab needs before the first code cell; without it where there is no address."""
    cell = HEAD + COLAB
    before, after = cell.split("{address}")
    source = re.sub(re.escape(before) + '[^"]*' + re.escape(after) + "\n", "", source)
    if address is None:
        return source
    opening, rest = source.split("\n# %% tags", 1)
    return f"{opening}\n{before}{address}{after}\n# %% tags{rest}"


def colab_cell(address):
    """The cell that Colab needs, as in a notebook."""
    metadata = {"tags": ["core", "setup"], "slideshow": {"slide_type": "skip"}}
    return nbformat.v4.new_code_cell(COLAB.format(address=address).replace("# %pip", "%pip").strip(), metadata=metadata)


def is_for_colab(cell):
    """Whether a cell is the one that `for_colab` puts in."""
    return cell.source.startswith(COLAB.splitlines()[0])


def renew(root=cells.ROOT):
    """Write the address wherever it is copied to, below `root`: README, HUB, CITATION, and the notebooks' first cells."""
    address = repository(root)
    for name, part, text in (("README.md", "badges", badges(address)), ("HUB.md", "nbgitpuller", for_hubs(address))):
        _write(root / name, with_part((root / name).read_text(encoding="utf-8"), part, text))
    citation = root / "CITATION.cff"
    _write(citation, cited(citation.read_text(encoding="utf-8"), address))
    for path in sorted((root / "notebooks").glob("[0-9]*.py")):
        kept = {cell.id: cell for cell in nbformat.read(path.with_suffix(".ipynb"), 4).cells}
        _write(path, for_colab(path.read_text(encoding="utf-8"), address))
        book = cells.read(path)
        book.cells = [kept.get(cell.id, cell) for cell in book.cells]
        # The counts are those of one run, of which the new cell is the first.
        for count, cell in enumerate((cell for cell in book.cells if cell.cell_type == "code"), start=1):
            cell.execution_count = count
        cells.save(book, path.with_suffix(".ipynb"))


def _write(path, text):
    path.write_text(text, encoding="utf-8", newline="\n")
