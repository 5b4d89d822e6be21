"""What `data.load` hands out, and what it says where CIFAR-10 is missing, a copy, or somebody else's."""

import hashlib
import os
import re
import subprocess
import sys
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from cifar10_files import LABELS, batch, files, is_what_was_written, place

from helpers import data, sketches
from helpers.cifar10 import read

ROOT = Path(data.__file__).parents[1]


def command(*words, **environment):
    """`python WORDS` as a process of its own, finished."""
    environment = os.environ | {"PYTHONPATH": str(ROOT)} | environment
    return subprocess.run([sys.executable, *words], env=environment, capture_output=True, text=True)


def official(folder, monkeypatch, **other):
    """Make the files in `folder` the official ones, but for `other`."""
    md5 = {name: hashlib.md5((folder / name).read_bytes()).hexdigest() for name in read.BATCHES}
    monkeypatch.setattr(read, "BATCHES", md5 | other)


# CIFAR-10.


@pytest.fixture
def cifar10(machine, folder, monkeypatch):
    """A machine on which CIFAR10_DIR names the small files, whose arrays all tests keep in one place."""
    monkeypatch.setenv("CIFAR10_DIR", str(folder))
    monkeypatch.setenv("LECTURE_CACHE", str(folder.parent / "cache"))
    return folder


@pytest.fixture(scope="session")
def photographs():
    """CIFAR-10 where this machine has it."""
    try:
        return data.load("cifar10", download=False)
    except FileNotFoundError as error:
        pytest.skip(str(error))


def test_the_photographs_are_cifar10(photographs):
    assert photographs.y_train[:10].tolist() == [6, 9, 9, 4, 1, 1, 2, 7, 8, 3]
    assert photographs.y_test[:10].tolist() == [3, 8, 8, 0, 6, 6, 1, 6, 3, 1]
    assert set(Counter(photographs.y_train.tolist()).values()) == {5_000}
    assert set(Counter(photographs.y_test.tolist()).values()) == {1_000}
    # The first test image, a cat: its first pixel, and the hash of the pixels that all copies share.
    assert photographs.x_test[0, 0, 0].tolist() == [158, 112, 49]
    original = np.ascontiguousarray(photographs.x_test[: data.ORIGINAL_TEST_IMAGES])
    assert hashlib.sha256(original).hexdigest().startswith("48bde46fb9080c13")


def test_every_image_and_label_has_its_place(cifar10):
    is_what_was_written(data.load())
    is_what_was_written(data.load("cifar10", download=False))  # from the cache


def test_changed_files_are_read_anew_and_who_holds_the_old_images_keeps_them(machine, folder, tmp_path, monkeypatch):
    place(folder, own := tmp_path / "own")
    monkeypatch.setenv("CIFAR10_DIR", str(own))
    dataset = data.load()
    (own / "test_batch").unlink()  # a link to the file that other tests read
    (own / "test_batch").write_bytes(batch(labels=LABELS[::-1]))
    assert data.load().y_test.tolist() == LABELS[::-1] and dataset.y_test.tolist() == LABELS


@pytest.mark.parametrize("name", ["cifar10", "sketches"])
def test_nobody_changes_what_another_cell_holds(name, cifar10):
    dataset = data.load(name)
    for array in (dataset.x_train, dataset.y_train, dataset.x_test, dataset.y_test, dataset.subset(10, 10).x_train[:1]):
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 0
        array.copy()[0] = 0


def test_the_source_says_calmly_what_the_files_are(machine, folder, monkeypatch):
    """It is the first line that a notebook prints."""
    monkeypatch.setenv("CIFAR10_DIR", str(folder))
    official(folder, monkeypatch)
    assert data.load().source == "CIFAR-10 from CIFAR10_DIR, the official files"
    official(folder, monkeypatch, test_batch="0" * 32)  # the same files again: what was kept as official must not stay
    assert re.fullmatch("CIFAR-10 from CIFAR10_DIR, a copy .*", source := data.load().source)
    assert not re.search("(?i)error|wrong|warning|batches", source)


def test_a_broken_cifar10_dir_is_an_error_even_where_another_copy_lies(machine, folder, tmp_path, monkeypatch):
    place(folder, machine / "cifar-10-batches-py")
    monkeypatch.setenv("CIFAR10_DIR", "~nobody_of_this_name/cifar")
    with pytest.raises(ValueError, match="CIFAR10_DIR=~nobody_of_this_name.*unset"):
        data.load()
    monkeypatch.setenv("CIFAR10_DIR", str(tmp_path / "nowhere"))
    with pytest.raises(
        ValueError, match="CIFAR10_DIR=.*nowhere: no data_batch_1, .*test_batch there; set it to an extracted .*unset"
    ):
        data.load()
    monkeypatch.setenv("CIFAR10_DIR", str(folder.parent))
    with pytest.raises(ValueError, match="set it to .*cifar-10-batches-py, or unset it"):
        data.load()


