"""What a command of this package, `python -m helpers.NAME`, begins with if it prints more than ASCII."""

import sys


def replace_what_cannot_be_printed():
    """Where the terminal's encoding lacks a character (ε in Latin-1), show a "?" instead of ending the command."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):  # not in a notebook, whose streams take every character
            stream.reconfigure(errors="replace")
