"""Connection types: their forms as a user of the UI meets them, and how to write one elsewhere."""

from __future__ import annotations

import re
from collections.abc import Iterator

from docutils import nodes

from platform_ops.registry.models.catalog import Connection, ConnectionField
from platform_ops.sphinx_ext.directives import CatalogDirective
from platform_ops.sphinx_ext.elements import badge, code, paragraph, table, xref

__all__ = ["ConnectionIndexDirective", "form_table", "pasted"]


class ConnectionIndexDirective(CatalogDirective):
    """``airflow:connection-index``: every connection type, each in a section of its own."""

    def run(self) -> list[nodes.Node]:
        """Build a section for each type."""
        self.domain.note_use("connections")
        return [self._section(each) for each in self.site.catalog.connections]

    def _section(self, connection: Connection) -> nodes.Node:
        name = connection.conn_type
        anchor = f"connection-{name}"
        self.domain.note_object("connection", name, anchor, name)
        parts: list[nodes.Node | str] = ["Type ", code(name)]
        if connection.hook:
            hook = self.site.classes.get(connection.hook)
            short = connection.hook.rpartition(".")[2]
            parts += [", served by ", xref("hook", hook.public) if hook else code(short)]
        section = self.section(
            connection.title,
            paragraph(*parts, "."),
            form_table(connection),
            *pasted(self, connection),
        )
        section.insert(0, self.anchor(anchor))
        section.insert(0, section.pop(1))  # the title stays first
        return section


def pasted(directive: CatalogDirective, connection: Connection) -> Iterator[nodes.Node]:
    """The connection as an environment variable, to copy and fill in."""
    name = f"AIRFLOW_CONN_{connection.conn_type.upper()}_DEFAULT"
    if connection.json:
        yield paragraph("As an environment variable, in JSON:")
        yield directive.highlighted(f"export {name}='{connection.json}'", "bash")
    if connection.uri:
        yield paragraph("Or as a URI:")
        yield directive.highlighted(f"export {name}='{connection.uri}'", "bash")


def form_table(connection: Connection) -> nodes.table:
    """The fields of a connection's form, in the form's order."""
    rows = [(_field(each), _meaning(each)) for each in connection.fields]
    return table(("Field", "Meaning"), rows, classes=["airflow-form"])


def _field(field: ConnectionField) -> list[nodes.Node]:
    name = field.name if field.standard else f"extra.{field.name}"
    parts: list[nodes.Node] = [
        nodes.strong("", field.label),
        nodes.Text(" "),
        code(name, bare=True),
    ]
    if field.secret:
        parts += [nodes.Text(" "), badge("secret", "required")]
    return parts


def _meaning(field: ConnectionField) -> list[nodes.Node]:
    blocks: list[nodes.Node] = []
    if field.type != "string":
        blocks.append(paragraph(code(field.type, bare=True), classes=["airflow-signature"]))
    if field.description:
        blocks.append(paragraph(field.description))
    if field.placeholder:
        shown = " ".join(field.placeholder.split())
        hint = code(shown) if _is_value(field) else nodes.emphasis("", shown)
        blocks.append(paragraph("For instance ", hint))
    if field.default:
        blocks.append(paragraph("Default ", code(field.default)))
    return blocks


def _is_value(field: ConnectionField) -> bool:
    """Whether a placeholder shows a value, rather than words about one."""
    return bool(field.placeholder) and not re.search(r"\s", field.placeholder.strip())
