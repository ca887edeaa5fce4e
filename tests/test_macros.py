"""Templates that name a place in the archive before anything is there."""

from __future__ import annotations

from typing import Any

import pytest
from airflow.sdk import DAG, BaseOperator, Context

from platform_ops.settings import Settings
from platform_ops.testing.runner import TaskResult, run_task


class Say(BaseOperator):
    """Return what was asked, rendered."""

    template_fields = ("words",)

    def __init__(self, words: str, **kwargs: Any) -> None:  # Any: BaseOperator's own
        super().__init__(**kwargs)
        self.words = words

    def execute(self, context: Context) -> str:  # noqa: ARG002  # Airflow's signature
        return self.words


def said(template: str) -> TaskResult:
    with DAG("macros"):
        task = Say(task_id="say", words=f"{{{{ macros.platform_ops.archive_url({template}) }}}}")
    return run_task(task, at="2024-03-05")


@pytest.mark.parametrize(
    ("asked", "folder"),
    [
        ("'shop.orders'", "shop/orders/dt=2024-03-05/at=000000Z"),
        ("'shop.orders', data_interval_end", "shop/orders/dt=2024-03-06/at=000000Z"),
        ("'shop.orders', map_key='Ä'", "shop/orders/dt=2024-03-05/at=000000Z/map=%C3%84"),
        (
            "entity='shop.orders', partition_key='eu'",
            "shop/orders/dt=2024-03-05/at=000000Z/part=eu",
        ),
    ],
)
def test_a_template_knows_where_a_run_will_archive(
    platform_archive: Settings, asked: str, folder: str
) -> None:
    ran = said(asked)
    assert ran.xcom == f"{platform_archive.archive.root}/data/v1/{folder}", repr(ran.error)


def test_what_is_no_entity_is_named(platform_archive: Settings) -> None:  # sets it
    assert "'orders'" in str(said("'orders'").error)
