"""The runs that are shipped, for which what the notebooks and the README say must hold; and files that are no runs."""

import dataclasses
import hashlib
import json
import pickle
import shutil
from pathlib import Path

import h5py
import keras
import pytest

from helpers import data, evaluation, models, recipes, runs

RECORDS = sorted(path.with_name("record.json") for path in runs.RECORDED.glob("*/*/model.weights.h5"))


def test_there_is_a_run_for_either_data_set():
    assert {path.parent.parent.name for path in RECORDS} == {"cifar10", "sketches"}


@pytest.mark.parametrize("path", RECORDS, ids=lambda path: f"{path.parent.parent.name}-{path.parent.name}")
def test_record_follows_its_recipe(path):
    name, dataset = path.parent.name, path.parent.parent.name
    run = runs.load(name, dataset)
    recipe = dataclasses.asdict(recipes.RECIPES[name])
    assert len(run.history["loss"]) == run.record["recipe"]["epochs"] == recipe["epochs"][dataset]
    for field in run.record["recipe"].keys() - {"epochs", "dtype_policy"}:
        assert run.record["recipe"][field] == recipe[field], field
    assert run.record["parameters"] == run.model.count_params()
    assert run.record["dataset"]["name"] == dataset


def test_the_training_reaches_the_slides_accuracy():
    """Trained anew, on another copy or machine, it may get there some epochs before the last, or miss it by a little."""
    history = runs.load("vgg3", "cifar10").history["train_accuracy"]
    assert max(history) >= runs.SLIDES["train"] - 0.005


def test_fast_reaches_what_the_slides_recipe_reaches_in_a_fortieth_of_the_time():
    slow, fast = (runs.read_record(name, "cifar10") for name in ("vgg3", "fast"))
    if any(slow[fact] != fast[fact] for fact in ("machine", "dataset")):
        pytest.skip("one of the two was trained anew elsewhere, or on another copy: their times do not compare")
    assert runs.accuracy(fast) >= runs.accuracy(slow)
    assert 40 * fast["seconds"] <= slow["seconds"]


@pytest.mark.parametrize("dataset", ["cifar10", "sketches"])
def test_strong_was_trained_with_three_seeds(dataset):
    records = [runs.read_record(name, dataset) for name in ("airbench", "airbench-1", "airbench-2")]
    assert [record["recipe"].pop("seed") for record in records] == [0, 1, 2]
    assert records[0]["recipe"] == records[1]["recipe"] == records[2]["recipe"]
    assert len({record["dataset"]["digest"] for record in records}) == 1, "train all three anew, or none"
    assert len({tuple(record["history"]["loss"]) for record in records}) == 3


def test_recorded_accuracy_is_found_again(network, dataset, run):
    if run.record["dataset"]["digest"] != dataset.digest():
        pytest.skip("these images are not the bytes that the record was made on")
    found = evaluation.accuracy(network, dataset.x_test, dataset.y_test)
    assert found == pytest.approx(runs.accuracy(run.record), abs=0.001)


def test_the_sketches_are_those_that_their_network_knows():
    """The drawings come from our own code, so another digest is our mistake and no reason to skip."""
    run, drawn = runs.load("vgg3", "sketches"), data.load("sketches")
    assert drawn.digest() == run.record["dataset"]["digest"], "train the sketches' run anew, or undo the change"
    found = evaluation.accuracy(run.model, drawn.x_test, drawn.y_test)
    assert found == pytest.approx(runs.accuracy(run.record), abs=0.002)
    assert 0.85 <= found <= 0.99  # neither trivial nor hopeless


# Damaged and foreign files.


@pytest.fixture
def kept(tmp_path):
    """A copy of the sketches' run that a test may damage: its folder."""
    return Path(shutil.copytree(runs.folder("vgg3", "sketches"), tmp_path / "sketches" / "vgg3"))


def reseal(kept, content):
    """Put other weights in place, and their SHA-256 into the record, as somebody would who means harm."""
    (kept / "model.weights.h5").write_bytes(content)
    record = json.loads((kept / "record.json").read_text(encoding="utf-8"))
    record["weights_sha256"] = hashlib.sha256(content).hexdigest()
    (kept / "record.json").write_text(json.dumps(record), encoding="utf-8")


