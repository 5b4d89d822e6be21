"""One source, several editions. Each command writes what it is called after, at the top level, where git ignores it.

notebooks [NN-name ...]    run the sources on CIFAR-10, and keep the outputs beside them
lecture                    what is projected (--open: in JupyterLab; --clock: its minutes; --guide: a page for the eve)
student                    what students work on, and student.zip
site                       pages to read at home
slides                     decks to teach from without a kernel
address                    copy the public address of pyproject.toml to wherever it is used
"""

import argparse
import re
import sys

from ..commands import replace_what_cannot_be_printed
from . import cells


def _stored():
    """The notebooks that the editions are made of; says which are left out."""
    if others := sorted({path.stem for path in cells.NOTEBOOKS.glob("*.ipynb")} - set(cells.names())):
        print(f"Left out, because no numbered .py is beside it: {', '.join(others)}.")
    return cells.stored()


def _notebooks(chosen):
    from nbclient.exceptions import CellExecutionError

    from . import notebooks

    try:
        notebooks.write(chosen.names)
    except CellExecutionError as error:
        sys.exit(str(error))


def _lecture(chosen):
    from . import lecture

    books, folder = _stored(), cells.ROOT / "lecture"
    if chosen.clock or chosen.measure:
        _clock(books, chosen.measure)
        return
    if chosen.guide:
        from . import guide

        guide.write(folder, books, chosen.begin)
        print(f"Print {folder / 'guide.html'}, bets.html and, for you alone, answers.html beside it.")
        return
    lecture.write(folder, books)
    print(f"The lecture edition is in {folder}.")
    if chosen.open:
        sys.exit(lecture.show(folder))


def _clock(books, anew):
    from . import clock, waiting

    found = waiting.measure(books) if anew else waiting.measured()
    print(*clock.table(books, {name: waiting.seconds(one) for name, one in found.items()}), sep="\n")
    for name, one in found.items():
        for line in waiting.complaints(one):
            print(f"{name}, {line}")
        if one["code"] != waiting.code(books[name]):
            print(f"{name} was measured before its code changed: lecture --measure on a quiet machine")


def _student(chosen):
    from . import address, student

    folder = cells.ROOT / "student"
    others = student.write(folder, _stored(), address.repository())
    size = folder.with_suffix(".zip").stat().st_size
    print(
        f"The notebooks for students are in {folder}, and, to hand out, in student.zip beside it ({size / 1e6:.0f} MB)."
    )
    if others:
        print(f"Also in the folder, but not written by this command and not in the zip: {', '.join(others)}.")


def _site(chosen):
    from . import site

    site.write(cells.ROOT / "site", _stored())
    print(
        f"Open {cells.ROOT / 'site' / 'index.html'}; the teachers' pages begin at {site.TEACHERS}/index.html beside it."
    )


def _slides(chosen):
    from . import slides

    slides.write(cells.ROOT / "slides", _stored(), chosen.begin)
    print(f"Open {cells.ROOT / 'slides' / '01-data.html'}; S opens the speaker notes.")


def _address(chosen):
    from . import address

    address.renew()


def _time_of_day(text):
    if not re.fullmatch(r"([01]?\d|2[0-3]):[0-5]\d", text):
        raise argparse.ArgumentTypeError(f"expected a time of day, such as 10:15, got {text!r}")
    return text


def main():
    replace_what_cannot_be_printed()
    parser = argparse.ArgumentParser(
        prog="python -m helpers.editions", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    commands = parser.add_subparsers(required=True, metavar="EDITION")
    for name, run in (
        ("notebooks", _notebooks),
        ("lecture", _lecture),
        ("student", _student),
        ("site", _site),
        ("slides", _slides),
    ):
        commands.add_parser(name).set_defaults(run=run)
    commands.add_parser("address").set_defaults(run=_address)
    commands.choices["notebooks"].add_argument("names", nargs="*", metavar="NN-name")
    for name in ("lecture", "slides"):
        commands.choices[name].add_argument(
            "--begin", default="10:15", type=_time_of_day, help="when the lecture begins: 10:15 if left out"
        )
    lecturer = commands.choices["lecture"].add_mutually_exclusive_group()
    lecturer.add_argument("--open", action="store_true", help="open it in JupyterLab")
    lecturer.add_argument(
        "--guide", action="store_true", help="a page for the eve, a sheet of the bets, and their answers"
    )
    lecturer.add_argument("--clock", action="store_true", help="add up the minutes of each notebook")
    lecturer.add_argument("--measure", action="store_true", help="run every notebook and keep how long a class waits")
    chosen = parser.parse_args()
    try:
        chosen.run(chosen)
    except (OSError, ValueError) as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
