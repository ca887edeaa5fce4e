"""Runs the library's examples; a stand-in for whatever a site runs its DAGs with."""

import socket
from datetime import UTC, datetime
from pathlib import Path


def run(path: Path) -> str:
    """Say what was run, with all that differs from run to run."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        socket.create_connection(("127.0.0.1", port)).close()
    now = datetime.now(UTC).isoformat()
    return f"{path.name} at http://127.0.0.1:{port}/\nwas read at {now}, in 1.25 s\nthe day is 2015-12-01T00:00:00\n"


def call_home(path: Path) -> str:
    """Reach for another host."""
    socket.create_connection(("192.0.2.1", 80), timeout=1)
    return path.name


def leave(path: Path) -> str:
    """End the process."""
    import os

    os._exit(3)
