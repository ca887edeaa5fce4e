"""What the catalogue knows of DAGs: their tasks, what starts them, and what they touch."""

from __future__ import annotations

from dataclasses import dataclass

from platform_ops.registry.models.location import Source

__all__ = [
    "Asset",
    "BrokenDagFile",
    "Callback",
    "Dag",
    "Named",
    "Param",
    "Task",
    "TaskGroup",
    "Trigger",
]


@dataclass(frozen=True, slots=True, order=True)
class Asset:
    """Data that DAGs tell each other about.

    :param kind: ``asset``, or ``alias`` for a name whose assets are known at run time.
    """

    name: str
    uri: str = ""
    kind: str = "asset"


@dataclass(frozen=True, slots=True, order=True)
class Named:
    """A connection or variable that a DAG names.

    :param where: Task, or the DAG's file where no task is known; and through what, such as
        ``http_conn_id``.
    """

    name: str
    where: str
    through: str


@dataclass(frozen=True, slots=True)
class Callback:
    """Who is told, and when.

    :param event: Such as ``on_failure``.
    :param target: Dotted name of the function or notifier.
    """

    event: str
    target: str


@dataclass(frozen=True, slots=True)
class Param:
    """One value that whoever triggers a run may set.

    :param type: JSON Schema types, joined by ``|``; empty where anything goes.
    :param default: As JSON; empty where a value is required.
    :param allowed: As JSON, where only some values are.
    :param schema: Its JSON Schema, as JSON.
    """

    name: str
    type: str
    default: str
    required: bool
    description: str = ""
    allowed: tuple[str, ...] = ()
    section: str = ""
    schema: str = ""


@dataclass(frozen=True, slots=True)
class TaskGroup:
    """A frame around tasks; ``group`` is the frame around this one."""

    group_id: str
    label: str
    summary: str = ""
    mapped: bool = False
    group: str = ""


@dataclass(frozen=True, slots=True)
class Trigger:
    """Another way in which DAGs depend on each other than through assets.

    :param kind: ``trigger`` where the source starts the target, ``sensor`` where it is waited for.
    """

    source: str
    target: str
    kind: str
    task_id: str = ""


@dataclass(frozen=True, slots=True)
class Task:
    """One task of a DAG.

    :param operator: Dotted name of its class.
    :param label: What the UI calls that class, such as ``@task``.
    :param downstream: Ids of the tasks that follow.
    :param edge_labels: Of the edges that have one: the task that follows, and the text.
    :param group: Dotted ids of the task groups around it.
    :param role: ``setup`` or ``teardown``; empty for work.
    :param retry_delay_s: Between tries, in seconds; 0 where there is one try.
    :param timeout_s: Longest time that one try may take, in seconds; None for ever.
    :param reads: Names of its inlets.
    :param writes: Names of its outlets.
    :param unarchived: What to do, where it takes something in that nobody archives.
    """

    task_id: str
    operator: str
    label: str
    downstream: tuple[str, ...] = ()
    edge_labels: tuple[tuple[str, str], ...] = ()
    mapped: bool = False
    group: str = ""
    role: str = ""
    summary: str = ""
    pool: str = ""
    retries: int = 0
    retry_delay_s: float = 0.0
    timeout_s: float | None = None
    trigger_rule: str = ""
    reads: tuple[str, ...] = ()
    writes: tuple[str, ...] = ()
    callbacks: tuple[Callback, ...] = ()
    unarchived: str = ""


@dataclass(frozen=True, slots=True)
class Dag:
    """One DAG, as a scheduler would see it.

    :param schedule: What its author wrote, or a short form of the timetable.
    :param schedule_words: The same for people.
    :param next_runs: When the next runs start, as ISO times in the timetable's zone, counted from
        ``Catalog.moment``.
    :param due_days: ISO dates of the data that recent runs were for; the newest last.
    :param reads: Assets that start it, and inlets of its tasks.
    :param writes: Outlets of its tasks.
    :param timeout_s: Longest time that a run may take, in seconds; None for ever.
    :param deadlines: In words.
    :param folder: As configured, the folder that ``source`` is relative to.
    """

    dag_id: str
    display_name: str
    summary: str
    doc_md: str
    schedule: str
    schedule_words: str
    owners: tuple[str, ...]
    tags: tuple[str, ...]
    tasks: tuple[Task, ...]
    folder: str
    source: Source
    groups: tuple[TaskGroup, ...] = ()
    params: tuple[Param, ...] = ()
    next_runs: tuple[str, ...] = ()
    due_days: tuple[str, ...] = ()
    start: str = ""
    end: str = ""
    catchup: bool = False
    max_active_runs: int = 0
    timeout_s: float | None = None
    deadlines: tuple[str, ...] = ()
    callbacks: tuple[Callback, ...] = ()
    reads: tuple[Asset, ...] = ()
    writes: tuple[Asset, ...] = ()
    triggers: tuple[Trigger, ...] = ()
    connections: tuple[Named, ...] = ()
    variables: tuple[Named, ...] = ()


@dataclass(frozen=True, slots=True)
class BrokenDagFile:
    """A file that should hold DAGs and could not be read.

    :param line: Where it went wrong, in the file itself.
    :param error: The last line of what Python said; ``trace`` is all of it.
    """

    file: str
    folder: str
    line: int
    error: str
    trace: str
