"""The wheel alone, in an environment of the lock and a folder where the project is not."""

import json
import shutil
from pathlib import Path

import pytest

from wardround.demo.fhir_server.running import running_server
from wardround.errors import SpecError
from wardround.settings import PROJECT

pytestmark = pytest.mark.slow

PARSED = """
from airflow.dag_processing.dagbag import DagBag
from wardround.settings import settings_from
bag = DagBag(settings_from().home / "dags")
print(sorted(bag.dags), bag.import_errors)
"""


def test_the_check_passes_and_says_what_it_looked_at(installed) -> None:
    checked = json.loads(installed.run("wardround", "check", "--json").stdout)
    home = Path(checked["home"])
    assert home.is_relative_to(installed.python.parents[1])
    assert Path(checked["schemas"]) == home / "include" / "schemas"
    assert checked["variables"] > 10
    assert checked["server_profiles"] > 5
    assert {row["condition"] for row in checked["conditions"]} == {"sepsis", "mortality"}
    assert checked["models"] == str(installed.folder / "var" / "models")
    printed = installed.run("wardround", "check")
    assert (printed.returncode, printed.stderr) == (0, "")
    assert f"{checked['variables']} variables" in printed.stdout.replace("\n", " ")


def test_the_wheel_carries_what_the_project_has_and_nothing_twice(installed) -> None:
    home = Path(json.loads(installed.run("wardround", "check", "--json").stdout)["home"])
    carried = [path.relative_to(home) for path in home.rglob("*") if path.is_file() and path.suffix != ".pyc"]
    assert {path.parts[0] for path in carried} == {"include", "dags", "config", "plugins"}
    assert [path for path in carried if (PROJECT / path).read_bytes() != (home / path).read_bytes()] == []
    assert {path.name for path in (PROJECT / "dags").glob("*.py")} == {
        path.name for path in carried if path.parts[0] == "dags"
    }
    assert (home.parent / "py.typed").is_file()
    assert list(home.parents[1].glob("wardround-*.dist-info/licenses/LICENSE"))


def test_every_condition_has_its_dags(installed) -> None:
    done = installed.run("python", "-c", PARSED)
    assert done.returncode == 0, done.stderr
    of_none = ("prune_runs", "stream_upkeep")
    jobs = {path.stem for path in (PROJECT / "dags").glob("*.py")} - {"spec_errors", *of_none}
    dags = [*(f"{job}__{condition}" for job in jobs for condition in ("mortality", "sepsis")), *of_none]
    assert done.stdout.splitlines()[-1] == f"{sorted(dags)} {{}}"


def test_a_ward_is_screened(installed, trained_models, icu) -> None:
    icu.stay("a")
    with running_server() as server:
        icu.upload(server.base_url)
        options = ("--source", server.base_url, "--as-of", "2026-01-02T05:00:00Z", "--json")
        done = installed.run("wardround", "screen", "sepsis", *options, WARDROUND_MODELS=trained_models)
    assert done.returncode == 0, done.stderr
    summary = json.loads(done.stdout)
    assert (summary["found"], summary["scored"], summary["written"]) == (1, 1, 1)
    assert Path(summary["report"]).is_relative_to(installed.folder)
    # The wheel carries the migrations of the database too.
    history = json.loads(installed.run("wardround", "history", "list", "--json").stdout)
    assert [run["run"] for run in history["runs"]] == [summary["run"]]


def test_a_home_of_ones_own_takes_the_place_of_what_the_wheel_carries(installed, tmp_path, schemas) -> None:
    shutil.copytree(schemas, tmp_path / "include" / "schemas")
    (tmp_path / "include" / "schemas" / "conditions" / "mortality.yaml").unlink()
    checked = json.loads(installed.run("wardround", "check", "--json", WARDROUND_HOME=tmp_path).stdout)
    assert checked["schemas"] == str(tmp_path / "include" / "schemas")
    assert [row["condition"] for row in checked["conditions"]] == ["sepsis"]


def test_a_home_without_schemas_is_an_error_and_no_empty_table(installed, tmp_path) -> None:
    done = installed.run("wardround", "check", WARDROUND_HOME=tmp_path)
    assert (done.returncode, done.stdout) == (SpecError.exit_code, "")
    assert str(tmp_path / "include" / "schemas") in done.stderr
