"""``platform-ops new source``: what it writes is whole, and runs, and is on the site."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from importlib import import_module
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from platform_ops import archive
from platform_ops.cli import main
from platform_ops.registry import CatalogConfig, build, check
from platform_ops.settings import load
from platform_ops.testing.runner import run_task
from tests.fakes.wire import say, wire

REPLAY = {"platform_ops": {"replay": True}}


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A package of somebody else, in the present folder and importable."""
    home = tmp_path / "project"
    (home / "acme").mkdir(parents=True)
    (home / "acme" / "__init__.py").write_text('"""What acme brings to Airflow."""\n')
    monkeypatch.chdir(home)
    monkeypatch.syspath_prepend(str(home))
    monkeypatch.setenv("PLATFORM_OPS_CONFIG", str(home / "conf" / "platform.toml"))
    monkeypatch.setenv("PLATFORM_OPS__ARCHIVE__ROOT", f"file://{tmp_path / 'archive'}")
    monkeypatch.setenv("PLATFORM_OPS__ARCHIVE__UNDECLARED", "fail")
    yield home
    for name in [each for each in sys.modules if each.partition(".")[0] == "acme"]:
        del sys.modules[name]


def new(*arguments: str) -> Result:
    return CliRunner().invoke(main, ["new", "source", *arguments])


def dag_of(path: Path) -> Any:  # Any: Airflow's DAG
    spec = spec_from_file_location(path.stem, path)
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.dag


def written(home: Path) -> list[str]:
    files = (each for each in home.rglob("*") if each.is_file() and each.suffix != ".pyc")
    return sorted(each.relative_to(home).as_posix() for each in files)


def test_it_writes_three_files_and_an_operator_of_thirty_lines(project: Path) -> None:
    ran = new("stripe", "--entity", "invoices")
    assert ran.exit_code == 0, ran.output
    names = ["acme/stripe.py", "conf/platform.toml", "dags/stripe_invoices.py"]
    assert written(project) == ["acme/__init__.py", *names]
    assert sorted(ran.stdout.split()) == names
    for kind in ("http", "fetch"):
        assert new(f"other_{kind}", "--kind", kind).exit_code == 0
        text = (project / "acme" / f"other_{kind}.py").read_text()
        assert len(text.splitlines()) <= 30
        ast.parse(text)


def test_what_it_writes_over_http_passes_the_path(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert new("stripe", "--entity", "invoices").exit_code == 0
    task = dag_of(project / "dags" / "stripe_invoices.py").get_task("invoices")
    with wire() as server:
        server.connect(monkeypatch, "stripe")
        server.on("/invoices", say(b'{"id": 1}', headers={"Content-Type": "application/json"}))
        ran = run_task(task, at="2024-03-05")
        assert ran.state == "success", ran.error
        assert archive.open(ran.xcom).read() == b'{"id": 1}'
        assert dict(ran.asset_events) == {"stripe.invoices": ran.xcom}
        asked = len(server.requests)
        again = run_task(task, at="2024-03-05", try_number=2)
        replayed = run_task(task, at="2024-03-05", run_id="replay", conf=REPLAY)
        assert ran.xcom == again.xcom == replayed.xcom
        assert len(server.requests) == asked


def test_what_it_writes_for_another_system_passes_the_path(project: Path, tmp_path: Path) -> None:
    assert new("scanner", "--kind", "fetch").exit_code == 0
    operator = import_module("acme.scanner").ArchivingScannerOperator
    drop = tmp_path / "drop"
    drop.mkdir()
    (drop / "a.bin").write_bytes(b"\x00\xff")
    (drop / "b.txt").write_bytes(b"b")
    task = dag_of(project / "dags" / "scanner_items.py").get_task("items")
    assert isinstance(task, operator)
    task.path = str(drop)
    ran = run_task(task, at="2024-03-05")
    assert ran.state == "success", ran.error
    assert archive.open(ran.xcom).read() == b"\x00\xffb"


@pytest.mark.parametrize("kind", ["http", "fetch"])
def test_the_site_of_its_package_shows_it_whole(project: Path, kind: str) -> None:
    assert new("stripe", "--kind", kind).exit_code == 0
    site = project / "docs"
    site.mkdir()
    (site / "conf.py").write_text('airflow_catalog = {"packages": ["acme"], "dags": ["../dags"]}\n')
    catalog = build(CatalogConfig.from_conf(site)).catalog
    assert "acme.stripe.ArchivingStripeOperator" in {each.name for each in catalog.classes}
    assert [dag.dag_id for dag in catalog.dags] == ["stripe_items"]
    assert [(each.rule.id, str(each.place), each.message) for each in check(catalog)] == []


def test_it_adds_to_what_the_site_declares_and_overwrites_nothing(project: Path) -> None:
    conf = project / "conf" / "platform.toml"
    conf.parent.mkdir()
    conf.write_text('[sources.stripe]\nowner = "sales"\n\n[sources.stripe.entities.refunds]\n')
    assert new("stripe", "--entity", "invoices").exit_code == 0
    site = load(conf).settings
    assert [str(each) for each in site.entities()] == ["stripe.refunds", "stripe.invoices"]
    assert site.sources["stripe"].owner == "sales"
    before = {name: (project / name).read_bytes() for name in written(project)}
    again = new("stripe", "--entity", "invoices")
    assert again.exit_code == 2
    assert "already there, and nothing was written" in again.output
    assert {name: (project / name).read_bytes() for name in written(project)} == before


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["Stripe"], "write both in lower case"),
        (["../x"], "write both in lower case"),
        (["stripe", "--package", "other"], "no package other; here are: acme"),
    ],
)
def test_what_cannot_be_written_is_told(project: Path, arguments: list[str], message: str) -> None:
    ran = new(*arguments)
    assert ran.exit_code == 2
    assert message in ran.output
    assert written(project) == ["acme/__init__.py"]


def test_a_package_with_a_folder_of_sources_gets_it_there(project: Path) -> None:
    (project / "acme" / "sources").mkdir()
    (project / "acme" / "sources" / "__init__.py").touch()
    (project / "docs" / "examples").mkdir(parents=True)
    assert new("stripe").exit_code == 0
    assert (project / "acme" / "sources" / "stripe.py").is_file()
    dag = (project / "docs" / "examples" / "stripe_items.py").read_text()
    assert "from acme.sources.stripe import ArchivingStripeOperator" in dag
