"""What should exist, and who writes it: an entity, a slot, and the run of a task."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from urllib.parse import quote

from platform_ops.errors import UrlError

__all__ = ["Entity", "RunIdentity", "Slot"]


@dataclass(frozen=True, slots=True, order=True)
class Entity:
    """What arrives from outside, named ``source.name``, for instance ``weather.forecast``.

    :param source: The system that it comes from; has no dot.
    :param name: What that system calls it; may contain further dots.
    :raises UrlError: A part is empty, or the source has a dot.
    """

    source: str
    name: str

    def __post_init__(self) -> None:
        if not self.source or not self.name or "." in self.source:
            raise UrlError(
                f"entity {f'{self.source}.{self.name}'!r}: source {self.source!r} and name "
                f"{self.name!r} must not be empty, and the source has no dot"
            )

    @classmethod
    def parse(cls, text: str | Entity) -> Entity:
        """Split ``source.name`` at its first dot.

        :raises UrlError: There is no dot, or nothing on one side of it.
        """
        if isinstance(text, Entity):
            return text
        source, dot, name = text.partition(".")
        if not (source and dot and name):
            raise UrlError(
                f"entity {text!r}: write it as source.name, for instance 'weather.forecast'"
            )
        return cls(source, name)

    @property
    def uri(self) -> str:
        """The URI of the entity's Airflow asset; it does not depend on where the archive is."""
        source, name = (
            quote(part, safe="", errors="surrogatepass") for part in (self.source, self.name)
        )
        return f"platform-ops://{source}/{name}"

    def __str__(self) -> str:
        return f"{self.source}.{self.name}"


@dataclass(frozen=True, slots=True)
class Slot:
    """What should exist: one entity, at one time, for one partition and map key.

    :param time_utc: The partition's date, else the start of the data interval, else
        ``dag_run.run_after``; never the wall clock. Stored in UTC.
    :param partition_key: Airflow's partition key, which need not be a date.
    :param map_key: The rendered key of a mapped task.
    :param team: The team that owns the run, on a multi-team site.
    :raises UrlError: ``time_utc`` has no time zone.
    """

    entity: Entity
    time_utc: datetime
    partition_key: str | None = None
    map_key: str | None = None
    team: str | None = None

    def __post_init__(self) -> None:
        if self.time_utc.tzinfo is None:
            raise UrlError(f"slot of {self.entity}: {self.time_utc!r} has no time zone; add one")
        object.__setattr__(self, "time_utc", self.time_utc.astimezone(UTC))

    def __str__(self) -> str:
        keys = [f"part={self.partition_key}"] if self.partition_key is not None else []
        keys += [f"map={self.map_key}"] if self.map_key is not None else []
        return " ".join([str(self.entity), f"{self.time_utc:%Y-%m-%dT%H:%M:%SZ}", *keys])


@dataclass(frozen=True, slots=True)
class RunIdentity:
    """Which try of which task wrote a revision; it stands in the manifest, never in the path."""

    dag_id: str
    task_id: str
    run_id: str
    map_index: int = -1
    try_number: int = 1
    max_tries: int = 0
    team: str | None = None
    interval_start_utc: datetime | None = None
    interval_end_utc: datetime | None = None

    def is_retry_of(self, other: RunIdentity) -> bool:
        """Whether both are tries of one task instance with no clear between them.

        Airflow raises ``max_tries`` when a task is cleared, and only then.
        """

        def key(run: RunIdentity) -> tuple[str, str, str, int, int]:
            return (run.dag_id, run.task_id, run.run_id, run.map_index, run.max_tries)

        return key(self) == key(other)
