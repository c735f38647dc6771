"""Tests the pages inside Airflow's own api-server, with its login, its cookie and its loading of plugins."""

import json
from functools import partial

import pytest
import requests
from tests.airflow.serving import served

from wardround.adapters.files.run_folder import RunFolder

RUN = "sepsis-20260102T050000Z-0a1b2c"


@pytest.fixture(scope="module")
def airflow(airflow_database, tmp_path_factory):
    """The URL of Airflow's api-server with an admin, `ann`, and a viewer, `vic`, whose passwords are their names."""
    from airflow.api_fastapi import app as airflow_app

    folder = tmp_path_factory.mktemp("api-server")
    (folder / "passwords.json").write_text(json.dumps({"ann": "ann", "vic": "vic"}))
    run = RunFolder(f"{folder}/runs/{RUN}")
    asked = {"condition": "sepsis", "source_url": "https://fhir.example.org", "mode": "live", "model_version": "1"}
    run.write_json("request.json", {**asked, "as_of": "2026-01-02T05:00:00Z"})
    for name in ("report.html", "aggregates.html"):
        run.write_text(name, name)
    variables = {
        "AIRFLOW__API_AUTH__JWT_SECRET": "a secret of sixty-four bytes and more, as the algorithm wants it!",
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_ALL_ADMINS": "False",
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS": "ann:admin,vic:viewer",
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE": str(folder / "passwords.json"),
        "WARDROUND_RUNS": str(folder / "runs"),
    }
    with pytest.MonkeyPatch.context() as patch:
        for name, value in variables.items():
            patch.setenv(name, value)
        patch.setattr(airflow_app._AuthManagerState, "instance", None)
        with served(airflow_app.create_app("core")) as url:
            yield url


def browser(url, name=None):
    """Returns a session that has logged in under this name, with a cookie as in a browser."""
    session = requests.Session()
    session.trust_env = False
    session.request = partial(session.request, timeout=60)
    if name:
        answer = session.post(f"{url}/auth/token", json={"username": name, "password": name})
        session.cookies.set("_token", answer.json()["access_token"])
    return session


@pytest.mark.parametrize(
    ("name", "expected"),
    [(None, (401, 401, 401)), ("vic", (200, 200, 403)), ("ann", (200, 200, 200))],
    ids=["nobody", "viewer", "admin"],
)
def test_airflows_own_log_in_decides_who_sees_what(airflow, name, expected):
    with browser(airflow, name) as session:
        paths = ("", f"/{RUN}/aggregates.html", f"/{RUN}/report.html")
        answers = [session.get(f"{airflow}/wardround/runs{path}") for path in paths]

    assert tuple(answer.status_code for answer in answers) == expected
    assert {answer.headers["Cache-Control"] for answer in answers} == {"no-store"}
    assert all("script-src 'none'" in answer.headers["Content-Security-Policy"] for answer in answers)


def test_a_name_that_points_outside_the_store_is_refused(airflow):
    with browser(airflow, "ann") as session:
        for name in ("..%2f..%2fetc%2fpasswd", f"{RUN}%2f..%2f{RUN}", f"{RUN}%00"):
            assert session.get(f"{airflow}/wardround/runs/{name}/report.html").status_code == 404


def test_airflow_loads_the_pages_from_the_installed_package(airflow):
    with browser(airflow, "ann") as session:
        found = session.get(f"{airflow}/api/v2/plugins").json()["plugins"]

    (ours,) = [one for one in found if one["name"] == "wardround"]
    assert "wardround.airflow.pages.plugin" in ours["source"], "not installed yet: make install"
    assert {view["destination"] for view in ours["external_views"]} == {"nav", "dag", "dag_run"}
