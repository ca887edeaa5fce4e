"""``platform-ops notify``: what people are told, as it looks, and whether it reaches them."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import click

from platform_ops.cli import Commands, Invocation
from platform_ops.cli.terminal import json_text
from platform_ops.errors import ConfigError
from platform_ops.settings import KINDS, SEVERITIES, Kind

__all__ = ["notify"]

_KIND = click.argument("kind", type=click.Choice(list(KINDS)), default="failure", metavar="[KIND]")


@click.group(cls=Commands)
def notify() -> None:
    """Show the messages that people get, and try a channel."""


@notify.command()
@_KIND
@click.option(
    "--as",
    "form",
    type=click.Choice(["text", "slack", "mail", "html", "webhook"]),
    default="text",
    show_default=True,
    help="For which kind of channel: text and html are the two parts of a mail.",
)
@click.pass_context
def preview(ctx: click.Context, kind: Kind, form: str) -> None:
    """Print a sample of a kind of message, as a channel gets it.

    KIND is success, failure, critical, recovered, late or volume-anomaly; failure, unless named.
    What is printed are the bytes themselves: --as slack pipes into Slack's Block Kit Builder, and
    --as mail into a mail program.
    """
    from platform_ops.notify import mail, slack, web
    from platform_ops.notify.samples import sample

    message = sample(kind, Invocation.of(ctx).settings())
    if form == "slack":
        click.echo(json_text(slack.render(message), indent=2))
    elif form == "webhook":
        click.echo(json_text(web.as_dict(message), indent=2))
    elif form == "mail":
        click.echo(mail.render(message, "airflow@example.com", ["desk@example.com"]).as_bytes())
    else:
        click.echo(mail.html(message) if form == "html" else mail.plain(message), nl=False)


@notify.command()
@click.argument("channel")
@_KIND
@click.option("--team", help="Whose channel it is, where a team has one of this name.")
@click.pass_context
def test(ctx: click.Context, channel: str, kind: Kind, team: str | None) -> None:
    """Send one sample to a channel of platform.toml, now.

    The connection comes from the environment (AIRFLOW_CONN_...) or a secrets backend: a terminal sees
    none that Airflow's database holds. Neither the window nor the limit counts here.
    """
    from platform_ops.notify.channels import deliver
    from platform_ops.notify.samples import sample

    site = Invocation.of(ctx).settings()
    if team is not None and team not in site.teams:
        right = ", ".join(site.teams) or "none; write [teams.<name>]"
        raise ConfigError(f"team {team!r} is not in platform.toml; right are: {right}")
    own = site.teams[team].channels if team is not None else {}
    known = {**site.notify.channels, **own}
    if channel not in known:
        right = ", ".join(known) or "none; write [notify.channels.<name>]"
        raise ConfigError(f"channel {channel!r} is not in platform.toml; right are: {right}")
    message = sample(kind, site, datetime.now(UTC))
    deliver(message, known[channel], max(10.0, site.notify.timeout_s))
    click.echo(f"channel {channel} took it: {message.title}")


@notify.command()
def schema() -> None:
    """Print the JSON Schema of what webhooks get."""
    from platform_ops.notify.web import SCHEMA

    click.echo(json.dumps(SCHEMA, indent=2))


@notify.command()
@click.option("--team", help="Of this team alone.")
@click.pass_context
def routes(ctx: click.Context, team: str | None) -> None:
    """Print which channels each severity goes to, team by team."""
    site = Invocation.of(ctx).settings()
    teams: list[str | None] = [team] if team else [None, *site.teams]
    for each in teams:
        alone = each is None or each in site.teams
        click.echo(f"{each or 'no team'}{'' if alone else ' (no settings of its own)'}:")
        for severity in SEVERITIES:
            found = site.channels(each, severity)
            told = ", ".join(f"{name} ({channel.kind})" for name, channel in found.items())
            click.echo(f"  {severity:<9}{told or 'nobody'}")