def refused(kept, name, reason=""):
    with pytest.raises(ValueError, match=f"{name} cannot be used .*{reason}.*git restore .*helpers.training") as error:
        runs.load("vgg3", "sketches", kept.parents[1])
    assert "\n" not in str(error.value)


RECORDS_THAT_ARE_NONE = {
    "empty": b"",
    "cut": b'{"network": "vgg3", "para',
    "a list": b"[]",
    "no text": b"\xff\xfe\x00",
    "nested too deep": b"[" * 100_000,
    "without a network": b'{"weights_sha256": ""}',
    "with another network": b'{"network": "os.system", "weights_sha256": ""}',
    "with a network that is a list": b'{"network": ["vgg3"], "weights_sha256": ""}',
}


@pytest.mark.parametrize("content", RECORDS_THAT_ARE_NONE.values(), ids=RECORDS_THAT_ARE_NONE)
def test_a_damaged_record_is_refused(content, kept):
    (kept / "record.json").write_bytes(content)
    refused(kept, "record.json")


@pytest.mark.parametrize("size", [0, 1, 5_000, 1_000_000, -1])
@pytest.mark.parametrize("sealed", [False, True])
def test_cut_weights_are_refused(size, sealed, kept):
    content = (kept / "model.weights.h5").read_bytes()[:size]
    if sealed:
        reseal(kept, content)
    else:
        (kept / "model.weights.h5").write_bytes(content)
    refused(kept, "model.weights.h5", "" if sealed else "not the file that record.json describes")


def test_weights_of_another_training_are_noticed(kept):
    models.build("vgg3").save_weights(kept / "model.weights.h5")
    refused(kept, "model.weights.h5", "not the file that record.json describes")


def test_weights_do_not_load_into_changed_code(kept, monkeypatch):
    """The shapes are those of before; without a digest, the weights would load and the accuracy fall by 15 points."""
    conv2d = models.layers.Conv2D
    monkeypatch.setattr(models.layers, "Conv2D", lambda *a, **k: conv2d(*a, **(k | {"activation": "elu"})))
    refused(kept, "record.json", "another vgg3 than helpers/models.py builds today")


def test_a_digest_is_of_what_a_network_computes():
    found = [runs.digest(models.build(name)) for name in models.NAMES]
    same = ("fast", "fast_unwhitened")  # which differ in how their first layer begins
    assert len({found[models.NAMES.index(name)] for name in same}) == 1 and len(set(found)) == len(found) - 1
    assert found == [runs.digest(models.build(name, "mixed_bfloat16")) for name in models.NAMES]  # and under new names
    for changes in ({"pool_size": 3}, {"padding": "same"}):
        network = models.build("vgg3")
        for name, value in changes.items():
            setattr(network.layers[2], name, value)
        assert runs.digest(network) not in found


def test_a_digest_is_of_how_branches_meet():
    def network(*, before):
        image = keras.Input((8, 8, 3))
        one = keras.layers.Conv2D(3, 3, padding="same")(image)
        two = keras.layers.Conv2D(3, 3, padding="same")(one)
        return keras.Model(image, keras.layers.Add()([two, image if before else one]))

    assert runs.digest(network(before=True)) == runs.digest(network(before=True)) != runs.digest(network(before=False))


def test_a_digest_is_of_what_layers_without_weights_compute():
    relu, elu, larger = keras.layers.ReLU, keras.layers.ELU, keras.layers.UpSampling2D
    pairs = [(relu(), relu(negative_slope=0.1)), (relu(), relu(max_value=6)), (elu(), elu(alpha=0.5))]
    cropping, permute = keras.layers.Cropping2D, keras.layers.Permute
    pairs += [(cropping(((0, 2), (0, 2))), cropping(((2, 0), (2, 0)))), (permute((1, 2, 3)), permute((2, 1, 3)))]
    for pair in (*pairs, (larger(), larger(interpolation="bilinear"))):
        one, other = (runs.digest(keras.Sequential([keras.Input((8, 8, 3)), layer])) for layer in pair)
        assert one != other, pair[1].get_config()


