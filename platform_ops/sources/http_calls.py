"""Calls of Airflow's own operators and of a task's code through our hook: each one a commit."""

from __future__ import annotations

import http.client
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import requests
import urllib3

from platform_ops import archive
from platform_ops.entity import Entity
from platform_ops.errors import SourceTruncated
from platform_ops.ingest import Capture, archive_session, slot_of
from platform_ops.sources import exchange

if TYPE_CHECKING:
    from airflow.sdk import Context

__all__ = ["archived_call"]


@dataclass(slots=True)
class _Calls:
    """What one try of a task with a stock operator has been answered so far."""

    owner: tuple[object, int]
    seen: Counter[str] = field(default_factory=Counter)
    references: list[dict[str, Any]] = field(default_factory=list)  # Any: JSON values


_calls = _Calls(("", 0))


def archived_call(
    context: Context,
    entity: Entity,
    request: requests.PreparedRequest,
    ask: Callable[[], requests.Response],
) -> requests.Response:
    """The answer to one request, archived as one commit; or the archived one, where that is to be read.

    :param ask: Sends the request; not called where the archive answers.
    """
    global _calls  # noqa: PLW0603  # one task runs in a process at a time
    owner = (context["ti"].id, context["ti"].try_number)
    if _calls.owner != owner:
        _calls = _Calls(owner)
    fingerprint = exchange.fingerprint(request)
    # A stock operator calls once a page, and its hook never learns that the task has ended: so each
    # call is a slot, told apart by what was asked, and by how often it was answered before.
    own_key = slot_of(context, entity).map_key
    keys = [own_key, fingerprint[:16], str(_calls.seen[fingerprint] + 1)]
    map_key = ".".join(key for key in keys if key is not None)
    asked = exchange.name(request)
    with archive_session(entity, map_key=map_key, request=asked, context=context) as capture:
        response = _fetched(capture, request, ask()) if capture.pending else None
    _calls.seen[fingerprint] += 1
    _calls.references.append(capture.reference.to_dict())
    context["ti"].xcom_push("archive", list(_calls.references))
    # Not `or`: an answer of 400 and more is false.
    return _answer_from(capture, request) if response is None else response


def _fetched(
    capture: Capture, request: requests.PreparedRequest, response: requests.Response
) -> requests.Response:
    try:
        body = response.raw.read(decode_content=False)
    except (urllib3.exceptions.HTTPError, OSError) as err:
        raise SourceTruncated(
            f"{exchange.name(request)}: broke off ({exchange.cause(err)}); nothing was kept"
        ) from err
    exchange.measure_latency(response, capture.slot.entity)
    capture.write(exchange.part_of(request, response, "response", [body]))
    response.raw = exchange.raw_answer(body, response.headers, response.status_code)
    return response


def _answer_from(capture: Capture, request: requests.PreparedRequest) -> requests.Response:
    """The archived answer, as the stock operator would have received it."""
    origin = capture.manifest.payloads[0].origin
    response = requests.Response()
    response.status_code = origin.status or 200
    response.reason = http.client.responses.get(response.status_code, "")
    response.headers.update(origin.headers)
    response.url, response.request = str(request.url), request
    response.encoding = requests.utils.get_encoding_from_headers(response.headers)
    with archive.open(capture.reference) as body:
        response.raw = exchange.raw_answer(body.read(), response.headers, response.status_code)
    return response
