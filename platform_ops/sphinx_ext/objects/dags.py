"""The page of a DAG, and that of a file which should hold some and cannot be read."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any, ClassVar

from docutils import nodes
from docutils.parsers.rst import directives

from platform_ops.registry.classes.docstrings import plain
from platform_ops.registry.dags.schedule import span
from platform_ops.registry.lineage import Node
from platform_ops.registry.models.dags import Asset, Dag, Named, Param, Task
from platform_ops.sphinx_ext.directives import CatalogDirective
from platform_ops.sphinx_ext.elements import (
    Cell,
    badge,
    code,
    facts,
    folded,
    link,
    paragraph,
    table,
    term,
    xref,
)
from platform_ops.sphinx_ext.graphics.drawing import Card, Frame, draw, drawing
from platform_ops.sphinx_ext.markup import markdown_html
from platform_ops.sphinx_ext.objects.lineage import neighbourhood
from platform_ops.sphinx_ext.objects.source import dag_file, shown_source

if TYPE_CHECKING:
    from platform_ops.sphinx_ext.site import Site

__all__ = ["BrokenDagDirective", "DagDirective", "DagIndexDirective", "UnarchivedDirective"]


class DagDirective(CatalogDirective):
    """``airflow:dag``: everything about one DAG."""

    required_arguments = 1
    option_spec: ClassVar[dict[str, Any]] = {"page": directives.flag}  # Any: docutils' own type

    def run(self) -> list[nodes.Node]:
        """Build the nodes from the catalogue's entry."""
        dag = self.site.dags.get(self.arguments[0])
        if dag is None:
            raise self.error(f"DAG {self.arguments[0]!r} is not in the catalogue")
        self.domain.note_object("dag", dag.dag_id, f"dag-{dag.dag_id}", dag.dag_id)
        self.domain.note_use(f"dag:{dag.dag_id}")
        return [self.anchor(f"dag-{dag.dag_id}"), *self._head(dag), *self._sections(dag)]

    def _head(self, dag: Dag) -> Iterator[nodes.Node]:
        if dag.summary:
            yield paragraph(dag.summary, classes=["airflow-summary"])
        yield paragraph(*(badge(tag, "plain") for tag in dag.tags), classes=["airflow-badges"])
        yield facts(list(_facts(dag)))

    def _sections(self, dag: Dag) -> Iterator[nodes.Node]:
        if dag.doc_md and dag.doc_md != dag.summary:
            html = nodes.raw("", markdown_html(dag.doc_md), format="html")
            yield self.section("About", nodes.container("", html, classes=["airflow-markdown"]))
        yield self.section("Tasks", _graph(dag), self._tasks(dag))
        if dag.params:
            yield self.section("Parameters", *self._params(dag.params))
        if dag.reads or dag.writes:
            yield self.section("Data", *self._data(dag))
        if dag.next_runs:
            yield self.section("Next runs", *self._runs(dag))
        if dag.connections or dag.variables:
            yield self.section("Connections and variables", *_names(dag))
        yield self.section("Source", *self._source(dag))

    def _tasks(self, dag: Dag) -> nodes.table:
        described = any(each.summary for each in dag.tasks)
        header = ("Task", "Made of", "What it does")[: 3 if described else 2]
        rows: list[Sequence[Cell]] = []
        for each in dag.tasks:
            cells = (_task(each), self._made_of(each), plain(each.summary))
            rows.append(cells[: len(header)])
        ids = [f"task-{each.task_id}" for each in dag.tasks]
        return table(header, rows, classes=["airflow-tasks"], ids=ids)

    def _made_of(self, task: Task) -> list[nodes.Node]:
        limits = [paragraph(text, classes=["airflow-signature"]) for text in _limits(task)]
        if task.unarchived:
            told = paragraph("archives nothing of what it takes in: ", plain(task.unarchived))
            limits.append(told)
        return [made_of(self.site, task), *limits]

    def _params(self, params: Sequence[Param]) -> Iterator[nodes.Node]:
        rows: list[Sequence[Cell]] = []
        for each in params:
            name: list[nodes.Node] = [code(each.name)]
            name += [nodes.Text(" "), badge("required", "required")] if each.required else []
            value: list[nodes.Node | str] = [code(each.type)] if each.type else []
            value += [" = ", code(each.default)] if each.default else []
            about = [paragraph(*value, classes=["airflow-signature"])] if value else []
            about += [paragraph(plain(each.description))] if each.description else []
            if each.allowed:
                about.append(paragraph("One of ", code(", ".join(each.allowed)), "."))
            if each.schema:
                schema = self.highlighted(each.schema, "json")
                rows.append((name, [*about, folded("", schema, summary="JSON Schema")]))
                continue
            rows.append((name, about))
        yield table(("Name", "Meaning"), rows, classes=["airflow-parameters"])

    def _data(self, dag: Dag) -> Iterator[nodes.Node]:
        rows = [self._asset("reads", each) for each in dag.reads]
        rows += [self._asset("writes", each) for each in dag.writes]
        yield table(("This DAG", "What", "Where"), rows, classes=["airflow-data"])
        drawn = neighbourhood(self.site, Node("dag", dag.dag_id))
        if drawn is not None:
            yield drawn

    def _asset(self, verb: str, asset: Asset) -> Sequence[Cell]:
        entity = self.site.lineage.entity_of(asset)
        if entity is not None:
            where = entity.url_example or entity.url_pattern or entity.asset
            return verb, [xref("entity", entity.name)], [code(where)]
        where = "stands for others" if asset.kind == "alias" else asset.uri or asset.name
        return verb, [xref("asset", asset.name)], [code(where)]

    def _runs(self, dag: Dag) -> Iterator[nodes.Node]:
        moment = self.site.catalog.moment
        items = [nodes.list_item("", paragraph(_when(each))) for each in dag.next_runs]
        yield nodes.bullet_list("", *items)
        counted = f"Counted from {_when(moment)}, when this page was written."
        yield paragraph(counted, classes=["airflow-caption"])

    def _source(self, dag: Dag) -> Iterator[nodes.Node]:
        uri = self.site.source_link(dag.folder, dag.source)
        if uri:
            yield paragraph(link(dag.source.file, uri))
        path = dag_file(self.site, dag)
        if path is not None:
            self.depends_on(path)
            caption = nodes.caption("", dag.source.file)
            block = self.highlighted(shown_source(path), "python")
            yield nodes.container(
                "", caption, block, literal_block=True, classes=["literal-block-wrapper"]
            )


