"""DAGs: what whoever is on call must find."""

from __future__ import annotations

from collections.abc import Iterator

from platform_ops.findings import Finding, Place
from platform_ops.registry.completeness.rules import DAG_DOC, DAG_OWNER, DAG_TEXT
from platform_ops.registry.models.catalog import Catalog, Dag

__all__ = ["check", "place_of"]

_NO_OWNER = "airflow"  # what Airflow calls a task whose author named none


def check(catalog: Catalog) -> Iterator[Finding]:
    """What its DAGs do not say."""
    for dag in catalog.dags:
        place = place_of(dag)
        if not dag.summary:
            yield DAG_TEXT.at(place, "neither description nor doc_md")
        elif not dag.doc_md:
            yield DAG_DOC.at(place, "a description alone")
        if set(dag.owners) <= {_NO_OWNER}:
            yield DAG_OWNER.at(place, "its tasks have Airflow's default owner")


def place_of(dag: Dag) -> Place:
    """Where a DAG is written."""
    return Place(f"DAG {dag.dag_id}", f"{dag.folder}/{dag.source.file}", dag.source.line)
