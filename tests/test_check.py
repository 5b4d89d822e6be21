"""What `python -m helpers.check` says of this machine and of broken ones, and how a notebook's first cell stops."""

import sys
import types

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


def test_compares_nothing_without_a_checkout(elsewhere):
    assert check.python().advice == check.packages().advice == "" and "tensorflow 2." in check.packages().found


def test_says_where_the_data_set_could_come_from(monkeypatch, tmp_path):
    monkeypatch.setenv("LECTURE_DATASET", "sketches")
    assert str(check.dataset()) == "[ ok ] data set: sketches, drawn by helpers/sketches.py"
    for name in ("CIFAR10_DIR", "LECTURE_DATASET"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    assert str(check.dataset()).startswith("[ -- ] data set: sketches") and "make data" in check.dataset().advice
    monkeypatch.setenv("LECTURE_DATASET", "cifar10")
    assert check.dataset().stops and "make data" in check.dataset().advice
    monkeypatch.setenv("CIFAR10_DIR", str(tmp_path))
    assert check.dataset().stops and "no data_batch_1" in check.dataset().advice


def test_looks_at_the_caches(monkeypatch, tmp_path):
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "keras"))
    monkeypatch.setenv("LECTURE_CACHE", str(tmp_path / "new" / "cache"))
    assert str(check.cache()) == f"[ ok ] cache: {tmp_path / 'keras' / 'datasets'} and {tmp_path / 'new' / 'cache'}"
    assert not list(tmp_path.iterdir())
    monkeypatch.setattr(check, "DISK", 1e18)
    assert "GB free for" in check.cache().found and "Make room" in check.cache().advice
    monkeypatch.setattr(check.os, "access", lambda *_: False)
    assert "cannot be written" in check.cache().found


def test_memory_is_that_of_the_container(monkeypatch, tmp_path):
    monkeypatch.setattr(check, "CGROUP", tmp_path)
    free = types.SimpleNamespace(available=8e9)
    monkeypatch.setattr(check.psutil, "virtual_memory", lambda: free)
    assert str(check.memory()) == "[ ok ] memory: 8.0 GB free"
    for name, text in (("max", "2000000000"), ("current", "1500000000"), ("stat", "anon 1\ninactive_file 300000000\n")):
        (tmp_path / f"memory.{name}").write_text(text)
    assert str(check.memory()).startswith("[ -- ] memory: 0.8 GB free. A notebook takes up to 1.5 GB")
    (tmp_path / "memory.max").write_text("max\n")
    assert check.memory().found == "8.0 GB free"


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


def test_colab_shows_sliders(monkeypatch):
    asked = []
    output = types.SimpleNamespace(enable_custom_widget_manager=lambda: asked.append("sliders"))
    monkeypatch.setitem(sys.modules, "google.colab", types.SimpleNamespace())
    monkeypatch.setitem(sys.modules, "google.colab.output", output)
    check.ready()
    assert asked == ["sliders"]
