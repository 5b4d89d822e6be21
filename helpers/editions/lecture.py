"""The lecture edition: what is projected, in a folder of its own, and a JupyterLab set up for a projector."""

import copy
import json
import os
import shutil
import subprocess
import sys

import nbformat

from . import address, cells
from .schedule import SECTIONS

PRIVATE = ".lab"  # inside the folder: settings of this server alone
APPENDIX = {
    "optional": "# Appendix: optional cells\n\nThe lecture ends above. Run its cells before you run these.",
    "homework": "# Appendix: homework\n\nThe exercises, with their solutions folded.",
}
# Read from the last row at 1280×720; a wider screen has room for larger figures.
SETTINGS = {
    "apputils-extension/themes": {
        "overrides": {"code-font-size": "16px", "content-font-size1": "19px", "ui-font-size1": "14px"}
    },
    "apputils-extension/notification": {"fetchNews": "false", "checkForUpdates": False, "doNotDisturbMode": True},
    "statusbar-extension/plugin": {"visible": False},
    "notebook-extension/tracker": {
        "windowingMode": "none",  # nothing jumps while outputs arrive
        "codeCellConfig": {"lineWrap": True},  # a long line would be cut off at the side
    },
}
# Shift+Enter brings the next cell to the middle of the screen before an output arrives, which then grows upwards and
# leaves it. Below what is tall, the next cell therefore reaches up, unseen, so that its words come to stand lower.
# JupyterLab tells a tall cell by its class, which otherwise stands for an output in a small window of its own.
STYLE = """.jp-RenderedImage img { width: min(100%, 82vw); max-height: calc(100vh - 18rem); object-fit: contain;
  object-position: left; }
.jp-CodeCell.jp-mod-outputsScrolled .jp-Cell-outputArea { max-height: none !important; overflow-y: visible !important;
  margin-left: 0 !important; resize: none !important; }
.jp-CodeCell.jp-mod-outputsScrolled .jp-Cell-outputArea::after { display: none !important; }
.jp-CodeCell.jp-mod-outputsScrolled + .jp-Cell.jp-mod-active { margin-top: -80vh; padding-top: calc(80vh + 5px);
  pointer-events: none; border-color: transparent !important; outline: none !important; box-shadow: none !important; }
.jp-CodeCell.jp-mod-outputsScrolled + .jp-Cell.jp-mod-active > * { pointer-events: auto; }
.jp-RenderedMarkdown { max-width: 72rem; }
body .jp-RenderedMarkdown h2 { font-size: 1.6em; margin: 0.3em 0; }
body .jp-RenderedMarkdown table { font-size: 17px; margin-left: 0; }
body .jp-RenderedMarkdown pre, body .jp-RenderedMarkdown pre code { font-size: 15px; line-height: 1.25; }
.jp-OutputArea .jp-RenderedMarkdown p > em:only-child { font-size: 16px; line-height: 1.4; display: block; }
.jp-cell-toolbar { display: none; }
.jp-InputPrompt, .jp-OutputPrompt { min-width: 2.5rem; }
[data-jp-theme-light="false"] .jp-RenderedImage img { filter: invert(0.93) hue-rotate(180deg); }
[data-jp-theme-light="false"] .jp-RenderedImage img.jp-needs-light-background { filter: brightness(0.85); }
"""
# What shows buttons that nobody needs in a hall, where it is installed.
DISABLED = (
    "@jupyterlab/cell-toolbar-extension",
    "@jupyterlab/debugger-extension",
    "@jupyter-notebook/lab-extension",
    "@jupyter/nbgrader",
)
LINES_OF_A_FIGURE = 10
# Run by each kernel of this server before its first cell, while the lecturer reads out the title.
STARTUP = """import helpers.backend  # starts TensorFlow

del helpers
"""
# What the next notebooks read, read once in the background: the data set is then in its cache, the list of fonts is
# made, and the files of libraries and records are in the memory of the system.
WARM_UP = """from helpers import data, figures, runs

dataset = data.load(download=False)
dataset.digest(), figures.new_figure(), runs.load("vgg3", dataset.name)
for path in (runs.RECORDED / dataset.name).rglob("*.*"):
    path.read_bytes()
"""


def edition(book):
    """A notebook for the projector: the core, its recap last, then what is optional, then the homework.

    Outputs, speaker notes and the cell for Colab are taken out. Folded are set-up cells, solutions, what answers a bet,
    whose code might give it away, what only draws, and what shows nothing. An answer that takes several cells is one step.
    """
    parts = {name: [] for name in cells.PARTS}
    for cell in _joined(book.cells):
        if not cells.has(cell, "notes") and not address.is_for_colab(cell):
            parts[cells.part(cell)].append(_bare(cell))
    result = nbformat.v4.new_notebook(metadata=book.metadata)
    result.cells = parts["core"]
    for name, heading in APPENDIX.items():
        if parts[name]:
            result.cells += [nbformat.v4.new_markdown_cell(heading, metadata={"tags": [name]}), *parts[name]]
    for cell, name in zip(result.cells, cells.identifiers(result.cells), strict=True):
        cell.id = name
    return result


