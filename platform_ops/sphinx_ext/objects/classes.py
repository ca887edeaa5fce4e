"""The page of a class: an operator, a hook, or any other kind."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any, ClassVar

from docutils import nodes
from docutils.parsers.rst import directives

from platform_ops.registry.classes.classify import TASKS
from platform_ops.registry.classes.docstrings import first_sentence, plain
from platform_ops.registry.models.catalog import ClassEntry, Dag, Parameter
from platform_ops.sphinx_ext.directives import CatalogDirective
from platform_ops.sphinx_ext.elements import (
    Cell,
    badge,
    code,
    folded,
    link,
    paragraph,
    table,
    term,
    xref,
)
from platform_ops.sphinx_ext.objects.connections import form_table, pasted
from platform_ops.sphinx_ext.objects.methods import method_list, method_nodes
from platform_ops.sphinx_ext.objects.source import dag_file, output_of, shown_source
from platform_ops.sphinx_ext.objects.surroundings import (
    archived,
    in_the_ui,
    mapping_note,
    related,
    static_note,
)
from platform_ops.sphinx_ext.objects.tables import metric_names, metrics_table, retried_badge

__all__ = ["ClassDirective"]

_LONGEST_EXAMPLE = 120  # lines; a longer file is linked instead of shown
_FEW = 12  # inherited parameters, or metrics, that a page still shows a row each
_MARK = re.compile(r"\s*\(templated\)(?=\s*\.?\s*$)", re.IGNORECASE)


class ClassDirective(CatalogDirective):
    """``airflow:operator`` and its like: everything about one class.

    With ``:page:`` the directive has a page to itself, and may give it sections.
    """

    required_arguments = 1
    option_spec: ClassVar[dict[str, Any]] = {  # Any: docutils' own type for options
        "page": directives.flag,
        "no-index": directives.flag,
    }

    def run(self) -> list[nodes.Node]:
        """Build the nodes from the catalogue's entry."""
        try:
            entry = self.site.find_class(self.arguments[0])
        except LookupError as err:
            raise self.error(str(err)) from err
        if self._indexed:
            self._note(entry)
        self.domain.note_use(f"class:{entry.name}")
        head = self._head(entry)
        sections = list(self._sections(entry))
        if "page" in self.options:
            return [*head, *sections]
        return [*head, *(each for section in sections for each in _unsectioned(section))]

    @property
    def _indexed(self) -> bool:
        """Whether links lead to this place."""
        return "no-index" not in self.options

    def _note(self, entry: ClassEntry) -> None:
        self.domain.note_object(
            entry.kind, entry.public, entry.public, entry.short, aliases=(entry.name, entry.short)
        )
        self.note_python(entry.public, "class", entry.public)
        if entry.name != entry.public:
            self.note_python(entry.name, "class", entry.public, aliased=True)

    def _head(self, entry: ClassEntry) -> Iterator[nodes.Node]:
        if self._indexed:
            yield self.anchor(entry.public)
        where = entry.name
        summary = self.prose.line(entry.summary, where, within=where, quiet=entry.base)
        yield paragraph(*summary, classes=["airflow-summary"])
        yield paragraph(*_badges(entry), classes=["airflow-badges"])
        if entry.deprecated:
            text = f"Deprecated: {plain(entry.deprecated)}"
            yield nodes.warning("", paragraph(text))
        if entry.static:
            yield static_note(self.site, entry)
        yield self.highlighted(entry.import_line, "python", "airflow-import")
        yield from self.prose.blocks(entry.description, where, within=where, quiet=entry.base)

    def _sections(self, entry: ClassEntry) -> Iterator[nodes.section]:
        if landed := archived(self.site, entry):
            yield self.section("What it archives", landed)
        yield self._parameters(entry)
        if connection := self.site.connections.get(entry.conn_type):
            hook = [xref("hook", entry.hook), " over "] if entry.hook else []
            lead = paragraph(
                *(["Works through ", *hook] if hook else ["Is made for "]),
                "a connection of type ", xref("connection", connection.conn_type), ".",
            )  # fmt: skip
            ways = pasted(self, connection)
            yield self.section("Connection", lead, form_table(connection), *ways)
        if metrics := self.site.metrics_of(entry):
            shown = metrics_table(self, metrics) if len(metrics) <= _FEW else metric_names(metrics)
            count = f"{len(metrics)} metrics" if len(metrics) > 1 else "One metric"
            yield self.section("Metrics", folded("", shown, summary=count))
        if raised := self._errors(entry):
            yield self.section("Errors", raised)
        if users := self.site.dags_using(entry):
            yield from self._examples(entry, users)
        if entry.methods and not entry.base and self.config.airflow_methods:
            yield self.section("Methods", *self._methods(entry))
        if looks := in_the_ui(self, entry):
            yield self.section("In Airflow's UI", looks)
        if relatives := related(self, entry):
            yield self.section("Related", relatives)
        yield self.section("Source", *self._source(entry))

    def _methods(self, entry: ClassEntry) -> list[nodes.Node]:
        if self.site.parts.methods(entry):
            return method_list(self, entry)
        return method_nodes(self, entry, entry.methods, index=self._indexed)

    def _parameters(self, entry: ClassEntry) -> nodes.section:
        content: list[nodes.Node] = []
        own, inherited = _by_owner(entry)
        if own:
            content.append(self._parameter_table(entry, own))
        for owner, parameters in inherited.items():
            known = self.site.classes.get(owner)
            if known is not None and len(parameters) > _FEW:
                content.append(self._inherited(known, parameters))
                continue
            content.append(paragraph("From ", self._class_link(known, owner), ":"))
            content.append(self._parameter_table(entry, parameters, brief=known is not None))
        if not content:
            content.append(paragraph("None of its own."))
        elif note := mapping_note(entry):
            content.append(note)
        content += (
            self._inherited(base, parameters) for base, parameters in self.site.inherited(entry)
        )
        return self.section("Parameters", *content)

    def _parameter_table(
        self, entry: ClassEntry, parameters: Sequence[Parameter], *, brief: bool = False
    ) -> nodes.table:
        """One row for each.

        :param brief: A sentence is enough: another page tells them in full.
        """
        rows = []
        for each in parameters:
            name: list[nodes.Node] = [term(each.name, f"param-{each.name}")]
            name += _parameter_badges(each)
            sentence = first_sentence(plain(_without_mark(each)))
            about = [paragraph(sentence)] if brief else self._about(entry, each)
            rows.append((name, [_signature(each), *about]))
        ids = [f"param-{each.name}" for each in parameters]
        return table(("Parameter", "Meaning"), rows, classes=["airflow-parameters"], ids=ids)

    def _about(self, entry: ClassEntry, parameter: Parameter) -> list[nodes.Node]:
        owner = self.site.classes.get(parameter.documented_by)
        return self.prose.blocks(
            _without_mark(parameter),
            f"{parameter.documented_by}, parameter {parameter.name}",
            within=parameter.documented_by,
            quiet=owner is None or owner.base,
        )

    def _inherited(self, base: ClassEntry, parameters: Sequence[Parameter]) -> nodes.Node:
        """Names alone: they are told in full on the base's own page, once."""
        names = nodes.inline("", ", ".join(each.name for each in parameters))
        names["classes"].append("airflow-names")
        count = f"{len(parameters)} more" if len(parameters) > 1 else "One more"
        lead = paragraph("In full on the page of ", self._class_link(base, base.name), ".")
        return folded("", lead, paragraph(names), summary=f"{count} from {base.short}")

    def _class_link(self, entry: ClassEntry | None, name: str) -> nodes.Node:
        if entry is None:
            return code(name.rpartition(".")[2])
        return xref(entry.kind, entry.public, entry.short)

    def _errors(self, entry: ClassEntry) -> nodes.table | None:
        rows: list[Sequence[Cell]] = []
        raised = self.site.errors_of(entry)
        told = {known.name for _, _, known in raised if known}
        for name, text, known in raised:
            short = name.rpartition(".")[2]
            where = f"{entry.name}, raises {short}"
            about = self.prose.blocks(text, where, within=entry.name, quiet=entry.base)
            if known is None:
                rows.append(([code(short, bare=True)], about, "as Airflow decides"))
                continue
            link_to = xref("error", known.name, bare=True)
            rows.append(([link_to], about, [retried_badge(known)]))
            for below, depth in self.site.errors_below(known):
                if below.name in told:  # above, below another, or in words of its own
                    continue
                told.add(below.name)
                link_to = xref("error", below.name, bare=True)
                link_below = nodes.inline("", "", link_to, classes=[f"airflow-depth-{depth}"])
                summary = self.prose.line(
                    below.summary, below.name, within=f"{below.module}.{below.name}"
                )
                rows.append(([link_below], summary, [retried_badge(below)]))
        return table(("Error", "When", "Retried"), rows) if rows else None

    def _examples(self, entry: ClassEntry, users: Sequence[Dag]) -> Iterator[nodes.section]:
        shown = self._example(users)
        if shown:
            yield self.section("Example", *shown)
        rows = [
            ([xref("dag", dag.dag_id)], dag.schedule_words, plain(dag.summary)) for dag in users
        ]
        yield self.section("Used by", table(("DAG", "Runs", "What it does"), rows))

    def _example(self, users: Sequence[Dag]) -> list[nodes.Node]:
        """The shortest DAG file that uses it: the quickest to understand."""
        found = []
        for dag in users:
            path = dag_file(self.site, dag)
            if path is not None:
                found.append((shown_source(path), dag, path))
        if not found:
            return []
        text, dag, path = min(found, key=lambda each: (each[0].count("\n"), each[1].dag_id))
        self.depends_on(path)
        if text.count("\n") > _LONGEST_EXAMPLE:
            return []
        block = self.highlighted(text, "python")
        lead = paragraph("DAG ", xref("dag", dag.dag_id), ", as it is parsed and run:")
        return [lead, block, *output_of(self, path)]

    def _source(self, entry: ClassEntry) -> Iterator[nodes.Node]:
        place = f"{entry.source.file}, line {entry.source.line}"
        uri = self.site.source_link(entry.package, entry.source)
        yield paragraph(link(place, uri) if uri else code(place))
        bases = [each for each in entry.mro if each in self.site.classes]
        if bases:
            parts: list[nodes.Node | str] = ["Inherits from "]
            for number, name in enumerate(bases):
                parts += [", "] if number else []
                parts.append(self._class_link(self.site.classes[name], name))
            yield paragraph(*parts, ".")
        for each in entry.references:
            text = self.prose.line(each, entry.name, within=entry.name, quiet=entry.base)
            yield paragraph("See also ", *text)


