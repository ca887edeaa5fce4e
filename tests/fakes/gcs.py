"""Cloud Storage over a socket: the XML API as far as an archive speaks it, in memory.

Source: https://cloud.google.com/storage/docs/xml-api/reference-methods
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
import threading
import time
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import format_datetime
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import count
from typing import TYPE_CHECKING, ClassVar, Final
from urllib.parse import parse_qs, unquote, urlsplit
from xml.etree import ElementTree
from xml.sax.saxutils import escape

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

ACCOUNT: Final = "archive@project.iam.gserviceaccount.com"
SMALLEST_PART_BYTES: Final = 5 << 20
PAGE: Final = 1000

_numbers = count(1)


@dataclass(frozen=True, slots=True)
class Blob:
    """One stored object.

    :param generation: Grows with each object that is stored; 0 stands for none, as in Google's.
    """

    body: bytes
    generation: int
    modified_utc: datetime

    @property
    def etag(self) -> str:
        return f'"{hashlib.md5(self.body).hexdigest()}"'


@dataclass(slots=True)
class Upload:
    """A multipart upload that is neither completed nor aborted."""

    key: str
    parts: dict[int, Blob] = field(default_factory=dict)


@dataclass(slots=True)
class Bucket:
    """What a bucket holds; whoever touches it holds the server's lock."""

    blobs: dict[str, Blob] = field(default_factory=dict)
    uploads: dict[str, Upload] = field(default_factory=dict)


@dataclass(slots=True)
class GcsServer:
    """A running server.

    :param url: Where it listens, for instance ``http://127.0.0.1:40123``.
    :param open: Whether it takes requests that nobody signed.
    :param tokens: Those that are taken instead of a signature, and until when.
    :param replaces: Whether writers may replace an object, for which they need the right to delete.
    :param rights: By token: the permissions that it has; where there is none of it, it may do all.
    """

    url: str = ""
    open: bool = True
    tokens: dict[str, float] = field(default_factory=dict)
    replaces: bool = True
    rights: dict[str, Collection[str]] = field(default_factory=dict)
    buckets: dict[str, Bucket] = field(default_factory=dict)
    lock: threading.Lock = field(default_factory=threading.Lock)
    scheme: ClassVar = "gs"
    _generations: Iterator[int] = field(default_factory=lambda: count(1))

    def environment(self, url: str | None = None) -> dict[str, str]:
        """What a client needs in its environment to come here, or to a proxy at ``url``."""
        return {"GOOGLE_BASE_URL": url or self.url, "GOOGLE_BEARER_TOKEN": "testing"}

    def new_bucket(self, name: str | None = None) -> str:
        name = name or f"bucket-{next(_numbers)}"
        self.buckets[name] = Bucket()
        return name

    def admits(self, authorization: str) -> bool:
        known = time.time() < self.tokens.get(authorization.removeprefix("Bearer "), 0)
        return self.open or known or is_signed(authorization)

    def stored(self, body: bytes) -> Blob:
        """A new object, as it is at this moment."""
        return Blob(body, next(self._generations), datetime.now(UTC))


@contextmanager
def gcs_server() -> Iterator[GcsServer]:
    """Serve on a free port of loopback until the block ends."""
    server = _Server(("127.0.0.1", 0), _Handler)
    server.state = GcsServer(f"http://127.0.0.1:{server.server_port}")
    thread = threading.Thread(
        target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True
    )
    thread.start()
    try:
        yield server.state
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


# --- Who may ask ----------------------------------------------------------------------------------


@cache
def _private_key() -> RSAPrivateKey:
    from cryptography.hazmat.primitives.asymmetric import rsa

    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


def key_file(url: str) -> dict[str, str]:
    """A service account's key, as Google hands it out; this server knows its public half."""
    from cryptography.hazmat.primitives import serialization

    pem = _private_key().private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    return {
        "type": "service_account",
        "project_id": "project",
        "private_key_id": "key-1",
        "private_key": pem.decode(),
        "client_email": ACCOUNT,
        "client_id": "1",
        "gcs_base_url": url,
    }


def is_signed(authorization: str) -> bool:
    """Whether it is a token that the account signed itself.

    Source: https://google.aip.dev/auth/4111
    """
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric import padding
    from cryptography.hazmat.primitives.hashes import SHA256

    hit = re.fullmatch(r"Bearer ([\w-]+\.([\w-]+))\.([\w-]+)", authorization)
    if hit is None:
        return False
    try:
        _private_key().public_key().verify(
            _decoded(hit[3]), hit[1].encode(), padding.PKCS1v15(), SHA256()
        )
    except InvalidSignature:
        return False
    claims = json.loads(_decoded(hit[2]))
    now = datetime.now(UTC).timestamp()
    return bool(claims["iss"] == ACCOUNT and claims["iat"] - 60 <= now < claims["exp"])


