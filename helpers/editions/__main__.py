"""One source, several editions.

python -m helpers.editions notebooks [NN-name ...]   run the sources on CIFAR-10, and keep the outputs
python -m helpers.editions site|slides               write a folder of that name, which git ignores
python -m helpers.editions address                   write the public address of pyproject.toml wherever it is used
"""

import argparse
import sys

from . import cells


def main():
    parser = argparse.ArgumentParser(
        prog="python -m helpers.editions", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    commands = parser.add_subparsers(dest="edition", required=True, metavar="EDITION")
    commands.add_parser("notebooks").add_argument("names", nargs="*", metavar="NN-name")
    commands.add_parser("lecture").add_argument("--open", action="store_true", help="open it in JupyterLab")
    for name in ("site", "slides", "address"):
        commands.add_parser(name)
    chosen = parser.parse_args()
    if chosen.edition == "notebooks":
        from nbclient.exceptions import CellExecutionError

        from . import notebooks

        try:
            notebooks.write(chosen.names)
        except (CellExecutionError, OSError, ValueError) as error:
            sys.exit(str(error))
    elif chosen.edition == "address":
        from . import address

        address.renew()
    elif chosen.edition == "lecture":
        from . import lecture

        folder = cells.ROOT / "lecture"
        lecture.write(folder, cells.stored())
        print(f"The lecture edition is in {folder}.")
        if chosen.open:
            sys.exit(lecture.show(folder))
    else:
        from . import site, slides

        folder = cells.ROOT / chosen.edition
        {"site": site.write, "slides": slides.write}[chosen.edition](folder, cells.stored())
        size = sum(path.stat().st_size for path in folder.glob("*.html"))
        first = folder / ("index.html" if chosen.edition == "site" else "01-data.html")
        print(f"{size / 1e6:.1f} MB in {folder}: open {first}")


if __name__ == "__main__":
    main()
