"""Tests the pages in Airflow's UI over real HTTP: who may see what, what is refused, and the security headers."""

import http.client
import logging
import shutil
import subprocess
import sys
from typing import ClassVar

import fsspec
import pandas as pd
import pytest
import requests
from fastapi import FastAPI
from fastapi.routing import APIRoute
from tests.airflow.serving import served

from wardround.adapters.files.run_folder import RunFolder, run_id
from wardround.airflow.pages.files import SERVED
from wardround.airflow.pages.plugin import PREFIX, WardroundPages
from wardround.settings import PROJECT, settings_from

VERSION = "1.0.0-0123456789ab"
RUN = "sepsis-20260102T050000Z-0a1b2c"
OTHER = "mortality-20260103T050000Z-0a1b2c"
PATIENTS = ["report.html", "worklist.csv"]
NO_PATIENTS = ["aggregates.html", "aggregates.csv", "model-card.html"]


def put_run(runs, run, **request):
    """Writes a run as a screening leaves it, as far as the pages read it, and returns its folder."""
    condition, folder = run.partition("-")[0], RunFolder(f"{runs}/{run}")
    asked = {"condition": condition, "source_url": "https://fhir.example.org/r4", "source_name": "ward", "mode": "live"}
    asked |= {"as_of": f"{run[-23:-19]}-{run[-19:-17]}-{run[-17:-15]}T05:00:00Z", "model_version": VERSION}
    folder.write_json("request.json", {**asked, **request})
    folder.write_json("condition.json", {"title": condition.title(), "quality": {"max_set_aside": 0.1}})
    counts = {"found": 12, "scored": 7, "indeterminate": 1, "excluded": 4, "failed": 0, "written": 7}
    folder.write_json("summary.json", {**counts, "complete": True})
    folder.write_json("census.json", {"doubt": ""})
    for name in SERVED:
        folder.write_text(name, f"<p>{name} of {run}</p>")
    folder.write_text("ledger.parquet", "patients")
    return folder


class Pages:
    """The pages, mounted as in Airflow but on a server that has nothing else."""

    def __init__(self, url, manager, settings):
        self.url = f"{url}/{PREFIX}"
        self._manager = manager
        self.settings = settings
        self._session = requests.Session()
        self._session.trust_env = False

    def token(self, name, role):
        from airflow.api_fastapi.auth.managers.simple.user import SimpleAuthManagerUser

        return self._manager.generate_jwt(SimpleAuthManagerUser(username=name, role=role))

    def get(self, path, name="ann", role="viewer"):
        return self._session.get(
            f"{self.url}{path}", headers={"Authorization": f"Bearer {self.token(name, role)}"}, allow_redirects=False
        )

    def get_as_nobody(self, path):
        return self._session.get(f"{self.url}{path}", allow_redirects=False)

    def get_raw(self, path):
        """Returns the status for a path that an admin sends exactly as written."""
        connection = http.client.HTTPConnection(self.url.split("/")[2])
        try:
            connection.request(
                "GET", f"/{PREFIX}{path}", headers={"Authorization": f"Bearer {self.token('root', 'admin')}"}
            )
            return connection.getresponse().status
        finally:
            connection.close()


