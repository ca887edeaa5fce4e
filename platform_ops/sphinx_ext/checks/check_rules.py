"""The rules that a site's pages are held against; those of what they show are the catalogue's."""

from __future__ import annotations

from typing import Final

from platform_ops.findings import Rule, Severity

__all__ = ["RULES"]

REFERENCE: Final = Rule(
    "PAGE101",
    "Reference that leads nowhere",
    "Its reader sees a name and no link, and cannot look up what it is.",
    bad="see {ref}`the-shelf`, and no label (the-shelf)= anywhere",
    good="(the-shelf)=\n## The shelf",
    fix="name what is there, or put the label back",
)
LINK: Final = Rule(
    "PAGE102",
    "Link to a page or place that is not there",
    "Its reader meets an error, or lands on top of a page and searches.",
    bad="[the rules](guide.html#rules)",
    good="[the rules](#rules)",
    fix="link to a place that the page has",
)
UNREACHABLE: Final = Rule(
    "PAGE103",
    "Page that no one can reach",
    "No navigation and no link leads there from the first page, so it might as well not exist.",
    fix="add it to a toctree, or link to it",
)
MARKUP: Final = Rule(
    "PAGE104",
    "Docstring with faulty markup",
    "Readers see the marks, or half of the text.",
    Severity.WARNING,
    bad='"""Lend *one book."""',
    good='"""Lend *one* book."""',
    fix="mend the reStructuredText of the docstring",
)
NAMED: Final = Rule(
    "PAGE105",
    "Docstring refers to what is not there",
    "Its reader sees a name and no link.",
    Severity.WARNING,
    bad='"""See :class:`Shelv`."""',
    good='"""See :class:`~shelf.hooks.ShelfHook`."""',
    fix="name it in full, or write it as ``literal``",
)
WARNED: Final = Rule(
    "PAGE106",
    "Sphinx warns",
    "A page is not what its author meant it to be.",
)
SPELLING: Final = Rule(
    "PAGE201",
    "Misspelled word",
    "Search does not find it, and readers doubt the rest.",
    bad="Keep what you recieve.",
    good="Keep what you receive.",
    fix="mend it; a word that is meant so goes into spelling.txt, on a line of its own",
)

RULES: Final = (REFERENCE, LINK, UNREACHABLE, MARKUP, NAMED, WARNED, SPELLING)
"""All of them, by id."""
