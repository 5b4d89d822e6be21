"""reveal.js as its makers publish it: fetched once from npm's registry, checked, and kept in the lecture's cache."""

import base64
import hashlib
import io
import os
import tarfile
import tempfile
from pathlib import Path

import requests

from .. import cache

VERSION = "5.2.1"
ADDRESS = f"https://registry.npmjs.org/reveal.js/-/reveal.js-{VERSION}.tgz"
SHA512 = "r7//6mIM5p34hFiDMvYfXgyjXqGRta+/psd9YtytsgRlrpRzFv4RbH76TXd2qD+7ZPZEbpBDhdRhJaFgfQ7zNQ=="
FILES = ("dist/reveal.css", "dist/reveal.js", "plugin/notes/notes.js")


def folder():
    """The folder that holds FILES. Raises OSError where they are neither kept nor to be had."""
    kept = cache.folder() or Path(tempfile.gettempdir())
    place = kept / f"reveal.js-{VERSION}"
    if not all((place / name).is_file() for name in FILES):
        _fetch(place)
    return place


def _fetch(place):
    try:
        answer = requests.get(ADDRESS, timeout=60)
        answer.raise_for_status()
    except requests.RequestException as error:
        raise OSError(
            f"slides need reveal.js, which is fetched once: {error}; run `make slides` with a network"
        ) from None
    if base64.b64encode(hashlib.sha512(answer.content).digest()).decode() != SHA512:
        raise OSError(f"{ADDRESS} is not the reveal.js {VERSION} that is expected; try another network")
    with tarfile.open(fileobj=io.BytesIO(answer.content)) as archive:
        for name in FILES:
            text = archive.extractfile(f"package/{name}").read()
            (place / name).parent.mkdir(parents=True, exist_ok=True)
            part = place / f"{name}.part-{os.getpid()}"
            part.write_bytes(text)
            os.replace(part, place / name)
