"""The button on a task's page that leads to the page of its operator."""

from __future__ import annotations

from pathlib import Path

import pytest
from airflow.sdk.types import TaskInstanceKey

from platform_ops import ArchivingHttpOperator
from platform_ops.errors import ConfigError
from platform_ops.ingest.context import site_settings

_KEY = TaskInstanceKey("dag", "task", "run", 1, -1)


class Fetch(ArchivingHttpOperator):
    """A site's own operator."""


def address(operator: type[ArchivingHttpOperator], file: Path, base_url: str) -> str:
    """Where the button leads under a site's settings."""
    file.write_text(f"[docs]\nbase_url = {base_url!r}\n" if base_url else "")
    task = operator(task_id="a", entity="weather.forecast", endpoint="/")
    (link,) = task.operator_extra_links
    assert link.name == "Docs"
    return link.get_link(operator=task, ti_key=_KEY)


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The site's settings."""
    path = tmp_path / "platform.toml"
    monkeypatch.setenv("PLATFORM_OPS_CONFIG", str(path))
    return path


def test_it_leads_to_the_page_under_the_name_that_users_import(file: Path) -> None:
    page = "https://docs.example.com/stable/reference/operators"
    found = address(ArchivingHttpOperator, file, "https://docs.example.com/stable/")
    assert found == f"{page}/platform_ops.ArchivingHttpOperator.html"
    found = address(Fetch, file, "https://docs.example.com/stable")
    assert found == f"{page}/{Fetch.__module__}.Fetch.html"


def test_without_an_address_there_is_no_link(file: Path) -> None:
    assert address(ArchivingHttpOperator, file, "") == ""


def test_what_is_no_address_is_refused_with_what_is(file: Path) -> None:
    file.write_text('[docs]\nbase_url = "docs.example.com"\n')
    with pytest.raises(ConfigError, match=r"write https://docs\.example\.com/stable"):
        site_settings()
