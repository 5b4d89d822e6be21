"""The ablations: what is compared, that a sweep goes on where it stopped, and that it runs on a cluster."""

import dataclasses
import json
import os
import signal
import threading
import time

import numpy as np
import pytest

from helpers import ablations, data, models, runs


def test_the_baseline_computes_what_the_network_of_the_slides_computes(run, pictures):
    baseline = ablations.network()
    baseline.set_weights(run.model.get_weights())
    np.testing.assert_allclose(models.forward(baseline, pictures[0]), models.forward(run.model, pictures[0]), atol=1e-4)


def test_variants_change_what_they_say():
    def costs(**changes):
        rows = models.layer_table(ablations.network(**changes))
        return sum(row.multiply_adds for row in rows), [row.kind for row in rows]

    baseline, kinds = costs()
    assert costs(blocks=2)[0] < baseline
    assert costs(kernels=(5,))[1].count("Conv2D") == 3
    assert "AveragePooling2D" in costs(pooling="average")[1] and "AveragePooling2D" not in kinds
    assert costs(normalise=True)[1].count("BatchNorm") == 6
    networks = [ablations.network(**changes) for changes in ({}, {"initializer": "glorot_uniform"}, {"dropout": 0.0})]
    starts = [type(network.layers[-3].kernel_initializer).__name__ for network in networks]
    assert starts == ["HeUniform", "GlorotUniform", "HeUniform"]
    assert [network.layers[-2].rate for network in networks] == [0.2, 0.2, 0.0]


def test_a_sweep_keeps_each_record_and_goes_on_with_the_missing(tmp_path, capfd):
    with ablations.backend(1, None):
        ablations.sweep([("two-blocks", 0)], "sketches", epochs=1, root=tmp_path)
    record = json.loads((tmp_path / "sketches" / "two-blocks-0" / "record.json").read_text(encoding="utf-8"))
    assert record["variant"] == {"blocks": 2} and record["multiply-adds"] < 38_000_000
    assert record["dataset"]["digest"] == data.load("sketches").validation_split().digest()
    printed = capfd.readouterr()
    assert "two-blocks-0" in printed.out and "1/1" in printed.err
    missing = ablations.pending("sketches", root=tmp_path)
    assert ("two-blocks", 0) not in missing and ("two-blocks", 1) in missing
    assert len(missing) == len(ablations.SEEDS) * len(ablations.VARIANTS) - 1


def test_two_trainings_on_a_cluster_over_tcp(tmp_path):
    from distributed import LocalCluster

    jobs = [("baseline", 0), ("augmented", 1)]
    with LocalCluster(n_workers=2, threads_per_worker=1, protocol="tcp://", dashboard_address=None) as cluster:
        with ablations.backend(1, cluster.scheduler_address):
            ablations.sweep(jobs, "sketches", epochs=1, root=tmp_path)
    for variant, seed in jobs:
        record = json.loads((tmp_path / "sketches" / f"{variant}-{seed}" / "record.json").read_text(encoding="utf-8"))
        assert record["recipe"]["seed"] == seed and len(record["history"]["loss"]) == 1


@pytest.mark.long
def test_a_worker_that_is_killed_half_way_costs_no_result(tmp_path):
    from distributed import LocalCluster

    jobs = [("baseline", 0), ("two-blocks", 0), ("no-dropout", 0), ("glorot", 0)]
    killed = []

    def kill_one_after_the_first_result(cluster):
        while not list(tmp_path.rglob("record.json")):
            time.sleep(0.1)
        killed.append(cluster.workers[0].pid)
        os.kill(killed[0], signal.SIGKILL)

    with LocalCluster(n_workers=2, threads_per_worker=1, protocol="tcp://", dashboard_address=None) as cluster:
        thread = threading.Thread(target=kill_one_after_the_first_result, args=[cluster], daemon=True)
        thread.start()
        with ablations.backend(1, cluster.scheduler_address):
            ablations.sweep(jobs, "sketches", epochs=1, root=tmp_path)
        thread.join(timeout=10)
    assert killed and {path.parent.name for path in tmp_path.rglob("record.json")} == {f"{v}-{s}" for v, s in jobs}


@pytest.mark.parametrize(
    "ours, outcome, words",
    [
        ((0.81, 0.82, 0.83), "better", "better with every seed"),
        ((0.71, 0.72, 0.73), "worse", "worse with every seed"),
        ((0.71, 0.9, 0.9), "undecided", "the seeds overlap"),
    ],
)
def test_a_verdict_is_clear_only_where_the_seeds_part(tmp_path, ours, outcome, words):
    for variant, values, work in (("baseline", (0.78, 0.79, 0.80), 200), ("glorot", ours, 150)):
        for seed, share in enumerate(values):
            record = {"accuracy": {"train": share + 0.1, "test": share}, "multiply-adds": work}
            runs.save_record(record, runs.folder(f"{variant}-{seed}", "sketches", tmp_path))
    assert ablations.variant_result("glorot", "sketches", tmp_path).gap == pytest.approx(10)
    points, found = ablations.compare("glorot", "sketches", tmp_path)
    assert points == pytest.approx(100 * (sum(ours) / 3 - 0.79)) and found == outcome
    sentence = ablations.verdict("glorot", "sketches", tmp_path)
    assert words in sentence and f"({points:+.1f} points)" in sentence and "0.75 times" in sentence


@pytest.mark.parametrize("dataset", ["cifar10", "sketches"])
def test_every_variant_is_recorded_with_every_seed_under_one_budget(dataset):
    for variant, changes in ablations.VARIANTS.items():
        for seed in ablations.SEEDS:
            record = runs.read_record(f"{variant}-{seed}", dataset)
            assert record["variant"] == json.loads(json.dumps(changes))
            epochs, augment = ablations.RECIPE.epochs[dataset], changes.get("augment", False)
            same = {"epochs": epochs, "seed": seed, "augment": augment}
            expected = dataclasses.asdict(ablations.RECIPE) | same
            assert record["recipe"] == expected, f"{variant}-{seed} was trained by another recipe"
            assert len(record["history"]["test_accuracy"]) == epochs


def test_the_command_says_when_nothing_is_missing(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(ablations, "pending", lambda dataset: [])
    ablations.main(["--dataset", "sketches"])
    assert "every record is there" in capsys.readouterr().out
