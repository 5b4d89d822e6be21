"""The set-up: what the Makefile does on machines that lack something, and that each fact has one home."""

import ast
import json
import os
import re
import shutil
import subprocess
import sys
import time
import tomllib
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
PYTHON_RANGE, EXTRAS = PROJECT["requires-python"], PROJECT["optional-dependencies"]
REQUIREMENTS = ("requirements.txt", "tests/requirements.txt", "tests/benchmarks/requirements.txt")
SOURCES = sorted(path for folder in ("helpers", "notebooks", "tests") for path in (ROOT / folder).rglob("*.py"))

# Stands in for python3: knows no ensurepip or has another version as told, and instead of a .venv makes a file that
# notes down what pip is asked for, and ends like PIP_ENDS.
FAKE_PYTHON = f"""#!/bin/sh
if [ "$1" = -m ]; then
  rm -rf .venv && mkdir -p .venv/bin
  printf '#!/bin/sh\\necho "$@" >> "$LOG"\\nexit "$PIP_ENDS"\\n' > .venv/bin/python
  chmod +x .venv/bin/python
  echo venv >> "$LOG"
elif [ "$1" = -V ]; then
  echo Python $VERSION
else
  exec {sys.executable} -c '
import os, sys
sys.version_info = tuple(map(int, os.environ["VERSION"].split(".")))
if os.environ.get("NO_VENV"):
    sys.modules["ensurepip"] = None
exec(sys.argv[1])' "$2"
fi
"""


def read(name):
    return (ROOT / name).read_text(encoding="utf-8")


def requirements(name):
    """The lines of a requirements file that name a package: package → its line."""
    lines = [line for line in read(name).splitlines() if line[0] not in "#-"]
    return {re.match(r"[\w-]+", line)[0].lower(): line for line in lines}


@pytest.fixture
def folder(tmp_path):
    """A folder with the Makefile and what it looks at, and a fake python3."""
    if sys.platform == "win32" or not shutil.which("make"):
        pytest.skip("no make here: the README gives pip's words instead")
    for name in ("Makefile", "pyproject.toml", *REQUIREMENTS):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, tmp_path / name)
    (tmp_path / "notebooks").mkdir()
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "python3").write_text(FAKE_PYTHON)
    (tmp_path / "bin" / "python3").chmod(0o755)
    return tmp_path


def make(folder, *words, pip_ends=0, version="3.11.2", **more):
    """Run make with the fake python3 first on PATH; what it printed, and the lines that the fakes noted down."""
    log = folder / "log"
    log.write_text("")
    path = f"{folder / 'bin'}{os.pathsep}{os.environ['PATH']}"
    outer = {name: value for name, value in os.environ.items() if not name.startswith(("MAKE", "MFLAGS"))}
    done = subprocess.run(
        ["make", *words],
        cwd=folder,
        env={**outer, "PATH": path, "PIP_ENDS": str(pip_ends), "VERSION": version, "LOG": str(log), **more},
        capture_output=True,
        text=True,
    )
    return done, log.read_text().splitlines()


@pytest.mark.parametrize(
    "machine, advice",
    [
        ({"NO_VENV": "1"}, "python3-venv is missing: sudo apt install python3-venv"),
        ({"version": "3.10.13"}, "python3 is Python 3.10.13, the lecture needs 3.11 to 3.13"),
        ({"version": "3.14.0"}, "make lab PYTHON=python3.12"),
        ({"words": ["PYTHON=python3.99"]}, "there is no python3.99"),
    ],
)
def test_an_unfit_machine_gets_one_line(folder, machine, advice):
    done, log = make(folder, "lab", *machine.pop("words", ()), **machine)
    assert done.returncode and not log and not done.stdout
    assert advice in done.stderr and done.stderr.count("\n") == 1


@pytest.mark.parametrize("version", ["3.11.2", "3.13.9"])
def test_set_up_happens_once(folder, version):
    each = {"lecture": "lecture", "lab": "jupyterlab", "test": "pytest", "bench": "report.py"}
    targets = (
        ("lecture", 1),
        ("lecture", 0),
        ("lab", 1),
        ("lab", 0),
        ("test", 1),
        ("bench", 1),
        ("lab", 0),
        ("bench", 0),
    )
    for target, installs in targets:
        _, log = make(folder, target, version=version)
        assert sum("pip install" in line for line in log) == installs, (target, log)
        assert ("venv" in log) == (target == "lecture" and installs == 1)
        assert each[target] in log[-1]


@pytest.mark.parametrize("target", ["lab", "test", "bench"])
def test_an_interrupted_install_starts_anew(folder, target):
    done, log = make(folder, target, pip_ends=1)
    assert done.returncode and len(log) == 2
    done, log = make(folder, target)
    assert not done.returncode and log[0] == "venv" and "pip install" in log[1]


