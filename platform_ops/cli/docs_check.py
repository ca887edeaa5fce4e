"""``platform-ops docs check`` and ``docs examples``: what a site promises, proved."""

from __future__ import annotations

import io
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from platform_ops.cli.terminal import console, count_text
from platform_ops.errors import ConfigError, ExtraMissing

if TYPE_CHECKING:
    from platform_ops.findings import Policy, Report
    from platform_ops.registry.examples import Ran

__all__ = ["CACHE", "SITE", "check", "examples"]

SITE = click.argument(
    "site",
    type=click.Path(path_type=Path, file_okay=False, exists=True),
    default="docs",
)
CACHE = "_build/catalog"

_FILE = click.Path(path_type=Path, dir_okay=False)
_FORMS = ("text", "json", "sarif", "junit", "github", "badge")


@click.command()
@SITE
@click.option(
    "--format", "-f", "form", type=click.Choice(_FORMS), default="text", show_default=True,
    help="How to report.",
)  # fmt: skip
@click.option("--output", "-o", type=_FILE, help="Write the report there.")
@click.option("--select", multiple=True, metavar="RULE", help="Only rules that begin so.")
@click.option("--ignore", multiple=True, metavar="RULE", help="All but rules that begin so.")
@click.option("--waivers", type=_FILE, help="Exceptions; waivers.toml in SITE, unless named.")
@click.option("--baseline", type=_FILE, help="Known findings; baseline.json in SITE, unless named.")
@click.option("--write-baseline", is_flag=True, help="Write what is found to the baseline.")
@click.option("--no-pages", is_flag=True, help="Check the catalogue alone; needs no Sphinx.")
@click.option("--strict", is_flag=True, help="Fail on warnings and notes as well.")
@click.pass_context
def check(
    ctx: click.Context,
    /,
    *,
    site: Path,
    form: str,
    output: Path | None,
    write_baseline: bool,
    no_pages: bool,
    strict: bool,
    **chosen: Any,  # Any: what Policy.beside takes
) -> None:
    """Name everything that is undocumented, broken or untrue, and fail where there is an error."""
    from platform_ops.findings import rendered

    files = {
        name: str(Path.cwd() / chosen[name]) for name in ("waivers", "baseline") if chosen[name]
    }
    options = {**{name: chosen[name] for name in ("select", "ignore")}, **files}
    if write_baseline:
        _write_baseline(site, options, no_pages=no_pages)
        return
    report = _report(site, options, no_pages=no_pages)
    if output is not None:
        output.write_text(rendered(report, form, "platform-ops docs check"), encoding="utf-8")
    elif form == "text":
        report.print(console())
    else:
        click.echo(rendered(report, form, "platform-ops docs check"), nl=False)
    ctx.exit(int(len(report) > 0) if strict else report.exit_code)


def _write_baseline(
    site: Path, options: dict[str, Any], *, no_pages: bool
) -> None:  # Any: as above
    """Take all that is found for known, what is waived left out."""
    from platform_ops.findings import Baseline, Policy, Report

    path = Path(options.get("baseline", site / "baseline.json"))
    old = path.is_file()
    if not old:
        path.write_text(Baseline.text(Report()), encoding="utf-8")
    try:
        report = _report(site, {**options, "baseline": str(path.resolve())}, no_pages=no_pages)
    except BaseException:
        if not old:
            path.unlink()
        raise
    text = Baseline.text(report)
    path.write_text(text, encoding="utf-8")
    known = len(Policy.load(baseline=path).baseline.known)
    click.echo(
        f"{path}: {count_text(known, 'finding')}; from now on there may only be fewer", err=True
    )


def _report(site: Path, options: dict[str, Any], *, no_pages: bool) -> Report:  # Any: as above
    return _of_catalog(site, options) if no_pages else _of_site(site, options)


def _of_catalog(site: Path, options: dict[str, Any]) -> Report:  # Any: as above
    from platform_ops.findings import Policy
    from platform_ops.registry import CatalogConfig, build
    from platform_ops.registry import check as completeness

    config = CatalogConfig.from_conf(site)
    policy: Policy = Policy.beside(site, options)
    return policy.apply(completeness(build(config, site / CACHE).catalog, config))


def _of_site(site: Path, options: dict[str, Any]) -> Report:  # Any: as above
    try:
        from sphinx.application import Sphinx
        from sphinx.errors import SphinxError
    except ImportError as err:
        raise ExtraMissing("Sphinx", "docs", "platform-ops docs check") from err

    output = site / "_build" / "airflow-check"
    try:
        app = Sphinx(
            site,
            site,
            output,
            output / ".doctrees",
            "airflow-check",
            confoverrides={"airflow_check": options},
            status=None,
            warning=io.StringIO(),
            parallel=os.cpu_count() or 1,
        )
        app.build()
    except SphinxError as err:
        raise ConfigError(f"{site}: {err}") from err
    report: Report = app.builder.report  # type: ignore[attr-defined]  # of the builder named above
    return report


@click.command()
@SITE
@click.option("--all", "every", is_flag=True, help="Run those as well that did not change.")
@click.option("--name", "-n", multiple=True, help="Only examples whose name holds this.")
@click.pass_context
def examples(ctx: click.Context, site: Path, every: bool, name: tuple[str, ...]) -> None:
    """Run the site's examples that changed, and keep their output beside them.

    They run in a process that reaches this machine alone. Fails where one of them does, or where the
    output is not what was kept before: look at it, and commit it.
    """
    from platform_ops.registry import CatalogConfig, build
    from platform_ops.registry.examples import examples as found_in
    from platform_ops.registry.examples import recorded, run

    config = CatalogConfig.from_conf(site)
    known = [
        each
        for each in found_in(build(config, site / CACHE).catalog, config)
        if not name or any(part in each.name for part in name)
    ]
    last = {each: recorded(each.path) for each in known}
    chosen = [
        each
        for each in known
        if every or (kept := last[each]) is None or kept.digest != each.digest
    ]
    ran = list(run(chosen, config)) if chosen else []
    for each in ran:
        _tell(each)
    fresh = len(known) - len(chosen)
    click.echo(f"{len(ran)} run, {fresh} as they were", err=True)
    ctx.exit(int(any(each.error or each.changed for each in ran)))


def _tell(ran: Ran) -> None:
    import difflib

    if ran.error:
        click.echo(f"{ran.example.name}: failed\n{ran.error.rstrip()}\n")
    elif ran.changed:
        click.echo(f"{ran.example.name}: {'new' if ran.before is None else 'changed'}")
        before = ran.before or ()
        lines = difflib.unified_diff(before, ran.output, "kept before", "now", lineterm="")
        click.echo("\n".join([*lines, ""]))
    else:
        click.echo(f"{ran.example.name}: as before")