@pytest.mark.parametrize("layout", ["cifar-10-batches-py-target/cifar-10-batches-py", "cifar-10-batches-py"])
@pytest.mark.parametrize("home", ["KERAS_HOME", "HOME"])
def test_keras_cache_is_found(layout, home, machine, folder, tmp_path, monkeypatch):
    if home == "HOME":
        monkeypatch.delenv("KERAS_HOME")
        for name in ("HOME", "USERPROFILE"):
            monkeypatch.setenv(name, str(tmp_path))
    datasets = {"HOME": tmp_path / ".keras" / "datasets", "KERAS_HOME": machine}[home]
    place(folder, datasets / layout)
    assert data.cifar10.locate(download=False) == ("Keras' cache", datasets / layout)


# Where CIFAR-10 cannot be had.


def test_without_a_network_two_lines_and_the_drawings(machine, capsys):
    assert data.load().name == "sketches"
    lines = capsys.readouterr().out.splitlines()
    assert [bool(re.search("asking|no connection .*stand-in|Drawing", line)) for line in lines] == [True] * 3
    assert data.load("sketches").name == "sketches" and capsys.readouterr().out == ""


@pytest.mark.parametrize("way", ["argument", "0", "false", "No"])
def test_a_forbidden_download_asks_nobody(way, machine, monkeypatch, capsys):
    variable = way != "argument"
    if variable:
        monkeypatch.setenv("LECTURE_DOWNLOAD", way)
    assert data.load(download=variable).name == "sketches"
    reason = f"LECTURE_DOWNLOAD={way} forbids" if variable else "nothing was fetched"
    printed = capsys.readouterr().out
    assert reason in printed and "make data" in printed and "asking" not in printed
    monkeypatch.setenv("LECTURE_DATASET", "cifar10")
    with pytest.raises(FileNotFoundError, match=f"{reason}.*make data.*CIFAR10_DIR.*LECTURE_DATASET=sketches"):
        data.load(download=variable)
    if variable:  # a command that is for CIFAR-10 alone does not offer the drawings
        with pytest.raises(SystemExit, match=f"{reason}.*make data.*cifar-10-batches-py$"):
            data.main()


only_root = pytest.mark.skipif(
    not hasattr(os, "getuid") or os.getuid() != 0, reason="only root can become another user"
)
AS_ANOTHER_USER = """
import os, filelock, platformdirs, PIL
from helpers import check, data, sketches
sketches.draw(1, 0)  # imports what that user may not be allowed to read
data.SKETCHES = {"train": (30, 0), "test": (20, 1)}
data.cifar10.fetch.MIRRORS = ()
os.setuid(54321)
"""


@only_root
def test_a_user_without_a_home(machine, tmp_path):
    body = AS_ANOTHER_USER + 'print(data.load().name, data.load("sketches").name)'
    for name in ("HOME", "KERAS_HOME", "LECTURE_CACHE"):
        body = f"import os; os.environ.pop({name!r}, None)\n" + body
    tmp_path.chmod(0o777)
    done = command("-c", body)
    assert "no home folder; KERAS_HOME can name another" in done.stdout, done.stderr
    assert done.stdout.endswith("sketches sketches\n") and files(tmp_path) == []


@only_root
@pytest.mark.parametrize("theirs", ["the folder", "the batches"])
def test_a_keras_folder_of_somebody_else(theirs, machine, folder, tmp_path, monkeypatch):
    """The batches lie there, and this user may not read them: what can be had are the drawings."""
    for above in reversed((tmp_path, *tmp_path.parents[:3])):
        above.chmod(0o755)
    (tmp_path / "cache").mkdir(mode=0o777)
    place(folder, batches := machine / "cifar-10-batches-py")
    own = batches / "data_batch_1"
    if theirs == "the folder":
        machine.parent.chmod(0o700)
    else:
        own.unlink()
        own.write_bytes(b"theirs")
        own.chmod(0o600)
    body = "print(data.load().name)\nprint(check.caches(), check.dataset().stops)\n"
    done = command("-c", AS_ANOTHER_USER + body + "data.main()")
    assert "Traceback" not in done.stderr and "delete" not in done.stdout + done.stderr, done.stderr
    assert re.search(r"Permission denied.*stand-in(.*\n)+sketches\n.*cannot be written.*False", done.stdout), (
        done.stdout
    )
    assert done.returncode == 1 and re.match("CIFAR-10 is not on this machine .*Permission denied", done.stderr)


def test_make_data_says_what_was_found_and_where(cifar10, monkeypatch, capsys):
    monkeypatch.setenv("LECTURE_DATASET", "sketches")
    data.main()
    assert re.search(
        f"CIFAR-10 from CIFAR10_DIR.*50,000.*10,000(.|\n)*{re.escape(str(cifar10))}", capsys.readouterr().out
    )


def test_a_terminal_that_lacks_a_character_shows_another(machine, folder, tmp_path):
    place(folder, strange := tmp_path / "ε → 0")
    done = command("-m", "helpers.data", CIFAR10_DIR=str(strange), PYTHONIOENCODING="latin-1", PYTHONUTF8="0")
    assert done.returncode == 0 and "? ? 0" in done.stdout, done.stderr


# The sketches.


