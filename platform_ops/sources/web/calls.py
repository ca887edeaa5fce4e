"""Calls of Airflow's own operators and of a task's code through our hook: each one a commit."""

from __future__ import annotations

import http.client
from collections.abc import Callable
from typing import TYPE_CHECKING

import requests
import urllib3

from platform_ops import archive
from platform_ops.entity import Entity
from platform_ops.errors import SourceTruncated
from platform_ops.ingest import Capture
from platform_ops.sources.calls import captured_call
from platform_ops.sources.web import exchange

if TYPE_CHECKING:
    from airflow.sdk import Context

__all__ = ["archived_call"]


def archived_call(
    context: Context,
    entity: Entity,
    request: requests.PreparedRequest,
    ask: Callable[[], requests.Response],
) -> requests.Response:
    """The answer to one request, archived as one commit; or the archived one, where that is to be read.

    :param ask: Sends the request; not called where the archive answers.
    """
    asked = exchange.name(request)
    with captured_call(context, entity, exchange.fingerprint(request), asked) as capture:
        response = _fetched(capture, request, ask()) if capture.pending else None
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
