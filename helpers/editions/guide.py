"""What a lecturer takes along on paper: a page for the eve, a sheet to count the bets, and the answers to them."""

import html
import re

from . import attack, cells, pages, schedule

# What to leave out of a notebook that has not begun so many minutes after it should have.
LATE = 3
CUTS = {
    "03-training": "show the recorded curves of 03 instead of the training run, then the generalisation gap (saves 5 "
    "minutes)",
    "05-fgsm": "in 05, leave out the ten images, the slides' attack and “When float32 lies” (saves 6 minutes)",
    "06-defence": "show only the figure of accuracies on clean images and under attack, then the three things to take "
    "home (saves 5 minutes)",
}
BEFORE = (
    "The day before: run <code>make data</code>, then <code>make lecture</code>, and run 01 and 03 once on the machine that "
    "you will use. Afterwards, nothing needs the Internet.",
    "In the lecture hall: run <code>make lecture</code>; set the browser to full screen (F11), to a zoom of 100% on a screen "
    "of 1280×720 or 150% on one of 1920×1080, and to the light theme. Run the first two code cells of 01 before people come in.",
    "Shift+Enter runs a cell and moves to the next, even to a folded one, which the arrow keys would skip. Set each bet to "
    "what the class says before you run the answer. On slides, + and − change ε; in a notebook, use the arrow keys on its "
    "slider.",
    "If Jupyter fails, show what <code>make slides</code> and <code>make site</code> wrote the day before: it needs no kernel.",
)
QUESTIONS = {
    "Why max pooling, and not another kind?": "Because the slides chose it; 02's table says whether any "
    "measurement speaks against it. “No difference” is a result: the interval says how large a difference could still be.",
    "I can see the change at 8/255.": "Yes, in dark, even areas. The claim is not that nobody sees the change, but that "
    "nobody would choose another class: the image still shows the same object.",
    "Does it work with printed images or real objects, too?": "Yes: printed and photographed FGSM images can still fool a "
    "network (Kurakin et al. 2017), and attacks that allow for changes of angle, light and camera are more reliable (Athalye "
    "et al. 2018, Eykholt et al. 2018).",
    "Are larger networks safer?": "Not by themselves: without adversarial training, they fall to the same attack. With it, "
    "more capacity helps.",
    "Why are networks so linear?": "Convolution is linear and ReLU piecewise linear, and architectures are chosen to be "
    "easy to train. With 3,072 inputs, many small changes along the gradient's signs add up.",
    "Can the attacker do without the network?": "Yes: an adversarial example computed on one network (a surrogate) often "
    "fools another, and queries alone can be enough (black-box attacks).",
}
STYLE = """@page { size: A4; margin: 11mm 12mm; }
body { font: 8.6pt/1.32 system-ui, sans-serif; color: #111; margin: 0 auto; max-width: 186mm; }
h1 { font-size: 15pt; margin: 0 0 1mm; } h2, h3 { font-size: 10pt; margin: 2.5mm 0 0.8mm; } p { margin: 0 0 1mm; }
table { border-collapse: collapse; width: 100%; } th { text-align: left; }
td, th { border-bottom: 0.3pt solid #999; padding: 0.6mm 1.6mm 0.6mm 0; vertical-align: top; }
td:first-child { white-space: nowrap; } .bets td:first-child, .answers td:first-child { white-space: normal; }
ul { margin: 0; padding-left: 4mm; } dt { font-weight: 600; } dd { margin: 0 0 0.8mm; }
.two { columns: 2; column-gap: 6mm; } .two > * { break-inside: avoid; } .qr svg { width: 22mm; }
.bets td { height: 15mm; width: 22mm; border: 0.3pt solid #999; padding: 1mm; }
.bets td:first-child { width: auto; height: auto; } .answers td { width: 50%; }
.bets h2, .bets h3, .answers h2, .answers h3 { margin-top: 0; } tr { break-inside: avoid; } .formula svg { overflow: visible; }
.heard { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); }"""
PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>{title}</title><style>{style}</style></head><body>
<h1>{title}</h1>
{body}
</body></html>
"""


def eve(begin, numbers):
    """The page for the eve of a lecture that begins at `begin`; `numbers` are lines of HTML with what will come out."""
    rows = []
    for start, section in zip(schedule.starts(), schedule.SECTIONS):
        span = f"<b>{schedule.clock_time(begin, start)}</b> ({start}–{start + section.minutes})"
        rows.append(
            (span, section.notebook[:2], html.escape(section.what), html.escape(section.instead.replace("`", "")))
        )
    end = schedule.LECTURE
    rows.append((f"<b>{schedule.clock_time(begin, end)}</b> ({end}–{end + schedule.QUESTIONS})", "", "questions", ""))
    cuts = []
    for name, what in CUTS.items():
        minute = schedule.starts()[[section.notebook for section in schedule.SECTIONS].index(name)] + LATE
        cuts.append(
            f"<b>{schedule.clock_time(begin, minute)}, minute {minute}: Has {name[:2]} begun?</b> If not, {what}."
        )
    asked = "".join(f"<dt>{question}</dt><dd>{answer}</dd>" for question, answer in QUESTIONS.items())
    body = (
        f"<h2>Before</h2>{_list(BEFORE)}<h2>The clock</h2>{_table(('time', '', 'what', 'if it fails'), rows)}"
        f"<h2>Late?</h2>{_list(cuts)}<h2>What will come out</h2>{_list(numbers)}"
        f'<h2>What people ask</h2><dl class="two">{asked}</dl>{attack.qr_code() if attack.public_address() else ""}'
    )
    return PAGE.format(title="Teach this tomorrow", style=STYLE, body=body)


def expected():
    """What the notebooks will show, read from the records, as lines of HTML."""
    from .. import data, durations, robustness, runs

    dataset = data.load(download=False)
    name = dataset.name
    run, images = runs.read_record("vgg3", name), runs.FIRST_TEST if name == "cifar10" else "test"
    standard, trained = (robustness.load(network, name) for network in ("vgg3", "adversarial-fgsm"))
    one, other = _at(standard), _at(trained)
    fast = runs.read_record("fast", name)
    return [
        f"vgg3 on {dataset.title}: accuracy {_percent(runs.accuracy(run, 'train'))} on the training images, "
        f"{_percent(runs.accuracy(run))} on all test images, {_percent(runs.accuracy(run, images))} on those that are attacked; "
        f"the slides' network reaches {runs.SLIDES['train']:.2%} and {runs.SLIDES['test']:.2%}",
        f"<code>fast</code>: accuracy {_percent(runs.accuracy(fast))} on the test images after "
        f"{durations.in_words(durations.seconds('fast', name))} of training",
        f"vgg3 at ε = 8/255: accuracy {_percent(one['FGSM'])} under FGSM, {_percent(one['random-sign noise'])} under random-sign "
        f"noise, {_percent(one['PGD'])} under PGD",
        f"adversarial-fgsm: accuracy {_percent(other['clean'])} on clean images, {_percent(other['FGSM'])} under FGSM and "
        f"{_percent(other['PGD'])} under PGD at the same ε",
    ]


def _at(report):
    from ..robustness import REPORT_ATTACKS, REPORT_LEVEL

    found = {name: dict(zip(report[name]["levels"], report[name]["accuracy"])) for name in REPORT_ATTACKS}
    return {name: levels[REPORT_LEVEL] for name, levels in found.items()} | {"clean": found["FGSM"][0]}


def bets(books):
    """The bets of all notebooks: [(notebook, question as HTML, answer as text)]."""
    found = []
    for name, book in books.items():
        shown = pages.numbered(book).cells
        for place, cell in enumerate(shown):
            if cell.cell_type == "markdown" and cells.has(cell, "bet") and cells.part(cell) == "core":
                question = cells.without(cell.source, cells.NOTES + cells.SOLUTIONS)
                found.append((name, pages.rendered(question, cell), _answer(shown[place + 1 :])))
    return found


def _answer(following):
    """What the cells with the answer say: captions and prints of the first reveal after a bet."""
    told = []
    for cell in following:
        if cells.has(cell, "reveal"):
            told += [cell.source] if cell.cell_type == "markdown" else [_words(output) for output in cell.outputs]
        elif told or (cells.has(cell, "bet") and cell.cell_type == "markdown"):
            break
    return " ".join(filter(None, told))


def _words(output):
    kinds = output.get("data", {})
    if "image/png" in kinds:
        return output.metadata["image/png"].get("alt", "")
    return output.get("text", "" if "text/markdown" in kinds else kinds.get("text/plain", ""))


def sheet(found):
    """The sheet on which somebody counts the bets of the class."""
    rows = [(f"<b>{name[:2]}</b> {question}", "", "", "", "") for name, question, _ in found]
    return PAGE.format(
        title="The bets of the class",
        style=STYLE,
        body=f'<div class="bets">{_table(("bet", "", "", "", ""), rows)}</div>',
    )


def answers(found):
    """The same with the answers, for the lecturer alone."""
    rows = [
        (f"<b>{name[:2]}</b> {question}", html.escape(re.sub(r"[*_`$]", "", answer)))
        for name, question, answer in found
    ]
    return PAGE.format(
        title="The bets and their answers: for the lecturer",
        style=STYLE,
        body=f'<div class="answers">{_table(("bet", "answer"), rows)}</div>',
    )


def write(folder, books, begin):
    """Write guide.html, bets.html and answers.html into `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    found = bets(books)
    for name, text in (
        ("guide", eve(begin, expected())),
        ("bets", sheet(found)),
        ("answers", answers(found)),
    ):
        (folder / f"{name}.html").write_text(text, encoding="utf-8", newline="\n")


def _percent(fraction):
    return "–" if fraction is None else f"{fraction:.1%}"


def _list(lines):
    return f"<ul>{''.join(f'<li>{line}</li>' for line in lines)}</ul>"


def _table(headings, rows):
    head = "".join(f"<th>{heading}</th>" for heading in headings)
    body = "".join(f"<tr>{''.join(f'<td>{value}</td>' for value in row)}</tr>" for row in rows)
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"
