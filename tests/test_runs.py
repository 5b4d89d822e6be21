"""The runs that are shipped: what the notebooks and the README say of them must hold for the files themselves."""

from pathlib import Path

import build
import pytest

from helpers import data, evaluation, runs, training

RECORDS = sorted(runs.RECORDED.glob("*/*/record.json"))


def test_there_is_a_run_for_either_data_set():
    assert {path.parent.parent.name for path in RECORDS} == {"cifar10", "sketches"}


@pytest.mark.parametrize("path", RECORDS, ids=lambda path: f"{path.parent.parent.name}-{path.parent.name}")
def test_record_follows_its_recipe(path):
    name, dataset = path.parent.name, path.parent.parent.name
    run = runs.load(name, dataset)
    recipe = training.RECIPES[name]
    assert len(run.history["loss"]) == run.record["recipe"]["epochs"] == recipe.epochs[dataset]
    for field in ("network", "batch_size", "learning_rate", "momentum", "seed"):
        assert run.record["recipe"][field] == getattr(recipe, field)
    assert run.record["parameters"] == run.model.count_params()
    assert run.record["dataset"]["name"] == dataset


def test_training_ended_where_the_slides_accuracy_was_first_reached():
    """The README and the recipe say so; here as measured during training, in the recipe's number format."""
    history = runs.load("vgg3", "cifar10").history["train_accuracy"]
    assert [share >= runs.SLIDES["train"] for share in history] == [False] * (len(history) - 1) + [True]


def test_recorded_accuracy_is_found_again(network, dataset, run):
    if run.record["dataset"]["digest"] != dataset.digest():
        pytest.skip("these images are not the bytes that the record was made on")
    found = evaluation.accuracy(network, dataset.x_test, dataset.y_test)
    assert found == pytest.approx(run.record["accuracy"]["test"], abs=0.001)


def test_the_sketches_are_those_that_their_network_knows():
    """The drawings come from our own code, so another digest is our mistake and no reason to skip."""
    run, drawn = runs.load("vgg3", "sketches"), data.load("sketches")
    assert drawn.digest() == run.record["dataset"]["digest"], "train the sketches' run anew, or undo the change"
    found = evaluation.accuracy(run.model, drawn.x_test, drawn.y_test)
    assert found == pytest.approx(run.record["accuracy"]["test"], abs=0.002)
    assert 0.85 <= found <= 0.99  # neither trivial nor hopeless


def test_the_readme_shows_these_records():
    readme = (Path(__file__).resolve().parents[1] / "README.md").read_text(encoding="utf-8")
    assert build.with_results(readme) == readme
    assert f"{runs.load('vgg3', 'cifar10').record['accuracy']['test']:.2%}" in readme
