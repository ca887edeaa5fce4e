"""``platform-ops monitoring``: what Prometheus and Grafana need to watch this site."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from platform_ops.cli import Commands, Invocation
from platform_ops.errors import ExtraMissing

__all__ = ["monitoring"]

_OUTPUT = click.option(
    "-o",
    "--output",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Write to this file instead of the terminal.",
)


@click.group(cls=Commands)
def monitoring() -> None:
    """Print what Prometheus and Grafana need, written from the table of metrics."""


@monitoring.command()
@click.option("--prefix", default="airflow", show_default=True, help="Airflow's statsd_prefix.")
@_OUTPUT
def mapping(prefix: str, output: Path | None) -> None:
    """Print the mapping for statsd_exporter, as YAML."""
    from platform_ops.monitoring import statsd_mapping

    _write(_yaml(statsd_mapping(prefix)), output)


@monitoring.command()
@_OUTPUT
@click.pass_context
def rules(ctx: click.Context, output: Path | None) -> None:
    """Print recording and alert rules for Prometheus, as YAML.

    They link to the runbooks of the site that [docs] base_url names, and expect every entity that has
    a schedule.
    """
    from platform_ops.monitoring import rules as written

    _write(_yaml(written(Invocation.of(ctx).settings())), output)


@monitoring.command()
@_OUTPUT
def dashboard(output: Path | None) -> None:
    """Print a dashboard for Grafana, as JSON."""
    from platform_ops.monitoring import dashboard as drawn

    _write(json.dumps(drawn(), indent=2) + "\n", output)


def _yaml(document: dict[str, Any]) -> str:  # Any: a document of JSON values
    try:
        import yaml
    except ModuleNotFoundError as err:
        raise ExtraMissing("PyYAML", "monitoring", "writing YAML") from err
    written: str = yaml.safe_dump(document, sort_keys=False, width=100, allow_unicode=True)
    return written


def _write(text: str, output: Path | None) -> None:
    if output is None:
        click.echo(text, nl=False)
    else:
        output.write_text(text, encoding="utf-8")
        click.echo(f"wrote {output}", err=True)
