"""``@task.archive``: what a function returns or yields is archived, and its reference is the XCom.

Airflow finds it by the provider's ``task-decorators``.

Source: https://airflow.apache.org/docs/apache-airflow/stable/howto/create-custom-decorator.html
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from airflow.sdk.bases.decorator import DecoratedOperator, task_decorator_factory

from platform_ops.entity import Origin, Part
from platform_ops.ingest.context import asset
from platform_ops.ingest.operator import ArchivingOperator
from platform_ops.ingest.produced import Production

if TYPE_CHECKING:
    from airflow.sdk import Context
    from airflow.sdk.bases.decorator import TaskDecorator

__all__ = ["archive_task"]


class _ArchiveDecoratedOperator(DecoratedOperator, ArchivingOperator):
    """A function as a source: it is called where an operator would ask its system."""

    custom_operator_name: str = "@task.archive"
    # The function's arguments come first: the map key may be rendered from them.
    template_fields: Sequence[str] = (
        *DecoratedOperator.template_fields,
        *ArchivingOperator.template_fields,
    )

    def __init__(
        self,
        *,
        python_callable: Callable[..., object],
        op_args: Collection[Any] | None = None,  # Any: the function's own arguments
        op_kwargs: Mapping[str, Any] | None = None,  # Any: the function's own arguments
        name: str | None = None,
        media_type: str | None = None,
        **kwargs: Any,  # Any: BaseOperator's own arguments
    ) -> None:
        super().__init__(
            python_callable=python_callable, op_args=op_args, op_kwargs=op_kwargs, **kwargs
        )
        self.name = name
        self.media_type = media_type

    def fetch(self, context: Context) -> Iterator[Part]:
        """Call the function, and take what it makes piece by piece."""
        origin = Origin(
            f"task:{self.dag_id}/{self.task_id}",
            method="call",
            fingerprint=self.request_fingerprint(context),
            fetched_at_utc=datetime.now(UTC),
        )
        made = Production(
            f"{self.task_id}: the function",
            self.entity.partition(".")[2],
            origin,
            self.name,
            self.media_type,
        )
        given = self.determine_kwargs({**context, **self.op_kwargs})
        yield from made.parts(self.python_callable(*self.op_args, **given))

    def request_fingerprint(self, context: Context) -> str | None:  # noqa: ARG002  # as it is declared
        """Over the function's name and arguments; the digest alone leaves this method."""
        asked = [self.python_callable.__qualname__, list(self.op_args), dict(self.op_kwargs)]
        text = json.dumps(asked, sort_keys=True, default=lambda value: type(value).__qualname__)
        return hashlib.sha256(text.encode()).hexdigest()


def archive_task(
    python_callable: Callable[..., object] | None = None,
    *,
    entity: str,
    name: str | None = None,
    media_type: str | None = None,
    **kwargs: Any,  # Any: ArchivingOperator's and BaseOperator's own arguments
) -> TaskDecorator:
    """Archive what a function returns or yields; the task's XCom is the reference.

    Bytes stay as they are, text becomes UTF-8, dictionaries become JSON lines, and tables of Arrow,
    pandas or polars become Parquet. What is yielded is one body, written while the function runs; a
    ``Part`` for each makes several. A replay reads the archive and does not call the function.

    :param python_callable: The function.
    :param entity: What arrives, as ``source.name``; declares the task's outlet asset.
    :param name: Of the one body, such as ``report.pdf``; the entity's name with the ending of its kind
        where unset.
    :param media_type: Of the one body; by its name or kind where unset.
    :param kwargs: Further arguments of :class:`~platform_ops.ArchivingOperator`, such as ``map_key``, and
        those of every Airflow task.
    """
    # A mapped task is made without the operator's __init__, which adds the outlet otherwise.
    outlets = [*kwargs.pop("outlets", ()), asset(entity)]
    return task_decorator_factory(
        python_callable,
        multiple_outputs=False,
        decorated_operator_class=_ArchiveDecoratedOperator,
        entity=entity,
        name=name,
        media_type=media_type,
        outlets=outlets,
        **kwargs,
    )
