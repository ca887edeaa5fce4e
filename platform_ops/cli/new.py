"""``platform-ops new source``: the file of a new source, its entity and its example, and nothing else."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final, Literal

import click

from platform_ops.cli import Commands
from platform_ops.entity import Entity
from platform_ops.errors import ConfigError

__all__ = ["new", "operator_text", "packages_in"]

Kind = Literal["http", "fetch"]

_HTTP: Final = '''\
"""{title}: link its API reference here."""

from __future__ import annotations

from typing import Any

from platform_ops import ArchivingHttpOperator

__all__ = ["Archiving{camel}Operator"]


class Archiving{camel}Operator(ArchivingHttpOperator):
    """Archive what {title} answers, as it came.

    :param endpoint: Path below the host of the connection.
    :param http_conn_id: Connection with {title}'s base URL and credentials.
    """

    def __init__(
        self, *, endpoint: str, http_conn_id: str = "{name}", **kwargs: Any
    ) -> None:  # Any: as its base
        super().__init__(endpoint=endpoint, http_conn_id=http_conn_id, **kwargs)
'''
_FETCH: Final = '''\
"""{title}: link its reference here."""

from collections.abc import Iterator
from typing import Any

from platform_ops import ArchivingOperator, Origin, Part

__all__ = ["Archiving{camel}Operator"]


class Archiving{camel}Operator(ArchivingOperator):
    """Archive every file that {title} lays into a folder.

    :param path: The folder.
    """

    template_fields = (*ArchivingOperator.template_fields, "path")

    def __init__(self, *, path: str, **kwargs: Any) -> None:  # Any: as its base
        super().__init__(**kwargs)
        self.path = path

    def fetch(self, context: Any) -> Iterator[Part]:  # Any: Airflow's context
        from pathlib import Path

        for file in sorted(Path(self.path).iterdir()):
            with file.open("rb") as body:
                chunks = iter(lambda: body.read(1 << 20), b"")
                yield Part(file.name, chunks, Origin(file.as_uri(), "read"))
'''
_DAG: Final = '''\
"""{title}, once a day."""

from datetime import UTC, datetime

from airflow.sdk import DAG

from {module} import Archiving{camel}Operator

with DAG(
    "{name}_{entity}",
    description="What {title} has, once a day.",
    doc_md="What {title} answers is archived as it came.",
    schedule="@daily",
    start_date=datetime(2024, 1, 1, tzinfo=UTC),
    default_args={{"owner": "{owner}"}},
    tags=["{name}"],
) as dag:
    Archiving{camel}Operator(
        task_id="{entity}",
        entity="{name}.{entity}",
        {argument},
        doc_md="Archive the day's delivery.",
    )
'''
_TEXTS: Final[dict[str, tuple[str, str]]] = {
    "http": (_HTTP, 'endpoint="/{entity}"'),
    "fetch": (_FETCH, 'path="/data/{name}/{{{{ ds }}}}"'),
}


def operator_text(name: str, kind: str = "http") -> str:
    """What is written for a system: the module of its operator, in 30 lines.

    :param kind: ``http`` or ``fetch``.
    """
    return _TEXTS[kind][0].format(**_spelled(name))


def _spelled(name: str) -> dict[str, str]:
    title = name.replace("_", " ").title()
    return {"name": name, "title": title, "camel": title.replace(" ", "")}


@click.group(cls=Commands)
def new() -> None:
    """Write the first files of something new; nothing is ever overwritten."""


@new.command()
@click.argument("name")
@click.option("--entity", default="items", show_default=True, help="What arrives from it.")
@click.option(
    "--kind", type=click.Choice(["http", "fetch"]), default="http", show_default=True,
    help="http: over a connection; fetch: any other system.",
)  # fmt: skip
@click.option("--package", metavar="NAME", help="Which package takes it, by its import name.")
@click.option("--owner", default="data-platform", show_default=True, help="Who answers for it.")
def source(name: str, entity: str, kind: str, package: str | None, owner: str) -> None:
    """Write the operator of a system, its entity in conf/platform.toml, and an example DAG.

    The package is the one that lies here, unless named; the DAG goes into docs/examples where there is
    one, else into dags.
    """
    home = Path.cwd()
    if not (re.fullmatch(r"[a-z][a-z0-9_]*", name) and re.fullmatch(r"[a-z][a-z0-9_]*", entity)):
        raise ConfigError(f"{name}.{entity}: write both in lower case, as in stripe and invoices")
    folder, module = _place(home, package, name)
    names = {
        **_spelled(name),
        "entity": entity,
        "module": module,
        "owner": owner,
    }
    argument = _TEXTS[kind][1]
    dags = home / ("docs/examples" if (home / "docs/examples").is_dir() else "dags")
    files = {
        folder / f"{name}.py": operator_text(name, kind),
        dags / f"{name}_{entity}.py": _DAG.format(**names, argument=argument.format(**names)),
    }
    there = [str(path.relative_to(home)) for path in files if path.exists()]
    if there:
        raise ConfigError(f"{', '.join(there)}: already there, and nothing was written")
    conf = home / "conf" / "platform.toml"
    declared = _declared(conf, Entity(name, entity), names)
    for path, content in {**files, conf: declared}.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content, encoding="utf-8")
        click.echo(path.relative_to(home))
    click.echo(f"now name {module} in the package's provider_info", err=True)


def _place(home: Path, package: str | None, name: str) -> tuple[Path, str]:
    """The folder of the new file, and the dotted name of its module."""
    found = packages_in(home)
    if package is None and len(found) != 1:
        raise ConfigError(
            f"{home}: holds {', '.join(found) or 'no package'}; say which by --package"
        )
    chosen = package or next(iter(found))
    if chosen not in found:
        raise ConfigError(f"{home}: no package {chosen}; here are: {', '.join(found) or 'none'}")
    folder = found[chosen]
    if (folder / "sources").is_dir():
        return folder / "sources", f"{chosen}.sources.{name}"
    return folder, f"{chosen}.{name}"


def packages_in(home: Path) -> dict[str, Path]:
    """Packages that lie in a project, in ``src`` or at its top."""
    top = home / "src" if (home / "src").is_dir() else home
    return {
        each.parent.name: each.parent
        for each in sorted(top.glob("*/__init__.py"))
        if each.parent.name not in ("tests", "test", "docs", "dags")
    }


def _declared(conf: Path, entity: Entity, names: dict[str, str]) -> str:
    """The site's file with the entity in it."""
    from platform_ops.settings import load

    before = conf.read_text(encoding="utf-8") if conf.exists() else ""
    known = load(conf).settings if conf.exists() else None
    if known is not None and known.declared(entity) is not None:
        raise ConfigError(f"{conf}: declares {entity} already, and nothing was written")
    text = f"{before.rstrip()}\n\n" if before.strip() else ""
    if known is None or entity.source not in known.sources:
        text += (
            f'[sources.{entity.source}]\ndescription = "{names["title"]}."\n'
            f'owner = "{names["owner"]}"\n\n'
        )
    return (
        f"{text}[sources.{entity.source}.entities.{entity.name}]\n"
        f'description = "What {names["title"]} has of {entity.name}."\n'
    )