def test_the_sketches_are_drawn_once_and_anew_when_anything_changes(machine, tmp_path, monkeypatch):
    drawn = []
    draw = sketches.draw
    monkeypatch.setattr(sketches, "draw", lambda *wanted: drawn.append(wanted) or draw(*wanted))
    first = data.load("sketches")
    assert len(first.x_train) == 30 and first.x_train.dtype == np.uint8 and first.y_test.dtype == np.int64
    images, labels = draw(20, 1)
    assert (first.x_test == images).all() and (first.y_test == labels).all()
    assert data.load("sketches").digest() == first.digest() and len(drawn) == 2

    monkeypatch.setattr(data, "SKETCHES", {"train": (40, 0), "test": (20, 1)})
    assert len(data.load("sketches").x_train) == 40 and len(drawn) == 4
    changed = tmp_path / "sketches.py"
    changed.write_text(Path(sketches.__file__).read_text(encoding="utf-8") + "# changed", encoding="utf-8")
    monkeypatch.setattr(sketches, "__file__", str(changed))
    data.load("sketches")
    assert len(drawn) == 6


@pytest.mark.parametrize("names", [("sketches", ""), (None, "sketches")])
def test_the_sketches_can_be_forced(names, cifar10, monkeypatch):
    monkeypatch.setenv("LECTURE_DATASET", names[1])
    assert data.load(names[0]).name == "sketches"


def test_another_name_is_refused(machine, monkeypatch):
    with pytest.raises(ValueError, match="name='cifar100': expected 'cifar10' or 'sketches'"):
        data.load("cifar100")
    monkeypatch.setenv("LECTURE_DATASET", "CIFAR")
    with pytest.raises(ValueError, match="LECTURE_DATASET='CIFAR'"):
        data.load()


# The parts of a data set.


@pytest.fixture
def drawn(machine):
    return data.load("sketches")


def test_a_subset_is_the_first_images(drawn):
    few = drawn.subset(20, 10)
    for one, other, count in ((few.x_train, drawn.x_train, 20), (few.y_test, drawn.y_test, 10)):
        np.testing.assert_array_equal(one, other[:count])
    assert len(few.y_train) == 20 and len(few.x_test) == 10 and few.name == "sketches"
    assert "first 20 training and 10 test images" in few.source and drawn.subset(30, 20).digest() == drawn.digest()
    for counts in ((31, 1), (1, 21), (-1, 1)):
        with pytest.raises(ValueError, match="(train|test)=.*expected 0 to"):
            drawn.subset(*counts)


def test_the_validation_set_is_a_tenth_of_the_training_images_and_always_the_same(drawn):
    one, other = drawn.validation_split(), drawn.validation_split()
    assert len(one.y_val) == 3 and "x_train" not in vars(one), "images take memory when they are asked for"
    assert len(one.x_val) == len(one.y_val) == 3 and len(one.x_train) == len(one.y_train) == 27
    pairs = Counter((image.tobytes(), label) for image, label in zip(drawn.x_train, drawn.y_train, strict=True))
    divided = zip((*one.x_train, *one.x_val), (*one.y_train, *one.y_val), strict=True)
    assert Counter((image.tobytes(), label) for image, label in divided) == pairs
    np.testing.assert_array_equal(one.x_val, other.x_val)
    assert not (one.x_val == drawn.x_train[:3]).all() and "3 training images as validation set" in one.source
    assert not hasattr(one, "x_test")


def test_what_a_record_says_of_the_parts(drawn):
    for dataset, part, images in (
        (drawn, "test", drawn.x_test),
        (split := drawn.validation_split(), "validation", split.x_val),
    ):
        name, evaluated, labels = dataset.evaluation_part()
        assert name == part and evaluated is images and len(labels) == len(images)
        facts = dataset.description()
        assert facts["train_size"] == len(dataset.x_train) and facts[f"{part}_size"] == len(images)
        assert facts["name"] == "sketches" and facts["digest"] == dataset.digest()


@pytest.mark.parametrize("field", ["x_train", "y_train", "x_test", "y_test"])
def test_the_digest_depends_on_every_image_and_label(field, drawn):
    changed = {name: getattr(drawn, name).copy() for name in ("x_train", "y_train", "x_test", "y_test")}
    assert data.Dataset("another name", "", **changed).digest() == drawn.digest()
    changed[field].flat[-1] ^= 1
    assert data.Dataset("sketches", "", **changed).digest() != drawn.digest()


def test_to_float():
    every = np.arange(256, dtype=np.uint8)
    assert data.to_float(every).dtype == np.float32
    np.testing.assert_array_equal(data.to_float(every), every.astype(np.float32) / np.float32(255))
    for wrong in (every / 255, every.astype(np.int64), [1, 2]):
        with pytest.raises(TypeError, match="images: expected uint8 in 0–255, got (float|int)"):
            data.to_float(wrong)


def test_importing_leaves_tensorflow_and_the_network_alone():
    code = (
        "import sys, helpers, helpers.data; print({'tensorflow', 'keras', 'requests', 'tqdm', 'PIL'} & {*sys.modules})"
    )
    assert command("-c", code).stdout == "set()\n"