class UnarchivedDirective(CatalogDirective):
    """``airflow:unarchived``: tasks that take something in which nobody archives, of all DAGs."""

    def run(self) -> list[nodes.Node]:
        """One row for each, or that there are none."""
        self.domain.note_use("unarchived")
        if not self.site.audited:
            raise self.error(
                "nobody looked at it; set airflow_catalog['audit'] in conf.py, for instance to "
                "'platform_ops.auditor:audit_dag'"
            )
        dags = self.site.catalog.dags
        found = [(dag, task) for dag in dags for task in dag.tasks if task.unarchived]
        total = sum(len(dag.tasks) for dag in dags)
        if not found:
            return [paragraph(f"None: {total} tasks of {len(dags)} DAGs were looked at.")]
        rows = [
            (
                [xref("dag", dag.dag_id)],
                [code(task.task_id), paragraph(made_of(self.site, task))],
                plain(task.unarchived),
            )
            for dag, task in found
        ]
        named = len({dag.dag_id for dag, _ in found})
        count = f"{len(found)} of {total} tasks, in {named} of {len(dags)} DAGs."
        shown = table(("DAG", "Task", "What to do"), rows, classes=["airflow-unarchived"])
        return [paragraph(count), shown]


def made_of(site: Site, task: Task) -> nodes.Node:
    """A task's operator: a link where it has a page of its own."""
    entry = site.classes.get(task.operator)
    if entry is None or entry.base:
        return code(task.label)
    return xref(entry.kind, entry.public, entry.short)


def _facts(dag: Dag) -> Iterator[tuple[str, list[nodes.Node]]]:
    yield "Runs", [nodes.Text(f"{dag.schedule_words} "), code(dag.schedule)]
    yield "Owner", [nodes.Text(", ".join(dag.owners) or "nobody")]
    if dag.end:
        yield "Ends", [nodes.Text(_when(dag.end))]
    if dag.timeout_s is not None:
        yield "A run may take", [nodes.Text(_length(dag.timeout_s))]
    if dag.deadlines:
        yield "Deadline", [nodes.Text("; ".join(dag.deadlines))]
    told = [f"{each.target} {each.event.replace('_', ' ')}" for each in dag.callbacks]
    if told:
        yield "Calls", [nodes.Text(", ".join(told))]


def _limits(task: Task) -> Iterator[str]:
    """What is not the default: tries, pool, time, and who is told."""
    if task.retries:
        tries = "1 retry" if task.retries == 1 else f"{task.retries} retries"
        yield f"{tries} after {_length(task.retry_delay_s)}"
    if task.pool:
        yield f"pool {task.pool}"
    if task.timeout_s is not None:
        yield f"at most {_length(task.timeout_s)}"
    if task.trigger_rule:
        yield f"starts when {task.trigger_rule.replace('_', ' ')}"
    for each in task.callbacks:
        yield f"calls {each.target} {each.event.replace('_', ' ')}"


