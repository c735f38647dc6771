from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from types import SimpleNamespace
from typing import get_args

import pytest
from airflow.sdk.exceptions import ParamValidationError

from wardround.adapters.models.store import ModelStore
from wardround.airflow.conditions import stored_versions
from wardround.airflow.forms import (
    first_day,
    prediction_time,
    promotion_form,
    screening_form,
    screening_mode,
    suspension_form,
    training_form,
    waiting_time,
)
from wardround.candidates.registry import CANDIDATES
from wardround.cli.screen import command as screen
from wardround.cli.train import command as train
from wardround.errors import FutureAsOf, WardroundError
from wardround.fhir.endpoint import FhirEndpoint
from wardround.spec.cohorts import Kind
from wardround.spec.conditions import Mode
from wardround.spec.loading import load_condition
from wardround.workflows.screen import ScreeningRequest, servers_in
from wardround.workflows.train import TrainingRequest
from wardround.workflows.train.request import Approval, SplitRule

MORNING = datetime(2026, 1, 2, 5, tzinfo=UTC)
NOON = datetime(2026, 1, 2, 12, tzinfo=UTC)


def dag_run(logical_date=None, run_after=NOON):
    return SimpleNamespace(logical_date=logical_date, run_after=run_after)


def asked(as_of, run, allow_future=False):
    """The prediction time of a run whose task begins at noon."""
    return prediction_time({"as_of": as_of, "allow_future": allow_future}, run, NOON)


def test_as_of_is_the_runs_logical_date():
    assert asked(None, dag_run(MORNING)) == MORNING


def test_as_of_of_a_run_without_logical_date_is_when_it_was_requested():
    assert asked(None, dag_run()) == NOON


def test_the_param_overrides_the_runs_time():
    assert asked("2026-01-02T06:00:00+01:00", dag_run(NOON)) == MORNING


def test_an_as_of_without_offset_is_refused():
    with pytest.raises(WardroundError, match="expected a time with a UTC offset"):
        asked("2026-01-02T06:00:00", dag_run())


@pytest.mark.parametrize("as_of", [None, "2026-01-02T12:00:00-05:00", "2026-01-02T12:05:01Z"])
def test_a_time_in_the_future_is_refused_from_the_form_and_from_the_run(as_of):
    run = dag_run(logical_date=datetime(2026, 1, 3, tzinfo=UTC))
    with pytest.raises(FutureAsOf, match="after now"):
        asked(as_of, run)
    assert asked(as_of, run, allow_future=True) > NOON


def test_the_schedulers_clock_may_be_slightly_ahead():
    assert asked(None, dag_run(NOON + timedelta(minutes=5))) > NOON


def test_a_run_that_a_new_live_model_started_writes_nothing():
    started = SimpleNamespace(run_type="asset_triggered")
    by_the_clock = SimpleNamespace(run_type="scheduled")
    assert screening_mode({"mode": "live"}, started) == "shadow"
    modes = ("live", "shadow", None)
    assert tuple(screening_mode({"mode": mode}, by_the_clock) for mode in modes) == modes


def test_the_form_uses_the_conditions_mode_unless_another_is_chosen(schemas):
    quiet = load_condition("sepsis", schemas).model_copy(update={"mode": "shadow", "shadow_until": date(2026, 4, 1)})
    mode = screening_form(quiet)["mode"]
    assert mode.resolve() is None
    assert mode.description.endswith("Empty: as the condition says (shadow until 2026-04-01).")
    assert [screening_form(quiet)["mode"].resolve(value) for value in ("live", "shadow")] == ["live", "shadow"]


def test_the_screening_form_has_the_same_fields_as_the_command_line_and_the_request(schemas):
    form = set(screening_form(load_condition("sepsis", schemas)))
    options = {option.name for option in screen.params if option.expose_value}
    beside = {"resumed", "as_json", "demo_model", "profile", "source_map", "write_to", "map_by_identifier"}
    assert form - {"connection", "wait_for_source"} == options - {"condition", "source", "wait"} - beside
    # Where the source is, and where its results go, is the connection's.
    of_servers = set(servers_in(FhirEndpoint("http://127.0.0.1:1/fhir")))
    fields = set(ScreeningRequest.model_fields) - of_servers - {"condition", "run", "demo_model"}
    assert form - {"connection", "wait_for_source", "allow_future"} == fields


def test_what_can_be_chosen_is_the_same_in_forms_on_the_command_line_and_in_requests(schemas):
    condition = load_condition("sepsis", schemas)
    for name, choices, form, options in (
        ("mode", Mode, screening_form(condition), screen),
        ("split", SplitRule, training_form(condition), train),
        ("approval", Approval, training_form(condition), train),
    ):
        (option,) = (option for option in options.params if option.name == name)
        offered = [choice for choice in form[name].schema["enum"] if choice is not None]
        assert offered == list(option.type.choices) == list(get_args(choices))


