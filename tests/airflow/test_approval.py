"""Who answered the question whether a model goes live, and why, as Airflow hands it to the task."""

import pytest
from airflow.sdk.exceptions import AirflowSkipException

from wardround.airflow.approval import PromotionApproval, answer_in
from wardround.airflow.forms import approval_form


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
def test_an_answer_is_a_name_and_a_reason(event, answer):
    assert tuple(answer_in(event).values()) == answer


def test_no_answer_in_time_is_a_no_and_the_condition_says_how_long_that_is(dagbag_of_training, schemas):
    from wardround.spec.loading import load_condition

    approve = dagbag_of_training.get_task("approve")

    assert isinstance(approve, PromotionApproval)
    assert approve.defaults == ["Reject"]
    assert approve.response_timeout == load_condition("sepsis", schemas).promotion.answer_within
    assert list(approve.params) == ["why"]


def test_nobody_is_asked_about_what_is_live_already(trained_models, monkeypatch):
    runs = trained_models.parent / "runs"
    monkeypatch.setenv("WARDROUND_RUNS", str(runs))
    monkeypatch.setenv("WARDROUND_MODELS", str(trained_models))
    (run,) = (folder.name for folder in runs.iterdir())

    with pytest.raises(AirflowSkipException, match="is live already"):
        PromotionApproval(task_id="approve", run=run, params=approval_form()).execute({})


@pytest.fixture(scope="module")
def dagbag_of_training(airflow_database):
    from airflow.dag_processing.dagbag import DagBag

    from wardround.settings import PROJECT

    return DagBag(PROJECT / "dags" / "train.py").dags["train__sepsis"]
