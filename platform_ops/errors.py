"""Every error that platform_ops raises on purpose, as one tree.

PlatformError
├── ConfigError                 platform.toml, its environment overrides, or a connection is wrong
│   ├── EntityUndeclared        the site requires declared entities, and this one is not
│   ├── ConnectionMissing       Airflow knows no connection of that id
│   └── ExtraMissing            an optional library is not installed
├── NotArchivable               a task's function gave what is neither bytes, text, rows nor a table
├── UrlError                    a template, or a URL made or parsed by it, is wrong
├── SourceError                 the outside system did not deliver
│   ├── SourceUnavailable       it may later: 5xx, 429, timeout, refused or dropped connection
│   │   ├── SourceTruncated     the body ended before its announced length
│   │   └── SourceChanged       it changed while it was read, or is not what its checksum says
│   ├── DeliveryRefused         it delivered, and the site does not take what came
│   └── SourceRejected          it will not: 4xx, a redirect that must not be followed
├── NotDelivered                a message did not reach its channel; it is logged, and no task fails by it
├── PublishError                a built site could not be published, and nothing changed there
└── ArchiveError                the archive could not take, keep or give the bytes
    ├── ArchiveUnavailable      the store did not answer, is full, or answered 5xx
    ├── ArchiveUnwritable       the root refuses writes, or lacks what the protocol needs
    ├── NotRedactable           fields of a body are to be left out, and it is not JSON
    ├── ArchiveConflict         policy ``fail``, and the slot holds another revision
    ├── ArchiveHeld             a legal hold forbids to remove it
    ├── ArchiveCorrupt          what is stored differs from what its manifest says
    └── NotArchived             no committed revision answers the question
        └── Removed             its payloads expired, or were erased: its tombstone says when and why

``retryable`` says whether the same call can succeed later with nothing changed by hand; only
``ingest`` reads it, to turn ``False`` into Airflow's ``AirflowFailException``.
No message carries a secret, a header or a payload.
"""

from __future__ import annotations

from typing import ClassVar

__all__ = [
    "ArchiveConflict",
    "ArchiveCorrupt",
    "ArchiveError",
    "ArchiveHeld",
    "ArchiveUnavailable",
    "ArchiveUnwritable",
    "ConfigError",
    "ConnectionMissing",
    "DeliveryRefused",
    "EntityUndeclared",
    "ExtraMissing",
    "NotArchivable",
    "NotArchived",
    "NotDelivered",
    "NotRedactable",
    "PlatformError",
    "PublishError",
    "Removed",
    "SourceChanged",
    "SourceError",
    "SourceRejected",
    "SourceTruncated",
    "SourceUnavailable",
    "UrlError",
]


class PlatformError(Exception):
    """The root of the tree: catch it to catch everything that the platform raises on purpose."""

    retryable: ClassVar[bool] = False


class ConfigError(PlatformError):
    """A setting is wrong; the message names file, line, field and the values that are right."""


class EntityUndeclared(ConfigError):
    """The site sets ``archive.undeclared = "fail"`` and ``platform.toml`` lacks this entity."""


class ConnectionMissing(ConfigError):
    """Airflow has no connection of this id, neither in a secrets backend nor in the environment."""


class ExtraMissing(ConfigError):
    """A library behind an extra is needed and not installed; the message gives the command."""

    def __init__(self, library: str, extra: str, purpose: str) -> None:
        super().__init__(
            f"{purpose} needs {library}, which is not installed; "
            f"run: pip install 'platform-ops[{extra}]'"
        )


class NotArchivable(PlatformError, TypeError):
    """A function under ``@task.archive`` gave something that is neither bytes, text, rows nor a table."""


class UrlError(PlatformError, ValueError):
    """A URL template does not compile, or a URL does not belong to it."""


class NotDelivered(PlatformError):
    """A message did not reach its channel; it is logged, and no task fails by it.

    :param again: Whether it may arrive a moment later.
    :param retry_after_s: How long the other end asks to wait, in seconds.
    """

    def __init__(
        self, message: str, *, again: bool = False, retry_after_s: float | None = None
    ) -> None:
        super().__init__(message)
        self.again = again
        self.retry_after_s = retry_after_s


class PublishError(PlatformError):
    """A built site cannot be published as asked; what readers see there has not changed."""


class SourceError(PlatformError):
    """The outside system did not deliver."""


class SourceUnavailable(SourceError):
    """The source failed in a way that time may cure: 5xx, 429, timeout, a lost connection.

    :param retry_after_s: Seconds that the source asked to be left alone for.
    """

    retryable = True

    def __init__(self, message: str, retry_after_s: float | None = None) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class SourceTruncated(SourceUnavailable):
    """The body ended before the length that the source announced; nothing of it is committed."""


class SourceChanged(SourceUnavailable):
    """The source changed while it was read, or is not what its checksum says; nothing is committed."""


class SourceRejected(SourceError):
    """The source refused the request, and will refuse the same request again: 4xx."""


class DeliveryRefused(SourceError):
    """What came is empty, malformed, or unlike what came before, and the entity's policy refuses it.

    :param check: Which check refused it: ``empty``, ``truncated``, ``unparsable``, ``small``, ``large``.
    :param skip: Whether the policy is ``skip``: the task is skipped, not failed.
    """

    def __init__(self, message: str, check: str = "", *, skip: bool = False) -> None:
        super().__init__(message)
        self.check = check
        self.skip = skip


class ArchiveError(PlatformError):
    """The archive could not take, keep or give the bytes."""


class ArchiveUnavailable(ArchiveError):
    """The store is out of reach, out of space, or failing; nothing half-written is visible."""

    retryable = True


class ArchiveUnwritable(ArchiveError):
    """The root refuses writes, or lacks a guarantee that the commit protocol stands on."""


class NotRedactable(ArchiveError):
    """The site leaves fields of these bodies out, and this one cannot be read as JSON: it is not kept."""


class ArchiveConflict(ArchiveError):
    """Policy ``fail``: the slot already holds a revision with other bytes, or of another run."""


class ArchiveHeld(ArchiveError):
    """A legal hold covers it, so that nothing of it may be removed; the message names the hold."""


class ArchiveCorrupt(ArchiveError):
    """A payload or manifest differs from its recorded digest, or cannot be read at all."""


class NotArchived(ArchiveError, LookupError):
    """No committed revision answers: the slot is empty, or the revision asked for is not there."""


class Removed(NotArchived):
    """The revision was there; its payloads expired, or were erased on request."""
