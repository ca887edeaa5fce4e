"""What a site is set to, from where, and what is wrong with it.

The archive's root is tried for real. Airflow's configuration is read without its database, and no
secret of a connection is read out. No message is sent to anybody.
"""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

from platform_ops import archive, settings
from platform_ops.archive import Store
from platform_ops.archive.records import browse, read
from platform_ops.archive.stores.probe import Shortfall, is_local, probe
from platform_ops.doctor import rules
from platform_ops.doctor.airflow import AirflowView
from platform_ops.doctor.channels import of_channels
from platform_ops.doctor.fact import Fact, Observed
from platform_ops.doctor.telemetry import of_metrics
from platform_ops.errors import (
    ArchiveCorrupt,
    ArchiveError,
    ConfigError,
    ConnectionMissing,
    PlatformError,
    UrlError,
)
from platform_ops.findings import Finding, Place, Report, Rule
from platform_ops.settings import CONFIG_ENV, OVERRIDE_PREFIX, ArchiveSettings, Loaded
from platform_ops.url_scheme import Template

__all__ = ["Diagnosis", "Fact", "examine"]


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """All that was found, and what is wrong with it."""

    facts: tuple[Fact, ...]
    report: Report

    def to_json(self) -> str:
        """One JSON document: the report's, with the facts."""
        facts: dict[str, Any] = {"facts": [asdict(fact) for fact in self.facts]}  # Any: JSON values
        return json.dumps(facts | json.loads(self.report.to_json()), indent=2, ensure_ascii=False)


def examine(config: Path | None = None, *, reach: bool = False) -> Diagnosis:
    """Look at everything.

    :param config: A ``platform.toml`` that takes the place of the one which is found.
    :param reach: Also try whether the host of each channel takes connections; nothing is sent.
    """
    seen = list(_observe(config, reach=reach))
    facts = tuple(each for each in seen if isinstance(each, Fact))
    return Diagnosis(facts, Report.of(each for each in seen if isinstance(each, Finding)))


def _observe(config: Path | None, *, reach: bool) -> Observed:
    view = AirflowView.read()
    option = view.option if view else None
    try:
        loaded = settings.load(config or option)
    except ConfigError as err:
        missing = config is None and option is not None and not Path(option).is_file()
        rule = rules.SETTINGS_MISSING if missing else rules.SETTINGS_WRONG
        yield rule.at(Place(file=str(config or option or "")), str(err))
        yield from _of_airflow(view)
        return
    yield from _of_settings(loaded, config, option)
    yield from _of_archive(loaded, view)
    yield from of_channels(loaded.settings, view, reach=reach)
    yield from _of_airflow(view)


def _of_settings(loaded: Loaded, config: Path | None, option: str | None) -> Observed:
    if loaded.path is None:
        yield Fact("settings", "file", "none", "the defaults hold")
        yield rules.NO_SETTINGS.at(
            "platform.toml",
            f"none is named by [platform_ops] config or ${CONFIG_ENV}, and there is no "
            "conf/platform.toml below $AIRFLOW_HOME or here",
            "write conf/platform.toml, with the root and the entities of this site",
        )
    else:
        yield Fact("settings", "file", str(loaded.path), _why_this_file(config, option))
    for name in loaded.overrides:
        yield Fact("settings", "override", name, "environment")
    declared = [str(each) for each in loaded.settings.entities()]
    yield Fact("settings", "entities", ", ".join(declared) or "none", f"{len(declared)} declared")


def _why_this_file(config: Path | None, option: str | None) -> str:
    if config is not None:
        return "--config"
    if option is not None:
        return "Airflow's option [platform_ops] config"
    return f"${CONFIG_ENV}" if os.environ.get(CONFIG_ENV) else "found"


def _origin(loaded: Loaded, field: str) -> str:
    variable = f"{OVERRIDE_PREFIX}ARCHIVE__{field.upper()}"
    if variable in loaded.overrides:
        return f"${variable}"
    written = field in loaded.settings.archive.model_fields_set
    return "platform.toml" if written else "default"