@pytest.fixture(scope="module")
def pages(airflow_database, lactate_models, tmp_path_factory):
    """Two runs, and the stored model of one. `bob` may only use the DAGs of mortality, `sue` those of one source."""
    from airflow.api_fastapi import app as airflow_app
    from airflow.api_fastapi.auth.managers.simple.simple_auth_manager import SimpleAuthManager

    class ByDag(SimpleAuthManager):
        """Gives rights that differ by DAG, as other auth managers do but Airflow's simple one does not."""

        def is_authorized_dag(self, *, method, user, access_entity=None, details=None):
            theirs = details.id.endswith({"bob": "__mortality", "sue": "__south"}.get(user.username, ""))
            return theirs and super().is_authorized_dag(
                method=method, user=user, access_entity=access_entity, details=details
            )

    folder = tmp_path_factory.mktemp("pages")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(
            "AIRFLOW__API_AUTH__JWT_SECRET", "a secret of sixty-four bytes and more, as the algorithm wants it!"
        )
        patch.setenv("WARDROUND_RUNS", str(folder / "runs"))
        patch.setenv("WARDROUND_MODELS", str(lactate_models))
        patch.setattr(airflow_app._AuthManagerState, "instance", manager := ByDag())
        for run in (RUN, OTHER):
            put_run(folder / "runs", run)
        (mounted,) = WardroundPages().fastapi_apps
        airflow = FastAPI()
        airflow.mount(mounted["url_prefix"], mounted["app"])
        with served(airflow) as url:
            yield Pages(url, manager, settings_from())


def routes():
    (mounted,) = WardroundPages().fastapi_apps
    return mounted["app"].routes


def test_every_route_requires_a_login():
    from airflow.api_fastapi.core_api.security import get_user

    def dependencies(dependant):
        for inner in dependant.dependencies:
            yield inner.call
            yield from dependencies(inner)

    assert [route for route in routes() if not isinstance(route, APIRoute)] == []
    assert len(routes()) == 7
    assert [route.path for route in routes() if get_user not in dependencies(route.dependant)] == []


EVERY_PAGE = [
    "/runs",
    f"/runs/{RUN}",
    *(f"/runs/{RUN}/{name}" for name in SERVED),
    "/models",
    f"/models/sepsis/{VERSION}/card.html",
    "/dags/screen_icu__sepsis",
    "/dags/screen_icu__sepsis/runs/manual__1",
]


@pytest.mark.parametrize("path", EVERY_PAGE)
def test_nobody_sees_anything_without_a_login(pages, path):
    answer = pages.get_as_nobody(path)

    assert answer.status_code == 401
    assert RUN not in answer.text


@pytest.mark.parametrize("path", [*EVERY_PAGE, "/nothing", "/runs/..%2f", "/runs?page=0", "/runs?condition=.."])
@pytest.mark.parametrize("role", ["viewer", "admin"])
def test_every_response_forbids_caching_scripts_and_foreign_frames(pages, path, role):
    for answer in (pages.get(path, role=role), pages.get_as_nobody(path)):
        policy = answer.headers["Content-Security-Policy"]
        assert answer.headers["Cache-Control"] == "no-store"
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        for rule in ("default-src 'none'", "script-src 'none'", "frame-ancestors 'self'", "form-action 'none'"):
            assert rule in policy.split("; ")
        assert "<script" not in answer.text


def test_an_invalid_token_is_refused(pages):
    answer = requests.get(f"{pages.url}/runs", headers={"Authorization": "Bearer no"}, timeout=30)

    assert answer.status_code == 403
    assert answer.headers["Cache-Control"] == "no-store"


@pytest.mark.parametrize("name", NO_PATIENTS)
def test_users_who_may_read_the_dag_see_aggregates(pages, name):
    answer = pages.get(f"/runs/{RUN}/{name}")

    assert (answer.status_code, answer.text) == (200, f"<p>{name} of {RUN}</p>")


@pytest.mark.parametrize("name", PATIENTS)
def test_only_users_who_may_change_the_dags_runs_see_patients(pages, name, caplog):
    caplog.set_level(logging.INFO, logger="wardround")

    assert pages.get(f"/runs/{RUN}/{name}").status_code == 403
    assert pages.get(f"/runs/{RUN}/{name}", role="user").text == f"<p>{name} of {RUN}</p>"
    opened = [one for one in caplog.messages if "opened by" in one]
    assert opened == [f"run {RUN}: {name} opened by ann"]