def outdate(folder):
    """Make the stamps an hour old, so that what is touched now is newer by any clock."""
    hour_ago = time.time() - 3600
    for path in folder.rglob("*"):
        if path.is_file():
            os.utime(path, (hour_ago - 60, hour_ago - 60))
    for stamp in ("lecture", "tests"):
        if (folder / ".venv" / stamp).exists():
            os.utime(folder / ".venv" / stamp, (hour_ago, hour_ago))


def test_an_interrupted_update_starts_anew(folder):
    make(folder, "test")
    outdate(folder)
    os.utime(folder / "tests" / "requirements.txt")
    assert make(folder, "test", pip_ends=1)[0].returncode
    assert make(folder, "lab")[1][0] == "venv"


@pytest.mark.parametrize("name", ["requirements.txt", "pyproject.toml"])
def test_changed_requirements_are_installed(folder, name):
    make(folder, "lab")
    outdate(folder)
    os.utime(folder / name)
    _, log = make(folder, "lab", version="3.9.1")  # the .venv that is there has its own Python
    assert "venv" not in log and "pip install" in log[0]


def test_a_vanished_python_is_replaced(folder):
    make(folder, "lab")
    (folder / ".venv" / "bin" / "python").unlink()
    (folder / ".venv" / "bin" / "python").symlink_to("gone")
    assert make(folder, "lab")[1][0] == "venv"


def test_each_target_asks_for_what_it_says(folder):
    lab = make(folder, "lab", DISPLAY="", WAYLAND_DISPLAY="", BROWSER="")[1]
    assert ("--allow-root" in lab[-1]) == (os.getuid() == 0)
    assert ("--no-browser" in lab[-1]) == (sys.platform != "darwin")
    assert "--no-browser" not in make(folder, "lab", DISPLAY=":0")[1][-1]
    assert "-r tests/requirements.txt" in make(folder, "test")[1][0]
    assert "-r tests/benchmarks/requirements.txt" in make(folder, "bench")[1][0]


@pytest.mark.parametrize(
    "words, package, lock", [((), "tensorflow", False), (("CPU=1", "LOCKED=1"), "tensorflow-cpu", True)]
)
def test_without_a_gpu_and_with_locked_versions(folder, words, package, lock):
    _, log = make(folder, "lecture", *words)
    asked = next(line for line in log if "pip install" in line).split()
    wanted = (folder / asked[asked.index("-r") + 1]).read_text()
    assert re.search(rf"^{package}>", wanted, re.MULTILINE) and ("requirements.lock" in asked) == lock
    assert wanted.splitlines()[-1] == "-e ."


def test_what_is_installed_later_keeps_to_the_choice(folder):
    """Both packages in one .venv would write over each other's files."""
    make(folder, "lecture", "CPU=1")
    _, log = make(folder, "lab")
    assert any("pip install" in line for line in log)
    assert "\ntensorflow>" not in (folder / ".venv" / "requirements.txt").read_text()
    outdate(folder)
    os.utime(folder / "requirements.txt")
    make(folder, "lecture", "CPU=")
    assert "\ntensorflow>" in (folder / ".venv" / "requirements.txt").read_text()


def test_the_lock_lies_in_the_ranges():
    locked = [Requirement(line) for line in read("requirements.lock").splitlines() if not line.startswith("#")]
    pins = {canonicalize_name(pin.name): pin for pin in locked if not pin.marker or pin.marker.evaluate()}
    for line in [*requirements("requirements.txt").values(), *EXTRAS["authors"]]:
        wanted = Requirement(line.split("#")[0])
        (version,) = pins[canonicalize_name(wanted.name)].specifier
        assert wanted.specifier.contains(version.version), line


def test_one_python_range(folder):
    """That of pyproject.toml: make takes these and no others, and says which, as the README does."""
    low, high = map(int, re.fullmatch(r">=3\.(\d+),<3\.(\d+)", PYTHON_RANGE).groups())
    for minor in (low - 1, low, high - 1, high):
        done, _ = make(folder, "lab", version=f"3.{minor}.5")
        assert (done.returncode == 0) == (low <= minor < high), done.stderr
        assert done.returncode == 0 or f"3.{low} to 3.{high - 1}" in done.stderr
        shutil.rmtree(folder / ".venv", ignore_errors=True)
    assert f"3.{low} to 3.{high - 1}" in read("README.md")


def test_conda_and_binder_install_the_same():
    channel, python, *rest = re.findall(r"^ +- (.+)$", read("environment.yml"), re.MULTILINE)
    assert (channel, rest) == ("conda-forge", ["pip", "pip:", "-r requirements.txt"])
    # repo2docker reads the version by this expression, and takes another Python where it does not match.
    assert re.match(r"python\s*=+\s*([\d\.]+)$", python)[1] in SpecifierSet(PYTHON_RANGE)
    # Of several it finds this one first, and ours stands alone: no binder folder, no other file it knows.
    others = ["binder", ".binder", "Pipfile", "apt.txt", "runtime.txt", "Dockerfile", "postBuild", "start"]
    assert not [name for name in others if (ROOT / name).exists()]


