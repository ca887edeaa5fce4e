"""What a run's conf asks of the platform: ``{"platform_ops": {"replay": true}}`` and its like."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final, get_args

from platform_ops.errors import ConfigError
from platform_ops.settings import Mode
from platform_ops.settings.choices import one_of

if TYPE_CHECKING:
    from platform_ops.entity import Entity, Slot
    from platform_ops.settings import Settings

__all__ = ["CONF_KEY", "Wish"]

CONF_KEY: Final = "platform_ops"
"""Key of the run's conf under which the platform is asked."""


@dataclass(frozen=True, slots=True)
class Wish:
    """How to fill a slot, and on a replay which revision of which slot to read.

    :param revision: The pinned one; the newest where unset.
    :param as_of_utc: The newest that was committed by then.
    :param time_utc: Another slot's time than the run's own.
    :param emit: Announce the asset on a replay too.
    """

    mode: Mode
    revision: int | None = None
    as_of_utc: datetime | None = None
    time_utc: datetime | None = None
    emit: bool = False

    @classmethod
    def of(
        cls,
        conf: Mapping[str, Any] | None,  # Any: JSON values
        mode: Mode | None,
        site: Settings,
        entity: Entity,
    ) -> Wish:
        """The run's conf first, then the operator's mode, then what the site set for the entity.

        :param conf: The run's conf, as Airflow hands it over.
        :param mode: The operator's.
        :raises ConfigError: The conf asks for something that does not exist.
        """
        asked = (conf or {}).get(CONF_KEY) or {}
        if not isinstance(asked, Mapping) or not set(asked) <= {"replay", "mode"}:
            raise _wrong_conf("holds 'replay' or 'mode'", asked)
        replay = asked.get("replay")
        # An empty table asks for a replay too: whoever writes it must not meet the source.
        if replay is not None and replay is not False:
            return cls._replay(replay)
        declared = site.declared(entity)
        chosen = asked.get("mode") or mode or (declared.mode if declared else "auto")
        if chosen not in get_args(Mode):
            raise _wrong_conf(f"'mode' is {one_of(Mode)}", asked)
        return cls(chosen)

    @classmethod
    def _replay(cls, asked: object) -> Wish:
        options = {} if asked is True else asked
        known = {"revision", "as_of", "time", "emit"}
        if not isinstance(options, Mapping) or not set(options) <= known:
            raise _wrong_conf(f"'replay' is true, or holds {', '.join(sorted(known))}", asked)
        revision, emit = options.get("revision"), options.get("emit", False)
        if revision is not None and (type(revision) is not int or revision < 1):
            raise _wrong_conf("'revision' is a number from 1", asked)
        if not isinstance(emit, bool):
            raise _wrong_conf("'emit' is true or false", asked)
        return cls(
            "replay",
            revision,
            _moment(options.get("as_of"), asked),
            _moment(options.get("time"), asked),
            emit,
        )

    def slot(self, own: Slot) -> Slot:
        """The run's own slot, or the one at the time that the replay names."""
        from platform_ops.entity import Slot

        if self.time_utc is None:
            return own
        return Slot(own.entity, self.time_utc, own.partition_key, own.map_key, own.team)


def _wrong_conf(right: str, asked: object) -> ConfigError:
    return ConfigError(f"the run's conf: {CONF_KEY!r} {right}; it is {asked!r}")


def _moment(text: object, asked: object) -> datetime | None:
    if text is None:
        return None
    try:
        moment = datetime.fromisoformat(str(text))
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None:
        raise _wrong_conf(
            "'as_of' and 'time' are ISO 8601 with a zone, as 2015-12-01T00:00Z", asked
        )
    return moment
