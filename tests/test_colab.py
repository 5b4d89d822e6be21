"""The lecture as on Colab: its versions, its way to fetch this repository, and what it cannot do.

Colab itself cannot be tested from here, so an environment of .github/colab.txt stands in for it.

    pytest -m long --timeout=0 tests/test_colab.py

takes a few minutes and needs python3.13, or the Python that COLAB_PYTHON names. COLAB_ENV keeps the environment.
"""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
import test_browser
from nbclient import NotebookClient
from playwright.sync_api import expect

from helpers.editions import address

ROOT = Path(__file__).resolve().parents[1]
VERSIONS = ROOT / ".github" / "colab.txt"
NOTEBOOKS = sorted((ROOT / "notebooks").glob("[0-9]*.ipynb"))
# Colab has these too, and the list does not say in which version.
ALSO = ("matplotlib", "scipy", "pillow", "requests", "tqdm", "psutil", "packaging", "joblib")
# What Colab has and PyPI has not, as far as the notebooks use it.
COLAB = (
    "import sys, types; output = types.ModuleType('google.colab.output'); output.enable_custom_widget_manager = int; "
)
COLAB += "sys.modules.update({'google.colab': types.ModuleType('google.colab'), output.__name__: output})"

# A photograph, as the upload of ipywidgets 7 hands it over: in a dictionary by file name.
UPLOAD = """import io
from PIL import Image
Image.fromarray(dataset.x_test[8]).save(file := io.BytesIO(), "png")
upload.set_trait("value", {"my cat.png": {"metadata": {"name": "my cat.png"}, "content": file.getvalue()}})"""

browser, page = test_browser.browser, test_browser.page
pytestmark = [pytest.mark.long, pytest.mark.skipif(sys.platform == "win32", reason="Colab is Linux")]


@pytest.fixture(scope="module")
def colab(tmp_path_factory):
    """The Python of an environment as Colab has it, with this repository installed by the notebooks' first cell."""
    folder = Path(os.environ.get("COLAB_ENV") or tmp_path_factory.mktemp("colab"))
    python, make = folder / "bin" / "python", os.environ.get("COLAB_PYTHON") or shutil.which("python3.13")
    assert make, "Colab has Python 3.13: install it, or name another one in COLAB_PYTHON"
    subprocess.run([make, "-m", "venv", "--clear", folder], check=True)
    pip = [python, "-m", "pip", "--disable-pip-version-check", "-q"]
    subprocess.run([*pip, "install", "-c", VERSIONS, "-r", VERSIONS, *ALSO], check=True)
    before = _versions(pip)
    # The line of the cell, without its %.
    line = re.search(r'%pip install -q "(.*)"', address.colab_cell(ROOT.as_uri()).source)[1]
    subprocess.run([*pip, "install", line], check=True)
    after = _versions(pip)
    changed = {name: (version, after[name]) for name, version in before.items() if after[name] != version}
    assert not changed, "the first cell must not change what Colab has"
    subprocess.run([*pip, "check"], check=True)
    return python


def _versions(pip):
    lines = subprocess.run([*pip, "list", "--format=freeze"], check=True, capture_output=True, text=True).stdout
    return dict(line.split("==") for line in lines.split())


@pytest.fixture(scope="module")
def run(colab, tmp_path_factory):
    """Runs a notebook alone in an empty folder, as Colab does; gives it back with its outputs."""
    done, folder = {}, tmp_path_factory.mktemp("content")
    spec = folder / "kernels" / "colab"
    spec.mkdir(parents=True)
    command = [str(colab), "-m", "ipykernel_launcher", "-f", "{connection_file}"]
    (spec / "kernel.json").write_text(json.dumps({"argv": command, "display_name": "Colab", "language": "python"}))

    def run(path):
        if path.stem not in done:
            book = nbformat.read(path, 4)
            book.cells.insert(0, nbformat.v4.new_code_cell(COLAB))
            for place in [i for i, cell in enumerate(book.cells, start=1) if "ipywidgets.FileUpload(" in cell.source]:
                book.cells.insert(place, nbformat.v4.new_code_cell(UPLOAD))
            client = NotebookClient(book, timeout=900, resources={"metadata": {"path": str(folder)}})
            client.create_kernel_manager().kernel_spec_manager.kernel_dirs.insert(0, str(spec.parent))
            client.km.kernel_name = "colab"
            done[path.stem] = client.execute()
        return done[path.stem]

    return run


@pytest.fixture
def alone(monkeypatch):
    """Neither this folder nor its settings reach the kernel."""
    for name in ("PYTHONPATH", "PYTHONHOME"):
        monkeypatch.delenv(name, raising=False)


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_every_notebook_runs(path, run, alone):
    said = "".join(out.text for out in outputs(run(path)) if out.output_type == "stream")
    assert "Traceback" not in said and "pip install" not in said
    assert path.stem != "05-fgsm" or "my cat.png: FGSM needs" in said


def outputs(book):
    return [out for cell in book.cells if cell.cell_type == "code" for out in cell.outputs]


@pytest.mark.skipif(not test_browser.CHROMIUM, reason="no chromium found")
def test_the_explorer_moves_and_reveals(run, alone, page, tmp_path):
    """Colab shows the HTML of an output in a frame of its own."""
    book = run(next(path for path in NOTEBOOKS if path.stem == "05-fgsm"))
    shown = next(out.data["text/html"] for out in outputs(book) if "fgsm_explorer" in out.get("metadata", {}))
    (tmp_path / "frame.html").write_text(f"<!DOCTYPE html><html><body>{shown}</body></html>", encoding="utf-8")
    asked = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto((tmp_path / "frame.html").as_uri())
    epsilon, image = test_browser.sliders_of(page)
    verdict, caption = page.locator(".fgsm .verdict"), page.locator(".fgsm figcaption").first
    clean = test_browser.settled(page, 0)
    expect(verdict).to_contain_text("not fooled")
    for _ in range(16):
        epsilon.press("ArrowRight")
    assert test_browser.settled(page, 16) != clean
    expect(verdict).to_contain_text("✗ fooled: ")
    before = caption.inner_text()
    image.press("ArrowRight")
    expect(caption).not_to_have_text(before)
    assert all(url.startswith(("file:", "blob:", "data:")) for url in asked)
