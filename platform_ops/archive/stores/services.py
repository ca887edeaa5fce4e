"""The object stores that an archive can lie in, and all that differs between them.

Every one of them makes ``put(mode="create")`` a condition that the service itself checks: S3 and Azure
by ``If-None-Match: *``, Google by ``x-goog-if-generation-match: 0``. A service without one cannot hold
an archive (ADR 0003), and ``platform-ops doctor`` tries it.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

from platform_ops.errors import ConfigError

if TYPE_CHECKING:
    from obstore.store import AzureStore, GCSStore, S3Store

    Client = AzureStore | GCSStore | S3Store

__all__ = ["SERVICES", "Service", "client", "encrypted", "service_of"]

_THIS_MACHINE: Final = ("127.0.0.1", "::1", "localhost")
_ATTEMPTS: Final = "PLATFORM_OPS_STORE_ATTEMPTS"
_TIMEOUT_S: Final = 60
"""Longest that one request may take, its answer's body included."""


@dataclass(frozen=True, slots=True)
class Service:
    """One object store, as far as it is not like the others.

    :param name: As its vendor calls it.
    :param extra: The extra of this package that brings its client.
    :param client: Name of its class in :mod:`obstore.store`.
    :param endpoint: The client's option for another address than the vendor's.
    :param endpoint_variables: Where the environment may give that; the first that is set counts.
    :param attempts_variables: Where it may say how often a request is made in all.
    :param required: An option that has no default, and the variables that may give it.
    :param elsewhere: Further options where the address is not the vendor's own.
    :param credential_files: Variables that name a file of credentials.
    :param unsigned: The option that leaves bodies out of the signature, and the variable that rules it.
    """

    name: str
    extra: str
    client: str
    endpoint: str
    endpoint_variables: tuple[str, ...]
    attempts_variables: tuple[str, ...] = (_ATTEMPTS,)
    required: tuple[str, ...] = ()
    elsewhere: Mapping[str, Any] | None = None  # Any: options are strings and flags
    unsigned: tuple[str, str] | None = None
    credential_files: tuple[str, ...] = ()


_S3: Final = Service(
    name="Amazon S3",
    extra="s3",
    client="S3Store",
    endpoint="endpoint",
    endpoint_variables=("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL"),
    attempts_variables=(_ATTEMPTS, "AWS_MAX_ATTEMPTS"),  # the latter as in Amazon's own clients
    elsewhere={"virtual_hosted_style_request": False},
    unsigned=("unsigned_payload", "AWS_UNSIGNED_PAYLOAD"),
)
_GCS: Final = Service(
    name="Google Cloud Storage",
    extra="gcs",
    client="GCSStore",
    endpoint="base_url",
    endpoint_variables=("GOOGLE_BASE_URL",),
    credential_files=("GOOGLE_APPLICATION_CREDENTIALS",),
)
_AZURE: Final = Service(
    name="Azure Blob Storage",
    extra="azure",
    client="AzureStore",
    endpoint="endpoint",
    endpoint_variables=("AZURE_STORAGE_ENDPOINT", "AZURE_ENDPOINT"),
    required=("account_name", "AZURE_STORAGE_ACCOUNT_NAME"),
)

SERVICES: Final[Mapping[str, Service]] = {
    "s3": _S3,
    "gs": _GCS,
    "az": _AZURE,
    "abfs": _AZURE,
    "abfss": _AZURE,
}
"""By the scheme of the root."""


def service_of(root: str) -> Service:
    """The service that a root's scheme names."""
    return SERVICES[root.partition("://")[0]]


def client(
    root: str, options: Mapping[str, str], credentials: str = "archive.connection"
) -> Client:
    """The client for all that is below the root.

    :param options: The client's own, by obstore's names; the environment fills what is missing.
    :param credentials: Where the options are from, for messages.
    :raises ConfigError: The client refuses them.
    """
    import obstore.store
    from obstore.exceptions import BaseError

    service = service_of(root)
    bucket, _, prefix = root.partition("://")[2].partition("/")
    _require(service, root, options, credentials)
    endpoint = options.get(service.endpoint) or _first(service.endpoint_variables)
    settings: dict[str, Any] = {**options}  # Any: options are strings and flags
    if endpoint:
        settings |= {service.endpoint: endpoint, **(service.elsewhere or {})}
    if service.unsigned and _unaltered(endpoint) and not os.environ.get(service.unsigned[1]):
        settings |= {service.unsigned[0]: True}
    make: Callable[..., Client] = getattr(obstore.store, service.client)
    try:
        return make(
            bucket,
            prefix=prefix.strip("/") or None,
            client_options={
                "allow_http": endpoint.startswith("http://"),
                "timeout": f"{_TIMEOUT_S}s",
            },
            retry_config={
                "max_retries": _attempts(service) - 1,
                "retry_timeout": timedelta(seconds=60),
            },
            **settings,
        )
    except (BaseError, OSError, TypeError, ValueError) as err:
        # Not the client's own words: they may quote the key that it could not read.
        if (advice := _foreign_identity(service, options)) is not None:
            raise ConfigError(f"{root}: {advice}") from None
        given = ", ".join(sorted(options)) or "none"
        raise ConfigError(
            f"{root}: the client of {service.name} cannot be made ({type(err).__name__}); check the "
            f"credentials of {credentials} (options from it: {given}) and in the environment"
        ) from None


def _foreign_identity(service: Service, options: Mapping[str, str]) -> str | None:
    """What to do where a file of Google's describes an identity that its client here cannot take on."""
    path = options.get("application_credentials") or _first(service.credential_files)
    try:
        kind = json.loads(Path(path).read_bytes())["type"] if path else None
    except (OSError, ValueError, KeyError, TypeError):
        return None
    if kind in (None, "service_account", "authorized_user"):
        return None
    return (
        f"{path} is of type {kind!r}, which the archive's client does not take; right are: "
        "service_account, authorized_user. A pod or machine of Google's needs no file at all: it "
        "is known by the metadata server. Elsewhere give it a key of a service account, or a "
        "short-lived token as GOOGLE_BEARER_TOKEN"
    )


def _unaltered(endpoint: str) -> bool:
    """Whether nobody can alter a body on its way: over TLS, or to this very machine.

    A signature over the body would be a second digest of every byte, and prove what TLS proves.
    """
    return not endpoint.startswith("http://") or urlsplit(endpoint).hostname in _THIS_MACHINE


def encrypted(encryption: str | None, kms_key: str | None) -> Mapping[str, str]:
    """The client's options for encryption by S3, at rest."""
    options = {"server_side_encryption": encryption, "sse_kms_key_id": kms_key}
    return {name: value for name, value in options.items() if value}


def _require(service: Service, root: str, options: Mapping[str, str], credentials: str) -> None:
    if not service.required:
        return
    option, *variables = service.required
    if not options.get(option) and not _first(variables):
        raise ConfigError(
            f"{root}: no {option} for {service.name}; set {' or '.join(variables)}, "
            f"or {credentials}"
        )


def _attempts(service: Service) -> int:
    """How often a request is made in all."""
    name = next(filter(os.environ.get, service.attempts_variables), _ATTEMPTS)
    text = os.environ.get(name) or "6"
    if not text.isdecimal() or int(text) < 1:
        raise ConfigError(f"${name}: {text!r} is no number of attempts; write 1 or more")
    return int(text)


def _first(variables: tuple[str, ...] | list[str]) -> str:
    return next(filter(None, map(os.environ.get, variables)), "")
