"""What `make bench` measured: results.json, growth.png and the README's part.

python report.py RAW        RAW is the file that pytest --benchmark-json=RAW wrote
python report.py            after `python -m helpers.durations`: the README with its new times, the rest as it was
"""

import json
import os
import platform
import sys
from importlib.metadata import version
from pathlib import Path
from typing import NamedTuple

import numpy as np

from helpers import data, durations, figures, runs
from helpers.editions.parts import with_part

HERE = Path(__file__).resolve().parent
README, RESULTS, GROWTH = HERE.parents[1] / "README.md", HERE / "results.json", HERE / "growth.png"
PACKAGES = ("tensorflow", "keras", "numpy", "foolbox", "cleverhans", "adversarial-robustness-toolbox", "ipympl")


def distilled(raw):
    """What is kept of pytest-benchmark's report: the best round of each way, its note, the machine, the versions."""
    measured = {}
    for one in raw["benchmarks"]:
        note = dict(one["extra_info"])
        ways, way = measured.setdefault(one["group"], {}), note.pop("way")
        ways[way] = {"seconds": one["stats"]["min"]} | note
    processor = raw["machine_info"]["cpu"].get("brand_raw", platform.processor())
    return {
        "date": raw["datetime"][:10],
        "machine": f"{processor}, {os.cpu_count()} cores, {platform.system()}",
        "versions": {"python": platform.python_version()} | {name: version(name) for name in PACKAGES},
        "measured": rounded(measured),
    }


def rounded(value):
    """Every float in `value` with four digits: the clock gives no more."""
    if isinstance(value, dict):
        return {key: rounded(part) for key, part in value.items()}
    if isinstance(value, (list, tuple)):
        return [rounded(part) for part in value]
    return float(f"{value:.4g}") if isinstance(value, float) else value


# How a measurement is written.


def short(seconds):
    """A duration in a few characters: 1.2 ms, 43 ms, 1.3 s, 2.2 min."""
    steps = (("h", 3600, 7200), ("min", 60, 120), ("s", 1, 1), ("ms", 0.001, 0))
    unit, size = next((unit, size) for unit, size, least in steps if seconds >= least)
    value = seconds / size
    return f"{value:.{1 if value < 9.95 else 0}f} {unit}"


def times(ratio):
    return f"{ratio:.{2 if ratio < 9.95 else 0}f}×"


def duration(found):
    return short(found["seconds"])


def rate(found):
    return f"{found['images'] / found['seconds']:,.0f}"


def others(ways):
    """All ways but this project's and the machine's limit, quickest first."""
    rest = {way: found for way, found in ways.items() if way not in ("here", "limit")}
    return dict(sorted(rest.items(), key=lambda one: one[1]["seconds"]))


def ratios(ways):
    return {way: found["seconds"] / ways["here"]["seconds"] for way, found in others(ways).items()}


def texts(ways, word=duration):
    """This project's measurement, those of the others, and by how much it is better."""
    instead = "; ".join(f"{way} {word(found)}" for way, found in others(ways).items())
    return word(ways["here"]), instead, "; ".join(map(times, ratios(ways).values()))


def limit_share(ways, measured):
    """Which part of the machine's rate of multiplying matrices this project reaches."""
    here, limit = ways["here"], measured["limit"]["here"]
    return here["images"] * here["operations"] / here["seconds"] * limit["seconds"] / limit["operations"]


# The table: for each row its last three texts and whether the goal is reached.


def fgsm(ways, measured):
    here, instead, better = texts(ways, rate)
    ratio, share = ratios(ways), limit_share(ways, measured)
    reached = share >= 0.75 and ratio["CleverHans"] >= 1 and min(ratio["Foolbox"], ratio["ART"]) >= 2
    return here, instead, f"{better}; {share:.0%} of the limit", reached


def sweep(ways, measured):
    here, instead, better = texts(ways, rate)
    better += f"; {limit_share(ways, measured):.0%} of the limit"
    return here, instead, better, min(ratios(ways).values()) >= 4


def slider(ways, measured):
    return *texts(ways), ways["here"]["seconds"] < 0.005


def new_image(ways, measured):
    here, instead, better = texts(ways)
    if seen := measured.get("new image in the browser"):
        here += f", {duration(seen['here'])} in the browser"
    return here, instead, better, ratios(ways)["predict for each ε"] >= 10


