"""``platform-ops``: the archive, the site's health and its documentation, from a terminal.

Commands load when they are called: ``--help`` answers at once, and ``archive`` imports no Airflow.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from platform_ops.cli.terminal import visible
from platform_ops.errors import ConfigError, PlatformError

if TYPE_CHECKING:
    from platform_ops.settings import Settings

__all__ = ["CANNOT_RUN", "FAULTY", "INTERRUPTED", "Commands", "Invocation", "main"]

_COMMANDS: Final = {
    "archive": (
        "platform_ops.cli.archive:archive",
        "List, show, read, verify and keep what is archived.",
    ),
    "audit": (
        "platform_ops.cli.audit:audit",
        "Report what DAGs take in and nobody archives.",
    ),
    "docs": ("platform_ops.cli.docs:docs", "Build and check the documentation site."),
    "doctor": ("platform_ops.cli.doctor:doctor", "Say what is set, from where, and what is wrong."),
    "lint": ("platform_ops.cli.lint:lint", "Hold DAG files against the site's conventions."),
    "monitoring": (
        "platform_ops.cli.monitoring:monitoring",
        "Print what Prometheus and Grafana need to watch it.",
    ),
    "new": ("platform_ops.cli.new:new", "Write the first files of a new source."),
    "notify": (
        "platform_ops.cli.notify:notify",
        "Show the messages that people get, and try a channel.",
    ),
}
"""Name, where it is defined, and its line of help: known without importing it."""

FAULTY: Final = 1
"""Exit code where what is archived is not as its manifests say."""
CANNOT_RUN: Final = 2
"""Exit code of wrong usage, wrong settings, and of what the archive or a source refuses."""
INTERRUPTED: Final = 130
"""Exit code of Ctrl-C, as shells tell it."""


@dataclass(frozen=True, slots=True)
class Invocation:
    """What the options in front of the command say.

    :param config: Path of ``platform.toml`` that takes the place of the search.
    :param debug: Whether an error shows its traceback.
    """

    config: Path | None = None
    debug: bool = False

    @classmethod
    def of(cls, ctx: click.Context) -> Invocation:
        """The one that a command is a part of."""
        return ctx.find_object(cls) or cls()

    def settings(self) -> Settings:
        """The site's settings: of the file that is named here, else of the one that tasks would find."""
        from platform_ops.settings import load

        return load(self.config or _option_in_airflow_cfg()).settings


def _option_in_airflow_cfg() -> str | None:
    """What ``airflow.cfg`` says under ``[platform_ops] config``, so that tasks and this agree.

    Read without Airflow, which an analyst need not have installed.
    """
    import configparser

    home = os.environ.get("AIRFLOW_HOME", "~/airflow")
    file = Path(os.environ.get("AIRFLOW_CONFIG") or Path(home, "airflow.cfg")).expanduser()
    parser = configparser.RawConfigParser(strict=False)
    try:
        parser.read(file, encoding="utf-8")
    except configparser.Error as err:
        raise ConfigError(f"{file}: cannot be read: {err}") from err
    named = parser.get("platform_ops", "config", fallback="")
    return str(Path(os.path.expandvars(named)).expanduser()) if named else None


class Commands(click.Group):
    """Commands whose lines of help are wrapped, and not cut as click cuts them."""

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Each command with the whole of its first sentence."""
        found = [(name, self.get_command(ctx, name)) for name in self.list_commands(ctx)]
        with formatter.section("Commands"):
            formatter.write_dl(
                [(name, each.get_short_help_str(limit=200)) for name, each in found if each]
            )


class _LazyGroup(click.Group):
    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002
        return list(_COMMANDS)

    def get_command(  # names of parameters are click's
        self,
        ctx: click.Context,  # noqa: ARG002
        cmd_name: str,
    ) -> click.Command | None:
        if cmd_name not in _COMMANDS:
            return None
        module, _, attribute = _COMMANDS[cmd_name][0].partition(":")
        command: click.Command = getattr(import_module(module), attribute)
        return command

    def format_commands(
        self,
        ctx: click.Context,  # noqa: ARG002
        formatter: click.HelpFormatter,
    ) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, line) for name, (_, line) in _COMMANDS.items()])

    def invoke(self, ctx: click.Context) -> Any:  # Any: as in click
        try:
            return super().invoke(ctx)
        except BrokenPipeError:
            raise  # click ends quietly: `… | head` is no fault
        except (PlatformError, OSError) as err:
            if isinstance(ctx.obj, Invocation) and ctx.obj.debug:
                raise
            said = visible(str(err), lines=True)
            click.echo(click.style("error: ", fg="red", bold=True) + said, err=True)
            ctx.exit(CANNOT_RUN)
        except KeyboardInterrupt:
            # Not click's own code, which is 1: that says of an archive that something is wrong in it.
            click.echo("\ninterrupted", err=True)
            ctx.exit(INTERRUPTED)


@click.group(cls=_LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "--config",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    envvar="AIRFLOW__PLATFORM_OPS__CONFIG",
    help="platform.toml to use, instead of the one that is found.",
)
@click.option("--debug", is_flag=True, help="Show the traceback of an error.")
@click.version_option(package_name="platform-ops", prog_name="platform-ops")
@click.pass_context
def main(ctx: click.Context, config: Path | None, debug: bool) -> None:
    """Archive what Airflow DAGs take in, and know what is there."""
    ctx.obj = Invocation(config, debug)
