"""OpenLineage's events of a screening: which data sets it read and wrote, and nothing that somebody wrote."""

import json
import os
import re
import subprocess
from collections import defaultdict
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest
from tests.stack.image import built

from wardround.airflow.environment import local_environment
from wardround.airflow.lineage import GUARD, require_guarded
from wardround.airflow.provider import get_provider_info
from wardround.demo.fhir_server.running import running_server
from wardround.fhir.client import FhirClient, FhirEndpoint
from wardround.settings import PROJECT, settings_from

CHILD = Path(__file__).with_name("lineage_child.py")
SOURCE = "fhir_default"
RECORD, FRAMES, RESULTS = f"record/{SOURCE}", f"frames/sepsis/{SOURCE}", f"results/sepsis/{SOURCE}"
MODEL = "models/sepsis"
REFUSED = {
    "plain": "AIRFLOW__OPENLINEAGE__TRANSPORT",
    "other transformer": "AIRFLOW__OPENLINEAGE__TRANSPORT",
    "guarded, and a URL": "OPENLINEAGE_URL",
    "guarded, and a part of a transport": "OPENLINEAGE__TRANSPORT__TYPE",
    "a file": "AIRFLOW__OPENLINEAGE__CONFIG_PATH",
    "a connection": "AIRFLOW__OPENLINEAGE__CONFIG_CONN_ID",
}


def test_where_the_provider_is_missing_nothing_is_refused(monkeypatch):
    monkeypatch.setenv("OPENLINEAGE_URL", "http://127.0.0.1:9")
    require_guarded()


def test_airflow_is_told_how_our_assets_become_data_sets():
    [about] = get_provider_info()["asset-uris"]
    assert (about["schemes"], about["to_openlineage_converter"]) == (
        ["wardround"],
        "wardround.airflow.lineage.dataset_of",
    )


def test_every_data_set_of_a_dag_is_named_by_condition_and_connection_alone(airflow_database):
    from airflow.dag_processing.dagbag import DagBag

    dags = DagBag(PROJECT / "dags").dags
    assets = {
        asset.uri: asset.name for dag in dags.values() for task in dag.tasks for asset in (*task.inlets, *task.outlets)
    }

    assert set(assets) == {
        f"wardround://{RECORD}",
        "wardround://mimic/iv",
        *(
            f"wardround://{kind.replace('$', condition)}"
            for condition in ("sepsis", "mortality")
            for kind in ("models/$", "training/$", f"frames/$/{SOURCE}", f"results/$/{SOURCE}")
        ),
    }
    assert len(set(assets.values())) == len(assets)


def test_only_a_task_that_runs_once_in_a_run_has_a_data_set_as_its_outlet(airflow_database):
    """Each outlet of each instance of a task is an event in Airflow's database; a ward has hundreds of chunks."""
    from airflow.dag_processing.dagbag import DagBag

    outlets = {
        f"{dag.dag_id}.{task.task_id}": task.is_mapped or bool(task.get_closest_mapped_task_group())
        for dag in DagBag(PROJECT / "dags").dags.values()
        for task in dag.tasks
        if task.outlets
    }
    assert [task for task, mapped in outlets.items() if mapped] == []
    assert "screen_icu__sepsis.reconcile" in outlets


def test_no_dag_is_started_by_what_a_screening_or_a_training_writes(airflow_database):
    from airflow.dag_processing.dagbag import DagBag
    from airflow.serialization.serialized_objects import DagSerialization

    for dag in DagBag(PROJECT / "dags").dags.values():
        timetable = json.dumps(DagSerialization.to_dict(dag)["dag"]["timetable"])
        started_by = set(re.findall(r"wardround://(\w+)/", timetable))
        assert started_by <= {"models", "drift"}, dag.dag_id


@pytest.fixture(scope="module")
def screening(simulated_ward, trained_models, tmp_path_factory):
    """A screening of one patient on request, where OpenLineage writes its events into a file."""
    folder = tmp_path_factory.mktemp("lineage")
    image = built(folder / "image")
    settings = replace(settings_from(), home=image.home, var=folder, runs=str(folder / "runs"), models=trained_models)
    to_file = {"type": "file", "log_file_path": str(folder / "events.jsonl"), "append": True}
    transport = {"type": "transform", "transformer_class": GUARD, "transport": to_file}
    with running_server(data=simulated_ward.fhir) as server:
        patients = some_patients(server)
        conf = {"as_of": simulated_ward.now.isoformat(), "cohort": f"patients:{','.join(patients)}"}
        environment = {
            **os.environ,
            **local_environment(settings, folder / "airflow", server.base_url),
            "AIRFLOW__OPENLINEAGE__TRANSPORT": json.dumps(transport),
            "AIRFLOW__OPENLINEAGE__NAMESPACE": "icu",
            "PYTHONPATH": os.pathsep.join([str(image.site), str(image.home / "config")]),
            "PATH": os.pathsep.join([str(image.bin), os.environ["PATH"]]),
        }
        command = [image.bin / "python", CHILD, folder, image.home / "dags", json.dumps(conf)]
        done = subprocess.run(
            [str(one) for one in command], env=environment, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-4000:]
        text = (folder / "events.jsonl").read_text()
        [run] = (folder / "runs").glob("sepsis-*")
        summary = json.loads((run / "summary.json").read_text())
        yield SimpleNamespace(
            text=text,
            events=[json.loads(line) for line in text.splitlines()],
            written=summary["written"],
            said=json.loads((folder / "said.json").read_text()),
            forbidden=(*patients, run.name, run.name.rsplit("-", 1)[1], server.base_url, str(folder), "cohort"),
        )


