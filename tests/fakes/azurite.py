"""Azurite, Microsoft's own emulator of Blob Storage, as a program of its own on a free port."""

from __future__ import annotations

import base64
import hashlib
import hmac
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import format_datetime
from http.client import HTTPConnection
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Final

if TYPE_CHECKING:
    from obstore.store import AzureStore

VERSION: Final = "3.35.0"
ACCOUNT: Final = "devstoreaccount1"
# The emulator's only account; its key is published, and opens nothing else.
# Source: https://learn.microsoft.com/azure/storage/common/storage-connect-azurite
KEY: Final = (
    "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="
)
_PROGRAM: Final = Path("node_modules", "azurite", "dist", "src", "blob", "main.js")

_numbers = count(1)


@dataclass(frozen=True)
class Azurite:
    """A running server.

    :param url: Where it listens, for instance ``http://127.0.0.1:40123``.
    """

    url: str
    scheme: ClassVar = "abfs"

    def environment(self, url: str | None = None) -> dict[str, str]:
        """What a client needs in its environment to come here, or to a proxy at ``url``."""
        return {
            "AZURE_STORAGE_ACCOUNT_NAME": ACCOUNT,
            "AZURE_STORAGE_ACCOUNT_KEY": KEY,
            "AZURE_STORAGE_ENDPOINT": f"{url or self.url}/{ACCOUNT}",
        }

    def new_bucket(self) -> str:
        """A container, as Azure calls it."""
        name = f"container-{next(_numbers)}"
        self._make(name)
        return name

    def client(self, container: str) -> AzureStore:
        """A client that looks at all of a container, past the archive."""
        from obstore.store import AzureStore

        return AzureStore(
            container,
            account_name=ACCOUNT,
            account_key=KEY,
            endpoint=f"{self.url}/{ACCOUNT}",
            client_options={"allow_http": True},
        )

    def _make(self, container: str) -> None:
        """Make a container, which obstore cannot, by a request signed as the service asks for it.

        Source: https://learn.microsoft.com/rest/api/storageservices/authorize-with-shared-key
        """
        headers = {
            "x-ms-date": format_datetime(datetime.now(UTC), usegmt=True),
            "x-ms-version": "2021-12-02",
        }
        path = f"/{ACCOUNT}/{container}"
        listed = "".join(f"{name}:{value}\n" for name, value in headers.items())
        text = "PUT" + "\n" * 12 + f"{listed}/{ACCOUNT}{path}\nrestype:container"
        digest = hmac.digest(base64.b64decode(KEY), text.encode(), hashlib.sha256)
        headers["Authorization"] = f"SharedKey {ACCOUNT}:{base64.b64encode(digest).decode()}"
        connection = HTTPConnection(self.url.removeprefix("http://"), timeout=30)
        try:
            connection.request("PUT", f"{path}?restype=container", b"", headers)
            reply = connection.getresponse()
            assert reply.status == 201, reply.read()
        finally:
            connection.close()


@contextmanager
def azurite(program: Path) -> Iterator[Azurite]:
    """Run it until the block ends; it keeps all in memory."""
    command = ["node", str(program), "--inMemoryPersistence", "--silent", "--disableTelemetry"]
    # It knows every request that we make, though not the newest number that clients announce.
    command += ["--skipApiVersionCheck", "--blobHost", "127.0.0.1", "--blobPort", "0"]
    with tempfile.TemporaryDirectory() as folder:
        process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, cwd=folder
        )
        try:
            yield Azurite(_address(process))
        finally:
            process.terminate()
            process.wait()
            assert process.stdout
            process.stdout.close()


def installed_azurite() -> Path:
    """The program: where ``AZURITE`` says that npm put it.

    :raises AssertionError: It is not there; the message says how to install it.
    """
    prefix = Path(os.environ.get("AZURITE", "."))
    advice = (
        f"no Azurite below {prefix.absolute()}; run: npm install --prefix FOLDER azurite@{VERSION}, "
        "and set AZURITE=FOLDER"
    )
    assert shutil.which("node"), "no Node.js; on Debian: apt-get install nodejs npm; then " + advice
    assert (prefix / _PROGRAM).is_file(), advice
    return (prefix / _PROGRAM).absolute()


def _address(process: subprocess.Popen[str]) -> str:
    said = []
    assert process.stdout
    for line in process.stdout:
        said.append(line)
        if hit := re.search(r"successfully listens on (http://\S+)", line):
            return hit[1]
    raise AssertionError(f"Azurite did not start: {''.join(said)}")
