"""Google's metadata server: gives tokens that end, to whoever asks as it wants to be asked.

Source: https://cloud.google.com/compute/docs/metadata/overview
"""

from __future__ import annotations

import json
import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

from tests.fakes.gcs import GcsServer
from tests.fakes.wire import Exchange, Wire, say, wire

__all__ = ["MetadataServer", "metadata_server"]

_PATH: Final = "/computeMetadata/v1/instance/service-accounts/default/token"


@dataclass
class MetadataServer:
    """A running one.

    :param bound: Whether a service account belongs to the machine or pod.
    :param lasts_s: How long the next token will be good for.
    :param announced_s: How long it says that it will be.
    """

    wire: Wire
    bound: bool = True
    lasts_s: float = 3600
    announced_s: float = 3600

    @property
    def host(self) -> str:
        return self.wire.url.removeprefix("http://")


@contextmanager
def metadata_server(store: GcsServer) -> Iterator[MetadataServer]:
    """Serve, and let the store know each token, until the block ends."""
    with wire() as running:
        server = MetadataServer(running)

        def answer(exchange: Exchange) -> None:
            if exchange.headers.get("Metadata-Flavor") != "Google":
                say(b"Missing Metadata-Flavor:Google header.", 403)(exchange)
            elif urlsplit(exchange.path).path != _PATH or not server.bound:
                say(b"no service account", 404)(exchange)
            else:
                token = secrets.token_hex(20)
                store.tokens[token] = time.time() + server.lasts_s
                told = {"access_token": token, "expires_in": int(server.announced_s)}
                say(json.dumps({**told, "token_type": "Bearer"}).encode())(exchange)

        running.on("*", answer)
        yield server
