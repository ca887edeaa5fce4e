"""Operators that somebody has made by following the documentation, in the whole contract suite.

One is the code of the how-to as it stands there, the other what ``platform-ops new source`` writes.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from types import ModuleType
from typing import Any

import pytest
from airflow.sdk import BaseOperator

from platform_ops.cli.new import operator_text
from platform_ops.sources.http import ArchivingHttpOperator
from tests.contract import CASES, cases_for
from tests.contract.files import BODIES, MAPPED, NAMES, LocalCase, LocalSource
from tests.test_contract import *  # noqa: F403  # its tests, over the cases below

# It starts a process that finds its case in CASES.
del test_a_kill_in_the_middle_leaves_nothing_and_the_retry_commits_once  # noqa: F821  # imported

HOW_TO = Path(__file__).parents[1] / "docs" / "how-to" / "add-an-operator.md"


def made(name: str, text: str) -> ModuleType:
    """The module of a text."""
    module = ModuleType(name)
    exec(compile(text, name, "exec"), vars(module))  # code of our own documentation
    return module


(FOLLOWED,) = re.findall(
    r"## Write `fetch`\n\n```python\n(.*?)```", HOW_TO.read_text("utf-8"), re.DOTALL
)
"""The one code block of that section."""


@dataclass
class FollowedCase(LocalCase):
    """A folder of two files, by the how-to's operator."""

    name: str = "how-to"
    operator: type[BaseOperator] = made("followed", FOLLOWED).ArchivingFolderOperator
    _root: str = ""

    @contextmanager
    def serve(self, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:  # Any: a Source
        with super().serve(monkeypatch), TemporaryDirectory() as name:
            self._root = name
            held = dict(zip((f"incoming/{each}" for each in NAMES), BODIES, strict=True))
            held |= {f"{each}/{each}": body for each, body in MAPPED.items()}
            for path, body in held.items():
                file = Path(name) / path
                file.parent.mkdir(exist_ok=True)
                file.write_bytes(body)
            yield LocalSource(Path(name) / "incoming")

    @property
    def arguments(self) -> dict[str, Any]:  # Any: the operator's own
        return {"path": f"{self._root}/incoming"}

    @property
    def mapped(self) -> list[tuple[dict[str, Any], bytes]]:  # Any: the operator's own
        return [({"path": f"{self._root}/{name}"}, body) for name, body in MAPPED.items()]


GENERATED = made("stripe", operator_text("stripe")).ArchivingStripeOperator
POOL = [
    (FollowedCase(), "disk"),
    *((case, "disk") for case in cases_for({GENERATED}, ())),
]


def test_the_how_to_takes_thirty_lines_at_most() -> None:
    assert len([line for line in FOLLOWED.splitlines() if line.strip()]) <= 30


def test_a_registered_operator_over_http_has_its_case_without_a_hand() -> None:
    assert issubclass(GENERATED, ArchivingHttpOperator)
    assert [case.operator for case in cases_for({GENERATED}, CASES)] == [GENERATED]
    assert cases_for({each.operator for each in CASES}, CASES) == []
