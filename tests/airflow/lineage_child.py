"""Runs DAGs where OpenLineage's provider is installed; a test starts it there: `lineage_child.py FOLDER DAGS CONF`."""

import json
import os
import sys
from datetime import UTC, datetime
from pathlib import Path

folder, dags, conf = Path(sys.argv[1]), Path(sys.argv[2]), json.loads(sys.argv[3])


def refusals():
    """Returns what is said of each setting that lets events leave, by its name; "" if nothing is."""
    from wardround.airflow.lineage import GUARD, require_guarded
    from wardround.errors import SettingsError

    plain = {"type": "console"}
    guarded = {"type": "transform", "transformer_class": GUARD, "transport": plain}
    transport = "AIRFLOW__OPENLINEAGE__TRANSPORT"
    settings = {
        "none": {},
        "plain": {transport: json.dumps(plain)},
        "other transformer": {transport: json.dumps({**guarded, "transformer_class": "some.Other"})},
        "guarded": {transport: json.dumps(guarded)},
        "guarded, and a URL": {transport: json.dumps(guarded), "OPENLINEAGE_URL": "http://127.0.0.1:9"},
        "guarded, and a part of a transport": {transport: json.dumps(guarded), "OPENLINEAGE__TRANSPORT__TYPE": "http"},
        "a file": {"AIRFLOW__OPENLINEAGE__CONFIG_PATH": "/openlineage.yml"},
        "a connection": {"AIRFLOW__OPENLINEAGE__CONFIG_CONN_ID": "lineage"},
        "plain and disabled": {transport: json.dumps(plain), "AIRFLOW__OPENLINEAGE__DISABLED": "True"},
    }
    said = {}
    for name, variables in settings.items():
        before = dict(os.environ)
        os.environ.pop(transport, None)
        os.environ.update(variables)
        try:
            require_guarded()
        except SettingsError as error:
            said[name] = str(error)
        else:
            said[name] = ""
        os.environ.clear()
        os.environ.update(before)
    return said


def passed_on():
    """Returns the facets of an event after our guard, by the job that the event is of."""
    from openlineage.client.event_v2 import Job, Run, RunEvent, RunState

    from wardround.airflow.lineage_events import WithoutWords

    of_run = {name: {"x": name} for name in ("airflow", "errorMessage", "parent")}
    left = {}
    for name in (
        "somebody_elses.task",
        "screen_icu__sepsis.extract",
        "train__sepsis.approve",
        "suspend__sepsis",
        "prune_runs",
    ):
        event = RunEvent(
            eventTime=datetime.now(UTC).isoformat(),
            producer="https://example.org",
            run=Run(runId="01890a5d-ac96-774b-bcce-b302099a8057", facets=dict(of_run)),
            job=Job(namespace="default", name=name, facets={"sourceCode": {"x": 1}}),
            eventType=RunState.FAIL,
        )
        after = WithoutWords({}).transform(event)
        left[name] = sorted([*after.run.facets, *after.job.facets])
    return left


def screened():
    """Screens, and returns how it ended, and which DAG runs there are besides."""
    from airflow.models.asset import AssetEvent, AssetModel
    from airflow.models.dagrun import DagRun
    from airflow.utils.session import create_session

    from wardround.demo.in_process import migrate, run_dag

    migrate()
    end = run_dag("screen_icu__sepsis", dags, datetime.fromisoformat(conf["as_of"]), conf)
    with create_session() as session:
        events = [
            (name, event.extra)
            for name, event in session.query(AssetModel.name, AssetEvent).filter(AssetEvent.asset_id == AssetModel.id)
        ]
        others = [run.dag_id for run in session.query(DagRun) if run.run_id != end.run_id]
    return {"state": end.state, "run_id": end.run_id, "events": events, "others": others}


if __name__ == "__main__":
    said = {"screened": screened(), "refusals": refusals(), "passed_on": passed_on()}
    (folder / "said.json").write_text(json.dumps(said))
