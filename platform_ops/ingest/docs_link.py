"""The button on a task's page that leads to the page of its operator."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow.sdk import BaseOperatorLink

from platform_ops.facade import public_name
from platform_ops.ingest.context import site_settings

if TYPE_CHECKING:
    from airflow.sdk import BaseOperator
    from airflow.sdk.types import TaskInstanceKey

__all__ = ["DocsLink"]


class DocsLink(BaseOperatorLink):
    """Leads from a task to the page of its operator, on the site that ``[docs] base_url`` names.

    Where the setting is absent there is no address, and Airflow then shows no button.
    """

    name = "Docs"

    def get_link(self, operator: BaseOperator, *, ti_key: TaskInstanceKey) -> str:  # noqa: ARG002
        """The page's address; empty where the site names none: Airflow's API makes that null."""
        base_url = site_settings().docs.base_url
        if base_url is None:
            return ""
        return f"{base_url}/reference/operators/{public_name(type(operator))}.html"
