"""The ablation study: what is compared, what may be concluded, and that a sweep continues where it stopped."""

import base64
import dataclasses
import json
import os
import signal
import threading
import time

import numpy as np
import pytest
from scipy import stats

from helpers import ablations, data, evaluation, models, parallel, runs
from helpers.backend import keras, layers


def test_the_baseline_computes_what_the_network_of_the_slides_computes(run, pictures):
    baseline = ablations.network()
    baseline.set_weights(run.model.get_weights())
    np.testing.assert_allclose(
        evaluation.logits(baseline, pictures[0]), evaluation.logits(run.model, pictures[0]), atol=1e-4
    )


def kinds(network):
    return [type(layer).__name__ for layer in network.layers]


def test_each_variant_changes_what_it_says():
    networks = {}
    for name, changes in ablations.VARIANTS.items():
        networks[name] = ablations.network(**{key: value for key, value in changes.items() if key != "augment"})
    found = {name: kinds(network) for name, network in networks.items()}
    convolutions = {
        name: [layer for layer in net.layers if isinstance(layer, layers.Conv2D)] for name, net in networks.items()
    }
    widths = {name: [layer.filters for layer in chain] for name, chain in convolutions.items()}
    assert widths["baseline"] == [32, 32, 64, 64, 128, 128]
    assert widths["one-block"] == [32, 32] and widths["two-blocks"] == [32, 32, 64, 64]
    assert widths["four-blocks"] == [32, 32, 64, 64, 128, 128, 256, 256] and widths["constant-filters"] == [32] * 6
    assert [(layer.filters, *layer.kernel_size) for layer in convolutions["one-5x5"]] == [
        (32, 5, 5),
        (64, 5, 5),
        (128, 5, 5),
    ]
    assert found["average-pooling"].count("AveragePooling2D") == 3 and "MaxPooling2D" not in found["average-pooling"]
    assert [layer.strides[0] for layer in convolutions["strided-convolution"]] == [1, 2] * 3
    assert not {"MaxPooling2D", "AveragePooling2D"} & set(found["strided-convolution"])
    assert found["batch-norm"].count("BatchNorm") == 6 and "BatchNorm" not in found["baseline"]
    assert {layer.kernel_initializer.__class__.__name__ for layer in convolutions["glorot"]} == {"GlorotUniform"}
    rates = [
        [layer.rate for layer in networks[name].layers if isinstance(layer, layers.Dropout)]
        for name in ("baseline", "no-dropout")
    ]
    assert rates == [[0.2] * 4, [0.0] * 4]
    assert found["deep-plain"].count("Conv2D") == 12 and "Add" not in found["deep-plain"]
    assert found["residual"].count("Add") == 3 and found["deep-residual"].count("Add") == 6
    assert {network.output.shape[1:] for network in networks.values()} == {(10,)}


def test_a_skip_connection_adds_the_input_before_the_last_relu():
    network = ablations.network(filters=(3,), skip=True)
    images = np.random.default_rng(0).random((2, 32, 32, 3), np.float32)
    for layer in network.layers:
        if isinstance(layer, layers.Conv2D):
            layer.set_weights([np.zeros(layer.kernel.shape), np.zeros(3)])
    pooled = keras.Model(
        network.inputs[0], next(x for x in network.layers if isinstance(x, layers.MaxPooling2D)).output
    )
    np.testing.assert_allclose(pooled(images), keras.ops.max_pool(images, 2), atol=1e-6)


def test_a_sweep_keeps_each_record_and_continues_with_the_missing(tmp_path, capfd):
    with parallel.workers(1):
        ablations.sweep([("two-blocks", 0)], "sketches", epochs=1, root=tmp_path)
    record = json.loads((tmp_path / "sketches" / "ablations" / "two-blocks-0.json").read_text(encoding="utf-8"))
    assert record["variant"] == {"filters": [32, 64]} and record["multiply_adds"] == 25_003_264
    split = data.load("sketches").validation_split()
    assert record["dataset"] == split.description() and record["dataset"]["validation_size"] == 500
    found = ablations.variant_result("two-blocks", "sketches", tmp_path)
    assert found.correct.shape == (1, 500) and found.correct.mean() == found.accuracies[0] > 0.1
    printed = capfd.readouterr()
    assert "two-blocks-0" in printed.out and "1/1" in printed.err
    pending = ablations.pending("sketches", root=tmp_path)
    assert ("two-blocks", 0) not in pending and ("two-blocks", 1) in pending
    assert len(pending) == len(ablations.SEEDS) * len(ablations.VARIANTS) - 1


@pytest.fixture
def cluster():
    from distributed import LocalCluster

    with LocalCluster(n_workers=2, threads_per_worker=1, protocol="tcp://", dashboard_address=None) as cluster:
        yield cluster


@pytest.mark.long
def test_a_worker_that_is_killed_half_way_costs_no_result(cluster, tmp_path):
    jobs = [("baseline", 0), ("augmentation", 1), ("no-dropout", 0), ("glorot", 0)]

    def kill_one_after_the_first_result():
        while not list(tmp_path.rglob("*.json")):
            time.sleep(0.1)
        os.kill(cluster.workers[0].pid, signal.SIGKILL)

    thread = threading.Thread(target=kill_one_after_the_first_result, daemon=True)
    thread.start()
    with parallel.workers(1, cluster.scheduler_address):
        ablations.sweep(jobs, "sketches", epochs=1, root=tmp_path)
    thread.join(timeout=10)
    assert not thread.is_alive()
    assert {path.stem for path in tmp_path.rglob("*.json")} == {f"{variant}-{seed}" for variant, seed in jobs}


