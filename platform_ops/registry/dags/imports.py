"""Which files of its own folder a DAG file is made of, told without running it."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

__all__ = ["own_files"]

# What may bring in a file under a name that no one can read beforehand.
_COMPUTED: Final = re.compile(
    r"\bimportlib\b|\b__import__\b|\bexec\(|\brunpy\b|\bglob\b|\biterdir\b"
)


def own_files(path: Path, root: Path, everything: Iterable[str]) -> set[str]:
    """The file, and each file below the root that it imports, by way of others too.

    :param root: The folder of DAGs, which Airflow puts on the path of modules.
    :param everything: All sources of that folder: what a file that computes its imports may use.
    """
    found: set[Path] = set()
    ahead = [path]
    while ahead:
        each = ahead.pop()
        if each in found or not each.is_file():
            continue
        found.add(each)
        text = each.read_text(encoding="utf-8", errors="replace")
        if _COMPUTED.search(text):
            return {str(path), *everything}
        ahead += _imported(text, each, root)
    return set(map(str, found))


def _imported(text: str, path: Path, root: Path) -> Iterator[Path]:
    try:
        tree = ast.parse(text)
    except (SyntaxError, ValueError):  # a finding elsewhere; it imports nothing
        return
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield from _files(root, alias.name.split("."))
        elif isinstance(node, ast.ImportFrom):
            base = path.parents[node.level - 1] if 0 < node.level <= len(path.parents) else root
            steps = node.module.split(".") if node.module else []
            yield from _files(base, steps)
            for alias in node.names:
                yield from _files(base, [*steps, alias.name])


def _files(base: Path, steps: list[str]) -> Iterator[Path]:
    """Every module on the way to one."""
    for count in range(1, len(steps) + 1):
        place = base.joinpath(*steps[:count])
        yield place.with_suffix(".py")
        yield place / "__init__.py"
