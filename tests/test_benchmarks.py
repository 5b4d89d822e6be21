"""What `make bench` wrote: the README's part and the picture belong to results.json. Nothing is measured here."""

import copy
import json

import pytest
import report
from matplotlib.backends.backend_agg import FigureCanvasAgg

from helpers.editions.parts import with_part


@pytest.fixture(scope="module")
def results():
    return json.loads(report.RESULTS.read_text(encoding="utf-8"))


def test_the_readme_shows_these_results(results):
    readme = report.README.read_text(encoding="utf-8")
    assert with_part(readme, "bench", report.readme_part(results)) == readme
    assert f"| {report.rows(results['measured'])['fgsm'].here} |" in readme


def test_the_results_are_of_the_photographs_and_say_of_what_machine(results):
    limit = results["measured"]["limit"]["here"]
    assert limit["dataset"] == "cifar10" and limit["load"] is not None and results["machine"]
    assert set(results["versions"]) == {"python", *report.PACKAGES}


def test_each_goal_that_is_missed_has_its_reason(results):
    missed = {group for group, row in report.rows(results["measured"]).items() if row.reached is False}
    assert missed <= set(report.BETWEEN)


def test_the_picture_is_small_and_whole(results):
    assert report.GROWTH.stat().st_size < 200_000
    figure = report.growth(results["measured"])
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    drawn, (width, height) = figure.get_tightbbox(canvas.get_renderer()), figure.get_size_inches()
    assert min(drawn.x0, drawn.y0) > -0.01 and drawn.x1 < width + 0.01 and drawn.y1 < height + 0.01


# Made-up numbers: every goal is reached, and each change below misses one.
MADE_UP = {
    "limit": {"here": {"seconds": 1, "operations": 1000, "dataset": "sketches", "full": False, "load": 0.5}},
    "fgsm": {
        "here": {"seconds": 2, "images": 100, "operations": 16},
        "CleverHans": {"seconds": 3, "images": 100},
        "Foolbox": {"seconds": 5, "images": 100},
        "ART": {"seconds": 4, "images": 100},
    },
    "sweep": {
        "here": {"seconds": 2, "images": 100, "operations": 16},
        "CleverHans": {"seconds": 8, "images": 100},
        "ART": {"seconds": 50, "images": 100},
    },
    "slider": {"here": {"seconds": 0.0049}, "ipympl": {"seconds": 0.07}},
    "new image": {
        "here": {"seconds": 0.01},
        "one predict for all ε": {"seconds": 0.05},
        "predict for each ε": {"seconds": 0.1},
    },
    "page": {
        "here": {"seconds": 1, "prediction": 0.015, "gradient": 0.03, "frames": 60, "slow": 15, "megabytes": 5.9},
    },
    "training": {"here": {"seconds": 60, "network": "fast"}, "the slides' recipe": {"seconds": 3600}},
    "loading": {
        "here": {"seconds": 1, "megabytes": 200},
        "keras.datasets": {"seconds": 1, "megabytes": 201},
        "limit": {"seconds": 0.1},
    },
    "import": {"here": {"seconds": 0.29}},
    "first figure": {"here": {"seconds": 11.9}},
    "make test": {"here": {"seconds": 479, "tests": 3, "slowest": {"test_browser": [3, 100.4]}}},
}


def test_made_up_numbers_in_words():
    made = report.rows(MADE_UP)
    assert list(made) == list(report.ROWS) and all(row.reached for row in made.values())
    instead, better = "CleverHans 33; ART 25; Foolbox 20", "1.50×; 2.00×; 2.50×; 80% of the limit"
    assert made["fgsm"][1:4] == ("50", instead, better)
    assert made["training"][1:4] == ("`fast` 60 s", "the slides' recipe 60 min", "60×")
    part = report.readme_part({"date": "2026-01-02", "machine": "one", "measured": MADE_UP})
    assert "2026-01-02: one, load 0.5 before it began; the sketches, few images" in part
    assert "| `test_browser` | 3 | 100 |" in part and "✗" not in part and "stands between" not in part


@pytest.mark.parametrize(
    "group, way, changed",
    [
        ("fgsm", "CleverHans", {"seconds": 1.9}),
        ("fgsm", "Foolbox", {"seconds": 3.9}),
        ("fgsm", "ART", {"seconds": 3.9}),
        ("fgsm", "here", {"operations": 14}),
        ("sweep", "CleverHans", {"seconds": 7.9}),
        ("slider", "here", {"seconds": 0.0051}),
        ("new image", "predict for each ε", {"seconds": 0.099}),
        *(("page", "here", {what: 0.031}) for what in ("prediction", "gradient", "frames", "slow")),
        ("page", "here", {"megabytes": 6.1}),
        ("training", "the slides' recipe", {"seconds": 59}),
        ("loading", "here", {"seconds": 1.1}),
        ("loading", "here", {"megabytes": 202}),
        ("import", "here", {"seconds": 0.31}),
        ("first figure", "here", {"seconds": 12.1}),
        ("make test", "here", {"seconds": 481}),
    ],
)
def test_a_missed_goal_is_marked(group, way, changed):
    measured = copy.deepcopy(MADE_UP)
    measured[group][way] |= changed
    assert [name for name, row in report.rows(measured).items() if not row.reached] == [group]
    part = report.readme_part({"date": "", "machine": "", "measured": measured})
    assert f"| ✗ {report.ROWS[group][1]} |" in part
    assert report.BETWEEN.get(group, "") in part


def test_what_was_skipped_says_so():
    made = report.rows({"limit": MADE_UP["limit"]})
    assert {(row.here, row.reached) for row in made.values()} == {("not measured", None)}


@pytest.mark.parametrize(
    "seconds, words",
    [(0.00123, "1.2 ms"), (0.0434, "43 ms"), (1.26, "1.3 s"), (119, "119 s"), (130, "2.2 min"), (8000, "2.2 h")],
)
def test_durations_in_words(seconds, words):
    assert report.short(seconds) == words


def test_only_what_matters_is_kept(monkeypatch):
    """Of what pytest-benchmark writes, without the name of the computer."""
    limit = {"way": "here", "operations": 1000, "load": 0.123456}
    benchmarks = [
        {"group": "limit", "extra_info": limit, "stats": {"min": 1.23456, "data": [1.23456, 2]}},
        {"group": "slider", "extra_info": {"way": "ipympl", "seconds": 0.07}, "stats": {"min": 0.2}},
    ]
    machine = {"node": "somebody's", "cpu": {"brand_raw": "a processor"}}
    monkeypatch.setattr(report, "version", lambda name: "1.0")
    kept = report.distilled({"datetime": "2026-01-02T03:04:05", "machine_info": machine, "benchmarks": benchmarks})
    assert kept["measured"] == {
        "limit": {"here": {"seconds": 1.235, "operations": 1000, "load": 0.1235}},
        "slider": {"ipympl": {"seconds": 0.07}},  # a note's own seconds come before the round's
    }
    assert kept["date"] == "2026-01-02" and kept["machine"].startswith("a processor")
    assert "somebody" not in json.dumps(kept)
