"""The minutes of the lecture: the one place where they are written.

The README's plan, the speaker's clock and the page for the eve are made from here, and `notebooks` writes the number of
MINUTES into each notebook's first cell; tests compare.
"""

from dataclasses import dataclass

LECTURE, QUESTIONS = 75, 15  # minutes


@dataclass(frozen=True)
class Section:
    """`minutes` of one notebook: what happens, and what to show instead where it fails."""

    notebook: str
    minutes: int
    what: str
    instead: str = "–"


SECTIONS = (
    Section(
        "01-data", 4, "the sliders first: one image, one flip; then the assignment", "the figure below the sliders"
    ),
    Section("01-data", 7, "guess a 32×32 image, then see its label", "the stored outputs"),
    Section(
        "02-architecture",
        16,
        "the whole network; where its parameters and its work are; the assignment's questions, answered by an ablation study",
    ),
    Section(
        "03-training",
        12,
        "start a short training run and explain SGD while it runs; the curves; the generalisation gap",
        "the recorded curve",
    ),
    Section("04-evaluation", 7, "guess the most confused pair; an interval for the accuracy"),
    Section(
        "05-fgsm",
        19,
        "guess the ε; why the sign; the control; what PGD is; the slides' attack, reviewed; when float32 lies",
        "the page that `make site` writes",
    ),
    Section("06-defence", 9, "adversarial training; what robustness costs; “immune to FGSM: robust?”", "one figure"),
    Section("06-defence", 1, "three things to take home"),
)

# The same in 45 minutes: what of which notebook, and for how long.
SHORT = (
    Section("01-data", 4, "the sliders and the assignment"),
    Section("02-architecture", 8, "the whole network, and where its parameters and its work are"),
    Section("03-training", 5, "the recorded curves and the generalisation gap"),
    Section("05-fgsm", 19, "everything"),
    Section("06-defence", 9, "what robustness costs, “immune to FGSM: robust?”, what to take home"),
)

MINUTES = {
    name: sum(s.minutes for s in SECTIONS if s.notebook == name) for name in dict.fromkeys(s.notebook for s in SECTIONS)
}


def starts(sections=SECTIONS):
    """The minute at which each section begins."""
    return [sum(section.minutes for section in sections[:place]) for place in range(len(sections))]


def clock_time(begin, minute):
    """The time of day `minute` minutes after `begin`, "10:15"."""
    hours, minutes = map(int, begin.split(":"))
    return f"{(hours * 60 + minutes + minute) // 60 % 24}:{(hours * 60 + minutes + minute) % 60:02}"
