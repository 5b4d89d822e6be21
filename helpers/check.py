"""Is this machine ready? Prints what was found, each with [ ok ] or with what to do.

    python -m helpers.check

The first cell of every notebook calls `ready`, which stops it with such a line where it could not run, and says nothing
where all is well.
"""

import contextlib
import importlib
import io
import os
import shutil
import sys
import tomllib
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

from .commands import replace_what_cannot_be_printed

# What is not Python's own is imported where it is needed: `packages` has to say that it is missing.

# Both stand in a checkout only, not where pip has installed the package alone, as on Colab.
PROJECT, REQUIREMENTS = (Path(__file__).resolve().parents[1] / name for name in ("pyproject.toml", "requirements.txt"))
MEMORY = 1.2e9  # bytes: what every notebook promises to stay below
DISK = 0.6e9  # bytes: CIFAR-10 as an archive, unpacked, and as arrays; the sketches
CGROUP, GROUPS = Path("/sys/fs/cgroup"), Path("/proc/self/cgroup")  # the limits, and which of them hold here


@dataclass(frozen=True)
class Finding:
    """What was found. `advice` says what to do, if anything; `stops` whether no notebook runs before that is done."""

    name: str
    found: str
    advice: str = ""
    stops: bool = False

    def __str__(self):
        mark = "[ ok ]" if not self.advice else "[STOP]" if self.stops else "[ -- ]"
        return f"{mark} {self.name}: {self.found}" + (f". {self.advice}" if self.advice else "")


class NotReady(RuntimeError):
    """Why a notebook cannot run here. Jupyter shows its lines alone, without a traceback."""

    def _render_traceback_(self):
        return str(self).splitlines()


def ready():
    """Raise NotReady, before anything slow is imported, where the notebooks cannot run; say what they may miss."""
    if "google.colab" in sys.modules:
        importlib.import_module("google.colab.output").enable_custom_widget_manager()  # no sliders before
    for look in (python, packages):
        if (finding := look()).stops:
            raise NotReady(str(finding))
    if (finding := memory()).advice:
        print(finding)
    from IPython import get_ipython

    if shell := get_ipython():
        shell.set_custom_exc((KeyboardInterrupt,), _interrupted)


def _interrupted(shell, kind, error, traceback, tb_offset=None):
    """What a notebook shows when a cell is interrupted, in the place of the traceback: this is no fault."""
    print("\nInterrupted. What the cell has done so far is kept; the next one may need what it would have computed.")


def python():
    """The Python that runs this, against the range in pyproject.toml."""
    version = ".".join(map(str, sys.version_info[:3]))
    try:
        from packaging.specifiers import SpecifierSet
    except ImportError:  # `packages` says so
        return Finding("Python", version)
    if not PROJECT.exists():  # pip has compared it
        return Finding("Python", version)
    needed = tomllib.loads(PROJECT.read_text(encoding="utf-8"))["project"]["requires-python"]
    if version in SpecifierSet(needed):
        return Finding("Python", version)
    return Finding("Python", version, f"The lecture needs {needed}, as in: make lab PYTHON=python3.12", stops=True)


def packages():
    """The installed versions, against the ranges in requirements.txt."""
    advice = f'Run in a terminal: "{sys.executable}" -m pip install -r "{REQUIREMENTS}"'
    try:
        from packaging.requirements import Requirement
    except ImportError:
        return Finding("packages", "packaging is missing", advice, stops=True)
    if not REQUIREMENTS.exists():
        return Finding("packages", f"{_versions()}; nothing to compare them with")
    lines = [line.split("#")[0].strip() for line in REQUIREMENTS.read_text(encoding="utf-8").splitlines()]
    wanted = [Requirement(line) for line in lines if line and not line.startswith("-")]
    wrong = [trouble for requirement in wanted if (trouble := _trouble(requirement))]
    if not wrong:
        return Finding("packages", f"all {len(wanted)} in the ranges of requirements.txt, {_versions()}")
    return Finding("packages", "; ".join(wrong), advice, stops=True)


def _trouble(requirement):
    try:
        version = _version(requirement.name)
    except metadata.PackageNotFoundError:
        return f"{requirement.name} is missing"
    fits = requirement.specifier.contains(version, prereleases=True)
    return "" if fits else f"{requirement.name} is {version}, needed is {requirement.specifier}"


