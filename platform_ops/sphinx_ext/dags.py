"""The page of a DAG."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, ClassVar

from docutils import nodes
from docutils.parsers.rst import directives

from platform_ops.registry.docstrings import plain
from platform_ops.registry.model import Dag, Task
from platform_ops.sphinx_ext.directives import CatalogDirective
from platform_ops.sphinx_ext.drawing import Card, draw
from platform_ops.sphinx_ext.elements import badge, code, link, paragraph, table, term, xref
from platform_ops.sphinx_ext.markup import markdown_html
from platform_ops.sphinx_ext.source import dag_file, shown_source

__all__ = ["DagDirective"]


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
        yield self._facts(dag)

    def _facts(self, dag: Dag) -> nodes.Node:
        facts: list[tuple[str, list[nodes.Node]]] = [
            ("Runs", [nodes.Text(f"{dag.schedule_words} "), code(dag.schedule)]),
            ("Owner", [nodes.Text(", ".join(dag.owners) or "nobody")]),
        ]
        fields = [
            nodes.field("", nodes.field_name("", name), nodes.field_body("", paragraph(*parts)))
            for name, parts in facts
        ]
        return nodes.field_list("", *fields, classes=["airflow-facts"])

    def _sections(self, dag: Dag) -> Iterator[nodes.Node]:
        if dag.doc_md and dag.doc_md != dag.summary:
            html = nodes.raw("", markdown_html(dag.doc_md), format="html")
            yield self.section("About", nodes.container("", html, classes=["airflow-markdown"]))
        yield self.section("Tasks", self._graph(dag), self._tasks(dag))
        yield self.section("Source", *self._source(dag))

    def _graph(self, dag: Dag) -> nodes.Node:
        cards = {
            task.task_id: Card(
                task.task_id, task.label, stacked=task.mapped, href=f"#task-{task.task_id}"
            )
            for task in dag.tasks
        }
        edges = [(task.task_id, below) for task in dag.tasks for below in task.downstream]
        drawn = draw(cards, edges, label=f"Tasks of {dag.dag_id}, and what follows what")
        return nodes.container(
            "", nodes.raw("", drawn, format="html"), classes=["airflow-graph-frame"]
        )

    def _tasks(self, dag: Dag) -> nodes.table:
        described = any(each.summary for each in dag.tasks)
        header = ("Task", "Made of", "What it does")[: 3 if described else 2]
        rows = [
            (self._task(each), self._made_of(each), plain(each.summary))[: len(header)]
            for each in dag.tasks
        ]
        ids = [f"task-{each.task_id}" for each in dag.tasks]
        return table(header, rows, classes=["airflow-tasks"], ids=ids)

    def _task(self, task: Task) -> list[nodes.Node]:
        parts: list[nodes.Node] = [term(task.task_id, f"task-{task.task_id}")]
        if task.mapped:
            parts += [nodes.Text(" "), badge("mapped", "plain")]
        return parts

    def _made_of(self, task: Task) -> list[nodes.Node]:
        entry = self.site.classes.get(task.operator)
        if entry is None or entry.base:
            return [code(task.label)]
        return [xref(entry.kind, entry.public, entry.short)]

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