def test_the_training_form_has_the_same_fields_as_the_command_line_and_the_request(schemas):
    asked = set(training_form(load_condition("sepsis", schemas)))
    # All commands have -v, which is added when a command is looked up by name.
    options = {option.name for option in train.params if option.expose_value}
    options -= {"condition", "resumed", "by", "as_json"}
    assert asked == options == set(TrainingRequest.model_fields) - {"condition", "created", "run"}


def test_the_training_form_and_the_command_line_have_the_same_defaults(schemas):
    form = {name: param.value for name, param in training_form(load_condition("sepsis", schemas)).items()}
    assert form == {option.name: option.to_info_dict()["default"] for option in train.params if option.name in form}


def test_missed_runs_are_caught_up_from_midnight_in_the_conditions_time_zone(schemas):
    sepsis = load_condition("sepsis", schemas)
    assert first_day(sepsis) is None
    since = {"catch_up_from": date(2026, 11, 1)}
    assert first_day(sepsis.model_copy(update=since)) == datetime(2026, 11, 1, tzinfo=UTC)
    berlin = sepsis.model_copy(update={**since, "time_zone": "Europe/Berlin"})
    assert first_day(berlin) == datetime(2026, 10, 31, 23, tzinfo=UTC)


def test_the_form_states_the_schedule_in_words(schemas):
    berlin = load_condition("sepsis", schemas).model_copy(update={"time_zone": "Europe/Berlin"})
    assert screening_form(berlin)["as_of"].description.endswith("The schedule is 0 5 * * * (Europe/Berlin).")


def test_known_values_are_chosen_from_a_list_and_a_typo_is_refused(schemas):
    sepsis = load_condition("sepsis", schemas)
    form = training_form(sepsis)
    assert form["label"].schema["enum"] == [None, "icd", "sepsis3"]
    assert form["candidates"].schema["examples"] == list(CANDIDATES)
    assert (form["label"].resolve("sepsis3"), form["candidates"].resolve(["xgboost"])) == ("sepsis3", ["xgboost"])
    for name, typo in (("label", "sepsis4"), ("candidates", ["xgbost"])):
        with pytest.raises(ParamValidationError):
            form[name].resolve(typo)


def test_free_values_are_suggested_and_taken_as_written(schemas):
    sepsis = load_condition("sepsis", schemas)
    assert screening_form(sepsis)["connection"].schema["examples"] == ["fhir_default"]
    both = screening_form(sepsis.model_copy(update={"sources": ("north", "south")}), "south")["connection"]
    assert (both.resolve(), both.schema["examples"], both.resolve("west")) == ("south", ["north", "south"], "west")
    version = promotion_form(["2.0.0-b", "1.0.0-a"])["version"]
    assert (version.resolve(), version.resolve("1.0.0-c"), version.schema["examples"][0]) == (
        None,
        "1.0.0-c",
        "2.0.0-b",
    )


def test_every_kind_of_cohort_is_suggested_and_complete_ones_are_accepted(schemas):
    cohort = screening_form(load_condition("sepsis", schemas))["cohort"]
    proposed = cohort.schema["examples"]
    assert {text.partition(":")[0] for text in proposed} == set(get_args(Kind))
    for text in proposed:
        assert cohort.resolve(f"{text}a" if text.endswith(":") else text)
    with pytest.raises(ParamValidationError):
        cohort.resolve("patients:Ada Lovelace")


def test_versions_are_suggested_from_the_stores_record_and_none_if_it_cannot_be_read(settings, tmp_path):
    store = ModelStore(settings.models)
    assert stored_versions("sepsis", settings) == list(reversed(store.versions("sepsis"))) != []
    damaged = replace(settings, models=tmp_path)
    assert stored_versions("sepsis", damaged) == []
    for content in ("{", "[1]"):
        (tmp_path / "sepsis").mkdir(exist_ok=True)
        (tmp_path / "sepsis" / "versions.json").write_text(content)
        assert stored_versions("sepsis", damaged) == []


def test_every_field_of_a_form_says_what_it_is_for(schemas):
    sepsis = load_condition("sepsis", schemas)
    for name, param in {
        **screening_form(sepsis),
        **training_form(sepsis),
        **promotion_form(),
        **suspension_form(),
    }.items():
        assert param.schema["title"], name
        assert param.description.endswith("."), name


def test_a_run_waits_for_its_source_as_long_as_its_param_says():
    begun = SimpleNamespace(start_date=MORNING)
    for minutes, left in ((0, 30), (10, 20), (45, 0)):
        now = MORNING + timedelta(minutes=minutes)
        assert waiting_time({"wait_for_source": "30m"}, begun, now) == timedelta(minutes=left)
    assert waiting_time({"wait_for_source": None}, begun, MORNING) == timedelta()