def page(ways, measured):
    here = ways["here"]
    words = (
        f"first prediction after {short(here['seconds'])}; prediction {short(here['prediction'])}, gradient "
        f"{short(here['gradient'])}; ε at {here['frames']:.0f} frames per second for both networks, {here['slow']:.0f} on a "
        f"processor slowed down fourfold; {here['megabytes']:.1f} MB"
    )
    reached = here["prediction"] <= 0.015 and here["gradient"] <= 0.030 and here["megabytes"] < 6
    return words, "", "", reached and here["frames"] >= 55 and here["slow"] >= 15


def trainings():
    """The times of two trainings as the notebooks show them, too: all steps, evaluations left out."""
    names = {"here": "fast", "the slides' recipe": "vgg3"}
    reached, needed = (runs.accuracy(runs.read_record(name, "cifar10")) for name in names.values())
    assert reached >= needed, "the table compares times to at least the same accuracy"
    return {way: {"seconds": durations.seconds(name, "cifar10"), "network": name} for way, name in names.items()}


def training(ways, measured):
    here, instead, better = texts(ways)
    return f"`{ways['here']['network']}` {here}", instead, better, min(ratios(ways).values()) > 1


def loading(ways, measured):
    here, keras = ways["here"], ways["keras.datasets"]
    if here["megabytes"] is None:  # not Linux
        return *texts(ways), None
    less = keras["megabytes"] / here["megabytes"]
    here, instead, better = texts(ways, lambda found: f"{duration(found)}, {found['megabytes']:.0f} MB")
    better += f" in time, {times(less)} in memory; the bytes alone take {duration(ways['limit'])}"
    return here, instead, better, min(ratios(ways).values()) >= 1 and less > 1


def at_most(seconds):
    return lambda ways, measured: (duration(ways["here"]), "", "", ways["here"]["seconds"] < seconds)


ROWS = {
    "fgsm": ("FGSM, images per second", "level with CleverHans, 2× the others, 75% of the limit", fgsm),
    "sweep": ("accuracy at 33 values of ε, images per second", "4×", sweep),
    "slider": ("ε slider, key press to picture, 95% within", "5 ms", slider),
    "new image": ("a new image in the explorer: all its sliders show", "10× a predict for each ε", new_image),
    "page": ("the attack in a page (`attack.html`)", "15 ms, 30 ms, 55 of 60 frames, 15 frames, 6 MB", page),
    "training": ("training to at least the accuracy of the slides' recipe", "quicker", training),
    "loading": (
        "loading CIFAR-10 again: mapped from our cache, read when it is used",
        "no slower, less memory",
        loading,
    ),
    "import": ("`import helpers`, Python's start included", "0.3 s", at_most(0.3)),
    "first figure": ("kernel start to first figure of 05-fgsm", "12 s", at_most(12)),
    "make test": ("`make test`", "8 min", at_most(480)),
}

# Why a goal is missed.
BETWEEN = {
    "fgsm": "all libraries compute the same forward pass and gradient (Foolbox one forward pass more). A ratio shows what "
    "else they do, which matters less where multiplication is slow. The distance to the limit is due to ReLU and "
    "pooling, which move memory.",
    "sweep": "every method needs a forward pass for each ε. A gradient costs about two more: 33 × 3 = 99 passes if each ε "
    "has its own gradient, 2 + 33 = 35 if one gradient serves all. With equally fast passes, the ratio is 2.8×.",
    "page": "a frame is counted where the predictions of both networks on screen are those of the slider's ε. The drag begins "
    "when the image is chosen: what is missing are its first frames, while the gradients are computed.",
    "first figure": "most of the time goes to importing TensorFlow and tracing the first passes.",
    "make test": "the table below says which parts are slow.",
}


class Row(NamedTuple):
    """One line of the README's table: five texts, and whether the goal is reached; None where that is not known."""

    what: str
    here: str
    instead: str
    better: str
    goal: str
    reached: bool | None


def rows(measured):
    """The table's rows by their group's name; what was skipped says so."""
    made = {}
    for group, (what, goal, judged) in ROWS.items():
        known = "here" in measured.get(group, ())
        here, instead, better, reached = judged(measured[group], measured) if known else ("not measured", "", "", None)
        made[group] = Row(what, here, instead, better, goal, reached)
    return made


def in_table(headings, lines):
    return "".join(f"| {' | '.join(map(str, line))} |\n" for line in (headings, ["---"] * len(headings), *lines))


