"""``platform-ops doctor``: what this site is set to, from where, and what is wrong with it."""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING

import click

from platform_ops.cli import Invocation
from platform_ops.cli.terminal import console

if TYPE_CHECKING:
    from rich.console import Console

    from platform_ops.doctor import Diagnosis

__all__ = ["doctor"]


@click.command()
@click.option("--json", "as_json", is_flag=True, help="One JSON document.")
@click.option(
    "--reach", is_flag=True, help="Try whether the host of each channel takes connections."
)
@click.pass_context
def doctor(ctx: click.Context, as_json: bool, reach: bool) -> None:
    """Say what is set, from where, and what is wrong.

    Tries the archive's root for real, and reads Airflow's configuration without its database. Holds each
    channel of [notify] and of the teams against its connection; a message is sent by
    `platform-ops notify test` alone. Exits with 1 where there is an error, with 0 where there are warnings
    at most.
    """
    from platform_ops.doctor import examine

    config, out = Invocation.of(ctx).config, console()
    if as_json:
        diagnosis = examine(config, reach=reach)
        click.echo(diagnosis.to_json())
    else:
        with out.status("looking at settings, archive and Airflow …"):
            diagnosis = examine(config, reach=reach)
        _print_facts(out, diagnosis)
        diagnosis.report.print(out)
    ctx.exit(diagnosis.report.exit_code)


def _print_facts(out: Console, diagnosis: Diagnosis) -> None:
    from rich.text import Text

    width = max(len(fact.name) for fact in diagnosis.facts) + 2
    for topic, facts in groupby(diagnosis.facts, key=lambda fact: fact.topic):
        out.print(Text(topic, style="bold"))
        for fact in facts:
            line = Text.assemble("  ", f"{fact.name:<{width}}", (fact.value, "cyan"))
            if fact.origin:
                line.append(f"  ({fact.origin})", style="dim")
            # A URL that is broken over two lines cannot be copied.
            out.print(line, soft_wrap=True)
        out.print()