def _by_owner(entry: ClassEntry) -> tuple[list[Parameter], dict[str, list[Parameter]]]:
    """Its own parameters, which it declares or describes itself; and those of each base."""
    own: list[Parameter] = []
    inherited: dict[str, list[Parameter]] = {}
    for each in entry.parameters:
        if entry.name in (each.declared_by, each.documented_by):
            own.append(each)
        else:
            inherited.setdefault(each.declared_by, []).append(each)
    return own, inherited


def _badges(entry: ClassEntry) -> Iterator[nodes.Node]:
    yield badge(entry.kind, "kind")
    if entry.abstract:
        yield badge("abstract", "plain")
    if entry.archiving:
        yield badge("archiving", "archiving")
    if entry.deferrable and entry.kind in TASKS:
        yield badge("deferrable", "plain")
    if entry.durable:
        yield badge("survives a lost worker", "plain")
    if entry.system:
        yield badge(entry.system, "plain")
    if entry.deprecated:
        yield badge("deprecated", "deprecated")
    if entry.since:
        yield badge(f"since {plain(entry.since)}", "plain")
    if entry.template_ext:
        yield badge(f"templates from {' '.join(entry.template_ext)} files", "plain")


def _parameter_badges(parameter: Parameter) -> Iterator[nodes.Node]:
    if parameter.required:
        yield nodes.Text(" ")
        yield badge("required", "required")
    if parameter.templated:
        yield nodes.Text(" ")
        shown = f"templated · {parameter.renderer}" if parameter.renderer else "templated"
        yield badge(shown, "templated")


def _without_mark(parameter: Parameter) -> str:
    """Many docstrings say by hand what the badge says from the class itself."""
    if not parameter.templated:
        return parameter.description
    return _MARK.sub("", parameter.description)


def _signature(parameter: Parameter) -> nodes.paragraph:
    parts: list[nodes.Node | str] = []
    if parameter.type:
        parts.append(code(parameter.type, bare=True))
    if parameter.default is not None:
        parts += [" = " if parts else "= ", code(parameter.default, bare=True)]
    return paragraph(*parts, classes=["airflow-signature"])


def _unsectioned(section: nodes.section) -> list[nodes.Node]:
    title, *rest = section.children
    return [nodes.rubric("", "", *title.children), *rest]
