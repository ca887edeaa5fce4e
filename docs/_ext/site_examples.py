"""Runs the examples of this site against the demo's sources, which they are written for."""

from __future__ import annotations

import os
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def run(path: Path) -> str:
    """Run one example; what it archives and returns, as its page shows it."""
    sys.path.insert(0, str(ROOT))
    os.environ["PLATFORM_OPS_CONFIG"] = str(ROOT / "conf" / "platform.toml")
    os.environ["PLATFORM_OPS__ARCHIVE__UNDECLARED"] = "fail"
    from platform_ops.testing.examples import run as run_example
    from tests.demo.folders import partners
    from tests.demo.source import Source

    with Source.started() as source, partners() as handed_over:
        os.environ.update({**source.environment(), **handed_over})
        return run_example(path)
