"""Rules of checks: one page for each that has more to show than its reason, and a list of all."""

from __future__ import annotations

import ast
import difflib
import re
from collections.abc import Iterator
from itertools import groupby
from typing import Any, ClassVar

from docutils import nodes
from docutils.parsers.rst import directives

from platform_ops.registry.models.catalog import RuleEntry
from platform_ops.sphinx_ext.directives import CatalogDirective
from platform_ops.sphinx_ext.elements import badge, facts, paragraph, table, term, xref

__all__ = ["RuleDirective", "RuleIndexDirective"]


class RuleDirective(CatalogDirective):
    """``airflow:rule``: one rule, with what breaks it and what does not."""

    required_arguments = 1
    option_spec: ClassVar[dict[str, Any]] = {"page": directives.flag}  # Any: docutils' own type

    def run(self) -> list[nodes.Node]:
        """Build the nodes from the catalogue's row."""
        name = self.arguments[0]
        rule = next((each for each in self.site.catalog.rules if each.id == name), None)
        if rule is None:
            raise self.error(f"rule {name!r} is not in the catalogue")
        self.domain.note_use("rules")
        anchor = f"rule-{name}"
        self.domain.note_object("rule", name, anchor, name, aliases=(f"{name} {rule.title}",))
        about: list[tuple[str, list[nodes.Node]]] = [("Counts as", [_severity(rule)])]
        if rule.fix:
            about.append(
                ("To mend it", self.prose.line(_marked(_sentence(rule.fix)), f"rule {name}"))
            )
        why = self.prose.blocks(_marked(rule.why), f"rule {name}")
        return [self.anchor(anchor), *why, facts(about), *self._examples(rule)]

    def _examples(self, rule: RuleEntry) -> Iterator[nodes.Node]:
        language = _language(rule.good or rule.bad)
        for title, text, other in (
            ("Breaks it", rule.bad, rule.good),
            ("Keeps it", rule.good, rule.bad),
        ):
            if text:
                block = self.highlighted(text, language)
                # Where most of it differs no line stands out.
                lines = _differing(text, other) if other else []
                if lines and len(lines) * 2 < len(text.splitlines()):
                    block["highlight_args"] = {"hl_lines": lines}
                yield self.section(title, block)
        if rule.options:
            yield self.section("Options", self.highlighted(rule.options, "toml"))


def _sentence(text: str) -> str:
    return f"{text[0].upper()}{text[1:]}."


def _marked(text: str) -> str:
    """A terminal shows a rule's words as they are, so code stands in single backquotes there."""
    return re.sub(r"(?<![`:\w])`([^`\s](?:[^`]*[^`\s])?)`(?![`_])", r"``\1``", text)


def _severity(rule: RuleEntry) -> nodes.inline:
    return badge(rule.severity, "required" if rule.severity == "error" else "plain")


def _language(text: str) -> str:
    try:
        ast.parse(text)
    except SyntaxError:
        return "yaml" if re.match(r"[\w-]+:( |$)", text, re.MULTILINE) else "text"
    return "python"


def _differing(text: str, other: str) -> list[int]:
    """Numbers of the lines that the other one does not have."""
    matcher = difflib.SequenceMatcher(None, other.splitlines(), text.splitlines(), autojunk=False)
    changes = (each for each in matcher.get_opcodes() if each[0] != "equal")
    return [number + 1 for _, _, _, start, end in changes for number in range(start, end)]


class RuleIndexDirective(CatalogDirective):
    """``airflow:rule-index``: every rule of every check, by the check that it belongs to."""

    def run(self) -> list[nodes.Node]:
        """One table for each check; rules of one family share the letters of their ids."""
        self.domain.note_use("rules")
        rules = self.site.catalog.rules
        if not rules:
            return [paragraph("There are none.")]
        shown: list[nodes.Node] = []
        for _, group in groupby(rules, key=lambda each: each.group):
            rows = list(group)
            ids = ["" if each.has_page else f"rule-{each.id}" for each in rows]
            for each, anchor in zip(rows, ids, strict=True):
                if anchor:
                    title = f"{each.id} {each.title}"
                    self.domain.note_object("rule", each.id, anchor, each.id, aliases=(title,))
            cells = [self._row(each, anchor) for each, anchor in zip(rows, ids, strict=True)]
            header = ("Rule", "What it finds, and why")
            shown.append(table(header, cells, classes=["airflow-rules"], ids=ids))
        shown.append(self.toctree([self.site.docname(each) for each in self.site.members("rule")]))
        return shown

    def _row(self, each: RuleEntry, anchor: str) -> tuple[list[nodes.Node], list[nodes.Node]]:
        name: nodes.Node = term(each.id, anchor) if anchor else xref("rule", each.id)
        return [name, nodes.Text(" "), _severity(each)], [
            paragraph(nodes.strong("", each.title)),
            *self.prose.blocks(_marked(each.why), f"rule {each.id}"),
        ]
