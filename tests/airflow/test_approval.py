"""Tests the task that asks for approval: what it asks, and what it takes from Airflow's answer."""

import json
import logging
import re
import shutil
from pathlib import Path

import pytest
from airflow.sdk.exceptions import AirflowSkipException

from wardround.airflow import training_tasks
from wardround.airflow.approval import PromotionApproval, answer_in
from wardround.airflow.forms import approval_form
from wardround.errors import ModelError


@pytest.mark.parametrize(
    ("event", "answer"),
    [
        ({"responded_by_user": {"id": "1", "name": "ann"}, "params_input": {"why": " better "}}, ("ann", "better")),
        ({"responded_by_user": {"id": "1", "name": "ann"}, "params_input": {"why": ""}}, ("ann", "no reason given")),
        ({"responded_by_user": {"id": "1", "name": "ann"}, "params_input": {}}, ("ann", "no reason given")),
        ({"responded_by_user": None, "params_input": {"why": ""}, "timedout": True}, ("nobody", "no reason given")),
    ],
    ids=["with a reason", "an empty reason", "none", "nobody answered in time"],
)
def test_an_answer_contains_a_name_and_a_reason(event, answer):
    assert tuple(answer_in(event).values()) == answer


def test_no_answer_within_the_conditions_time_counts_as_a_rejection(dagbag_of_training, schemas):
    from wardround.spec.loading import load_condition

    approve = dagbag_of_training.get_task("approve")

    assert isinstance(approve, PromotionApproval)
    assert approve.defaults == ["Reject"]
    assert approve.response_timeout == load_condition("sepsis", schemas).promotion.answer_within
    assert list(approve.params) == ["why"]


def test_nobody_is_asked_about_a_model_that_is_already_live_and_the_log_says_so(trained_models, monkeypatch, caplog):
    caplog.set_level(logging.INFO, logger="wardround")
    runs = trained_models.parent / "runs"
    monkeypatch.setenv("WARDROUND_RUNS", str(runs))
    monkeypatch.setenv("WARDROUND_MODELS", str(trained_models))
    (run,) = (folder.name for folder in runs.iterdir())

    with pytest.raises(AirflowSkipException, match="is already live"):
        PromotionApproval(task_id="approve", run=run, params=approval_form()).execute({})
    said, _, card = caplog.messages[-1].partition("; report ")
    assert said == f"run {run}, approve: no approval needed, the version is already live"
    assert Path(card).is_file()


def test_a_rejected_model_is_shown_with_a_warning_and_approved_only_with_a_reason(
    trained_models, monkeypatch, tmp_path
):
    shutil.copytree(trained_models.parent, tmp_path / "trained")
    runs, models = tmp_path / "trained" / "runs", tmp_path / "trained" / trained_models.name
    monkeypatch.setenv("WARDROUND_RUNS", str(runs))
    monkeypatch.setenv("WARDROUND_MODELS", str(models))
    (run,) = (folder.name for folder in runs.iterdir())
    (models / "sepsis" / "decisions.jsonl").unlink()
    training_tasks.leave(run, "rejected", "bob [x](http://y)", "too many alarms on the fourth floor")
    approve = PromotionApproval(task_id="approve", run=run, params=approval_form())

    _, shown = training_tasks.question(run)
    with pytest.raises(ModelError, match="the version was withdrawn and no reason was given"):
        approve.execute_complete({}, {"chosen_options": ["Approve"], "params_input": {"why": " "}})

    assert r"**This version was rejected** by bob \[x\](http://y) on 20" in shown
    assert "fourth floor" not in shown
    assert "**No gate could judge this model**" in shown


@pytest.mark.parametrize(
    ("base_url", "pages", "place"),
    [
        ("", "", "/wardround"),
        ("https://airflow.example/ward/", "", "/ward/wardround"),
        ("", "https://airflow.example/wardround", "https://airflow.example/wardround"),
    ],
)
def test_the_question_says_whether_the_live_model_knows_the_test_patients_and_links_the_card(
    trained_models, monkeypatch, base_url, pages, place
):
    runs = trained_models.parent / "runs"
    monkeypatch.setenv("WARDROUND_RUNS", str(runs))
    monkeypatch.setenv("WARDROUND_MODELS", str(trained_models))
    monkeypatch.setenv("AIRFLOW__API__BASE_URL", base_url)
    monkeypatch.setenv("WARDROUND_PAGES", pages)
    (run,) = (folder.name for folder in runs.iterdir())
    version = json.loads((runs / run / "version.json").read_text())["version"]

    subject, shown = training_tasks.question(run)

    lines = [line for line in shown.splitlines() if line]
    assert subject == f"Sepsis: may {version} go live?"
    assert lines[0] == "**No model is live, so the candidate is not compared.**"
    assert lines[1].startswith(f"[The candidate's model card]({place}/models/sepsis/{version}/card.html)")


def test_the_question_says_what_the_figures_are_of_and_gives_none_without_its_interval(trained_models, monkeypatch):
    runs = trained_models.parent / "runs"
    monkeypatch.setenv("WARDROUND_RUNS", str(runs))
    monkeypatch.setenv("WARDROUND_MODELS", str(trained_models))
    (run,) = (folder.name for folder in runs.iterdir())

    _, shown = training_tasks.question(run)

    above, _, table = shown.partition("| on the same test patients")
    for name in ("Predicts", "Evaluated on", "What that does to the figures", "Not evaluated"):
        assert f"* {name}: " in above
    assert "* Alerts per 100 patient-days: " in above
    figures = re.findall(r"\d\.\d{3} \(([^)]*\)?)", table)
    assert figures
    assert [said for said in figures if not re.search(r" to |too few|no interval", said)] == []
    assert re.findall(r"\d\.\d{3} \|", table) == []


@pytest.fixture(scope="module")
def dagbag_of_training(airflow_database):
    from airflow.dag_processing.dagbag import DagBag

    from wardround.settings import PROJECT

    return DagBag(PROJECT / "dags" / "train.py").dags["train__sepsis"]
