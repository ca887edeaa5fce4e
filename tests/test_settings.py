"""Where settings come from, and what a wrong one is told: file, line, field, and what is right."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from platform_ops.entity import Entity
from platform_ops.errors import ConfigError, EntityUndeclared
from platform_ops.settings import EntitySettings, Settings, load
from platform_ops.url_scheme import DEFAULT_TEMPLATE

WHOLE = """\
[archive]
root = "s3://lake/raw/"
on_existing = "reuse"

[sources.weather]
description = "The weather service."
owner = "meteo"

[sources.weather.entities.forecast]
retention_days = 30
on_existing = "fail"
mode = "replay"

[sources.weather.entities."forecast.hourly"]

[sources.flights.entities]
arrivals = { sensitivity = "public" }
"""


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An Airflow home and a working folder, both empty."""
    monkeypatch.setenv("AIRFLOW_HOME", str(tmp_path / "airflow"))
    (tmp_path / "airflow" / "conf").mkdir(parents=True)
    (tmp_path / "work" / "conf").mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "work")
    return tmp_path / "airflow"


def write(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    return path


def refusal(path: Path, text: str) -> str:
    with pytest.raises(ConfigError) as caught:
        load(write(path, text))
    return str(caught.value)


# --- Where they come from -------------------------------------------------------------------------


def test_without_a_file_the_defaults_hold(home: Path) -> None:
    loaded = load()
    assert (loaded.path, loaded.overrides) == (None, ())
    assert loaded.settings.archive.root == f"file://{home}/archive"
    assert loaded.settings.archive.template == DEFAULT_TEMPLATE
    assert loaded.settings.archive.undeclared == "report"
    assert loaded.settings.archive.on_existing == "revise"
    assert list(loaded.settings.entities()) == []


def test_without_an_airflow_home_it_is_the_one_of_airflow_itself(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv("AIRFLOW_HOME")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert load().settings.archive.root == f"file://{tmp_path}/airflow/archive"


def test_the_first_file_in_the_order_is_taken(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def named(name: str) -> str:
        return f'[archive]\nroot = "file:///{name}"\n'

    here = write(tmp_path / "work" / "conf" / "platform.toml", named("here"))
    assert load().path == here
    at_home = write(home / "conf" / "platform.toml", named("home"))
    assert load().path == at_home
    by_variable = write(tmp_path / "by-variable.toml", named("variable"))
    monkeypatch.setenv("PLATFORM_OPS_CONFIG", str(by_variable))
    assert load().path == by_variable
    explicit = write(tmp_path / "explicit.toml", named("explicit"))
    loaded = load(explicit)
    assert (loaded.path, loaded.settings.archive.root) == (explicit, "file:///explicit")


def test_a_relative_path_is_told_absolute(tmp_path: Path) -> None:
    write(tmp_path / "work" / "here.toml", "")
    assert load("here.toml").path == tmp_path / "work" / "here.toml"


def test_a_named_file_that_is_missing_is_an_error_and_no_default(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    missing = tmp_path / "missing.toml"
    with pytest.raises(ConfigError) as caught:
        load(missing)
    assert str(caught.value) == (
        f"{missing}: no such file, and Airflow's option [platform_ops] config names it; "
        "create it or unset that"
    )
    monkeypatch.setenv("PLATFORM_OPS_CONFIG", str(missing))
    with pytest.raises(ConfigError) as caught:
        load()
    assert str(caught.value) == (
        f"{missing}: no such file, and $PLATFORM_OPS_CONFIG names it; create it or unset that"
    )


def test_a_file_that_changed_is_read_again(tmp_path: Path) -> None:
    path = write(tmp_path / "site.toml", '[archive]\nroot = "file:///one"\n')
    first = load(path)
    assert load(path) is first
    write(path, '[archive]\nroot = "file:///two"\n')
    os.utime(path, ns=(0, 0))
    assert load(path).settings.archive.root == "file:///two"
    stamp = path.stat().st_mtime_ns
    write(path, '[archive]\nroot = "file:///three"\n')
    os.utime(path, ns=(stamp, stamp))
    assert load(path).settings.archive.root == "file:///three"


def test_a_whole_file(tmp_path: Path) -> None:
    settings = load(write(tmp_path / "site.toml", WHOLE)).settings
    assert settings.archive.root == "s3://lake/raw"
    hourly = Entity("weather", "forecast.hourly")
    forecast, arrivals = Entity("weather", "forecast"), Entity("flights", "arrivals")
    assert list(settings.entities()) == [forecast, hourly, arrivals]
    assert settings.entity(forecast).retention_days == 30
    assert settings.entity(arrivals).sensitivity == "public"
    assert [settings.on_existing(each) for each in (forecast, hourly)] == ["fail", "reuse"]
    assert settings.declared(Entity("weather", "alerts")) is None
    assert settings.entity(Entity("weather", "alerts")) == EntitySettings()
    assert Settings.model_validate(settings.model_dump(mode="json")) == settings


def test_the_environment_overrides_single_fields(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write(tmp_path / "site.toml", WHOLE + '\n[sources.x]\nowner = "x"\n')
    monkeypatch.setenv("PLATFORM_OPS__ARCHIVE__ROOT", "file:///else/where")
    monkeypatch.setenv("PLATFORM_OPS__ARCHIVE__UNDECLARED", "fail")
    loaded = load(path)
    assert loaded.overrides == ("PLATFORM_OPS__ARCHIVE__ROOT", "PLATFORM_OPS__ARCHIVE__UNDECLARED")
    assert loaded.settings.archive.root == "file:///else/where"
    assert loaded.settings.archive.undeclared == "fail"
    assert loaded.settings.archive.on_existing == "reuse"
    monkeypatch.setenv("PLATFORM_OPS__ARCHIVE__ROOT", "file:///third")
    assert load(path).settings.archive.root == "file:///third"


def test_an_empty_variable_takes_a_field_back_to_its_default(
    tmp_path: Path, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = '[archive]\nroot = "s3://lake"\nconnection = "aws_default"\n'
    monkeypatch.setenv("PLATFORM_OPS__ARCHIVE__CONNECTION", "")
    monkeypatch.setenv("PLATFORM_OPS__ARCHIVE__ROOT", "")
    archive = load(write(tmp_path / "site.toml", text)).settings.archive
    assert (archive.connection, archive.root) == (None, f"file://{home}/archive")


# --- What a wrong one is told ---------------------------------------------------------------------

WRONG = {
    "unknown field": (
        '[archive]\n\nroot = "s3://b"\nrooot = "x"\n',
        (
            "{path}:4: archive.rooot: unknown field; right here are: root, template, connection, "
            "encryption, kms_key, undeclared, on_existing, index, evidence_days"
        ),
    ),
    "unknown table": (
        "# a comment\n[archives]\n",
        (
            "{path}:2: archives: unknown field; right here are: archive, docs, metrics, ui, "
            "conventions, notify, teams, sources"
        ),
    ),
    "unknown field of the browser": (
        "[ui]\nrefresh = 3\n",
        "{path}:2: ui.refresh: unknown field; right here are: refresh_s, verify_limit_bytes",
    ),
    "unknown field of a rule": (
        "[conventions.rules.DAG101]\npolice = 'warn'\n",
        (
            "{path}:2: conventions.rules.DAG101.police: unknown field; right here are: severity, "
            "policy, options"
        ),
    ),
    "unknown field of a team's channel": (
        "[teams.shop.channels.desk]\nkind = 'slack'\nmention = 'here'\n",
        (
            "{path}:3: teams.shop.channels.desk.mention: unknown field; right here are: kind, "
            "connection, to, mentions"
        ),
    ),
    "unknown field of a source": (
        "[sources.weather]\nowners = 'x'\n",
        (
            "{path}:2: sources.weather.owners: unknown field; right here are: description, owner, url, "
            "entities"
        ),
    ),
    "unknown field of an entity": (
        "[sources.weather.entities.forecast]\nretention = 3\n",
        (
            "{path}:2: sources.weather.entities.forecast.retention: unknown field; right here are: "
            "description, owner, sensitivity, retention_days, keep_newest, on_existing, codec, pack, redact, "
            "format, on_empty, on_truncated, on_unparsable, on_small, on_large, volume_floor, limit_bytes, "
            "mode, schedule, timezone, grace_minutes"
        ),
    ),
    "no such value": (
        '[archive]\non_existing = "overwrite"\n',
        "{path}:2: archive.on_existing: Input should be 'revise', 'reuse' or 'fail'",
    ),
    "another no such value": (
        '[archive]\nundeclared = "ignore"\n',
        "{path}:2: archive.undeclared: Input should be 'report' or 'fail'",
    ),
    "inline table": (
        '[sources.weather.entities]\nforecast = { sensitivity = "secret" }\n',
        (
            "{path}:2: sources.weather.entities.forecast.sensitivity: Input should be 'public', "
            "'internal', 'confidential' or 'personal'"
        ),
    ),
    "dotted key": (
        "sources.weather.entities.forecast.retention_days = 0\n",
        (
            "{path}:1: sources.weather.entities.forecast.retention_days: Input should be greater than or "
            "equal to 1"
        ),
    ),
    "quoted key": (
        '[sources.weather.entities."a.b"]\nmode = "never"\n',
        "{path}:2: sources.weather.entities.a.b.mode: Input should be 'auto', 'refetch' or 'replay'",
    ),
    "root": (
        '[archive]\nroot = "/var/archive"\n',
        (
            "{path}:2: archive.root: '/var/archive' is no archive root; write file:///absolute/folder, "
            "s3://bucket/prefix, gs://bucket/prefix or abfs://container/prefix"
        ),
    ),
    "account in the root": (
        '[archive]\nroot = "abfss://raw@lake.dfs.core.windows.net/x"\n',
        (
            "{path}:2: archive.root: 'abfss://raw@lake.dfs.core.windows.net/x': the account belongs in "
            "archive.connection or AZURE_STORAGE_ACCOUNT_NAME; write abfs://container/prefix"
        ),
    ),
    "root of the file system": (
        '[archive]\nroot = "file:///"\n',
        (
            "{path}:2: archive.root: 'file:///' is no archive root; write file:///absolute/folder, "
            "s3://bucket/prefix, gs://bucket/prefix or abfs://container/prefix"
        ),
    ),
    "template": (
        '[archive]\ntemplate = "v1/{source}"\n',
        (
            "{path}:2: archive.template: URL template 'v1/{source}' lacks {entity}, {date}, {time}, "
            f"{{partition_key}}, {{map_key}}; the default is {DEFAULT_TEMPLATE!r}"
        ),
    ),
    "schedule": (
        "[sources.a.entities.b]\nschedule = 'every blue moon'\n",
        (
            "{path}:2: sources.a.entities.b.schedule: 'every blue moon' is no schedule; write a cron "
            "expression of five fields such as '30 6 * * 1-5', one of @hourly, @daily, @weekly, "
            "@monthly, @quarterly, @yearly, or a period such as 'every 15 minutes'"
        ),
    ),
    "time zone": (
        "[sources.a.entities.b]\ntimezone = 'Mars'\n",
        (
            "{path}:2: sources.a.entities.b.timezone: 'Mars' is no time zone; write one such as "
            "'Europe/Berlin'"
        ),
    ),
    "source with a dot": (
        '[sources."a.b"]\nowner = "x"\n',
        "{path}:1: sources.a.b: 'a.b': a source's name is not empty and has no dot",
    ),
    "entity without a name": (
        '[sources.a.entities.""]\n',
        "{path}:1: sources.a.entities.: an entity's name is not empty",
    ),
    "no table": (
        "archive = 3\n",
        "{path}:1: archive: must be a table; write [archive] and its fields below",
    ),
    "no table of entities": (
        '[sources.weather]\nentities = ["forecast"]\n',
        (
            "{path}:2: sources.weather.entities: must be a table; write [sources.weather.entities] and "
            "its fields below"
        ),
    ),
    "two at once": (
        '[archive]\nroot = 3\n[sources.weather]\nowner = ["a"]\n',
        (
            "{path}:2: archive.root: Input should be a valid string\n"
            "{path}:4: sources.weather.owner: Input should be a valid string"
        ),
    ),
    "bad TOML": (
        "[archive]\nroot = \n",
        "{path}: not valid TOML: Invalid value (at line 2, column 8)",
    ),
    "the same table twice": (
        "[archive]\n[archive]\n",
        "{path}: not valid TOML: Cannot declare ('archive',) twice (at line 2, column 9)",
    ),
}


@pytest.mark.parametrize("fault", WRONG)
def test_a_wrong_file_is_told_where_and_what_is_right(tmp_path: Path, fault: str) -> None:
    text, message = WRONG[fault]
    path = tmp_path / "site.toml"
    assert refusal(path, text) == message.replace("{path}", str(path))


def test_a_file_that_is_no_text_is_told(tmp_path: Path) -> None:
    path = tmp_path / "site.toml"
    path.write_bytes(b"[archive]\nroot = '\xff'\n")
    with pytest.raises(ConfigError, match=rf"^{path}: cannot be read: 'utf-8' codec can't decode"):
        load(path)


def test_a_wrong_variable_is_told_by_its_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PLATFORM_OPS__ARCHIVE__ON_EXISTING", "overwrite")
    with pytest.raises(ConfigError) as caught:
        load()
    assert str(caught.value) == (
        "$PLATFORM_OPS__ARCHIVE__ON_EXISTING: Input should be 'revise', 'reuse' or 'fail'"
    )


@pytest.mark.parametrize(
    "name", ["PLATFORM_OPS__ARCHIVE__ROOOT", "PLATFORM_OPS__ROOT", "PLATFORM_OPS__SOURCES__WEATHER"]
)
def test_a_variable_that_overrides_nothing_is_told(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, "x")
    with pytest.raises(ConfigError) as caught:
        load()
    assert str(caught.value) == (
        f"${name}: overrides no setting; the environment may set PLATFORM_OPS__ARCHIVE__ROOT, "
        "PLATFORM_OPS__ARCHIVE__TEMPLATE, PLATFORM_OPS__ARCHIVE__CONNECTION, "
        "PLATFORM_OPS__ARCHIVE__ENCRYPTION, PLATFORM_OPS__ARCHIVE__KMS_KEY, "
        "PLATFORM_OPS__ARCHIVE__UNDECLARED, PLATFORM_OPS__ARCHIVE__ON_EXISTING, "
        "PLATFORM_OPS__ARCHIVE__INDEX, PLATFORM_OPS__ARCHIVE__EVIDENCE_DAYS"
    )


def test_an_override_does_not_hide_a_file_that_is_wrong(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PLATFORM_OPS__ARCHIVE__ROOT", "s3://b")
    path = tmp_path / "site.toml"
    assert refusal(path, "archive = 3\n").startswith(f"{path}:1: archive: must be a table")


def test_an_undeclared_entity_fails_with_the_lines_to_add(tmp_path: Path) -> None:
    text = WHOLE.replace("[archive]", '[archive]\nundeclared = "fail"')
    settings = load(write(tmp_path / "site.toml", text)).settings
    with pytest.raises(EntityUndeclared) as caught:
        settings.entity(Entity("weather", "alerts by hour"))
    assert str(caught.value) == (
        "entity 'weather.alerts by hour' is not declared, and archive.undeclared = 'fail'; add "
        '[sources.weather.entities."alerts by hour"] to platform.toml (declared: weather.forecast, '
        "weather.forecast.hourly, flights.arrivals)"
    )
    assert settings.entity(Entity("weather", "forecast.hourly")) == EntitySettings()


def test_every_field_is_described() -> None:
    schema = Settings.model_json_schema()
    models = [schema, *schema["$defs"].values()]
    fields = [(each["title"], *item) for each in models for item in each["properties"].items()]
    assert [name for _, name, field in fields if not field.get("description")] == []