def test_tables_are_downloaded_under_their_own_name_and_reports_are_displayed(pages):
    table, report = (pages.get(f"/runs/{RUN}/aggregates.{kind}") for kind in ("csv", "html"))

    assert table.headers["Content-Disposition"] == f'attachment; filename="{RUN}-aggregates.csv"'
    assert table.headers["Content-Type"].startswith("text/csv")
    assert "Content-Disposition" not in report.headers
    assert report.headers["Content-Type"].startswith("text/html")


def test_only_files_that_the_user_may_open_are_links(pages):
    link = f'href="/{PREFIX}/runs/{RUN}/report.html"'

    assert link not in (viewed := pages.get(f"/runs/{RUN}").text)
    assert "It names patients" in viewed
    assert link in pages.get(f"/runs/{RUN}", role="admin").text


def test_a_user_of_another_dag_sees_nothing_of_a_run(pages):
    listed = pages.get("/runs", "bob", "admin").text

    assert OTHER in listed
    assert RUN not in listed
    assert "sepsis" not in listed
    paths = [path for path in EVERY_PAGE if path not in ("/runs", "/models")]
    assert {pages.get(path, "bob", "admin").status_code for path in paths} == {404}
    assert "sepsis" not in pages.get("/models", "bob", "admin").text
    assert pages.get(f"/runs/{OTHER}/report.html", "bob", "admin").status_code == 200


def test_a_run_of_a_further_source_is_only_shown_to_users_of_its_own_dag(pages, tmp_path, monkeypatch):
    shutil.copytree(PROJECT / "include" / "schemas", tmp_path / "include" / "schemas")
    with (tmp_path / "include" / "schemas" / "conditions" / "sepsis.yaml").open("a") as file:
        file.write("sources: [ward, south]\n")
    monkeypatch.setenv("WARDROUND_HOME", str(tmp_path))
    of_dag_run = "/dags/screen_icu__sepsis{}/runs/manual__9"
    south = run_id("sepsis", pd.Timestamp("2026-01-08T05:00:00Z"), "screen_icu__sepsis__south/manual__9")
    folder = put_run(pages.settings.runs, south, source_name="south")
    folder.write_json("condition.json", {**folder.read_json("condition.json"), "sources": ["ward", "south"]})

    listed = pages.get("/runs", "sue", "admin").text
    assert south in listed
    assert RUN not in listed
    paths = [f"/runs/{south}", f"/runs/{south}/report.html", f"/runs/{RUN}", f"/runs/{RUN}/report.html"]
    assert [pages.get(path, "sue", "admin").status_code for path in paths] == [200, 200, 404, 404]
    assert [pages.get(path, "bob", "admin").status_code for path in paths] == [404] * 4
    assert south in pages.get(of_dag_run.format("__south"), "sue", "admin").text
    assert "has not opened a run yet" in pages.get(of_dag_run.format("")).text
    folder.clear()


def test_the_list_for_a_user_of_only_one_source_has_no_gaps_and_no_total(pages, tmp_path, monkeypatch):
    shutil.copytree(PROJECT / "include" / "schemas", tmp_path / "include" / "schemas")
    with (tmp_path / "include" / "schemas" / "conditions" / "sepsis.yaml").open("a") as file:
        file.write("sources: [ward, south]\n")
    monkeypatch.setenv("WARDROUND_HOME", str(tmp_path))
    monkeypatch.setenv("WARDROUND_RUNS", str(tmp_path / "runs"))
    own = {"title": "Sepsis", "sources": ["ward", "south"], "quality": {"max_set_aside": 0.1}}
    for minute in range(60):
        for hour, source in ((5, "south"), (6, "ward"), (7, "ward")):
            run = f"sepsis-20260102T{hour:02}{minute:02}00Z-000000"
            put_run(tmp_path / "runs", run, source_name=source).write_json("condition.json", own)

    sheets = [pages.get(f"/runs?page={page}", "sue", "admin").text for page in (1, 2, 3)]
    assert [text.count('scope="row"') for text in sheets] == [25, 25, 10]
    assert [("Older" in text, "Newer" in text) for text in sheets] == [(True, False), (True, True), (False, True)]
    assert "1 to 25<" in sheets[0]
    assert not any("ward</td>" in text for text in sheets)
    assert "1 to 25 of 180<" in pages.get("/runs").text
    # The tab of a DAG shows that DAG's own runs, also to those who may see the others.
    assert pages.get("/dags/screen_icu__sepsis__south").text.count("south</td>") == 25
    assert pages.get("/dags/screen_icu__sepsis").text.count("ward</td>") == 25


