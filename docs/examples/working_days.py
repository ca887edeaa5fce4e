"""A function as a source: what it yields is archived, and the next task gets the reference."""

import calendar
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta

from airflow.sdk import DAG, CronDataIntervalTimetable, task

from platform_ops import archive

with DAG(
    "working_days",
    description="The working days of each month, as the planners counted them then.",
    doc_md="""
    Planners ask later which days a month was planned with. The first task hands its rows to the
    archive while it makes them; the second reads the archive, and so does whoever asks in a year.
    """,
    schedule=CronDataIntervalTimetable("@monthly", timezone="UTC"),
    start_date=datetime(2015, 12, 1, tzinfo=UTC),
    end_date=datetime(2016, 2, 1, tzinfo=UTC),
    catchup=True,
    dagrun_timeout=timedelta(hours=6),
    default_args={"owner": "network-planning"},
    tags=["calendar", "task.archive"],
) as dag:

    @task.archive(entity="planning.working_days")
    def working_days(first_day: str) -> Iterator[dict[str, object]]:
        """Yield one row for each working day of the month."""
        month = date.fromisoformat(first_day)
        for number in range(1, calendar.monthrange(month.year, month.month)[1] + 1):
            day = month.replace(day=number)
            if day.weekday() < calendar.SATURDAY:
                yield {"date": day, "weekday": calendar.day_name[day.weekday()]}

    @task
    def count(ref: dict[str, object]) -> int:
        """Count the days that the archive holds for the month."""
        return int(archive.as_arrow(ref).num_rows)

    count(working_days("{{ data_interval_start | ds }}"))