def _version(name):
    """The installed version. What make lecture CPU=1 installs serves for tensorflow."""
    if name == "tensorflow" and not any(metadata.distributions(name=name)):
        name = "tensorflow-cpu"
    return metadata.version(name)


def _versions():
    return ", ".join(f"{name} {_version(name)}" for name in ("tensorflow", "keras", "numpy"))


def dataset():
    """The data set that the notebooks will load; nothing is fetched."""
    from . import data

    try:
        with contextlib.redirect_stdout(io.StringIO()):
            found = data.load(download=False)
    except (FileNotFoundError, ValueError) as error:
        return Finding("data set", "broken or missing", str(error), stops=True)
    chosen = os.environ.get("LECTURE_DATASET") or found.name == "cifar10"
    advice = "" if chosen else f'For CIFAR-10 run in a terminal: make data, or "{sys.executable}" -m helpers.data'
    return Finding("data set", found.source, advice)


def caches():
    """The folders that keep CIFAR-10 and the sketches."""
    from . import cache
    from .cifar10.find import keras_folder

    try:
        folders = keras_folder(), cache.folder() or keras_folder()
    except FileNotFoundError as error:
        return Finding("cache", str(error), "Set KERAS_HOME and LECTURE_CACHE to folders that exist")
    for folder in folders:
        place = next(path for path in (folder, *folder.parents) if os.path.exists(path))
        free = shutil.disk_usage(place).free
        if not os.access(place, os.W_OK):
            return Finding("cache", f"{folder} cannot be written", "Set KERAS_HOME and LECTURE_CACHE to other folders")
        if free < DISK:
            return Finding("cache", f"{free / 1e9:.1f} GB free for {folder}", f"Make room for {DISK / 1e9:.1f} GB")
    return Finding("cache", " and ".join(map(str, folders)))


def memory():
    """What this process may still take: of the machine, and of each control group that it runs in."""
    import psutil

    free = min([psutil.virtual_memory().available, *_left_in_groups()])
    short = f"A notebook takes up to {MEMORY / 1e9} GB: shut down other kernels and programs" if free < MEMORY else ""
    return Finding("memory", f"{free / 1e9:.1f} GB free", short)


def _left_in_groups():
    """Bytes that each limit on this process leaves: a container's, or a user's on a hub. Files in memory give way."""
    with contextlib.suppress(OSError, StopIteration):  # not Linux, or control groups of the first version
        lines = GROUPS.read_text().splitlines()
        group = CGROUP / next(line[3:] for line in lines if line.startswith("0::")).lstrip("/")
        for folder in (group, *group.parents[: len(group.parts) - len(CGROUP.parts)]):
            with contextlib.suppress(OSError, ValueError):  # no limit here
                limit, used = (int((folder / f"memory.{name}").read_text()) for name in ("max", "current"))
                lines = (folder / "memory.stat").read_text().splitlines()
                yield limit - used + int(dict(line.split() for line in lines)["inactive_file"])


def threads():
    """On how many processors this may run."""
    affinity = getattr(os, "sched_getaffinity", None)  # not on macOS and Windows
    return Finding("threads", str(len(affinity(0)) if affinity else os.cpu_count()))


def bfloat16():
    """Whether training runs multiply in bfloat16."""
    from . import recipes, training

    recipe = recipes.RECIPES["vgg3"]
    here = training.dtype_policy_here(recipe)
    return Finding("bfloat16", "yes" if here == recipe.dtype_policy else f"no, training runs compute in {here}")


def gpu():
    """What TensorFlow sees. The lecture does without one."""
    import tensorflow as tf

    names = [
        tf.config.experimental.get_device_details(gpu)["device_name"] for gpu in tf.config.list_physical_devices("GPU")
    ]
    if not names and shutil.which("nvidia-smi"):
        return Finding("GPU", "TensorFlow does not see it", 'If you want it: pip install "tensorflow[and-cuda]"')
    return Finding("GPU", ", ".join(names) or "none, and none is needed")


def main():
    replace_what_cannot_be_printed()
    stopped = False
    for look in (python, packages, dataset, caches, memory, threads, bfloat16, gpu):
        finding = look()
        print(finding, flush=True)
        stopped |= finding.stops
        if stopped and look is packages:  # what follows needs them
            break
    sys.exit(stopped)


if __name__ == "__main__":
    main()