def test_a_digest_is_of_what_functions_between_layers_compute():
    def network(function, policy="float32"):
        image = keras.Input((8, 8, 3))
        return keras.Model(image, function(keras.layers.Conv2D(3, 3, dtype=policy)(image)))

    functions = [keras.ops.relu, keras.ops.elu, lambda x: x * 2, lambda x: x * 3, lambda x: keras.ops.elu(x, 0.5)]
    functions += [lambda x: x[:, ::-1], lambda x: x[:, :, ::-1], lambda x: keras.ops.mean(x, axis=1), lambda x: x]
    found = [runs.digest(network(function)) for function in functions]
    assert len(set(found)) == len(functions)
    assert found == [runs.digest(network(function, "mixed_bfloat16")) for function in functions]  # and under new names


def test_a_network_inside_a_network_is_refused_by_name():
    inner = keras.Sequential([keras.Input((8, 8, 3)), keras.layers.Conv2D(3, 3)], name="branch")
    image = keras.Input((10, 10, 3))
    outer = keras.Model(image, inner(keras.layers.Conv2D(3, 3)(image)))
    with pytest.raises(ValueError, match="holds the network branch"):
        runs.digest(outer)


def pickled(path, mark):
    class Trap:
        def __reduce__(self):
            return open, (mark, "w")

    path.write_bytes(pickle.dumps(Trap()))


def with_code(path, mark):
    layer = keras.layers.Lambda(lambda x: open(mark, "w") and x)
    keras.Sequential([keras.Input((2,)), layer]).save(path.with_suffix(".keras"))
    path.with_suffix(".keras").replace(path)


def with_code_in_hdf5(path, mark):
    layer = keras.layers.Lambda(lambda x: open(mark, "w") and x)
    keras.Sequential([keras.Input((2,)), layer]).save(path.with_suffix(".h5"))
    path.with_suffix(".h5").replace(path)


def other_network(path, mark):
    keras.Sequential([keras.Input((32, 32, 3)), keras.layers.Flatten(), keras.layers.Dense(10)]).save_weights(path)


def one_array(path, **options):
    """Exchange the first bias for an array that h5py makes with `options`."""
    with h5py.File(path, "a") as file:
        names = []
        file.visititems(lambda name, item: names.append(name) if getattr(item, "ndim", 0) == 1 else None)
        shape = options.pop("shape", file[names[0]].shape)
        del file[names[0]]
        file.create_dataset(names[0], shape, "f4", **options)


def from_another_file(path, mark):
    secret = path.parents[1] / "secret"
    secret.write_bytes(bytes(1000))
    one_array(path, external=[(str(secret), 0, 128)])


def a_gigabyte_of_nothing(path, mark):
    one_array(path, shape=(250_000_000,), chunks=(1 << 20,), compression="gzip")


def linked(path, mark):
    shutil.copy(path, path.parents[1] / "other.h5")
    with h5py.File(path, "a") as file:
        del file["layers"]
        file["layers"] = h5py.ExternalLink(str(path.parents[1] / "other.h5"), "/layers")


@pytest.mark.filterwarnings("ignore:You are saving your model as an HDF5 file")
@pytest.mark.parametrize(
    "forge",
    [pickled, with_code, with_code_in_hdf5, other_network, from_another_file, a_gigabyte_of_nothing, linked],
    ids=lambda forge: forge.__name__,
)
def test_foreign_weights_are_refused_though_their_checksum_is_right(forge, kept, tmp_path):
    path, mark = tmp_path / "forged.weights.h5", tmp_path / "mark"
    shutil.copy(kept / "model.weights.h5", path)
    forge(path, str(mark))
    mark.unlink(missing_ok=True)  # the layer's code runs when its author builds it
    reseal(kept, path.read_bytes())
    refused(kept, "model.weights.h5")
    assert not mark.exists()


def test_a_run_is_saved_over_what_a_killed_process_left(kept, tmp_path):
    run = runs.load("vgg3", "sketches", tmp_path)
    (kept / "new.weights.h5").write_bytes(b"half")
    runs.save(run, "vgg3", "sketches", tmp_path)
    assert not list(kept.glob("new*"))
    again = runs.load("vgg3", "sketches", tmp_path)
    assert again.history == run.history
    assert all((one == other).all() for one, other in zip(again.model.get_weights(), run.model.get_weights()))
