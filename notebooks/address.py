"""The repository's public address, which stands in pyproject.toml alone, and everything that is made from it.

    python notebooks/address.py

writes it anew into the README and into the notebooks' first cells, which lets them run where only the notebook is.
"""

import re
import tomllib
from pathlib import Path
from urllib.parse import urlsplit

import build
import nbformat

ROOT = Path(__file__).resolve().parents[1]
BRANCH = "main"
START = "01-data"  # what the badges in the README open
COPIED = re.compile(r'(?<=^    repository = ")[^"]+', re.MULTILINE)


def repository(root=ROOT):
    """The address, as pyproject.toml gives it."""
    return tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["project"]["urls"]["Repository"]


def source(address, name):
    """Where GitHub shows a notebook."""
    return f"{address}/blob/{BRANCH}/notebooks/{name}.ipynb"


def colab(address, name):
    """Where Colab opens a notebook."""
    return f"https://colab.research.google.com/github{urlsplit(address).path}/blob/{BRANCH}/notebooks/{name}.ipynb"


def binder(address, name):
    """Where Binder opens a notebook."""
    return f"https://mybinder.org/v2/gh{urlsplit(address).path}/{BRANCH}?urlpath=lab/tree/notebooks/{name}.ipynb"


def badges(address):
    """The README's badges, as Markdown."""
    return (
        f"[![Open in Binder](https://mybinder.org/badge_logo.svg)]({binder(address, START)})\n"
        f"[![Open in Colab](https://colab.research.google.com/assets/colab-badge.svg)]({colab(address, START)})\n"
    )


def renew(root=ROOT):
    """Write the address wherever it is copied to, below `root`."""
    address = repository(root)
    readme = root / "README.md"
    _write(readme, build.with_part(readme.read_text(encoding="utf-8"), "badges", badges(address)))
    for path in sorted((root / "notebooks").glob("[0-9]*.py")):
        _write(path, COPIED.sub(address, path.read_text(encoding="utf-8")))
        book = nbformat.read(path.with_suffix(".ipynb"), 4)
        for cell in book.cells:
            cell.source = COPIED.sub(address, cell.source)
        for cell, name in zip(book.cells, build.identifiers(book.cells), strict=True):
            cell.id = name
        _write(path.with_suffix(".ipynb"), nbformat.writes(book) + "\n")


def _write(path, text):
    path.write_text(text, encoding="utf-8", newline="\n")


if __name__ == "__main__":
    renew()