def test_a_runs_condition_is_taken_from_its_files_and_not_from_its_name(pages):
    disguised = "mortality-20260104T050000Z-ffffff"
    folder = put_run(pages.settings.runs, disguised, condition="sepsis")

    assert disguised not in pages.get("/runs", "bob", "admin").text
    assert pages.get(f"/runs/{disguised}/report.html", "bob", "admin").status_code == 404
    folder.clear()


@pytest.mark.parametrize(
    "path",
    [
        "/runs/../runs",
        "/runs/..",
        "/runs/%2e%2e",
        "/runs/%2e%2e%2f%2e%2e%2fetc",
        "/runs/..%2F..%2Fetc/passwd",
        f"/runs/{RUN}/../../../etc/passwd",
        f"/runs/{RUN}/%2e%2e%2frequest.json",
        f"/runs/{RUN}/..%2f{OTHER}%2freport.html",
        f"/runs/{RUN}%2f..%2f{OTHER}/report.html",
        f"/runs/{RUN}%00/report.html",
        f"/runs/{RUN}/report.html%00",
        f"/runs/{RUN}%0a/report.html",
        "/runs//etc/passwd",
        "/runs/%2fetc%2fpasswd",
        "/runs/file:%2f%2f%2fetc/passwd",
        f"/runs/{RUN}/request.json",
        f"/runs/{RUN}/ledger.parquet",
        f"/runs/{RUN}/chunk-0001/events.parquet",
        "/runs/sepsis-20260102T050000Z-ffffff",
        "/models/..%2f..%2fetc/passwd/card.html",
        f"/models/sepsis/..%2f{VERSION}/card.html",
        "/models/sepsis/2.0.0-ffffffffffff/card.html",
        "/models/Sepsis/1/card.html",
        "/models/%2e%2e/%2e%2e/card.html",
        "/docs",
        "/openapi.json",
        "/redoc",
    ],
)
def test_an_unknown_run_and_an_unlisted_file_are_not_found(pages, path):
    assert pages.get_raw(path) == 404


def test_a_missing_file_of_a_run_is_not_found_and_not_linked(pages):
    run = "sepsis-20260101T050000Z-0a1b2c"
    folder = put_run(pages.settings.runs, run)
    folder.remove("aggregates.html")

    assert pages.get(f"/runs/{run}/aggregates.html").status_code == 404
    assert "aggregates.html" not in pages.get(f"/runs/{run}").text
    folder.clear()


def test_text_from_people_and_servers_is_escaped(pages):
    run = "sepsis-20260105T050000Z-0a1b2c"
    folder = put_run(pages.settings.runs, run, source_name="<script>alert(1)</script>", model_version='"><img src=x>')

    for path in ("/runs", f"/runs/{run}"):
        text = pages.get(path).text
        assert "<script" not in text
        assert "<img" not in text
        assert "&lt;script&gt;alert(1)&lt;/script&gt;" in text
    folder.clear()


def test_credentials_in_a_servers_address_are_not_shown(pages):
    run = "sepsis-20260105T050000Z-1a1b2c"
    folder = put_run(pages.settings.runs, run, source_name=None, source_url="https://u:secret@fhir.example.org/r4?k=v")

    assert "https://fhir.example.org/r4" in (text := pages.get("/runs").text)
    assert "secret" not in text
    folder.clear()


