"""The sources of generated pages: a title, and the directive that shows the object."""

from __future__ import annotations

from collections.abc import Iterator

from platform_ops.registry.models.catalog import (
    BrokenDagFile,
    ClassEntry,
    Dag,
    DataSource,
    Entity,
    Package,
    RuleEntry,
)
from platform_ops.registry.models.dags import Asset
from platform_ops.sphinx_ext.changes import changes_page
from platform_ops.sphinx_ext.kinds import CLASS_KINDS, KINDS
from platform_ops.sphinx_ext.parts import part_docname
from platform_ops.sphinx_ext.site import Paged, Site, data_kind

__all__ = ["generated_pages"]

_PARTED = (*CLASS_KINDS, "option", "setting")  # kinds whose lists may be divided over several pages


def generated_pages(site: Site, *, changes: bool = False) -> Iterator[tuple[str, str]]:
    """Every page that a site does not have to write: document name and source.

    :param changes: Whether there is an earlier version to compare with.
    """
    for entry in site.paged():
        yield site.docname(entry), _object_page(site, entry)
        if isinstance(entry, ClassEntry):
            yield from _methods_pages(site, entry)
    shown = [kind for kind in KINDS if site.has(kind)]
    for kind in shown:
        for number in range(1, site.parts.of(kind) + 1 if kind in _PARTED else 2):
            yield part_docname(site.index_docname(kind), number), _index_page(kind, number)
    if site.lineage.flows:
        lead = "What flows from where to where, across all DAGs."
        text = f"{_heading('Lineage')}\n{lead}\n\n.. airflow:lineage::\n"
        yield f"{site.prefix}/lineage", text
    if site.audited:
        lead = "What DAGs take in by an operator that archives nothing."
        text = f"{_heading('Not archived')}\n{lead}\n\n.. airflow:unarchived::\n"
        yield f"{site.prefix}/unarchived", text
    if shown:
        more = ["lineage"] if site.lineage.flows else []
        more += ["unarchived"] if site.audited else []
        more += ["changes"] if changes else []
        yield f"{site.prefix}/index", _root_page([*(KINDS[each].plural for each in shown), *more])
    if changes:
        yield f"{site.prefix}/changes", changes_page()


def _object_page(site: Site, entry: Paged) -> str:
    if isinstance(entry, Dag):
        title, kind, name, key = entry.display_name, "dag", entry.dag_id, f"dag:{entry.dag_id}"
    elif isinstance(entry, Package):
        title, kind, name, key = (
            entry.title or entry.name,
            "provider",
            entry.name,
            f"provider:{entry.name}",
        )
    elif isinstance(entry, BrokenDagFile):
        title, kind, name, key = entry.file, "broken-dag", entry.file, "broken_dags"
    elif isinstance(entry, RuleEntry):
        title, kind, name, key = f"{entry.id}: {entry.title}", "rule", entry.id, "rules"
    elif isinstance(entry, DataSource | Entity | Asset):
        title, kind, name = entry.name, data_kind(entry), entry.name
        key = f"{kind}:{name}"
    else:
        title, kind, name, key = entry.short, entry.kind, entry.name, f"class:{entry.name}"
    # Bases are read by way of what inherits from them; no list of this site names them.
    orphan = ":orphan:\n\n" if isinstance(entry, ClassEntry) and entry.base else ""
    # The digest makes the text change with the object: that is how Sphinx learns it is stale.
    return (
        f"{orphan}.. {site.digest(key)}\n\n{_heading(title)}\n"
        f".. airflow:{kind}:: {name}\n   :page:\n"
    )


def _methods_pages(site: Site, entry: ClassEntry) -> Iterator[tuple[str, str]]:
    count = len(site.parts.methods(entry))
    for number in range(1, count + 1):
        title = f"{entry.short}: methods"
        title += f", part {number} of {count}" if count > 1 else ""
        digest = site.digest(f"class:{entry.name}")
        shown = f".. airflow:methods:: {entry.name}\n   :part: {number}\n"
        yield (
            site.parts.methods_docname(entry, number),
            f".. {digest}\n\n{_heading(title)}\n{shown}",
        )


def _index_page(kind: str, number: int) -> str:
    row = KINDS[kind]
    title = row.title if number == 1 else f"{row.title}, part {number}"
    part = f"   :part: {number}\n" if number > 1 else ""
    return f"{_heading(title)}\n{row.lead}\n\n.. airflow:{row.index_directive}::\n{part}"


def _root_page(names: list[str]) -> str:
    entries = "\n".join(f"   {name}" for name in names)
    lists = f".. toctree::\n   :maxdepth: 1\n\n{entries}\n"
    return (
        f"{_heading('Reference')}\n{lists}\n{_heading('For programs', '-')}\n.. airflow:files::\n"
    )


def _heading(title: str, line: str = "=") -> str:
    escaped = (
        title.replace("\\", "\\\\").replace("_", "\\_").replace("*", "\\*").replace("`", "\\`")
    )
    return f"{escaped}\n{line * max(len(escaped), 3)}\n"
