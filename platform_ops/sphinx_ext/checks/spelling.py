"""Misspelled words, by the list of misspellings that codespell keeps.

A list of mistakes, not of right words: technical prose is full of names that no dictionary has, and a
check that cries at each of them is switched off. A site adds words of its own, one a line: ``wrong ->
right`` to be told of, a bare word to be let through.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from importlib import resources
from pathlib import Path
from typing import Final

from docutils import nodes

from platform_ops.errors import ExtraMissing
from platform_ops.sphinx_ext.checks.links import line_of

__all__ = ["Speller"]

_WORD: Final = re.compile(r"(?<![\w/.@`<-])[A-Za-z][A-Za-z'’]*[A-Za-z](?![\w/@-]|\.\w)")
_NOT_PROSE: Final = (
    nodes.literal, nodes.literal_block, nodes.math, nodes.math_block, nodes.raw, nodes.comment,
    nodes.FixedTextElement, nodes.citation_reference,
)  # fmt: skip


class Speller:
    """Finds words that are written wrongly.

    :param own: A site's own list; it need not exist.
    """

    def __init__(self, own: Path) -> None:
        self._wrong = dict(_entries(_dictionary()))
        if own.is_file():
            for wrong, right in _entries(own.read_text(encoding="utf-8")):
                if right:
                    self._wrong[wrong] = right
                else:
                    self._wrong.pop(wrong, None)

    def mistakes(self, text: str) -> Iterator[tuple[str, str]]:
        """Each misspelled word of some prose, and what may have been meant."""
        for hit in _WORD.finditer(text):
            word = hit[0]
            # Names in camel case or capitals are nobody's prose.
            if (right := self._wrong.get(word.lower())) and word[1:] == word[1:].lower():
                yield word, right

    def in_document(self, document: nodes.document) -> Iterator[tuple[str, str, int | None]]:
        """The same for a page, code left out, with the line of each."""
        for text in document.findall(nodes.Text):
            parent = text.parent
            if not isinstance(parent, _NOT_PROSE) and not _inside_code(parent):
                for word, right in self.mistakes(text.astext()):
                    yield word, right, line_of(text)


def _dictionary() -> str:
    try:
        return (
            resources.files("codespell_lib").joinpath("data", "dictionary.txt").read_text("utf-8")
        )
    except ModuleNotFoundError as err:
        raise ExtraMissing("codespell", "docs", "checking the spelling of a site") from err


def _entries(text: str) -> Iterator[tuple[str, str]]:
    """Lines of codespell's format: ``wrong->right, or right,``, and a reason after the last comma."""
    for line in text.splitlines():
        wrong, _, right = line.partition("#")[0].partition("->")
        if wrong.strip():
            options, comma, _ = right.rpartition(",")
            yield wrong.strip().lower(), (options if comma else right).strip(" ,")


def _inside_code(node: nodes.Node | None) -> bool:
    while node is not None:
        if isinstance(node, (nodes.literal, nodes.literal_block)) or "code" in _classes(node):
            return True
        node = node.parent
    return False


def _classes(node: nodes.Node) -> list[str]:
    return list(node.get("classes", [])) if isinstance(node, nodes.Element) else []
