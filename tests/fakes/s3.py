"""S3 over a socket: moto's server, with conditional puts made atomic as the real one's are."""

from __future__ import annotations

import io
import logging
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from itertools import count
from typing import Any, ClassVar

import boto3

CREDENTIALS = {
    "AWS_ACCESS_KEY_ID": "testing",
    "AWS_SECRET_ACCESS_KEY": "testing",
    "AWS_REGION": "us-east-1",
    "AWS_EC2_METADATA_DISABLED": "true",
}

_ACCOUNT = "123456789012"
"""Whose buckets moto thinks that these are."""

_numbers = count(1)

Wsgi = Callable[[dict[str, Any], Any], Iterable[bytes]]  # Any: WSGI's environment and callback


@dataclass(frozen=True)
class S3Server:
    """A running server.

    :param url: Where it listens, for instance ``http://127.0.0.1:40123``.
    """

    url: str
    scheme: ClassVar = "s3"

    def environment(self, url: str | None = None) -> dict[str, str]:
        """What a client needs in its environment to come here, or to a proxy at ``url``."""
        return {**CREDENTIALS, "AWS_ENDPOINT_URL": url or self.url}

    def client(self) -> Any:  # Any: boto3 makes its clients at run time
        return _client(self.url)

    def date(self, bucket: str, key: str, when: datetime) -> None:
        """Make the server say that an object was stored then; it runs in this process."""
        from moto.s3.models import s3_backends

        stored = s3_backends[_ACCOUNT]["aws"].buckets[bucket].keys[key]
        stored.last_modified = when.astimezone(UTC).replace(tzinfo=None)

    def new_bucket(self) -> str:
        name = f"bucket-{next(_numbers)}"
        self.client().create_bucket(Bucket=name)
        return name


@contextmanager
def s3_server(guard: Callable[[Wsgi], Wsgi] = lambda app: app) -> Iterator[S3Server]:
    """Serve on a free port of loopback until the block ends.

    :param guard: Stands before it, such as one that checks signatures, which moto does not.
    """
    from moto.moto_server.werkzeug_app import (
        DomainDispatcherApplication,
        MotoRequestHandler,
        create_backend_app,
    )
    from werkzeug.serving import make_server

    logging.getLogger("werkzeug").setLevel(
        logging.CRITICAL
    )  # moto trips over uploads that are aborted
    app = guard(_atomic_conditions(DomainDispatcherApplication(create_backend_app)))
    server = make_server("127.0.0.1", 0, app, threaded=True, request_handler=MotoRequestHandler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield S3Server(f"http://127.0.0.1:{server.server_port}")
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@cache
def _client(url: str) -> Any:  # Any: boto3 makes its clients at run time
    return boto3.client(
        "s3",
        endpoint_url=url,
        region_name="us-east-1",
        aws_access_key_id="testing",
        aws_secret_access_key="testing",
    )


def _atomic_conditions(app: Wsgi) -> Wsgi:
    """Moto looks, then writes: two threads may both find nothing. S3 itself lets one through."""
    one_at_a_time = threading.Lock()

    def guarded(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        # Moto knows an unsigned request by its body alone; the service takes the query as well.
        if "AssumeRoleWithWebIdentity" in environ["QUERY_STRING"]:
            body, environ["QUERY_STRING"] = environ["QUERY_STRING"].encode(), ""
            environ |= {"wsgi.input": io.BytesIO(body), "CONTENT_LENGTH": str(len(body))}
            environ["CONTENT_TYPE"] = "application/x-www-form-urlencoded"
        if "HTTP_IF_NONE_MATCH" not in environ:
            return app(environ, start_response)
        with one_at_a_time:
            return [b"".join(app(environ, start_response))]

    return guarded
