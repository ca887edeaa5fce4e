"""One file held against every rule that reads source; what is found is plain enough to be cached."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from platform_ops.conventions.catalogue import UNREADABLE, chosen
from platform_ops.conventions.model import Agreed, Convention, Edit, Hit, Write
from platform_ops.conventions.module import Module
from platform_ops.conventions.noqa import Noqa, exceptions
from platform_ops.conventions.rules.data import writes

__all__ = ["Examined", "examine", "examine_files", "hits_of"]


@dataclass(slots=True)
class Examined:
    """What one file holds.

    :param hits: With the id of the rule that each breaks.
    """

    hits: list[tuple[str, Hit]] = field(default_factory=list)
    writes: list[Write] = field(default_factory=list)
    noqa: list[Noqa] = field(default_factory=list)

    def to_json(self) -> dict[str, Any]:  # Any: JSON values
        """As JSON values."""
        return {
            "hits": [(rule, asdict(hit)) for rule, hit in self.hits],
            "writes": [asdict(each) for each in self.writes],
            "noqa": [asdict(each) for each in self.noqa],
        }

    @classmethod
    def from_json(cls, found: dict[str, Any]) -> Examined:  # Any: JSON values
        """Read back."""
        return cls(
            [(rule, _hit(each)) for rule, each in found["hits"]],
            [Write(**each) for each in found["writes"]],
            [Noqa(**{**each, "codes": tuple(each["codes"])}) for each in found["noqa"]],
        )


def _hit(plain: dict[str, Any]) -> Hit:  # Any: JSON values
    return Hit(**{**plain, "edits": tuple(Edit(**each) for each in plain["edits"])})


def examine(path: str, text: str, conventions: Sequence[Convention], agreed: Agreed) -> Examined:
    """Hold the source of one file against the rules; nothing of it is run.

    :param path: As findings tell it, and where files that it names are looked for.
    """
    families = {rule.family for rule in conventions} | {UNREADABLE.family}
    try:
        module = Module.parse(path, text)
    except (SyntaxError, ValueError, RecursionError, MemoryError) as err:
        line = getattr(err, "lineno", None) or 1
        told = getattr(err, "msg", None) or type(err).__name__
        return Examined([(UNREADABLE.id, Hit(line, "", str(told)))])
    hits = list(hits_of(module, conventions, agreed))
    return Examined(hits, list(writes(module)), list(exceptions(text, families)))


def hits_of(
    module: Module, conventions: Iterable[Convention], agreed: Agreed
) -> Iterator[tuple[str, Hit]]:
    """Every hit in one file, of rules that need this file alone."""
    for rule in conventions:
        if rule.source is not None:
            yield from ((rule.id, hit) for hit in rule.source(module, agreed))
        if rule.on_dag is not None:
            for dag in module.dags:
                yield from ((rule.id, hit) for hit in rule.on_dag(dag, agreed))
        if rule.on_task is not None:
            for task in module.tasks:
                yield from ((rule.id, hit) for hit in rule.on_task(task, agreed))


def examine_files(files: Sequence[tuple[str, str]], agreed: Agreed) -> list[dict[str, Any]]:
    """The same for several files, in a process of their own; each as JSON values."""  # Any: JSON
    rules = chosen(agreed.settings)
    return [examine(shown, read(Path(path)), rules, agreed).to_json() for shown, path in files]


def read(path: Path) -> str:
    """The text of a file, whatever its encoding claims to be."""
    return path.read_bytes().decode("utf-8-sig", errors="replace").replace("\r\n", "\n")
