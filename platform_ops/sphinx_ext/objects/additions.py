"""What packages add to Airflow besides classes: decorators, macros, listeners, policies, options."""

from __future__ import annotations

from itertools import groupby
from typing import Any, ClassVar

from docutils import nodes
from docutils.parsers.rst import directives

from platform_ops.registry.classes.docstrings import plain
from platform_ops.registry.models.catalog import Addition, Option
from platform_ops.sphinx_ext.directives import CatalogDirective
from platform_ops.sphinx_ext.elements import badge, code, link, paragraph, table, term, xref
from platform_ops.sphinx_ext.parts import range_title

__all__ = ["AdditionIndexDirective", "OptionIndexDirective"]


class AdditionIndexDirective(CatalogDirective):
    """``airflow:decorator-index`` and its like: one row for each function, with what it takes."""

    def run(self) -> list[nodes.Node]:
        """One table."""
        kind = self.name.rpartition(":")[2].removesuffix("-index")
        self.domain.note_use("additions")
        found = [each for each in self.site.catalog.additions if each.kind == kind]
        if not found:
            return [paragraph("There are none.")]
        ids, rows = [], []
        for each in found:
            ids.append(f"{kind}-{each.key}")
            self.domain.note_object(
                kind, each.key, ids[-1], each.name, aliases=(each.name, each.target)
            )
            self.note_python(each.target, "function", ids[-1])
            rows.append((self._name(each, ids[-1]), self._about(each)))
        return [table(("Name", "What it does"), rows, classes=["airflow-additions"], ids=ids)]

    def _name(self, each: Addition, anchor: str) -> list[nodes.Node]:
        shown = f"@{each.name}" if each.kind == "decorator" else each.name
        parts: list[nodes.Node] = [term(shown, anchor)]
        parts += [nodes.Text(" "), badge("deprecated", "deprecated")] if each.deprecated else []
        parts += (
            [nodes.Text(" "), badge(f"since {plain(each.since)}", "plain")] if each.since else []
        )
        return [*parts, paragraph(each.package, classes=["airflow-module"])]

    def _about(self, each: Addition) -> list[nodes.Node]:
        where = each.target
        blocks: list[nodes.Node] = [
            paragraph(*self.prose.line(each.summary, where, within=where)),
            *self.prose.blocks(each.description, where, within=where),
        ]
        if each.operator:
            known = self.site.classes.get(each.operator)
            made = xref(known.kind, known.public, known.short) if known else code(each.operator)
            blocks.append(paragraph("Makes a task of ", made, "."))
        for parameter in each.parameters:
            text = self.prose.line(parameter.description, where, within=where)
            default = "" if parameter.default is None else f" = {parameter.default}"
            typed = f": {parameter.type}" if parameter.type else ""
            signature = code(f"{parameter.name}{typed}{default}")
            blocks.append(paragraph(signature, " ", *text))
        place = f"{each.source.file}, line {each.source.line}"
        uri = self.site.source_link(each.package, each.source)
        blocks.append(paragraph(link(place, uri) if uri else place, classes=["airflow-module"]))
        return blocks


class OptionIndexDirective(CatalogDirective):
    """``airflow:option-index``: options of Airflow's configuration, by section.

    A long list has several pages; ``:part:`` says which one this is.
    """

    option_spec: ClassVar[dict[str, Any]] = {"part": directives.positive_int}  # Any: docutils' type

    def run(self) -> list[nodes.Node]:
        """A section for each of the configuration's."""
        self.domain.note_use("options")
        pages = self.site.parts.options
        part = self.options.get("part", 1)
        if part > len(pages) or not pages[part - 1]:
            return [paragraph("There are none.")]
        titles = [range_title([f"[{each.section}]" for each in rows]) for rows in pages]
        return self.part_links("option", titles, part) + [
            self._section(name, list(rows))
            for name, rows in groupby(pages[part - 1], key=lambda each: each.section)
        ]

    def _section(self, name: str, options: list[Option]) -> nodes.Node:
        ids, rows = [], []
        for each in options:
            key = f"{each.section}.{each.name}"
            ids.append(f"option-{key}")
            self.domain.note_object("option", key, ids[-1], key, aliases=(each.variable,))
            rows.append((_option_name(each, ids[-1]), self._option(each)))
        about = self.prose.blocks(
            options[0].section_description, f"options of [{name}]", quiet=True
        )
        shown = table(("Option", "Meaning"), rows, classes=["airflow-settings"], ids=ids)
        return self.section(f"[{name}]", *about, shown)

    def _option(self, each: Option) -> list[nodes.Node]:
        value: list[nodes.Node | str] = [code(each.type, bare=True)]
        value += [" = ", code(each.default)] if each.default else []
        blocks: list[nodes.Node] = [paragraph(*value, classes=["airflow-signature"])]
        where = f"option {each.section}.{each.name}"
        blocks += self.prose.blocks(each.description, where, quiet=True)
        if each.deprecated:
            blocks.append(paragraph("Deprecated: ", plain(each.deprecated)))
        if each.example:
            blocks.append(paragraph("For instance ", code(each.example)))
        blocks.append(paragraph(code(each.variable)))
        return blocks


def _option_name(each: Option, anchor: str) -> list[nodes.Node]:
    parts: list[nodes.Node] = [term(each.name, anchor)]
    parts += [nodes.Text(" "), badge("secret", "required")] if each.secret else []
    parts += [nodes.Text(" "), badge(f"since {each.since}", "plain")] if each.since else []
    return parts
