"""Orders from a Kafka topic, a batch a day, and a task that counts them."""

from datetime import UTC, datetime

from airflow.sdk import DAG, CronDataIntervalTimetable, task

from platform_ops import ArchivingKafkaOperator, archive

with DAG(
    "shop_orders",
    description="Every order that the shop has published, archived once, a batch a day.",
    doc_md="""
    The shop publishes each order to a Kafka topic, and cancels one by a record without a value. The
    first task archives what came since the batch before, every key, value and header as it was, and
    only then tells the broker how far it is. The second reads the batch from the archive.
    """,
    schedule=CronDataIntervalTimetable("@daily", timezone="UTC"),
    start_date=datetime(2015, 12, 1, tzinfo=UTC),
    end_date=datetime(2015, 12, 3, tzinfo=UTC),
    catchup=True,
    max_active_runs=1,  # one after the other: each goes on where the one before has ended
    default_args={"owner": "shop"},
    tags=["shop", "kafka"],
) as dag:
    orders = ArchivingKafkaOperator(
        task_id="orders",
        entity="shop.orders",
        kafka_config_id="shop_stream",
        topics=["orders"],
        doc_md="Archive what is new in the topic.",
    )

    @task
    def count(ref: dict[str, object]) -> dict[str, int]:
        """Count the records of the batch, and those that cancel an order."""
        values = [value for rows in archive.batches(ref) for value in rows["value"].to_pylist()]
        return {"records": len(values), "cancelled": values.count(None)}

    count(orders.output)
