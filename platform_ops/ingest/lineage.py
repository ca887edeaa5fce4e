"""What lineage is told of a capture: the source's data as inputs, the archived revision as output.

Our operators tell OpenLineage themselves; hooks and a task's own code tell Airflow's collector, which
OpenLineage asks where an operator says nothing.

Source: https://openlineage.io/docs/spec/naming and https://openlineage.io/docs/spec/facets/
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

from platform_ops import archive, tabular
from platform_ops.entity import Entity, Manifest
from platform_ops.ingest.capture import Capture
from platform_ops.ingest.context import site_settings

if TYPE_CHECKING:
    from airflow.providers.openlineage.extractors import OperatorLineage
    from openlineage.client.event_v2 import InputDataset, OutputDataset
    from openlineage.client.facet_v2 import DatasetFacet

__all__ = ["collect", "facets_of"]

_INPUTS: Final = 100
"""Inputs that one event names: a capture of ten thousand pages is still one dataset to a reader."""


_FORMATS: Final = {
    "application/json": "json",
    "application/vnd.apache.parquet": "parquet",
    "application/xml": "xml",
    "text/csv": "csv",
    "text/plain": "text",
    "text/xml": "xml",
}
"""OpenLineage's own words for what a body is; other media types are told as they are."""


def collect(capture: Capture) -> None:
    """Tell Airflow's collector of hook lineage; nothing listens where no lineage is set up."""
    from airflow.sdk.lineage import get_hook_lineage_collector

    collector = get_hook_lineage_collector()
    context: Any = capture  # Any: the collector takes whatever has an id, and is typed for hooks
    for namespace, name in _inputs(capture.manifest):
        collector.add_input_asset(context, uri=f"{namespace}/{name}")
    for url in capture.reference.payload_urls[:_INPUTS]:
        collector.add_output_asset(context, uri=url)


def facets_of(manifest: Manifest) -> OperatorLineage[Any, Any]:  # Any: facets of every kind
    """The event's datasets and facets for one committed revision."""
    from airflow.providers.openlineage.extractors import OperatorLineage

    return OperatorLineage(
        inputs=[_input(namespace, name) for namespace, name in _inputs(manifest)],
        outputs=[_output(manifest)],
    )


def _inputs(manifest: Manifest) -> Iterator[tuple[str, str]]:
    """Namespace and name of what was asked, without parameters: pages of one thing are one thing."""
    seen = dict.fromkeys(_dataset(payload.origin.url) for payload in manifest.payloads)
    yield from list(seen)[:_INPUTS]


def _dataset(url: str) -> tuple[str, str]:
    parts = urlsplit(url)
    namespace = f"{parts.scheme}://{parts.netloc}" if parts.netloc else parts.scheme or "source"
    return namespace, parts.path.strip("/") or "/"


def _input(namespace: str, name: str) -> InputDataset:
    from openlineage.client.event_v2 import InputDataset

    return InputDataset(namespace, name)


def _output(manifest: Manifest) -> OutputDataset:
    from openlineage.client.event_v2 import OutputDataset
    from openlineage.client.facet_v2 import output_statistics_output_dataset as statistics

    written = statistics.OutputStatisticsOutputDatasetFacet(
        rowCount=manifest.rows, size=manifest.size_bytes, fileCount=len(manifest.payloads)
    )
    entity = manifest.slot.entity
    # One dataset an entity, whatever the template: a slot's folder would be a dataset a day.
    namespace, folder = _dataset(archive.root(site_settings()).url)
    return OutputDataset(
        namespace,
        f"{folder}/{entity}",
        outputFacets={"outputStatistics": written},
        facets=dict(_facets(manifest, entity)),
    )


def _facets(manifest: Manifest, entity: Entity) -> Iterator[tuple[str, DatasetFacet]]:
    from openlineage.client.facet_v2 import (
        dataset_version_dataset,
        documentation_dataset,
        ownership_dataset,
        storage_dataset,
        symlinks_dataset,
    )

    revision = f"{manifest.revision}:{manifest.sha256}"
    yield "version", dataset_version_dataset.DatasetVersionDatasetFacet(revision)
    kinds = {payload.media_type.partition(";")[0] for payload in manifest.payloads}
    layer = archive.root(site_settings()).url.partition(":")[0]
    kind = kinds.pop() if len(kinds) == 1 else None
    form = kind and _FORMATS.get(kind, kind)
    yield "storage", storage_dataset.StorageDatasetFacet(layer, form)
    alias = symlinks_dataset.Identifier(f"platform-ops://{entity.source}", entity.name, "TABLE")
    yield "symlinks", symlinks_dataset.SymlinksDatasetFacet([alias])
    if (columns := _columns(manifest)) is not None:
        yield "schema", columns
    site = site_settings()
    agreement = site.declared(entity)
    if agreement is None:
        return
    if agreement.description:
        told = documentation_dataset.DocumentationDatasetFacet(agreement.description)
        yield "documentation", told
    if owner := agreement.owner or site.sources[entity.source].owner:
        owned = ownership_dataset.Owner(f"team:{owner}", "OWNER")
        yield "ownership", ownership_dataset.OwnershipDatasetFacet([owned])


def _columns(manifest: Manifest) -> DatasetFacet | None:
    """The columns of a table; other bodies are as their source made them."""
    from openlineage.client.facet_v2 import schema_dataset

    table = next((each for each in manifest.payloads if each.media_type == tabular.PARQUET), None)
    if table is None:
        return None
    from pyarrow.parquet import read_schema

    site = site_settings()
    with archive.open(manifest, table.name, seekable=True, verify=False, settings=site) as body:
        found = tabular.columns(read_schema(body))
    return schema_dataset.SchemaDatasetFacet(
        [schema_dataset.SchemaDatasetFacetFields(each.name, each.type) for each in found]
    )
