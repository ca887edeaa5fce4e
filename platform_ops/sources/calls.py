"""One call of a hook as one commit, for every hook that stock operators find by connection type.

A hook never learns which operator calls it, nor when the task ends: so each call is a slot of its own,
told apart by what was asked and by how often it was answered before.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from platform_ops.entity import Entity
from platform_ops.ingest import Capture, archive_session, slot_of

if TYPE_CHECKING:
    from airflow.sdk import Context

__all__ = ["captured_call"]


@dataclass(slots=True)
class _Calls:
    """What one try of a task has been answered so far, by whichever of its hooks."""

    owner: tuple[object, int] = ("", 0)
    seen: Counter[tuple[Entity, str]] = field(default_factory=Counter)
    references: list[dict[str, Any]] = field(default_factory=list)  # Any: JSON values


_calls = _Calls()


@contextmanager
def captured_call(
    context: Context, entity: Entity, fingerprint: str, request: str
) -> Iterator[Capture]:
    """Capture the answer to one call; its reference joins the others in the XCom key ``archive``.

    :param fingerprint: Of what is asked; equal questions have equal ones.
    :param request: The same in words, for messages.
    """
    global _calls  # noqa: PLW0603  # one task runs in a process at a time
    owner = (context["ti"].id, context["ti"].try_number)
    if _calls.owner != owner:
        _calls = _Calls(owner)
    asked = (entity, fingerprint)
    keys = [slot_of(context, entity).map_key, fingerprint[:16], str(_calls.seen[asked] + 1)]
    map_key = ".".join(key for key in keys if key is not None)
    with archive_session(entity, map_key=map_key, request=request, context=context) as capture:
        yield capture
    _calls.seen[asked] += 1
    _calls.references.append(capture.reference.to_dict())
    context["ti"].xcom_push("archive", list(_calls.references))