def _joined(every):
    """The cells; those that answer a bet and show nothing are put into the next one, which shows the answer."""
    result, silent = [], []
    for cell in every:
        answers = cell.cell_type == "code" and cells.has(cell, "reveal")
        if answers and not cell.outputs:
            silent.append(cell)
            continue
        if answers and silent:
            cell = copy.deepcopy(cell)
            cell.source = "\n\n\n".join(one.source for one in [*silent, cell])
        else:
            result += silent
        result.append(cell)
        silent = []
    return result + silent


def _bare(cell):
    """A copy of a cell without outputs and notes; folded where a class need not read its code."""
    folded, tall = (cell.cell_type == "code" and what(cell) for what in (_is_folded, _is_tall))
    cell = cells.without_outputs(cell)
    if folded:
        cell.metadata.jupyter = {"source_hidden": True}
    if tall:
        cell.metadata.scrolled = True
    return cell


def _is_tall(cell):
    """Whether its output is about as high as a figure: a figure, sliders, a long listing or table."""
    kinds = [output.get("data", {}) for output in cell.outputs]
    lines = max((found.get("text/markdown", "").count("\n") for found in kinds), default=0)
    return "FgsmExplorer(" in cell.source or any("image/png" in found for found in kinds) or lines > LINES_OF_A_FIGURE


def _is_folded(cell):
    if cells.part(cell) != "core" or cells.has(cell, "setup", "solution", "reveal", "bet"):
        return cells.has(cell, "setup", "solution", "reveal")
    draws = "figures.show(" in cell.source and "def " not in cell.source
    return draws or not cell.outputs


def write(folder, books):
    """Write the edition of all notebooks, what stands beside them, and the settings of its JupyterLab."""
    made = {name: edition(book) for name, book in books.items()}
    for name, book in made.items():
        cells.save(book, folder / f"{name}.ipynb")
    cells.copy_beside(folder, made.values())
    private = folder / PRIVATE
    for name, values in SETTINGS.items():
        path = private / "settings" / "@jupyterlab" / f"{name}.jupyterlab-settings"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(values, indent=2), encoding="utf-8")
    disabled = json.dumps({"disabledExtensions": dict.fromkeys(DISABLED, True)}, indent=2)
    for place, text in (
        ("config/labconfig/page_config.json", disabled),
        ("config/custom/custom.css", STYLE),
        ("ipython/profile_default/startup/00-warm.py", STARTUP),
    ):
        path = private / place
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")


def server(folder, *options):
    """The command and the environment of a JupyterLab that shows `folder` and keeps its own settings."""
    private = folder / PRIVATE
    places = {
        "JUPYTER_CONFIG_DIR": "config",
        "JUPYTERLAB_SETTINGS_DIR": "settings",
        "JUPYTERLAB_WORKSPACES_DIR": "workspaces",
        "IPYTHONDIR": "ipython",
    }
    command = [sys.executable, "-m", "jupyterlab", f"--ServerApp.root_dir={folder}", "--LabApp.custom_css=True"]
    command += [f"--LabApp.default_url=/doc/tree/{SECTIONS[0].notebook}.ipynb", "--LabApp.news_url=None", *options]
    python_path = os.pathsep.join(filter(None, (str(cells.ROOT), os.environ.get("PYTHONPATH"))))
    environment = {name: str(private / place) for name, place in places.items()} | {"PYTHONPATH": python_path}
    return command, os.environ | environment


def show(folder):
    """Open JupyterLab on the first notebook of `folder`, and read in the background what the others will need."""
    options = ["--ip=localhost"]
    options += ["--allow-root"] if hasattr(os, "getuid") and os.getuid() == 0 else []
    screen = sys.platform in ("darwin", "win32") or any(map(os.environ.get, ("DISPLAY", "WAYLAND_DISPLAY", "BROWSER")))
    options += [] if screen else ["--no-browser"]  # it could start a text browser in this terminal
    command, environment = server(folder, *options)
    nice = ["nice"] if shutil.which("nice") else []
    warm = subprocess.Popen([*nice, sys.executable, "-c", WARM_UP], env=environment, stdout=subprocess.DEVNULL)
    try:
        return subprocess.run(command, env=environment, cwd=folder, check=False).returncode
    finally:
        warm.kill()
