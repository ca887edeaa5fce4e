"""What a run means that finds nothing new: the same choice for files, mail and streams."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Literal

from airflow.sdk.exceptions import AirflowSkipException

from platform_ops import archive
from platform_ops.errors import NotArchived, SourceUnavailable
from platform_ops.ingest import ArchivingOperator, site_settings

if TYPE_CHECKING:
    from platform_ops.entity import Manifest, Part

__all__ = ["OnNothing", "nothing_new"]

OnNothing = Literal["unchanged", "skip", "fail", "accept"]


def nothing_new(
    task: ArchivingOperator, on_nothing: OnNothing, what: str, held: Manifest | None = None
) -> Iterator[Part]:
    """End a capture before its first part.

    :param what: What there is none of, and where, for messages.
    :param held: What the run's slot holds; the entity's newest revision where it is None.
    :return: No part, which makes an empty revision; the entity's ``on_empty`` says what that means.
    :raises AirflowSkipException: The task is skipped.
    :raises Unchanged: The newest revision still holds.
    :raises SourceUnavailable: A retry looks again.
    """
    from platform_ops.ingest import Unchanged

    told = f"{task.entity}: {what}"
    if on_nothing == "skip":
        raise AirflowSkipException(told)
    if on_nothing == "unchanged":
        try:
            raise Unchanged(held or archive.newest(task.entity, settings=site_settings()))
        except NotArchived:
            raise SourceUnavailable(f"{told}, and none came before; a retry looks again") from None
    if on_nothing == "fail":
        raise SourceUnavailable(f"{told}; a retry looks again")
    return iter(())
