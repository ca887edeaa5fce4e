"""What stands around a class on its page: what it archives, how Airflow shows it, and its relatives."""

from __future__ import annotations

import re
from collections.abc import Iterator
from html import escape
from typing import TYPE_CHECKING, Final

from docutils import nodes

from platform_ops.registry.classes.classify import TASKS
from platform_ops.sphinx_ext.elements import code, facts, paragraph, table, to_page, xref
from platform_ops.sphinx_ext.kinds import KINDS

if TYPE_CHECKING:
    from platform_ops.registry.models.catalog import ClassEntry
    from platform_ops.sphinx_ext.directives import CatalogDirective
    from platform_ops.sphinx_ext.site import Site

__all__ = ["archived", "in_the_ui", "mapping_note", "related", "static_note"]

_COLOUR: Final = re.compile(r"#[0-9a-fA-F]{3,8}|[a-zA-Z]+")
_PLAIN: Final = {"#fff", "#ffffff", "#000", "#000000", ""}
_MOST: Final = 12  # relatives of one kind that a page names; the list of the kind has all


def static_note(site: Site, entry: ClassEntry) -> nodes.note:
    """That a page was written without importing what it is about, and why."""
    module = entry.name.rpartition(".")[0]
    why = next((each.message for each in site.catalog.problems if each.where == module), "")
    reason: list[nodes.Node | str] = [" (", code(why), ")"] if why else []
    return nodes.note(
        "",
        paragraph(
            "Read from its source, since ", code(module), " cannot be imported here", *reason,
            ": what Python would compute, such as template fields that are calls, is not shown.",
        ),
    )  # fmt: skip


def archived(site: Site, entry: ClassEntry) -> nodes.table | None:
    """What DAGs of this site archive by it, under which URL, and which asset tells of it."""
    rows = []
    for dag, entity in site.archived_by(entry):
        name = xref("entity", entity.name) if "entity" in KINDS else code(entity.name)
        url = entity.url_example or entity.url_pattern
        by = paragraph("by ", xref("dag", dag.dag_id), classes=["airflow-caption"])
        asset = paragraph("asset ", code(entity.asset), classes=["airflow-caption"])
        rows.append(([name, by], [paragraph(code(url)), asset]))
    header = ("Entity", "Where it lands")
    return table(header, rows, classes=["airflow-archives"]) if rows else None


def mapping_note(entry: ClassEntry) -> nodes.paragraph | None:
    """Which parameters may take many values."""
    if entry.kind not in TASKS:
        return None
    single = [each.name for each in entry.parameters if not each.mappable]
    parts: list[nodes.Node | str] = ["Each may be mapped by ", code(".expand()")]
    for number, name in enumerate(single):
        parts += [", except " if number == 0 else ", ", code(name)]
    tail = "; those of every operator are one value for all mapped tasks, given to "
    return paragraph(*parts, tail, code(".partial()"), ".", classes=["airflow-mapping"])


def in_the_ui(directive: CatalogDirective, entry: ClassEntry) -> nodes.field_list | None:
    """Colours and buttons, where they are not Airflow's own."""
    rows: list[tuple[str, list[nodes.Node | str]]] = []
    back, front = entry.ui_color.lower(), entry.ui_fgcolor.lower()
    if entry.kind in TASKS and not {back, front} <= _PLAIN:
        rows.append(("Colour", [_swatch(entry), " ", code(entry.ui_color)]))
    if entry.links:
        shown: list[nodes.Node | str] = []
        for link in entry.links:
            shown += [", "] if shown else []
            known = directive.site.classes.get(link.target)
            name = link.name or link.target.rpartition(".")[2]
            shown.append(xref(known.kind, known.public, name, literal=False) if known else name)
        rows.append(("Buttons", shown))
    return facts(rows) if rows else None


def _swatch(entry: ClassEntry) -> nodes.raw:
    colours = {"background": entry.ui_color, "color": entry.ui_fgcolor}
    style = ";".join(f"{name}:{text}" for name, text in colours.items() if _COLOUR.fullmatch(text))
    html = f'<span class="airflow-swatch" style="{style}">{escape(entry.short)}</span>'
    return nodes.raw("", html, format="html")


def related(directive: CatalogDirective, entry: ClassEntry) -> nodes.field_list | None:
    """Its hook and triggers, and what else works with the same system."""
    site = directive.site
    rows = [
        (title, list(_links(site, found, kind)))
        for title, kind, found in site.related(entry)
        if found
    ]
    return facts(rows) if rows else None


def _links(site: Site, found: list[ClassEntry], kind: str) -> Iterator[nodes.Node | str]:
    for number, each in enumerate(found[:_MOST]):
        if number:
            yield ", "
        yield to_page(site.docname(each), each.short)
    if len(found) > _MOST:
        yield ", and "
        yield to_page(site.index_docname(kind), f"{len(found) - _MOST} more")
