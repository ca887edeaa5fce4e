"""What the demo shows of the archive: its tree, a manifest, metrics, the check, and SQL."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

from platform_ops import archive
from platform_ops.metrics import METRICS, Metric
from tests.demo.metrics_listener import Listener
from tests.demo.processes import DemoFailed, poll
from tests.demo.story import DAYS, Stage

__all__ = ["metrics", "one_manifest", "sql", "tree", "verify"]

PREFIX = "airflow."
SQL = """\
SELECT date, weather, precipitation AS rain_mm, temp_min, temp_max
FROM read_csv($files) ORDER BY date"""


def tree(stage: Stage) -> None:
    """The archive, as the command line draws it."""
    with stage.screen.section(
        "What is archived",
        "Source, entity, time, key: anyone can work out a URL in advance, and needs no Airflow for it. "
        "Below it stand the revision and the bytes as they came.",
    ):
        stage.command("platform-ops archive tree")


def one_manifest(stage: Stage) -> None:
    """A manifest, as it is stored."""
    with stage.screen.section(
        "One manifest",
        "The only mark of a commit. It says what came, when, from where and by which run, with digests; "
        "the token that was sent is not in it.",
    ):
        stage.command("platform-ops archive show noaa.daily_weather --time 2015-12-01")


def metrics(stage: Stage) -> None:
    """What arrived over UDP, by metric and tags."""
    committed = stage.manifests()
    with stage.screen.section(
        "The metrics that arrived",
        "Tags name source and entity, never a run, so that a dashboard of years stays small. Sums of "
        "counters, means of timers; all under the prefix airflow.platform_ops.",
    ):
        # UDP is not ordered after the API's word that a run has ended.
        poll(
            lambda: stage.listener.total(f"{PREFIX}platform_ops.entities") >= len(committed),
            f"the metrics of {len(committed)} commits",
            timeout_s=15,
        )
        _print_metrics(stage, stage.listener)
        stage.screen.console.print()
        stage.screen.say(
            f"{stage.listener.packets:,} packets in all, with those of Airflow itself."
        )
        size, counted = (
            sum(found.size_bytes for found in committed),
            stage.listener.total(f"{PREFIX}platform_ops.bytes"),
        )
        if counted != size:
            raise DemoFailed(f"the metrics count {counted:.0f} bytes, and the archive holds {size}")
    stage.facts["Metrics"] = (
        f"{stage.listener.packets:,} UDP packets; their bytes are the archive's"
    )


def verify(stage: Stage) -> None:
    """Check every manifest and every byte."""
    with stage.screen.section(
        "Every byte checked",
        "All payloads are read again and compared with their manifests, and each manifest with its seal "
        "and the one before it. The exit code is 1 where anything differs.",
    ):
        stage.command("platform-ops archive verify")
    committed = stage.manifests()
    payloads = sum(len(found.payloads) for found in committed)
    size = sum(found.size_bytes for found in committed)
    stage.facts["Archive"] = (
        f"{len(committed)} revisions, {payloads} files, {size:,} bytes; no fault"
    )


def sql(stage: Stage) -> None:
    """SQL over the committed files of an entity."""
    import duckdb

    with stage.screen.section(
        "SQL over the committed files",
        "archive.files() lists the newest revisions of an entity, and DuckDB, Spark or Athena read them "
        "where they lie: the bytes are still the source's own.",
    ):
        files = archive.files("noaa.daily_weather", settings=stage.site)
        stage.screen.code('files = archive.files("noaa.daily_weather")')
        stage.screen.code(f'duckdb.execute("""\n{SQL}""", {{"files": files}})')
        stage.screen.console.print()
        found = duckdb.connect().execute(SQL, {"files": files})
        names = [column[0] for column in found.description or ()]
        rows = found.fetchall()
        stage.screen.rows(names, rows, right=names[2:])
        if len(rows) != DAYS:
            raise DemoFailed(f"{len(files)} committed files hold {len(rows)} rows, and not {DAYS}")
    stage.facts["SQL"] = f"{len(rows)} rows, from {len(files)} committed files"


def _print_metrics(stage: Stage, listener: Listener) -> None:
    known = {f"{PREFIX}{metric.name}": metric for metric in METRICS}
    cells: dict[tuple[str, str], dict[str, str]] = defaultdict(dict)
    for (name, tags), series in listener.series(f"{PREFIX}platform_ops.").items():
        metric, tag = known[name], dict(tags)
        if metric.kind == "gauge":
            continue  # moments, which Prometheus compares with the clock: no sum tells anything
        value = series.total / series.count if metric.kind == "timer" else series.total
        cells[_label(metric, tag), _unit(metric)][_heading(tag)] = f"{value:,.0f}"
    entities = sorted({entity for row in cells.values() for entity in row})
    table: list[Sequence[str]] = [
        (label, unit, *(row.get(entity, "·") for entity in entities))
        for (label, unit), row in cells.items()
    ]
    stage.screen.rows(("metric", "unit", *entities), table, right=entities)


def _heading(tags: dict[str, str]) -> str:
    """The entity in lines short enough that five of them fit side by side."""
    return f"{tags['source']}.\n" + tags["entity"].replace("_", "_\n")


def _label(metric: Metric, tags: dict[str, str]) -> str:
    name = metric.name.removeprefix("platform_ops.")
    return name + "".join(
        f"\n  {tags[key]}" for key in metric.tags if key not in ("source", "entity")
    )


def _unit(metric: Metric) -> str:
    return {"milliseconds": "ms, mean"}.get(metric.unit, metric.unit)
