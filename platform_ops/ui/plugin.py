"""What Airflow loads in each of its processes: where the browser is, and the link from a task to it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from airflow.plugins_manager import AirflowPlugin
from airflow.sdk import BaseOperatorLink

from platform_ops import links

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, MutableMapping

    from airflow.sdk import BaseOperator
    from airflow.sdk.types import TaskInstanceKey

__all__ = ["ArchiveBrowser", "RevisionLink"]

_KEYS: Final = ("return_value", "archive")
"""Where a task leaves its reference: our operators as their result, our hooks under a key of their own."""


class _Browser:
    """The application, made at the first request: a worker or scheduler never pays for it."""

    async def __call__(
        self,
        scope: MutableMapping[str, Any],  # Any: as ASGI has it
        receive: Callable[[], Awaitable[MutableMapping[str, Any]]],  # Any: as ASGI has it
        send: Callable[[MutableMapping[str, Any]], Awaitable[None]],  # Any: as ASGI has it
    ) -> None:
        from platform_ops.ui.app import app

        await app(scope, receive, send)


class RevisionLink(BaseOperatorLink):
    """Leads from a task to what it archived, by the reference that it left in XCom.

    Asked by the API server, so that it serves stock operators over our hooks as well.
    """

    name = "Archived revision"

    def get_link(self, operator: BaseOperator, *, ti_key: TaskInstanceKey) -> str:  # noqa: ARG002
        """The address; empty where the task archived nothing: Airflow then shows no button."""
        reference = _reference(ti_key)
        if reference is None:
            return ""
        from airflow.configuration import conf

        base_url = conf.get("api", "base_url", fallback="")
        return links.revision_page(base_url, reference["manifest_url"])


def _reference(key: TaskInstanceKey) -> Mapping[str, Any] | None:  # Any: JSON values
    from airflow.models.xcom import XComModel
    from airflow.utils.session import create_session

    for name in _KEYS:
        query = XComModel.get_many(
            key=name,
            run_id=key.run_id,
            dag_ids=key.dag_id,
            task_ids=key.task_id,
            map_indexes=key.map_index,
            limit=1,
        )
        with create_session() as session:
            row = session.execute(query.with_only_columns(XComModel.value)).first()
        found = XComModel.deserialize_value(row) if row else None
        newest = found[-1] if isinstance(found, list) and found else found
        if isinstance(newest, Mapping) and isinstance(newest.get("manifest_url"), str):
            return newest
    return None


class ArchiveBrowser(AirflowPlugin):
    """Adds the archive browser to Airflow's UI, and to each task a link to what it archived."""

    name = "platform_ops_archive_browser"
    fastapi_apps = [  # noqa: RUF012  # as Airflow's own plugins declare it
        {"app": _Browser(), "url_prefix": links.MOUNT, "name": "Archive browser"}
    ]
    external_views = [  # noqa: RUF012  # as above
        {
            "name": "Archive",
            "href": f"{links.MOUNT.lstrip('/')}/",
            "destination": "nav",
            "category": "browse",
            "url_route": "archive",
        }
    ]
    global_operator_extra_links = [RevisionLink()]  # noqa: RUF012  # as above
