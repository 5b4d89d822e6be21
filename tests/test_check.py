"""What `python -m helpers.check` says of this machine and of broken ones, and how a notebook's first cell stops."""

import subprocess
import sys
import types

import psutil
import pytest
from IPython.core.interactiveshell import InteractiveShell
from IPython.utils.capture import capture_output
from traitlets.config import Config

from helpers import check


@pytest.fixture
def elsewhere(monkeypatch, tmp_path):
    """A checkout with files of its own: write(name, text)."""
    for constant in ("PROJECT", "REQUIREMENTS"):
        monkeypatch.setattr(check, constant, tmp_path / getattr(check, constant).name)
    return lambda name, text: (tmp_path / name).write_text(text, encoding="utf-8")


def test_says_all_of_this_machine(capsys):
    with pytest.raises(SystemExit) as end:
        check.main()
    lines = capsys.readouterr().out.splitlines()
    assert end.value.code == 0
    names = [line[7:].split(":")[0] for line in lines]
    assert names == ["Python", "packages", "data set", "cache", "memory", "threads", "bfloat16", "GPU"]
    assert all(line.startswith(("[ ok ] ", "[ -- ] ")) for line in lines)


def test_stops_at_another_python(elsewhere):
    elsewhere("pyproject.toml", '[project]\nrequires-python = ">=4"')
    assert str(check.python()).startswith("[STOP] Python: 3.") and "needs >=4" in check.python().advice


def test_stops_at_missing_and_old_packages(elsewhere, capsys):
    elsewhere("pyproject.toml", '[project]\nrequires-python = ">=3.11"')
    elsewhere("requirements.txt", "numpy>=99  # newer\nno-such-package-here>=1  # why\n-e .\n")
    with pytest.raises(SystemExit) as end:
        check.main()
    out = capsys.readouterr().out
    assert end.value.code == 1 and "data set" not in out  # which would end in an ImportError
    assert "[STOP] packages: numpy is " in out and "no-such-package-here is missing" in out
    assert f'"{sys.executable}" -m pip install -r' in out


def test_says_so_where_what_it_needs_itself_is_missing():
    """As after an install that was interrupted."""
    gone = ("numpy", "packaging", "packaging.requirements", "packaging.specifiers", "psutil", "platformdirs")
    code = f"import sys; sys.modules.update(dict.fromkeys({gone})); from helpers import check; check.ready()"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stderr.splitlines()[-1].startswith(
        "helpers.check.NotReady: [STOP] packages: packaging is missing. Run in"
    )


def test_compares_nothing_without_a_checkout(elsewhere):
    assert check.python().advice == check.packages().advice == "" and "tensorflow 2." in check.packages().found


def test_says_where_the_data_set_could_come_from(monkeypatch, tmp_path):
    monkeypatch.setenv("LECTURE_DATASET", "sketches")
    assert str(check.dataset()) == "[ ok ] data set: drawings made by helpers/sketches.py, in place of CIFAR-10"
    for name in ("CIFAR10_DIR", "LECTURE_DATASET"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    assert str(check.dataset()).startswith("[ -- ] data set: drawings") and "make data" in check.dataset().advice
    monkeypatch.setenv("LECTURE_DATASET", "cifar10")
    assert check.dataset().stops and "make data" in check.dataset().advice
    monkeypatch.setenv("CIFAR10_DIR", str(tmp_path))
    assert check.dataset().stops and "no data_batch_1" in check.dataset().advice


def test_looks_at_the_caches(monkeypatch, tmp_path):
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "keras"))
    monkeypatch.setenv("LECTURE_CACHE", str(tmp_path / "new" / "cache"))
    assert str(check.caches()) == f"[ ok ] cache: {tmp_path / 'keras' / 'datasets'} and {tmp_path / 'new' / 'cache'}"
    assert not list(tmp_path.iterdir())
    monkeypatch.setattr(check, "DISK", 1e18)
    assert "GB free for" in check.caches().found and "Make room" in check.caches().advice
    monkeypatch.setattr(check.os, "access", lambda *_: False)
    assert "cannot be written" in check.caches().found