@pytest.mark.parametrize("name", REQUIREMENTS)
def test_each_requirement_is_a_range_with_a_reason(name):
    for package, line in requirements(name).items():
        assert "==" not in line and re.search(r">=\S+ +# \w+", line), package


def test_the_last_requirement_is_the_package_itself():
    assert read("requirements.txt").splitlines()[-1] == "-e ."


def imported(path):
    """Names of the third-party modules that a file imports anywhere."""
    own = {"helpers"} | {source.stem for source in SOURCES} | set(sys.stdlib_module_names)
    names = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and not node.level:
            names.add(node.module.split(".")[0])
    return names - own


def declared(path):
    """The packages that a file may import: what readers install, authors' extras in editions, the checks' in tests."""
    files = ["requirements.txt"]
    files += ["tests/requirements.txt"] if path.is_relative_to(ROOT / "tests") else []
    files += ["tests/benchmarks/requirements.txt"] if path.is_relative_to(ROOT / "tests" / "benchmarks") else []
    names = set().union(*map(requirements, files))
    if path.is_relative_to(ROOT / "helpers" / "editions") or path.is_relative_to(ROOT / "tests"):
        names |= extra("authors")
    for name, stems in (("cluster", ("parallel", "test_ablations")), ("autoattack", ("autoattack", "test_autoattack"))):
        names |= extra(name) if path.stem in stems else set()
    return names


def extra(name):
    """The packages of an extra."""
    return {Requirement(line).name.lower() for line in EXTRAS[name]}


def test_every_import_is_declared():
    providers = packages_distributions()
    undeclared = [
        f"{path.relative_to(ROOT)}: {name}"
        for path in SOURCES
        for name in imported(path)
        # make's CPU=1 installs tensorflow-cpu in place of tensorflow
        if {canonicalize_name(p).removesuffix("-cpu") for p in providers.get(name, [name])}.isdisjoint(declared(path))
    ]
    assert undeclared == []


def test_every_extra_is_a_range_and_colab_gets_the_same_versions():
    assert all(re.search(r">=\S", line) and "==" not in line for lines in EXTRAS.values() for line in lines)
    here = {line.split("#")[0].strip() for line in read("requirements.txt").splitlines()}
    assert set(EXTRAS["colab"]) <= here


@pytest.mark.parametrize("name", ["README.md", "HUB.md", "CONTRIBUTING.md"])
def test_every_link_leads_somewhere(name):
    links = re.findall(r"\]\((?!https?:|#)([^)#]+)", read(name))
    assert [link for link in links if not (ROOT / link).exists()] == [] and (links or name != "README.md")


def test_the_first_cell_asks_for_nothing_newer_than_colab_has():
    """What the whole environment does is in test_colab.py, which a scheduled job runs."""
    has = dict(line.split("==") for line in read(".github/colab.txt").splitlines() if not line.startswith("#"))
    asked = {Requirement(line).name: Requirement(line).specifier for line in EXTRAS["colab"]}
    both = asked.keys() & has.keys()
    assert both and all(asked[name].contains(has[name]) for name in both)
    for name in ("tensorflow", "keras", "numpy", "h5py"):  # what the recorded weights and all tests rest on
        assert Requirement(requirements("requirements.txt")[name].split("#")[0]).specifier.contains(has[name])


def test_the_dev_container_installs_what_its_editor_then_opens():
    container = json.loads(read(".devcontainer/devcontainer.json"))
    command, settings = container["postCreateCommand"], container["customizations"]["vscode"]["settings"]
    assert command.startswith("make ") and f"\n{command.removeprefix('make ')}:" in read("Makefile")
    assert re.search(r":(3\.\d+)-", container["image"])[1] in SpecifierSet(PYTHON_RANGE)
    assert settings["python.defaultInterpreterPath"].endswith("/.venv/bin/python")
    assert settings["jupyter.widgetScriptSources"] == []  # no network is asked for the sliders' code


def test_vs_code_finds_the_code_of_the_sliders_in_the_environment():
    """Its renderer takes a widget's module from where nbextensions/*/extension.js in the kernel's environment says."""
    folder = Path(sys.prefix) / "share" / "jupyter" / "nbextensions" / "anywidget"
    assert re.search(r'anywidget: "nbextensions/anywidget/index"', (folder / "extension.js").read_text())
    assert 'define(["@jupyter-widgets/base"]' in (folder / "index.js").read_text()


def test_what_to_cite_is_this_version():
    assert f'version: "{PROJECT["version"]}"' in read("CITATION.cff")
