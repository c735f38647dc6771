"""An evaluation loses nothing when stored, and every missing figure has a reason."""

from wardround.evaluation.metrics import Metric
from wardround.evaluation.results import Definition, Evaluation, Task


def test_an_evaluation_is_the_same_after_json(evaluation: Evaluation) -> None:
    assert Evaluation.model_validate_json(evaluation.model_dump_json()) == evaluation


def _of_an_earlier_release(evaluation: Evaluation, other: dict) -> Evaluation:
    content = evaluation.model_dump(mode="json")
    del content["definitions"]
    return Evaluation.model_validate({**content, "sensitivity_to_onset": other})


def test_the_one_other_onset_of_an_earlier_release_is_read_without_counts_of_stays(evaluation: Evaluation) -> None:
    other = {"definition": "suspected_infection_time", "rows": 9, "positives": 3, "reason": None}
    found = _of_an_earlier_release(evaluation, {**other, "metrics": {"auroc": {"value": 0.7}}})
    assert found.definitions == (
        Definition(
            onset="suspected_infection_time",
            suspicion="any_culture",
            rows=9,
            positives=3,
            metrics={"auroc": Metric(value=0.7)},
        ),
    )
    assert _of_an_earlier_release(evaluation, {**other, "metrics": None, "reason": "none"}).definitions == ()


def test_a_task_of_an_earlier_release_counted_every_culture() -> None:
    task = {"task": "hourly", "horizon": "6h", "at": "1h", "hours_per_row": 1, "onset_definition": "sofa_time"}
    assert Task.model_validate({**task, "label": "sepsis3"}).suspicion == "any_culture"
    assert Task.model_validate({**task, "label": "hospital_death"}).suspicion is None