def some_patients(server):
    """Returns the ids of three patients who are in the unit."""
    with FhirClient(FhirEndpoint(server.base_url)) as client:
        stays = [stay for stay in client.search("Encounter", {}) if stay["status"] == "in-progress"]
    in_unit = [stay for stay in stays if stay["class"]["code"] == "ACUTE"]
    return [stay["subject"]["reference"].removeprefix("Patient/") for stay in in_unit[:3]]


@pytest.mark.long
def test_the_events_of_a_screening_say_which_data_sets_each_task_read_and_wrote(screening):
    read, written = defaultdict(set), defaultdict(set)
    for event in screening.events:
        if event["eventType"] == "COMPLETE":
            task = event["job"]["name"].removeprefix("screen_icu__sepsis.")
            read[task] |= {one["name"] for one in event["inputs"]}
            written[task] |= {one["name"] for one in event["outputs"]}

    assert screening.said["screened"]["state"] == "success"
    assert {task: names for task, names in read.items() if names} == {
        "find_stays": {RECORD},
        "extract": {RECORD},
        "check_quality": {FRAMES},
        "score": {MODEL, FRAMES},
        "publish": {FRAMES},
        "reconcile": {FRAMES},
        "report": {FRAMES, RESULTS},
    }
    assert {task: names for task, names in written.items() if names} == {"find_stays": {FRAMES}, "reconcile": {RESULTS}}
    assert {one["namespace"] for event in screening.events for one in event["inputs"]} == {"wardround"}


@pytest.mark.long
def test_no_event_has_a_patient_a_run_a_form_an_address_or_a_path(screening):
    forbidden = (*screening.forbidden, screening.said["screened"]["run_id"], "conf", "sourceCode", "errorMessage")
    assert [word for word in forbidden if word in screening.text] == []


@pytest.mark.long
def test_only_listed_facets_leave(screening):
    facets = {name for event in screening.events for part in ("run", "job") for name in event[part].get("facets", {})}
    assert (
        {"parent", "jobType"}
        <= facets
        <= {
            *("nominalTime", "parent", "processing_engine"),
            *("documentation", "jobType", "ownership"),
        }
    )


@pytest.mark.long
def test_other_dags_events_pass_as_they_are(screening):
    assert screening.said["passed_on"]["somebody_elses.task"] == ["airflow", "errorMessage", "parent", "sourceCode"]


@pytest.mark.long
@pytest.mark.parametrize(
    "job", ["screen_icu__sepsis.extract", "train__sepsis.approve", "suspend__sepsis", "prune_runs"]
)
def test_messages_of_errors_and_questions_to_people_leave_of_no_dag_of_ours(screening, job):
    assert screening.said["passed_on"][job] == ["parent"]


def test_every_dag_of_ours_is_known_as_such(airflow_database):
    from airflow.dag_processing.dagbag import DagBag

    # The module of the transformer needs OpenLineage's client, which is not here.
    text = (PROJECT / "src" / f"{GUARD.rpartition('.')[0].replace('.', '/')}.py").read_text()
    known = set(
        re.search(r"^DAGS: Final = \((.*)\)$", text, flags=re.MULTILINE)[1]
        .replace('f"{SCREENING}__"', '"screen_icu__"')
        .split(", ")
    )
    ours = {
        f'"{dag_id.partition("__")[0]}{"__" if "__" in dag_id else ""}"' for dag_id in DagBag(PROJECT / "dags").dags
    }
    assert ours == known


@pytest.mark.long
def test_events_that_would_leave_with_what_people_wrote_stop_the_dags_and_the_setting_is_named(screening):
    refused = {name: words.partition(":")[0] for name, words in screening.said["refusals"].items() if words}
    assert refused == REFUSED
    assert GUARD in screening.said["refusals"]["plain"]


@pytest.mark.long
def test_a_screening_makes_two_events_of_assets_and_starts_no_dag(screening):
    assert screening.written > 0
    extra = {"mode": "live", "written": screening.written}
    events = dict(screening.said["screened"]["events"])
    assert events == {f"frames__sepsis__{SOURCE}": {}, f"results__sepsis__{SOURCE}": extra}
    assert len(screening.said["screened"]["events"]) == 2
    assert screening.said["screened"]["others"] == []
