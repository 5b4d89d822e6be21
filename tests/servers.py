"""Jupyter servers in tests: Jupyter chooses the port, and says which."""

import json
import socket
import time
from contextlib import suppress


def running(folder, process):
    """What a server notes down about itself in its runtime folder, port, token, pid and url, once it listens."""
    while process.poll() is None:
        for path in folder.glob("jpserver-*.json"):
            with suppress(ValueError, OSError):  # the note is being written, or nothing listens yet
                facts = json.loads(path.read_text())
                socket.create_connection(("localhost", facts["port"]), timeout=10).close()
                return facts
        time.sleep(0.2)
    raise RuntimeError("the server has ended: above is what it said")