def limit(folder, limit, used, files):
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in (("max", limit), ("current", used), ("stat", f"anon 1\ninactive_file {files}\n")):
        (folder / f"memory.{name}").write_text(str(text))


def test_memory_is_what_the_machine_and_each_group_leave(monkeypatch, tmp_path):
    """A container limits the whole of what runs in it, a hub each user's part of that."""
    monkeypatch.setattr(check, "CGROUP", groups := tmp_path / "groups")
    monkeypatch.setattr(check, "GROUPS", mine := tmp_path / "mine")
    monkeypatch.setattr(psutil, "virtual_memory", lambda: types.SimpleNamespace(available=8e9))
    assert str(check.memory()) == "[ ok ] memory: 8.0 GB free", "not Linux"
    mine.write_text("4:memory:/old\n0::/hub/user\n")
    assert check.memory().found == "8.0 GB free", "no limits"
    limit(groups, 9_000_000_000, 4_000_000_000, 500_000_000)
    assert str(check.memory()) == "[ ok ] memory: 5.5 GB free"
    limit(groups / "hub", "max", 1_000_000_000, 0)
    limit(groups / "hub" / "user", 2_000_000_000, 1_500_000_000, 300_000_000)
    limit(groups / "hub" / "another user", 1, 1, 0)
    assert str(check.memory()).startswith("[ -- ] memory: 0.8 GB free. A notebook takes up to 1.2 GB")


def test_a_card_that_tensorflow_does_not_see(monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "-1")
    monkeypatch.setattr(check.shutil, "which", lambda name: None)
    assert str(check.gpu()).startswith("[ ok ] GPU")
    import tensorflow as tf

    monkeypatch.setattr(tf.config, "list_physical_devices", lambda kind: [])
    monkeypatch.setattr(check.shutil, "which", lambda name: f"/bin/{name}")
    assert "tensorflow[and-cuda]" in check.gpu().advice


def test_a_notebook_stops_with_the_line_alone(elsewhere):
    elsewhere("requirements.txt", "numpy>=99\n")
    shell = InteractiveShell(config=Config({"HistoryManager": {"enabled": False}}))
    with capture_output() as shown:
        done = shell.run_cell("from helpers import check\ncheck.ready()")
    assert isinstance(done.error_in_exec, check.NotReady)
    assert shown.stdout.strip() == str(check.packages()) and not shown.stderr


def test_a_sound_notebook_hears_nothing_but_what_it_may_miss(monkeypatch, capsys):
    monkeypatch.setattr(check, "MEMORY", 1)
    check.ready()
    assert capsys.readouterr().out == ""
    monkeypatch.setattr(check, "MEMORY", 1e15)
    check.ready()
    assert capsys.readouterr().out.startswith("[ -- ] memory: ")


def test_the_first_cell_waits_for_nothing_slow():
    slow = "{'tensorflow', 'keras', 'matplotlib'}"
    code = f"import sys; from helpers import check; check.ready(); print({slow} & {{*sys.modules}})"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout.splitlines()[-1] == "set()", done.stderr


def test_an_interrupted_cell_leaves_one_quiet_line(monkeypatch):
    shell = InteractiveShell(config=Config({"HistoryManager": {"enabled": False}}))
    monkeypatch.setattr("IPython.get_ipython", lambda: shell)
    check.ready()
    with capture_output() as shown:
        done = shell.run_cell("raise KeyboardInterrupt")
    assert isinstance(done.error_in_exec, KeyboardInterrupt)  # so the cells that wait after it are not run
    assert shown.stdout.strip().count("\n") == 0 and "Interrupted" in shown.stdout and not shown.stderr


def test_colab_shows_sliders(monkeypatch):
    asked = []
    output = types.SimpleNamespace(enable_custom_widget_manager=lambda: asked.append("sliders"))
    monkeypatch.setitem(sys.modules, "google.colab", types.SimpleNamespace())
    monkeypatch.setitem(sys.modules, "google.colab.output", output)
    check.ready()
    assert asked == ["sliders"]