def _of_airflow(view: AirflowView | None) -> Observed:
    yield Fact("software", "platform-ops", version("platform-ops"))
    if view is None:
        yield Fact("software", "airflow", "not installed", "the archive can be read without it")
        return
    yield Fact("software", "airflow", view.version)
    if view.is_old:
        yield rules.AIRFLOW_OLD.at("apache-airflow-core", view.version, "upgrade to 3.3 or later")
    if view.fault is not None:
        yield rules.AIRFLOW_BROKEN.at("airflow", view.fault, "make `airflow version` work")
        return
    yield Fact("software", "airflow home", view.home)
    yield Fact("software", "executor", ", ".join(view.executors))
    yield Fact("software", "provider", "registered" if view.knows_provider() else "not registered")
    if not view.knows_provider():
        yield rules.NOT_A_PROVIDER.at(
            "platform-ops",
            "the package is importable, but its entry points are not installed",
            "pip install it; a PYTHONPATH is not enough",
        )
    yield from of_metrics(view)


def _of_archive(loaded: Loaded, view: AirflowView | None) -> Observed:
    site = loaded.settings.archive
    for name in ArchiveSettings.model_fields:
        if (value := getattr(site, name)) is not None:
            yield Fact("archive", name, str(value), _origin(loaded, name))
    if site.connection is not None and (unseen := _look_up(site.connection, view)):
        yield rules.CONNECTION_UNSEEN.at(site.connection, unseen)
        return
    try:
        store = archive.root(loaded.settings)
    except PlatformError as err:
        yield rules.UNREACHABLE.at(site.root, str(err))
        return
    if view is not None and view.remote_executors and site.root.startswith("file:"):
        yield _under_remote_executor(store, view.remote_executors)
    lacks = [_lack(each) for each in probe(store)]
    yield from lacks
    if not any(each.rule is rules.UNREACHABLE for each in lacks):
        yield from _of_data(store, loaded)


def _look_up(conn_id: str, view: AirflowView | None) -> str | None:
    """Why the connection is not to be seen; None where it is."""
    if view is None or view.fault is not None:
        return "only Airflow can resolve it, and it is not at work here"
    # Imported for its effect too: it lets the store resolve connections.
    from platform_ops import ingest

    try:
        ingest.connection(conn_id)
    except ConnectionMissing as err:
        return str(err)
    return None


def _under_remote_executor(store: Store, executors: tuple[str, ...]) -> Finding:
    local = is_local(store)
    rule = rules.ROOT_OF_ONE_MACHINE if local else rules.ROOT_TO_BE_SHARED
    return rule.at(
        store.url,
        f"[core] executor is {', '.join(executors)}",
        "set archive.root to s3://bucket/prefix" if local else "check the mount on every worker",
    )


_LACKS: Final[dict[str, tuple[Rule, str]]] = {
    "unwritable": (
        rules.UNWRITABLE,
        "let the user that runs tasks write there, or set another archive.root",
    ),
    "unreachable": (rules.UNREACHABLE, "check root, credentials and endpoint"),
    "links": (rules.NO_LINKS, "use a file system with hard links (not SMB or FAT), or s3://"),
    "overwrites": (rules.OVERWRITES, "use a store that honours If-None-Match: *"),
    "fsync": (rules.NO_FSYNC, "use a file system that syncs, or s3://"),
    "case": (rules.FOLDS_CASE, "use a file system that tells case apart"),
}


def _lack(shortfall: Shortfall) -> Finding:
    rule, fix = _LACKS[shortfall.lack]
    return rule.at(shortfall.url, shortfall.message, fix)


def _of_data(store: Store, loaded: Loaded) -> Observed:
    site = loaded.settings
    try:
        current = Template.compile(site.archive.template)
        templates = read.templates(store, current)
        yield from (_changed(store, current, old) for old in templates[1:])
        found = browse.entities(store, templates)
    except (ArchiveCorrupt, UrlError) as err:
        fix = "run: platform-ops archive verify"
        yield rules.DAMAGED.at(store.url, str(err), fix)
        return
    except (ArchiveError, OSError) as err:
        yield rules.UNREACHABLE.at(store.url, str(err))
        return
    yield Fact(
        "archive", "entities", ", ".join(map(str, found)) or "none", f"{len(found)} archived"
    )
    rule = rules.REFUSED if site.archive.undeclared == "fail" else rules.UNDECLARED
    for entity in found:
        if site.declared(entity) is None:
            table = f"[sources.{entity.source}.entities.{entity.name}]"
            yield rule.at(str(entity), "not in platform.toml", f"add {table} there, with an owner")


def _changed(store: Store, current: Template, old: Template) -> Finding:
    return rules.TEMPLATE_CHANGED.at(
        store.url,
        f"data was written with {old.text!r}, and {current.text!r} is in force",
        "go back to the old template, or leave it: readers search both",
    )