def _decoded(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


# --- What they may ask ----------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Reply:
    status: int
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class _Request:
    key: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes


def _error(status: int, code: str) -> _Reply:
    text = f"<?xml version='1.0' encoding='UTF-8'?><Error><Code>{code}</Code></Error>"
    return _Reply(status, text.encode())


def _xml(root: str, inside: str) -> _Reply:
    text = f"<?xml version='1.0' encoding='UTF-8'?><{root}>{inside}</{root}>"
    return _Reply(200, text.encode(), {"Content-Type": "application/xml"})


def _about(blob: Blob) -> dict[str, str]:
    return {
        "ETag": blob.etag,
        "Last-Modified": format_datetime(blob.modified_utc, usegmt=True),
        "x-goog-generation": str(blob.generation),
    }


def _put(server: GcsServer, bucket: Bucket, asked: _Request) -> _Reply:
    if "uploadId" in asked.query:
        return _put_part(server, bucket, asked)
    there = bucket.blobs.get(asked.key)
    expected = asked.headers.get("x-goog-if-generation-match")
    if expected is not None and int(expected) != (there.generation if there else 0):
        return _error(412, "PreconditionFailed")
    if there and not server.replaces:
        return _error(403, "AccessDenied")
    if source := asked.headers.get("x-goog-copy-source"):
        return _copy(server, bucket, asked.key, unquote(source))
    bucket.blobs[asked.key] = blob = server.stored(asked.body)
    return _Reply(200, headers=_about(blob))


def _copy(server: GcsServer, bucket: Bucket, key: str, source: str) -> _Reply:
    name, _, path = source.lstrip("/").partition("/")
    found = server.buckets.get(name, Bucket()).blobs.get(path)
    if found is None:
        return _error(404, "NoSuchKey")
    bucket.blobs[key] = blob = server.stored(found.body)
    return _xml("CopyObjectResult", f"<ETag>{escape(blob.etag)}</ETag>")


def _put_part(server: GcsServer, bucket: Bucket, asked: _Request) -> _Reply:
    upload = bucket.uploads.get(asked.query["uploadId"])
    if upload is None or upload.key != asked.key:
        return _error(404, "NoSuchUpload")
    upload.parts[int(asked.query["partNumber"])] = blob = server.stored(asked.body)
    return _Reply(200, headers={"ETag": blob.etag})


def _post(server: GcsServer, bucket: Bucket, asked: _Request) -> _Reply:
    if "uploads" in asked.query:
        name = f"upload-{next(_numbers)}"
        bucket.uploads[name] = Upload(asked.key)
        return _xml("InitiateMultipartUploadResult", f"<UploadId>{name}</UploadId>")
    upload = bucket.uploads.get(asked.query.get("uploadId", ""))
    if upload is None or upload.key != asked.key:
        return _error(404, "NoSuchUpload")
    tags = _listed_parts(asked.body)
    if not tags or any(
        number not in upload.parts or upload.parts[number].etag.strip('"') != tag
        for number, tag in tags.items()
    ):
        return _error(400, "InvalidPart")
    bodies = [upload.parts[number].body for number in sorted(tags)]
    if any(len(body) < SMALLEST_PART_BYTES for body in bodies[:-1]):
        return _error(400, "EntityTooSmall")
    del bucket.uploads[asked.query["uploadId"]]
    bucket.blobs[asked.key] = blob = server.stored(b"".join(bodies))
    return _xml("CompleteMultipartUploadResult", f"<ETag>{escape(blob.etag)}</ETag>")


def _listed_parts(body: bytes) -> dict[int, str]:
    """Numbers and ETags of the parts that a completion lists."""
    found = {}
    for part in ElementTree.fromstring(body).iter():
        if part.tag.rpartition("}")[2] == "Part":
            inner = {each.tag.rpartition("}")[2]: each.text or "" for each in part}
            found[int(inner["PartNumber"])] = inner["ETag"].strip('"')
    return found


def _get(server: GcsServer, bucket: Bucket, asked: _Request) -> _Reply:
    if not asked.key:
        return _list(bucket, asked.query)
    blob = bucket.blobs.get(asked.key)
    if blob is None:
        return _error(404, "NoSuchKey")
    hit = re.fullmatch(r"bytes=(\d+)-(\d*)", asked.headers.get("range", ""))
    if hit is None:
        return _Reply(200, blob.body, _about(blob))
    size_bytes = len(blob.body)
    start, stop = int(hit[1]), min(int(hit[2] or size_bytes), size_bytes - 1)
    if start > stop:
        return _error(416, "InvalidRange")
    span = {"Content-Range": f"bytes {start}-{stop}/{size_bytes}"}
    return _Reply(206, blob.body[start : stop + 1], {**_about(blob), **span})


def _list(bucket: Bucket, query: Mapping[str, str]) -> _Reply:
    prefix, delimiter = query.get("prefix", ""), query.get("delimiter", "")
    after = query.get("continuation-token") or query.get("start-after", "")
    entries: dict[str, str] = {}
    for key in sorted(bucket.blobs, key=str.encode):
        if not key.startswith(prefix):
            continue
        folder, found, _ = key[len(prefix) :].partition(delimiter) if delimiter else ("", "", "")
        name = prefix + folder + delimiter if found else key
        if name > after:
            blob = None if found else bucket.blobs[key]
            entries[name] = _folder(name) if blob is None else _contents(name, blob)
    page = dict(list(entries.items())[:PAGE])
    text = "".join(page.values())
    if len(page) < len(entries):
        last = escape(list(page)[-1])
        text += (
            f"<IsTruncated>true</IsTruncated><NextContinuationToken>{last}</NextContinuationToken>"
        )
    return _xml("ListBucketResult", text)


def _folder(name: str) -> str:
    return f"<CommonPrefixes><Prefix>{escape(name)}</Prefix></CommonPrefixes>"


def _contents(name: str, blob: Blob) -> str:
    stamp = blob.modified_utc.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    return (
        f"<Contents><Key>{escape(name)}</Key><Generation>{blob.generation}</Generation>"
        f"<LastModified>{stamp}</LastModified><ETag>{escape(blob.etag)}</ETag>"
        f"<Size>{len(blob.body)}</Size></Contents>"
    )


def _delete(server: GcsServer, bucket: Bucket, asked: _Request) -> _Reply:
    if "uploadId" in asked.query:
        gone = bucket.uploads.pop(asked.query["uploadId"], None)
        return _Reply(204) if gone else _error(404, "NoSuchUpload")
    return _Reply(204) if bucket.blobs.pop(asked.key, None) else _error(404, "NoSuchKey")


_GET, _LIST, _CREATE, _REMOVE = (
    f"storage.objects.{verb}" for verb in ("get", "list", "create", "delete")
)
_UPLOAD, _ABORT = "storage.multipartUploads.create", "storage.multipartUploads.abort"
_ALL: Final = (_GET, _LIST, _CREATE, _REMOVE, _UPLOAD, _ABORT)


def _needed(method: str, bucket: Bucket, asked: _Request) -> set[str]:
    """The permissions that a request needs.

    Source: https://cloud.google.com/storage/docs/access-control/iam-xml
    """
    replaced = {_REMOVE} if asked.key in bucket.blobs else set()
    if method == "DELETE":
        return {_ABORT} if "uploadId" in asked.query else {_REMOVE}
    if method == "POST" or "uploadId" in asked.query:
        completed = method == "POST" and "uploadId" in asked.query
        return {_UPLOAD, _CREATE} | (replaced if completed else set())
    if method == "PUT":
        # A put that must not replace is refused for what is there, by another code.
        creates = asked.headers.get("x-goog-if-generation-match") == "0"
        return {_CREATE} | (set() if creates else replaced)
    return {_GET} if asked.key else {_LIST}


_METHODS: Final[Mapping[str, Callable[[GcsServer, Bucket, _Request], _Reply]]] = {
    "DELETE": _delete,
    "GET": _get,
    "HEAD": _get,
    "POST": _post,
    "PUT": _put,
}


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    state: GcsServer

    def handle_error(self, *_: object) -> None:
        """Nothing: clients that hang up are what many a test wants."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = -1  # head and body leave together: else the client's delayed ACK costs 40 ms a reply
    server: _Server

    def _serve(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        headers = {name.lower(): value for name, value in self.headers.items()}
        parts = urlsplit(self.path)
        bucket, _, key = unquote(parts.path)[1:].partition("/")
        query = {k: v[0] for k, v in parse_qs(parts.query, keep_blank_values=True).items()}
        self._answer(self._reply(bucket, _Request(key, query, headers, body)))

    do_GET = do_HEAD = do_PUT = do_POST = do_DELETE = _serve  # noqa: N815  # http.server's names

    def _reply(self, name: str, asked: _Request) -> _Reply:
        state = self.server.state
        if not state.admits(asked.headers.get("authorization", "")):
            return _error(401, "AuthenticationRequired")
        with state.lock:
            bucket = state.buckets.get(name)
            if bucket is None:
                return _error(404, "NoSuchBucket")
            token = asked.headers.get("authorization", "").removeprefix("Bearer ")
            if not _needed(self.command, bucket, asked) <= set(state.rights.get(token, _ALL)):
                return _error(403, "AccessDenied")
            return _METHODS[self.command](state, bucket, asked)

    def _answer(self, reply: _Reply) -> None:
        self.send_response_only(reply.status)
        for name, value in reply.headers.items():
            self.send_header(name, value)
        if reply.status != 204:
            self.send_header("Content-Length", str(len(reply.body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(reply.body)

    def log_message(self, *_: object) -> None:
        """Nothing."""
