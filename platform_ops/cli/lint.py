"""``platform-ops lint``: DAG files held against the site's conventions."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from platform_ops.cli import Invocation
from platform_ops.cli.terminal import console, count_text

if TYPE_CHECKING:
    from platform_ops.conventions import Linted
    from platform_ops.findings import Report

__all__ = ["lint"]

_FILE = click.Path(path_type=Path, dir_okay=False)
_FORMS = ("text", "json", "sarif", "junit", "github")


@click.command()
@click.argument("paths", nargs=-1, type=click.Path(path_type=Path), metavar="[PATH]...")
@click.option(
    "--format", "-f", "form", type=click.Choice(_FORMS), default="text", show_default=True,
    help="How to report.",
)  # fmt: skip
@click.option("--output", "-o", type=_FILE, help="Write the report there.")
@click.option("--select", multiple=True, metavar="RULE", help="Only rules that begin so.")
@click.option("--ignore", multiple=True, metavar="RULE", help="All but rules that begin so.")
@click.option("--fix", "mend", is_flag=True, help="Mend what can be mended safely.")
@click.option("--load", is_flag=True, help="Let Airflow load the files too: slower, and sees more.")
@click.option(
    "--measure-imports", is_flag=True,
    help="Import what the files import, apart, and call heavy what takes too long.",
)  # fmt: skip
@click.option("--strict", is_flag=True, help="Fail on warnings and notes as well.")
@click.option("--waivers", type=_FILE, help="Exceptions with an end, for many places.")
@click.option("--baseline", type=_FILE, help="Known findings.")
@click.option("--write-baseline", is_flag=True, help="Write what is found to --baseline.")
@click.option("--jobs", "-j", type=click.IntRange(min=1), help="Processes; one a core unless set.")
@click.option("--no-cache", is_flag=True, help="Look at every file anew.")
@click.pass_context
def lint(
    ctx: click.Context,
    /,
    *,
    paths: tuple[Path, ...],
    form: str,
    output: Path | None,
    mend: bool,
    load: bool,
    measure_imports: bool,
    strict: bool,
    write_baseline: bool,
    jobs: int | None,
    no_cache: bool,
    **chosen: Any,  # Any: what the policy of findings takes
) -> None:
    """Hold DAG files, and all below folders, against the site's conventions; ./dags unless named.

    Nothing of the files is run, unless --load is given; --measure-imports runs what they import.
    """
    from platform_ops.conventions import agreed_by, fix
    from platform_ops.conventions import lint as run
    from platform_ops.conventions.cache import Cache
    from platform_ops.findings import rendered

    agreed = agreed_by(Invocation.of(ctx).settings())
    where = paths or (Path("dags"),)
    if measure_imports:
        from platform_ops.conventions.lint import files_of
        from platform_ops.conventions.measured import with_measured_imports

        agreed = with_measured_imports(files_of(where), agreed, Cache.default(Path.cwd()).parent)

    def linted() -> Linted:
        cache = None if no_cache else Cache.default(Path.cwd())
        return run(where, agreed, cache=cache, jobs=jobs, load=load)

    found = linted()
    if write_baseline:
        _write_baseline(found.report, chosen)
        return
    report = _counted(found.report, chosen)
    if mend and (changed := fix(found, report)):
        click.echo(f"{count_text(len(changed), 'file')} mended: {', '.join(changed)}", err=True)
        found = linted()
        report = _counted(found.report, chosen)
    if output is not None:
        output.write_text(rendered(report, form, "platform-ops lint"), encoding="utf-8")
    elif form == "text":
        _print(report)
        click.echo(f"{count_text(found.files, 'file')}, {found.cached} known from before", err=True)
    else:
        click.echo(rendered(report, form, "platform-ops lint"), nl=False)
    ctx.exit(int(len(report) > 0) if strict else report.exit_code)


_HIDDEN: Final = "(not shown here, since it holds a secret)"


def _counted(report: Report, chosen: dict[str, Any]) -> Report:  # Any: options of the command
    from platform_ops.findings import Policy

    return Policy.load(**chosen).apply(report)


def _write_baseline(report: Report, chosen: dict[str, Any]) -> None:  # Any: as above
    from platform_ops.findings import Baseline

    path = chosen.get("baseline")
    if path is None:
        raise click.UsageError("--write-baseline needs --baseline FILE to write to")
    counted = _counted(report, {**chosen, "baseline": None})
    path.write_text(Baseline.text(counted), encoding="utf-8")
    click.echo(f"{path}: {count_text(len(counted), 'finding')}; from now on only fewer", err=True)


def _print(report: Report) -> None:
    """As a compiler would: each finding with its place and the line itself, file by file."""
    from rich.text import Text

    from platform_ops.findings import Severity

    styles = {Severity.ERROR: "red", Severity.WARNING: "yellow", Severity.NOTE: "blue"}
    out = console()
    texts: dict[str, list[str]] = {}
    hidden = _hidden(report)
    for each in sorted(report, key=lambda it: (it.place.file, it.place.line or 0, it.rule.id)):
        place, style = each.place, styles[each.rule.severity]
        spot = f"{place.file}:{place.line}" if place.line else place.file
        head = Text.assemble(
            (spot, "bold"), " ", (each.rule.id, f"bold {style}"), " ", each.rule.title
        )
        out.print(head, soft_wrap=True)
        if place.file not in texts:
            texts[place.file] = _lines(Path(place.file))
        if place.line and place.line <= len(texts[place.file]):
            line = texts[place.file][place.line - 1]
            shown = _HIDDEN if (place.file, place.line) in hidden else line
            out.print(Text(f"  {place.line:>5} │ {shown}", "dim"), soft_wrap=True)
        told = f"{place.object}: {each.message}" if place.object else each.message
        out.print(Text(f"        {told}"), soft_wrap=True)
        if each.fix:
            out.print(Text(f"        → {each.fix}", "green"), soft_wrap=True)
        out.print()
    worst = min((each.rule.severity for each in report), key=lambda it: it.rank, default=None)
    out.print(Text(report.summary(), style=f"bold {styles[worst] if worst else 'green'}"))


def _hidden(report: Report) -> set[tuple[str, int | None]]:
    """Lines with a secret, for whatever else they are reported too: logs of CI are read by many."""
    excused = [each.finding for each in report.excused]
    return {
        (each.place.file, each.place.line)
        for each in (*report, *excused)
        if getattr(each.rule, "hides", False)
    }


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text("utf-8", errors="replace").split("\n")
    except OSError:
        return []