@pytest.mark.parametrize("broken", ["{", "[]", '{"condition": "sepsis"}', '{"source_url": 1}'])
def test_a_run_that_cannot_be_read_is_listed_and_does_not_hide_the_others(pages, broken):
    run = "sepsis-20260106T050000Z-0a1b2c"
    folder = put_run(pages.settings.runs, run)
    folder.write_text("request.json", broken)

    text = pages.get("/runs").text
    assert f"/runs/{run}" in text
    assert "cannot be read" in text
    assert f"/runs/{RUN}" in text
    folder.clear()


def test_ten_thousand_runs_are_paged_newest_first_and_only_those_shown_are_read(pages, tmp_path, monkeypatch):
    monkeypatch.setenv("WARDROUND_RUNS", str(tmp_path))
    for number in range(10_000):
        (tmp_path / f"sepsis-20260101T{number // 3600:02}{number // 60 % 60:02}{number % 60:02}Z-000000").mkdir()
    for run in ("sepsis-20260101T024638Z-000000", "sepsis-20260101T000000Z-000000"):
        put_run(tmp_path, run)

    first, last = pages.get("/runs").text, pages.get("/runs?page=400").text
    assert "1 to 25 of 10\u202f000" in first
    assert first.count("<tr>") == 2  # of the 25, the only one that was ever opened, below the head of the table
    assert "sepsis-20260101T024638Z-000000" in first
    assert "9\u202f976 to 10\u202f000 of 10\u202f000" in last
    assert "sepsis-20260101T000000Z-000000" in last
    assert "no such page" in pages.get("/runs?page=401").text


def test_a_list_can_be_limited_to_one_condition(pages):
    assert RUN not in (text := pages.get("/runs?condition=mortality").text)
    assert OTHER in text


def test_new_runs_on_object_storage_are_listed_at_once(pages, monkeypatch):
    monkeypatch.setenv("WARDROUND_RUNS", "remembering://pages/runs")
    put_run("remembering://pages/runs", RUN)
    assert RUN in pages.get("/runs").text

    put_run("remembering://pages/runs", OTHER)
    assert OTHER in pages.get("/runs").text
    assert pages.get(f"/runs/{OTHER}/aggregates.html").text == f"<p>aggregates.html of {OTHER}</p>"
    assert "aggregates.html" in pages.get(f"/runs/{OTHER}").text


class Remembering(fsspec.get_filesystem_class("memory")):
    """Object storage that caches its listings until told to refresh, as s3fs and gcsfs do."""

    protocol = "remembering"
    _listed: ClassVar[dict] = {}

    def ls(self, path, detail=True, **kwargs):
        key = self._strip_protocol(path)
        if key not in self._listed:
            self._listed[key] = super().ls(path, detail=True, **kwargs)
        return self._listed[key] if detail else [one["name"] for one in self._listed[key]]

    def invalidate_cache(self, path=None):  # noqa: ARG002 - as fsspec calls it
        self._listed.clear()

    @classmethod
    def _strip_protocol(cls, path):
        return super()._strip_protocol(path.replace("remembering://", "memory://"))


fsspec.register_implementation("remembering", Remembering, clobber=True)


def test_the_tab_of_a_screening_shows_its_runs_and_other_dags_show_the_models(pages):
    assert RUN in (text := pages.get("/dags/screen_icu__sepsis").text)
    assert OTHER not in text
    assert VERSION in pages.get("/dags/train__sepsis").text
    assert VERSION in pages.get("/dags/promote__sepsis").text
    assert pages.get("/dags/somebodys_own").status_code == 200


def test_the_tab_of_a_dag_run_shows_the_run_that_it_opened(pages):

    key = "scheduled__2026-01-07T05:00:00+00:00"
    run = run_id("sepsis", pd.Timestamp("2026-01-07T05:00:00Z"), key)
    folder = put_run(pages.settings.runs, run)

    assert f"/runs/{run}/aggregates.html" in pages.get(f"/dags/screen_icu__sepsis/runs/{key.replace('+', '%2B')}").text
    assert "has not opened a run yet" in pages.get("/dags/screen_icu__sepsis/runs/manual__2").text
    assert "has not opened a run yet" in pages.get(f"/dags/screen_icu__mortality/runs/{key.replace('+', '%2B')}").text
    assert "No report" in pages.get("/dags/suspend__sepsis/runs/manual__2").text
    folder.clear()


