"""The process that runs examples; it can connect to nothing but this machine.

Run as ``python -m platform_ops.registry.examples_worker JOB`` by :mod:`platform_ops.registry.examples`;
the answer to the nth example is written to ``n.json`` beside the job.
"""

from __future__ import annotations

import importlib
import ipaddress
import json
import re
import sys
import traceback
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

__all__ = ["main", "normalised"]

_PORT: Final = re.compile(r"(?<=127\.0\.0\.1:|localhost:)\d{2,5}")
_UUID: Final = re.compile(r"\b[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}\b")
_SECONDS: Final = re.compile(r"\b\d+\.\d+(?= ?(?:s|seconds)\b)")
_LOCAL: Final = frozenset({"", "localhost"})


def main(job: str) -> None:
    """Run every example of a job, each with an answer of its own."""
    sys.addaudithook(_stay_here)
    for number, (runner, path) in enumerate(json.loads(Path(job).read_bytes())):
        answer = {"output": "", "error": ""}
        started = datetime.now(UTC)
        try:
            answer["output"] = normalised(str(_load(runner)(Path(path))), started)
        except (Exception, SystemExit):  # noqa: BLE001  an example may raise anything
            answer["error"] = traceback.format_exc()
        Path(job).with_name(f"{number}.json").write_text(json.dumps(answer), encoding="utf-8")


def normalised(text: str, started: datetime) -> str:
    """Take out what is different in each run: ports, ids, durations, and the time of day."""
    text = _PORT.sub("PORT", text)
    text = _UUID.sub("UUID", text)
    text = _SECONDS.sub("0.0", text)
    days = {f"{each:%Y-%m-%d}" for each in (started, datetime.now(UTC))}
    clock = r"[T ]\d\d:\d\d:\d\d(?:[.,]\d+)?(?:Z|[+-]\d\d:?\d\d)?"
    return re.sub(rf"(?:{'|'.join(sorted(days))}){clock}", "NOW", text)


def _load(path: str) -> Callable[[Path], str]:
    module, _, attribute = path.partition(":")
    found: Callable[[Path], str] = getattr(importlib.import_module(module), attribute)
    return found


def _stay_here(event: str, arguments: tuple[Any, ...]) -> None:  # Any: each event has its own
    """Refuse to leave this machine: an example that needs the network shows nothing offline."""
    if event == "socket.connect" and isinstance(arguments[1], tuple):
        host = str(arguments[1][0])
    elif event == "socket.getaddrinfo":
        host = arguments[0].decode() if isinstance(arguments[0], bytes) else str(arguments[0] or "")
    else:
        return
    if host not in _LOCAL and not _is_loopback(host):
        raise PermissionError(f"examples reach this machine alone, not {host}")


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


if __name__ == "__main__":
    main(sys.argv[1])