def keep(root, variant, accuracies, seeds=ablations.SEEDS, images=2000):
    """Records of a variant whose every seed errs on the last images."""
    for seed, accuracy in zip(seeds, accuracies, strict=False):
        right = np.arange(images) < round(accuracy * images)
        record = {
            "accuracies": [
                {"images": "train", "views": 1, "accuracy": accuracy + 0.1},
                {"images": "validation", "views": 1, "accuracy": accuracy},
            ],
            "dataset": {"validation_size": images},
            "parameters": 7,
            "multiply_adds": 9,
            "correct": base64.b64encode(np.packbits(right)).decode(),
        }
        runs.save_record(record, root / "sketches" / "ablations", f"{variant}-{seed}.json")


@pytest.mark.parametrize(
    "ours, verdict",
    [
        ((0.84, 0.85, 0.86, 0.85), "better"),
        ((0.74, 0.75, 0.76, 0.75), "worse"),
        ((0.81, 0.79, 0.80, 0.80), "no difference"),
        ((0.60, 0.99, 0.97, 0.98), "no difference"),  # higher by eight points, but with seeds so far apart
    ],
)
def test_a_verdict_needs_more_than_the_chance_of_seeds_and_images(tmp_path, ours, verdict):
    keep(tmp_path, "baseline", (0.79, 0.80, 0.81, 0.80))
    keep(tmp_path, "glorot", ours)
    results = ablations.results("sketches", tmp_path)
    assert list(results) == ["baseline", "glorot"] and results["glorot"].gap == pytest.approx(10)
    found = ablations.compare("glorot", results)
    assert found.points == pytest.approx(100 * (np.mean(ours) - 0.8)) and found.verdict == verdict
    assert found.bound == pytest.approx(abs(found.points) + found.half_width)
    assert (abs(found.points) > found.half_width) == (verdict != "no difference")


def test_the_interval_is_the_one_that_its_formula_gives(tmp_path):
    base, ours = (0.79, 0.81), (0.84, 0.80, 0.82)
    keep(tmp_path, "baseline", base)
    keep(tmp_path, "glorot", ours)
    half_width = ablations.compare("glorot", ablations.results("sketches", tmp_path)).half_width
    pooled = (sum((x - 0.80) ** 2 for x in base) + sum((x - 0.82) ** 2 for x in ours)) / 3
    ranks = np.arange(2000)
    difference = np.mean([ranks < 2000 * x for x in ours], axis=0) - np.mean([ranks < 2000 * x for x in base], axis=0)
    error = np.sqrt(pooled * (1 / 2 + 1 / 3) + np.var(difference, ddof=1) / 2000)
    quantile = stats.t.ppf(1 - 0.025 / (len(ablations.VARIANTS) - 1), 3)
    assert half_width == pytest.approx(100 * quantile * error)


def test_a_deep_residual_network_is_compared_with_its_plain_twin(tmp_path):
    for variant, accuracy in (("baseline", 0.9), ("deep-plain", 0.5), ("deep-residual", 0.7)):
        keep(tmp_path, variant, (accuracy, accuracy))
    results = ablations.results("sketches", tmp_path)
    assert ablations.compare("deep-residual", results).points == pytest.approx(20)
    assert ablations.compare("deep-plain", results).points == pytest.approx(-40)


def test_one_seed_decides_nothing(tmp_path):
    keep(tmp_path, "baseline", (0.2,))
    keep(tmp_path, "glorot", (0.9,))
    found = ablations.compare("glorot", ablations.results("sketches", tmp_path))
    assert found.verdict == "no difference" and found.half_width == np.inf
    with pytest.raises(FileNotFoundError, match="no run of 'one-5x5'.*helpers.ablations --dataset sketches"):
        ablations.variant_result("one-5x5", "sketches", tmp_path)


@pytest.mark.parametrize("dataset", ["cifar10", "sketches"])
def test_what_is_recorded_was_trained_under_one_budget(dataset):
    paths = sorted((runs.RECORDED / dataset / "ablations").glob("*.json"))
    assert paths
    digests, costs = set(), {}
    for path in paths:
        record, (variant, seed) = json.loads(path.read_text(encoding="utf-8")), path.stem.rsplit("-", 1)
        changes, epochs = ablations.VARIANTS[variant], ablations.RECIPE.epochs[dataset]
        assert record["variant"] == json.loads(json.dumps(changes))
        same = {"epochs": epochs, "seed": int(seed), "augment": changes.get("augment", False)}
        assert record["recipe"] == dataclasses.asdict(ablations.RECIPE) | same, f"{path.name}: another recipe"
        assert len(record["history"]["validation_accuracy"]) == epochs
        found = ablations.variant_result(variant, dataset)
        np.testing.assert_allclose(found.correct.mean(axis=1), found.accuracies)
        digests.add(record["dataset"]["digest"])
        costs.setdefault(variant, set()).add((record["parameters"], record["multiply_adds"]))
        assert "network_digest" not in record, f"{path.name}: it has no weights that a digest could belong to"
    assert len(digests) == 1
    for variant, found in costs.items():
        network = ablations.network(**{k: v for k, v in ablations.VARIANTS[variant].items() if k != "augment"})
        assert found == {(network.count_params(), models.multiply_adds(network))}, f"{variant}: of another network"


def test_the_command_says_when_nothing_is_missing(monkeypatch, capsys):
    monkeypatch.setattr(ablations, "pending", lambda dataset: [])
    ablations.main(["--dataset", "sketches"])
    assert "every record is there" in capsys.readouterr().out
