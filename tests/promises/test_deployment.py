"""Tests docs/deployment.md: the commands that need no container engine are run as they stand there."""

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from wardround.demo.fhir_server.running import running_server
from wardround.settings import PROJECT

PAGE = (PROJECT / "docs" / "deployment.md").read_text(encoding="utf-8")
[WALK] = [block.strip().splitlines() for block in re.findall(r"^```shell\n(.*?)^```$", PAGE, flags=re.M | re.S)]
PLACES = ("mwaa", "composer", "astronomer")


@pytest.mark.long
def test_the_walk_of_the_page_succeeds_in_a_new_airflow(tmp_path: Path) -> None:
    programs = Path(sys.executable).parent
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("WARDROUND_", "AIRFLOW"))}
    with running_server() as server:
        environment = {
            **kept,
            "PATH": f"{programs}{os.pathsep}{kept.get('PATH', os.defpath)}",
            "AIRFLOW_HOME": str(tmp_path / "airflow"),
            "AIRFLOW__CORE__DAGS_FOLDER": str(PROJECT / "dags"),
            "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
            "FHIR_DEFAULT_BASE_URL": server.base_url,
            "WARDROUND_HOME": str(PROJECT),
            "WARDROUND_VAR": str(tmp_path / "var"),
            "WARDROUND_MODELS": str(tmp_path / "models"),
        }
        said = {line: _run(line, tmp_path, environment) for line in WALK}

    assert "fhir_default" in said["airflow pools get fhir_default"]
    assert server.base_url in said["airflow connections get fhir_default"]
    assert "No data found" in said["airflow dags list-import-errors --local"]
    assert "screen_icu__sepsis" in said["airflow dags list --local"]
    assert "sepsis" in said["wardround check"]


def _run(line: str, folder: Path, environment: dict[str, str]) -> str:
    done = subprocess.run(shlex.split(line), cwd=folder, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{line}\n{done.stdout}{done.stderr}"
    return done.stdout


def test_the_page_leads_to_every_place_and_says_that_no_managed_one_was_run() -> None:
    folder = PROJECT / "docs" / "deployment"
    pages = {path.stem: path.read_text(encoding="utf-8") for path in folder.glob("*.md")}

    assert [name for name in pages if f"(deployment/{name}.md)" not in PAGE] == []
    assert set(pages) == {"helm", *PLACES}
    assert [name for name in PLACES if "**Nothing was run there.**" not in pages[name]] == []


@pytest.mark.parametrize("place", PLACES)
def test_each_document_that_a_page_rests_on_is_named_and_cited(place: str) -> None:
    text = (PROJECT / "docs" / "deployment" / f"{place}.md").read_text(encoding="utf-8")
    named = set(re.findall(r"^(\d+)\. ", text, flags=re.M))

    assert named == set(re.findall(r"\[(\d+)\]", text))
    assert "looked up on 30 November 2026" in text
