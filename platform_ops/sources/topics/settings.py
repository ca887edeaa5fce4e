"""From a connection to a consumer, as Airflow's own hooks read it; what we set and what we default."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

from platform_ops.errors import ConfigError, ExtraMissing
from platform_ops.ingest import connection

if TYPE_CHECKING:
    from confluent_kafka import Consumer, KafkaError

__all__ = ["consumer_of"]

log = logging.getLogger("platform_ops.sources")

_SETTINGS: Final = {
    "enable.auto.commit": False,
    "enable.auto.offset.store": False,
    "enable.partition.eof": True,
    # Never jump where an offset is gone: that is for on_gap= to decide.
    "auto.offset.reset": "error",
}
_DEFAULTS: Final = {
    "isolation.level": "read_committed",
    "fetch.wait.max.ms": 100,
    "queued.max.messages.kbytes": 16 << 10,  # read ahead, of each partition; 64 MiB else
    "log_level": 2,
}


def consumer_of(conn_id: str, told: Callable[[KafkaError], object]) -> Consumer:
    """A consumer by the connection, as Airflow's own hooks read it: cloud sign-in and callbacks included."""
    try:
        from airflow.providers.apache.kafka.hooks.base import KafkaBaseHook
        from confluent_kafka import Consumer, KafkaException
    except ModuleNotFoundError as err:
        raise ExtraMissing("confluent-kafka", "kafka", "ArchivingKafkaOperator") from err

    class Hook(KafkaBaseHook):
        def _get_client(self, config: dict[str, Any]) -> Consumer:  # Any: librdkafka's values
            return Consumer({**_DEFAULTS, "error_cb": told, **config, **_SETTINGS}, logger=log)

    extra = connection(conn_id).extra_dejson
    missing = [name for name in ("bootstrap.servers", "group.id") if not extra.get(name)]
    if missing:
        raise ConfigError(
            f"connection {conn_id!r} lacks {' and '.join(missing)}; its extra is librdkafka's configuration"
        )
    try:
        consumer: Consumer = Hook(conn_id).get_conn  # type: ignore[no-untyped-call]  # the provider's signature has no types
    except (KafkaException, ValueError, TypeError) as err:
        # Not from err: its text may quote a value.
        raise ConfigError(
            f"connection {conn_id!r}: librdkafka refuses its extra ({type(err).__name__}); see its page on "
            "configuration properties"
        ) from None
    return consumer
