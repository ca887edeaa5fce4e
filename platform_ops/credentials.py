"""From an Airflow connection to the options of the archive's client, by type of connection.

What a connection leaves out the client takes from the environment, and after that from the identity of
the machine or pod. A field that would make the client somebody else, and that it does not know, is an
error: it must not be overlooked.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

from platform_ops.errors import ConfigError

if TYPE_CHECKING:
    from airflow.sdk import Connection

__all__ = ["store_options"]

Options = dict[str, str]


@dataclass(frozen=True, slots=True)
class _Fields:
    """A connection, as the functions below read it."""

    connection: Connection
    extra: Mapping[str, Any]  # Any: JSON values

    @property
    def login(self) -> str | None:
        return self.connection.login

    @property
    def password(self) -> str | None:
        return self.connection.password

    def get(self, name: str) -> Any:  # Any: a JSON value
        """A field of the form: Airflow stores it under its name, and formerly under a longer one."""
        return self.extra.get(name) or self.extra.get(f"extra__{self.connection.conn_type}__{name}")

    def wrong(self, field: str, advice: str) -> ConfigError:
        return ConfigError(f"connection {self.connection.conn_id!r}: {field}: {advice}")


def _aws(fields: _Fields) -> Mapping[str, str | None]:
    services = fields.get("service_config") or {}
    return {
        "access_key_id": fields.login,
        "secret_access_key": fields.password,
        "session_token": fields.get("aws_session_token"),
        "region": fields.get("region_name"),
        "endpoint": services.get("s3", {}).get("endpoint_url") or fields.get("endpoint_url"),
    }


def _google(fields: _Fields) -> Mapping[str, str | None]:
    return {
        "service_account_key": _google_key(fields),
        "service_account": fields.get("key_path"),
        "application_credentials": fields.get("credential_config_file"),
        "base_url": fields.get("gcs.endpoint"),
    }


def _google_key(fields: _Fields) -> str | None:
    found = fields.get("keyfile_dict")
    if not found:
        return None
    try:
        key = json.loads(found) if isinstance(found, str) else found
    except ValueError:
        key = None
    needed = {"client_email", "private_key", "private_key_id"}
    if not isinstance(key, dict) or not needed <= set(key):
        raise fields.wrong(
            "keyfile_dict",
            "not the JSON of a service account's key; paste the whole file as Google handed it out",
        )
    return json.dumps(key)


def _azure(fields: _Fields) -> Mapping[str, str | None]:
    if text := fields.get("connection_string"):
        return _connection_string(fields, text)
    tenant = fields.get("tenant_id")
    account, endpoint = _azure_account(fields, login=None if tenant else fields.login)
    options = {"account_name": account, "endpoint": endpoint}
    if tenant:
        identity = {"client_id": fields.login, "client_secret": fields.password}
        return {**options, "tenant_id": tenant, **identity}
    if key := fields.get("shared_access_key"):
        return {**options, "account_key": key}
    if token := fields.get("sas_token"):
        return {**options, "sas_key": token.rpartition("?")[2]}
    if key := fields.password or fields.get("account_key"):
        return {**options, "account_key": key}
    return {
        **options,
        "client_id": fields.get("managed_identity_client_id"),
        "tenant_id": fields.get("workload_identity_tenant_id"),
    }


def _azure_account(fields: _Fields, login: str | None) -> tuple[str | None, str | None]:
    """The account's name, and its address where that is not the usual one."""
    named = fields.get("account_name") or login
    token = fields.get("sas_token") or ""
    host = fields.connection.host or (token if token.startswith("https:") else "")
    url = urlsplit(host if "://" in host else f"https://{host}")
    if not url.hostname or "." not in url.hostname:  # Airflow's own hook takes no other for a host
        return named, None
    if url.hostname.endswith(".blob.core.windows.net"):
        return named or url.hostname.partition(".")[0], None
    return named, f"{url.scheme}://{url.netloc}{url.path}".rstrip("/")


def _connection_string(fields: _Fields, text: str) -> Mapping[str, str | None]:
    pairs = dict(each.partition("=")[::2] for each in text.split(";") if each)
    if not pairs.get("AccountName") and not pairs.get("BlobEndpoint"):
        raise fields.wrong(
            "connection_string", "no AccountName and no BlobEndpoint in it; copy it from the portal"
        )
    endpoint = pairs.get("BlobEndpoint", "").rstrip("/")
    suffix = pairs.get("EndpointSuffix", "core.windows.net")
    account = pairs.get("AccountName") or (urlsplit(endpoint).hostname or "").partition(".")[0]
    if not endpoint and suffix != "core.windows.net":
        endpoint = f"https://{account}.blob.{suffix}"
    return {
        "account_name": account,
        "account_key": pairs.get("AccountKey"),
        "sas_key": pairs.get("SharedAccessSignature", "").removeprefix("?"),
        "endpoint": endpoint,
    }


@dataclass(frozen=True, slots=True)
class _Type:
    """What is known of one type of connection.

    :param schemes: Roots that it opens, the usual one first.
    :param refused: Fields that would make the client somebody else, which it cannot.
    """

    schemes: tuple[str, ...]
    read: Callable[[_Fields], Mapping[str, str | None]]
    refused: tuple[str, ...]


_TYPES: Final[Mapping[str, _Type]] = {
    "aws": _Type(("s3",), _aws, ("role_arn", "profile_name", "assume_role_method")),
    "google_cloud_platform": _Type(
        ("gs",),
        _google,
        ("impersonation_chain", "key_secret_name", "idp_issuer_url", "is_anonymous"),
    ),
    "wasb": _Type(("abfs", "abfss", "az"), _azure, ("client_secret_auth_config",)),
}


def store_options(
    connection: Connection, scheme: str, asked_by: str = "archive.connection"
) -> Options:
    """The client's options, by obstore's names.

    :param scheme: Of the archive's root, or of a source's bucket, such as ``s3``.
    :param asked_by: The setting or parameter that names the connection, for messages.
    :raises ConfigError: The connection is of another type than the root needs, or has a field that
        cannot be honoured.
    """
    needed = next((name for name, each in _TYPES.items() if scheme in each.schemes), None)
    if needed is None or connection.conn_type != needed:
        right = ", ".join(f"{name} for {each.schemes[0]}://" for name, each in _TYPES.items())
        raise ConfigError(
            f"{asked_by} = {connection.conn_id!r} is of type {connection.conn_type!r}, which "
            f"opens no root of {scheme}://; right are: {right}"
        )
    kind = _TYPES[needed]
    fields = _Fields(connection, connection.extra_dejson)
    for name in kind.refused:
        if fields.get(name):
            raise fields.wrong(
                name,
                "the archive's client cannot do this; take it out, and give the credentials "
                "themselves, or none so that those of the environment are used",
            )
    return {name: str(value) for name, value in kind.read(fields).items() if value}