def readme_part(results):
    """Where and when it was measured, the table, why goals are missed, how cost grows, and what is slow in the tests."""
    measured = {"training": trainings()} | results["measured"]
    made = rows(measured)
    limit, mark = measured["limit"]["here"], {True: "✓", False: "✗", None: "?"}
    parts = [
        f"Measured on {results['date']}: {results['machine']}, load {limit['load'] or 0:.1f} before it began; "
        f"{data.TITLES[limit['dataset']]}{'' if limit['full'] else ', few images'}. The limit: "
        f"{limit['operations'] / limit['seconds'] / 1e9:,.0f} billion float32 operations per second.\n",
        in_table(
            ("what", "here", "instead", "better by", "goal"),
            [(*row[:4], f"{mark[row.reached]} {row.goal}") for row in made.values()],
        ),
    ]
    missed = [group for group, row in made.items() if row.reached is False]
    if missed:
        parts.append(
            "Why some goals are missed (✗):\n\n"
            + "".join(f"- {made[group].what}: {BETWEEN[group]}\n" for group in missed if group in BETWEEN)
        )
    if "growth" in measured:
        parts.append(f"![{in_words(measured)}]({GROWTH.relative_to(README.parent).as_posix()})\n")
    if "make test" in measured:
        slowest = measured["make test"]["here"]["slowest"]
        lines = [(f"`{name}`", checks, f"{seconds:.0f}") for name, (checks, seconds) in slowest.items()]
        parts.append(in_table(("slowest in `make test`, two at a time", "checks", "seconds"), lines))
    return "\n".join(parts)


# How cost grows.


def sizes(measured, axis):
    """Sizes, seconds (for a batch: of one image) and megabytes along one axis of growth."""
    found = {int(size): cost for size, cost in measured["growth"][axis]["sizes"].items()}
    seconds = [cost["seconds"] / (max(size, 256) if axis == "batch" else 1) for size, cost in found.items()]
    return list(found), seconds, [cost["megabytes"] or 0 for cost in found.values()]


def growth(measured):
    """The figure of how cost grows: time above, memory below, one column for each thing that grows."""
    columns = {"images": "images", "epsilons": "values of ε for 100 images", "batch": "images in a batch"}
    figure, panels = figures.new_figure(2, 3, height=6.4, sharex="col")
    for (time, memory), (axis, label) in zip(panels.T, columns.items()):
        size, seconds, megabytes = sizes(measured, axis)
        seconds = np.multiply(seconds, 1000 if axis == "batch" else 1)
        ends = 10.0 ** np.floor(np.log10(min(seconds))), 10.0 ** np.ceil(np.log10(max(seconds)))
        time.set(yscale="log", ylabel="time per image (ms)" if axis == "batch" else "time (s)", ylim=ends)
        time.yaxis.set_major_formatter("{x:g}")
        memory.set(ylabel="memory (MB)", ylim=(0, 1.25 * max(megabytes) + 1))
        shown = [size[0], size[len(size) // 2], size[-1]]
        memory.set(xscale="log", xlabel=label, xticks=shown, xticklabels=[f"{x:,}" for x in shown])
        memory.minorticks_off()
        for panel, values, colour in ((time, seconds, figures.INK), (memory, megabytes, figures.GREY)):
            panel.plot(size, values, "o-", color=colour)
            panel.margins(x=0.15)
            for place, aside in ((0, -6), (-1, 0)):
                value, offset = values[place], {"xytext": (aside, 9), "textcoords": "offset points"}
                word = f"{value:,.0f}" if value >= 10 else f"{value:.2g}"
                panel.annotate(word, (size[place], value), **offset, ha="center", color=colour)
    return figure


def in_words(measured):
    """What the figure of growth shows, for those who do not see it."""
    words = []
    for axis, name in (("images", "images"), ("epsilons", "values of ε")):
        size, seconds, megabytes = sizes(measured, axis)
        words.append(
            f"{size[-1]:,} {name} take {times(seconds[-1] / seconds[0])} the time of {size[0]:,} "
            f"and {megabytes[-1]:,.0f} MB instead of {megabytes[0]:,.0f} MB"
        )
    size, seconds, megabytes = sizes(measured, "batch")
    best = min(zip(seconds, size))[1]
    words.append(
        f"in batches of {best:,} an image is quickest, {times(seconds[0] / min(seconds))} as quick as alone; "
        f"a batch of {size[-1]:,} takes {megabytes[-1]:,.0f} MB"
    )
    return f"How cost grows. {'; '.join(words)}."


def main(raw=None):
    if raw:
        results = distilled(json.loads(Path(raw).read_text(encoding="utf-8")))
        RESULTS.write_text(json.dumps(results, indent=1, ensure_ascii=False) + "\n", encoding="utf-8", newline="\n")
        growth(results["measured"]).savefig(GROWTH, dpi=figures.DPI)
    results = json.loads(RESULTS.read_text(encoding="utf-8"))
    text = with_part(README.read_text(encoding="utf-8"), "bench", readme_part(results))
    README.write_text(text, encoding="utf-8", newline="\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
