"""Tests the files of the profile `watch`: what they show and alarm of exists, and no label names a patient or a run."""

import json
import re
import shutil
import subprocess
from datetime import timedelta
from importlib.resources import files

import pytest
import yaml
from tests.promises.test_compose import SERVICES, STREAM, filled_in

from wardround.airflow.lineage import GUARD
from wardround.cds.http.metrics import METRICS as CDS_METRICS
from wardround.report.gauges import GAUGES
from wardround.settings import PROJECT, settings_from
from wardround.stream.metrics import METRICS as STREAM_METRICS

WATCHED = PROJECT / "deploy" / "watch"


def test_prometheus_fetches_the_counts_of_every_process_that_has_a_page():
    jobs = yaml.safe_load((WATCHED / "prometheus.yaml").read_text())["scrape_configs"]
    targets = {target for job in jobs for group in job["static_configs"] for target in group["targets"]}

    assert targets == {"otel-collector:8889", "cds:8181", *(f"stream-{stage}:9470" for stage in STREAM)}


def test_airflow_sends_only_counts_that_it_has_and_none_by_run():
    known = yaml.safe_load((files("airflow") / "_shared/observability/metrics/metrics_template.yaml").read_text())
    about = {one["name"]: one["description"] for one in known["metrics"]}
    patterns = filled_in("airflow-scheduler")["AIRFLOW__METRICS__METRICS_ALLOW_LIST"].split(",")

    for pattern in patterns:
        sent = {name for name in about if re.search(pattern, name)}
        assert sent, pattern
        assert [name for name in sent if "run_id" in about[name]] == []


def queries():
    """Returns every query of the dashboard and of the rules for alarms."""
    panels = json.loads((WATCHED / "grafana" / "dashboards" / "wardround.json").read_text())["panels"]
    [group] = yaml.safe_load((WATCHED / "alerts.yaml").read_text())["groups"]
    return [target["expr"] for panel in panels for target in panel["targets"]] + [
        rule["expr"] for rule in group["rules"]
    ]


def in_prometheus(name):
    """Returns a gauge's name as the collector shows it to Prometheus, with its unit unless that is in braces."""
    unit = {"s": "_seconds"}.get(GAUGES[name].unit, "")
    return name.replace(".", "_") + unit


def test_dashboard_and_alarms_ask_for_figures_that_exist():
    asked = {name for query in queries() for name in re.findall(r"\b(?:wardround|airflow)_\w+", query)}
    counted = {**CDS_METRICS, **STREAM_METRICS}
    ours = {*counted, *(f"{name}_bucket" for name, metric in counted.items() if metric.kind == "histogram")}
    ours |= {in_prometheus(name) for name in GAUGES}
    allowed = filled_in("airflow-scheduler")["AIRFLOW__METRICS__METRICS_ALLOW_LIST"].split(",")
    of_airflow = {name.removeprefix("airflow_").removesuffix("_total") for name in asked if name.startswith("airflow_")}

    assert {name for name in asked if name.startswith("wardround_")} <= ours
    # Prometheus has underscores for Airflow's dots.
    assert [name for name in of_airflow if not any(re.search(one.replace("\\.", "_"), name) for one in allowed)] == []


def test_every_figure_of_a_screening_has_a_place_on_the_dashboard_or_is_compared_with_one():
    asked = {name for query in queries() for name in re.findall(r"\bwardround_screening_\w+", query)}

    assert {in_prometheus(name) for name in GAUGES} - asked == {"wardround_screening_stays_before"}


def test_every_figure_and_every_alarm_is_in_the_manual():
    page = (PROJECT / "docs" / "operations" / "watched.md").read_text()
    [group] = yaml.safe_load((WATCHED / "alerts.yaml").read_text())["groups"]

    missing = [name for name in GAUGES if f"`{name}`" not in page and f"`….{name.rpartition('.')[2]}`" not in page]
    assert missing + [rule["alert"] for rule in group["rules"] if f"`{rule['alert']}`" not in page] == []


def test_no_query_asks_for_a_label_that_names_a_patient_or_a_run():
    labels = {
        label for query in queries() for found in re.findall(r"by \(([^)]*)\)|\b(\w+)!?=", query) for label in found
    }

    assert {part.strip() for label in labels for part in label.split(",")} - {""} <= {
        *("outcome", "status", "le", "stage", "state", "source", "became"),
        *("condition", "mode", "band", "what", "variable", "unit"),
    }


@pytest.mark.parametrize(
    "command",
    [
        ["check", "config", "prometheus.yaml"],
        ["check", "rules", "alerts.yaml"],
        ["test", "rules", PROJECT / "tests" / "promises" / "alerts_test.yaml"],
    ],
    ids=["config", "rules", "alarms"],
)
def test_prometheus_own_checker_accepts_its_configuration_and_raises_the_alarms_that_are_due(command):
    promtool = shutil.which("promtool")
    if promtool is None:
        pytest.skip("promtool is not installed")
    done = subprocess.run([promtool, *command], cwd=WATCHED, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_collector_shows_a_units_figures_no_longer_than_until_the_next_run_may_come():
    """A unit that fell below ten stays would otherwise stand beside the others, and could be subtracted."""
    exporters = yaml.safe_load((WATCHED / "otel-collector.yaml").read_text())["exporters"]
    assert exporters["prometheus"]["metric_expiration"] == "5m"


def test_nothing_is_sent_anywhere_until_the_environment_file_says_where_to():
    assert settings_from(filled_in("airflow-worker")).collector is None
    place = "http://otel-collector:4318"
    assert settings_from(filled_in("airflow-worker", OTEL_EXPORTER_OTLP_ENDPOINT=place)).collector == place


def test_the_triggerer_finds_the_webhook_for_alarms_and_the_deadline_is_off_until_the_environment_file_sets_it():
    triggerer, listen = (filled_in(name)["WARDROUND_STREAM"] for name in ("airflow-triggerer", "stream-listen"))
    assert triggerer == listen
    assert "./deploy/stream:/opt/wardround/stream:ro" in SERVICES["airflow-triggerer"]["volumes"]
    assert settings_from(filled_in("airflow-dag-processor")).screening_deadline is None
    set_to = filled_in("airflow-dag-processor", WARDROUND_SCREENING_DEADLINE="2h")
    assert settings_from(set_to).screening_deadline == timedelta(hours=2)


def test_lineage_leaves_only_if_the_environment_file_says_where_to_and_never_with_source_code():
    before = filled_in("airflow-worker")
    assert "AIRFLOW__OPENLINEAGE__TRANSPORT" not in before
    assert before["AIRFLOW__OPENLINEAGE__DISABLE_SOURCE_CODE"] == "True"


def test_the_manual_sets_the_transport_that_the_dags_accept():
    page = (PROJECT / "docs" / "operations" / "watched.md").read_text()
    [given] = re.findall(r"AIRFLOW__OPENLINEAGE__TRANSPORT=(\{.*\})$", page, flags=re.MULTILINE)
    transport = json.loads(given)
    assert (transport["type"], transport["transformer_class"]) == ("transform", GUARD)
    module, _, name = GUARD.rpartition(".")
    assert f"class {name}(" in (PROJECT / "src" / f"{module.replace('.', '/')}.py").read_text()