def _length(seconds: float) -> str:
    words = span(timedelta(seconds=seconds))
    return words if words[:1].isdigit() else f"1 {words}"


def _graph(dag: Dag) -> nodes.Node:
    cards = {
        task.task_id: Card(
            task.task_id.removeprefix(f"{task.group}."),
            " · ".join(filter(None, (task.label, task.role))),
            stacked=task.mapped,
            href=f"#task-{task.task_id}",
            group=task.group,
            kind=task.role,
        )
        for task in dag.tasks
    }
    frames = {
        each.group_id: Frame(
            f"{each.label} (mapped)" if each.mapped else each.label, each.mapped, each.group
        )
        for each in dag.groups
    }
    edges = [(task.task_id, below) for task in dag.tasks for below in task.downstream]
    labels = {(task.task_id, to): text for task in dag.tasks for to, text in task.edge_labels}
    label = f"Tasks of {dag.dag_id}, and what follows what"
    drawn = draw(cards, edges, label=label, downwards=None, frames=frames, edge_labels=labels)
    return drawing(drawn, label)


def _task(task: Task) -> list[nodes.Node]:
    parts: list[nodes.Node] = [term(task.task_id, f"task-{task.task_id}")]
    for mark in filter(None, ("mapped" if task.mapped else "", task.role)):
        parts += [nodes.Text(" "), badge(mark, "plain")]
    return parts


def _names(dag: Dag) -> Iterator[nodes.Node]:
    for title, named in (("Connection", dag.connections), ("Variable", dag.variables)):
        grouped: dict[str, list[Named]] = {}
        for each in named:
            grouped.setdefault(each.name, []).append(each)
        rows = [
            ([code(name)], ", ".join(f"{each.where} ({each.through})" for each in places))
            for name, places in grouped.items()
        ]
        if rows:
            yield table((title, "Named by"), rows)


def _when(iso: str) -> str:
    day, _, rest = iso.partition("T")
    zone = "UTC" if rest.endswith("+00:00") else rest[-6:]
    return f"{day} {rest[:5]} {zone}"


class BrokenDagDirective(CatalogDirective):
    """``airflow:broken-dag``: why a file gave no DAGs."""

    required_arguments = 1
    final_argument_whitespace = True
    option_spec: ClassVar[dict[str, Any]] = {"page": directives.flag}  # Any: docutils' own type

    def run(self) -> list[nodes.Node]:
        """The error as text, and where it is."""
        name = self.arguments[0]
        self.domain.note_use("broken_dags")
        found = [each for each in self.site.catalog.broken_dags if each.file == name]
        if not found:
            raise self.error(f"file {name!r} is not among those that cannot be read")
        content: list[nodes.Node] = []
        for each in found:
            content += [
                paragraph("This file could not be read, so that its DAGs are missing here."),
                facts(
                    [
                        ("File", [code(f"{each.folder}/{each.file}")]),
                        ("Line", [nodes.Text(str(each.line))]),
                        ("Error", [code(each.error)]),
                    ]
                ),
                self.highlighted(each.trace, "text"),
            ]
        return content


class DagIndexDirective(CatalogDirective):
    """``airflow:dag-index``: one row for each DAG, with what a reader may filter by."""

    def run(self) -> list[nodes.Node]:
        """The table, files that cannot be read, and the pages in the navigation."""
        self.domain.note_use("index:dag", "broken_dags")
        dags, broken = self.site.catalog.dags, self.site.catalog.broken_dags
        if not dags and not broken:
            return [paragraph("There are none.")]
        found: list[nodes.Node] = []
        if dags:
            rows = [_row(each) for each in dags]
            found.append(table(("DAG", "What it does", "Runs"), rows, classes=["airflow-dags"]))
        pages = [self.site.docname(each) for each in dags]
        pages += [self.site.docname(each) for each in broken]
        if broken:
            lines = [([code(each.file)], str(each.line), each.error) for each in broken]
            found.append(
                self.section("Files that cannot be read", table(("File", "Line", "Why"), lines))
            )
        return [*found, self.toctree(pages)]


def _row(dag: Dag) -> Sequence[Cell]:
    marks = [badge(each, "owner") for each in dag.owners]
    marks += [badge(each, "tag") for each in dag.tags]
    marks += [badge(each.name, "asset") for each in dict.fromkeys((*dag.reads, *dag.writes))]
    about = [paragraph(plain(dag.summary)), paragraph(*marks, classes=["airflow-badges"])]
    runs: list[nodes.Node] = [nodes.inline("", dag.schedule_words, classes=["airflow-schedule"])]
    return [xref("dag", dag.dag_id)], about, runs