def test_the_page_of_a_training_links_to_the_card_of_the_stored_model(pages):
    run = "train_sepsis-20260107T050000Z-0a1b2c"
    folder = RunFolder(f"{pages.settings.runs}/{run}")
    folder.write_json("request.json", {"condition": "sepsis", "mimic": "/m", "created": "2026-01-07T05:00:00Z"})
    folder.write_json("version.json", {"version": VERSION})

    assert f'href="/{PREFIX}/models/sepsis/{VERSION}/card.html"' in pages.get(f"/runs/{run}").text
    assert run not in pages.get("/runs").text
    assert pages.get(f"/runs/{run}", "bob", "admin").status_code == 404
    folder.clear()


def test_a_card_from_the_store_is_shown_only_if_its_digests_are_right(pages, tmp_path, monkeypatch):
    assert VERSION in pages.get(f"/models/sepsis/{VERSION}/card.html").text
    shutil.copytree(pages.settings.models, tmp_path / "models")
    monkeypatch.setenv("WARDROUND_MODELS", str(tmp_path / "models"))
    card = tmp_path / "models" / "sepsis" / VERSION / "card.json"
    card.write_text(card.read_text() + " ")
    assert pages.get(f"/models/sepsis/{VERSION}/card.html").status_code == 404


def test_a_broken_model_store_hides_neither_reports_nor_the_other_conditions(pages, tmp_path, monkeypatch):
    shutil.copytree(pages.settings.models, tmp_path / "models")
    shutil.copytree(tmp_path / "models" / "sepsis", tmp_path / "models" / "mortality")
    (tmp_path / "models" / "mortality" / "versions.json").write_text("{")
    monkeypatch.setenv("WARDROUND_MODELS", str(tmp_path / "models"))

    assert pages.get(f"/runs/{OTHER}").status_code == 200
    assert "cannot be read" in (text := pages.get("/models").text)
    assert VERSION in text


def test_an_invalid_setting_is_reported_in_the_log_and_fails_only_that_page(pages, monkeypatch, caplog):
    monkeypatch.setenv("WARDROUND_PROBABILITY", "half")

    answer = pages.get("/runs")
    assert answer.status_code == 500
    assert answer.headers["Cache-Control"] == "no-store"
    assert any("WARDROUND_PROBABILITY" in message for message in caplog.messages)


def test_what_airflow_imports_everywhere_is_cheap():
    heavy = {"fastapi", "sqlalchemy.orm", "pandas", "great_expectations", "jinja2", "fsspec"}
    code = (
        "import sys, airflow.sdk, airflow.sdk.plugins_manager\n"
        "before = set(sys.modules)\n"
        "import wardround.airflow.pages.plugin\n"
        f"print(sorted({heavy!r} & (set(sys.modules) - before)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)

    assert done.stdout.strip().splitlines()[-1:] == ["[]"], done.stdout + done.stderr


def test_the_tabs_lead_to_existing_pages():
    paths = {route.path for route in routes()}
    views = {view["destination"]: view["href"] for view in WardroundPages.external_views}

    assert set(views) == {"nav", "dag", "dag_run"}
    for href in views.values():
        assert href.removeprefix(PREFIX).replace("{DAG_ID}", "{dag_id}").replace("{RUN_ID}", "{dag_run_id}") in paths


def test_the_installed_package_registers_the_pages():
    import tomllib

    project = tomllib.loads((PROJECT / "pyproject.toml").read_text())["project"]
    (place,) = project["entry-points"]["airflow.plugins"].values()
    assert place == f"{WardroundPages.__module__}:{WardroundPages.__name__}"
