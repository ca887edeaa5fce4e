"""``platform-ops audit``: what DAGs take in by stock operators, and nobody archives."""

from __future__ import annotations

import sys
from contextlib import redirect_stdout
from dataclasses import asdict
from pathlib import Path

import click

from platform_ops.cli import FAULTY, Invocation
from platform_ops.cli.terminal import console, count_text, json_text
from platform_ops.errors import ConfigError

__all__ = ["audit"]


@click.command()
@click.argument(
    "folders", nargs=-1, metavar="[FOLDER]...", type=click.Path(path_type=Path, exists=True)
)
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line.")
@click.option("--strict", is_flag=True, help="Exit with 1 where something is not archived.")
@click.pass_context
def audit(ctx: click.Context, folders: tuple[Path, ...], as_json: bool, strict: bool) -> None:
    """Report, per DAG, what comes in by a stock operator and is not archived; ./dags unless named.

    Operators over a connection of a type archiving_… count as archived, where the connection can be
    asked for here: from the environment or a secrets backend.
    """
    from airflow.dag_processing.dagbag import DagBag

    from platform_ops.auditor import audit as audited
    from platform_ops.auditor import type_of

    patterns = Invocation.of(ctx).settings().conventions.archiving_connections
    with redirect_stdout(sys.stderr):  # Airflow's log, and what files print while they are read
        bags = [DagBag(str(each)) for each in folders or (Path("dags"),)]
    broken = [file for bag in bags for file in bag.import_errors]
    if broken:
        raise ConfigError(f"{', '.join(broken)}: cannot be imported; mend it, then audit again")
    dags = [dag for bag in bags for dag in bag.dags.values()]
    found = list(audited(dags, type_of, patterns))
    if as_json:
        for each in found:
            click.echo(json_text(asdict(each)))
    else:
        from rich.table import Table
        from rich.text import Text

        table = Table("DAG", "task", "operator", "from", "connection", "to do", box=None)
        for each in found:
            name = each.operator.rpartition(".")[2]
            cells = (each.dag_id, each.task_id, name, each.system, each.connection, each.advice)
            table.add_row(*map(Text, cells))
        if found:
            console().print(table)
        tasks = sum(len(dag.tasks) for dag in dags)
        click.echo(f"{count_text(len(found), 'task')} of {tasks} take in what nobody archives")
    ctx.exit(FAULTY if strict and found else 0)
