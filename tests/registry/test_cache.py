"""What a build imports: what changed, and nothing else."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from platform_ops.errors import ConfigError
from platform_ops.registry import Catalog, CatalogConfig, build
from tests.roots import Root, copied

_BUILD = """
import json, sys
from pathlib import Path
from platform_ops.registry import CatalogConfig, build
outcome = build(CatalogConfig.from_conf(Path("docs")), Path("cache"))
print(json.dumps([sorted(outcome.imported), "airflow" in sys.modules, outcome.catalog.to_json()]))
"""

_LENDING = "dags:../dags/lending.py"


def built(shelf: Root) -> tuple[list[str], bool, str]:
    """What one build imported, whether this process came to hold Airflow, and the catalogue."""
    imported, airflow, text = json.loads(shelf.run("-c", _BUILD).stdout)
    return imported, airflow, text


def test_a_warm_build_imports_nothing_and_a_changed_file_only_what_it_touches(shelf: Root) -> None:
    first, airflow, text = built(shelf)
    assert {"module:shelf.operators", "module:shelf.hooks", "tables", _LENDING} <= set(first)
    assert not airflow

    assert built(shelf) == ([], False, text)

    shelf.replace("package/shelf/hooks.py", "Talks to one shelf.", "Speaks to one shelf.")
    imported, airflow, changed = built(shelf)
    assert imported == ["module:shelf.hooks", "tables"]
    assert not airflow
    assert changed == text.replace("Talks to one shelf.", "Speaks to one shelf.")

    shelf.replace("dags/lending.py", "every night", "every morning")
    assert built(shelf)[0] == [_LENDING]


_MARKED = """
import sys
from pathlib import Path
from airflow.sdk import DAG

sys.path.insert(0, str(Path(__file__).parent))
from steps.words import TITLE

with Path(__file__).with_suffix(".ran").open("a") as marks:
    marks.write("x")
dag = DAG("{name}", schedule=None, description=TITLE)
"""


def test_a_changed_dag_file_is_parsed_and_no_other(shelf: Root) -> None:
    dags = shelf.path / "dags"
    (dags / "steps").mkdir()
    (dags / "steps" / "words.py").write_text('TITLE = "As it was"\n')
    for name in ("one", "two"):
        (dags / f"{name}.py").write_text(_MARKED.format(name=name))
    built(shelf)

    def runs() -> list[int]:
        return [len((dags / f"{name}.ran").read_text()) for name in ("one", "two")]

    def titles(text: str) -> dict[str, str]:
        return {each.dag_id: each.summary for each in Catalog.from_json(text).dags}

    assert runs() == [1, 1]
    shelf.replace("dags/two.py", '"two"', '"zwei"')
    imported, _, text = built(shelf)
    assert (imported, runs()) == (["dags:../dags/two.py"], [1, 2])
    assert titles(text).items() >= {"one": "As it was", "zwei": "As it was"}.items()
    assert "two" not in titles(text)

    shelf.replace("dags/two.py", '"zwei"', '"one"')  # which of them counts is for Airflow to say
    _, _, text = built(shelf)
    assert runs() == [2, 4]
    assert [each.dag_id for each in Catalog.from_json(text).dags].count("one") == 1

    shelf.replace("dags/two.py", '"one"', '"two"')
    assert titles(built(shelf)[2]).items() >= {"one": "As it was", "two": "As it was"}.items()
    shelf.replace("dags/steps/words.py", "As it was", "As it is")
    imported, _, text = built(shelf)
    assert titles(text).items() >= {"one": "As it is", "two": "As it is"}.items()

    (dags / "one.py").unlink()
    assert "one" not in titles(built(shelf)[2])


_WHO_ASKS = """
import sys
from pathlib import Path

answer = get_provider_info


def get_provider_info():
    with Path(__file__).with_suffix(".asked").open("a") as asked:
        asked.write(sys._getframe(1).f_globals["__name__"] + " ")
    return answer()
"""


_SET_UP = """# Of Airflow that is set up whole, which an import of a few classes does without.
from airflow import settings
PLACE = settings.engine.url


"""


def test_a_provider_is_asked_again_only_when_it_changed(tmp_path: Path) -> None:
    attic = copied("attic", tmp_path)
    provider = attic.path / "package" / "attic" / "provider.py"
    provider.write_text(provider.read_text() + _WHO_ASKS)
    first = Catalog.from_json(built(attic)[2])
    attic.replace("package/attic/others.py", "class Chest", _SET_UP + "class Chest")
    imported, _, text = built(attic)
    assert imported == ["module:attic.others"]
    asked = provider.with_suffix(".asked").read_text().split()  # Airflow itself asks as well
    assert asked.count("platform_ops.registry.providers") == 1
    again = Catalog.from_json(text)
    assert again.connections == first.connections
    assert [each.kind for each in again.classes] == [each.kind for each in first.classes]
    assert [each.static for each in again.classes] == [each.static for each in first.classes]


def test_heirs_elsewhere_follow_their_base_and_what_is_gone_leaves(shelf: Root) -> None:
    (shelf.package / "heirs.py").write_text(
        '"""Heirs."""\n\nfrom shelf.operators import ShelfTask\n\n\n'
        'class HeirOperator(ShelfTask):\n    """Inherits."""\n'
    )
    built(shelf)
    shelf.replace("package/shelf/operators.py", "Connection of the shelf.", "Which shelf.")
    (shelf.package / "broken.py").unlink()
    imported, _, text = built(shelf)
    assert "module:shelf.heirs" in imported
    assert "Connection of the shelf." not in text
    assert "a_library_that_nobody_has" not in text


def test_a_dag_file_that_ends_its_process_takes_nothing_else_with_it(shelf: Root) -> None:
    (shelf.path / "dags" / "fatal.py").write_text(
        "from airflow.sdk import DAG\nimport os\n\nos._exit(3)\n"
    )
    _, _, text = built(shelf)
    found = Catalog.from_json(text)
    assert {each.short for each in found.classes} >= {"LendOperator", "ShelfHook"}
    assert ("dag", "../dags", "parsing it ended the process, with 3") in {
        (each.kind, each.where, each.message) for each in found.problems
    }


def test_a_cache_that_cannot_be_read_is_no_obstacle(tmp_path: Path) -> None:
    (tmp_path / "airflow-catalog.cache.json").write_text("{")
    assert build(CatalogConfig(), tmp_path).catalog == Catalog()


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"package": ["x"]}, "unknown key 'package'; known are packages"),
        ({"packages": "shelf"}, "'packages' is 'shelf'; write a list of strings"),
        ({"metrics": "shelf.tables"}, "write it as 'package.module:attribute'"),
        ({"tables": ["x"]}, "'tables' is ['x']; write a dict of strings"),
    ],
)
def test_a_wrong_setting_says_what_is_right(
    shelf: Root, values: dict[str, object], message: str
) -> None:
    with pytest.raises(ConfigError) as caught:
        CatalogConfig.from_mapping(values, shelf.path)
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("config", "message"),
    [
        (CatalogConfig(packages=("no_such_shelf",)), "package 'no_such_shelf' is not installed"),
        (CatalogConfig(dags=("gone",)), "gone does not exist"),
    ],
)
def test_what_is_not_there_is_named(config: CatalogConfig, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        build(config)
    assert message in str(caught.value)
