"""Tests what a call is answered if the risk cannot or must not be told: on a card, and never with silence."""

import itertools
import re
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from io import BytesIO
from pathlib import Path
from typing import Any, get_args

import joblib
import orjson
import pytest
from tests.cds.ehr import RISK, Ehr, keeping_in, searchset
from tests.cds.kept import Kept
from tests.cds.test_screened import SOURCE, Runs
from tests.fixtures.icu import AS_OF

from wardround.adapters.models.store import ModelStore
from wardround.cds.door import Door
from wardround.cds.exchange import Outcome
from wardround.results.risk_assessment import Assessment, Screening, risk_assessment
from wardround.results.training_hours import TrainingHours
from wardround.settings import PROJECT, Settings
from wardround.spec.loading import load_condition

HOUR = timedelta(hours=1)
OUTCOME = {"resourceType": "OperationOutcome", "issue": [{"severity": "error", "code": "forbidden"}]}
NOT_LOW = "This does not mean that the risk is low."


def outcome(answer: dict[str, Any]) -> str:
    return str(answer["extension"][RISK]["outcome"])


def test_too_little_data_is_said_with_what_would_be_enough(ehr: Ehr) -> None:
    ehr.icu.stay("few", lactate=None, vitals=False)

    card = ehr.card("p-few")

    assert card["summary"] == "Sepsis risk: not known, too little data"
    assert card["indicator"] == "info"
    assert "values of the last 24 h of at least 4 of these: Heart rate," in card["detail"]
    assert "**Not known:** Heart rate; " in card["detail"]
    said = card["extension"][RISK]
    assert (said["outcome"], said["band"], said["reason"]) == ("indeterminate", "indeterminate", "minimum_data")
    assert "probability" not in said


@pytest.mark.parametrize("empty", [None, searchset([])])
def test_an_empty_key_means_that_there_is_nothing(ehr: Ehr, empty: Any) -> None:
    """A key that is missing is something else: see the reports cds-hooks/docs 157 and 366."""
    card = ehr.card(prefetch={**ehr.prefetch("p-a"), "observations": empty})
    assert card["extension"][RISK]["reason"] == "minimum_data"

    card = ehr.card(prefetch={**ehr.prefetch("p-a"), "encounters": empty})
    assert card["summary"] == "Sepsis risk: not for this patient"
    assert "no current stay in intensive care" in card["detail"]
    assert "patients of 18 years or older who are in an intensive care unit" in card["detail"]


@pytest.mark.parametrize(
    ("key", "named"), [("patient", "Patient"), ("encounters", "Encounters"), ("observations", "Observations")]
)
def test_what_the_server_refused_is_named_and_no_risk_is_told_from_the_rest(ehr: Ehr, key: str, named: str) -> None:
    """An OperationOutcome broke services in the report hapi-fhir 6836."""
    card = ehr.card(prefetch={**ehr.prefetch("p-a"), key: OUTCOME})

    assert card["summary"] == "Sepsis risk: not known, data could not be read"
    assert named in card["detail"]
    assert NOT_LOW in card["detail"]
    assert card["extension"][RISK]["outcome"] == "not_read"
    assert "probability" not in card["extension"][RISK]


def test_a_search_that_was_cut_short_gives_no_risk(ehr: Ehr) -> None:
    """What was sent in part was taken for all there is in the report cqf-ruler 536."""
    part = {
        **ehr.prefetch("p-a")["observations"],
        "link": [{"relation": "next", "url": "https://x.example.org/fhir?p=2"}],
    }

    card = ehr.card(prefetch={**ehr.prefetch("p-a"), "observations": part})

    assert card["extension"][RISK]["outcome"] == "not_read"
    assert "Observations" in card["detail"]


@pytest.mark.parametrize("key", ["patient", "encounters", "observations"])
def test_what_is_absent_and_cannot_be_read_is_named_in_a_412(ehr: Ehr, key: str) -> None:
    """Without a Patient, the service of the report cqf-ruler 535 answered 500."""
    prefetch = {name: one for name, one in ehr.prefetch("p-a").items() if name != key}

    answer = ehr.send(ehr.call("p-a", prefetch=prefetch))

    assert answer.status == 412
    said = orjson.loads(answer.body)
    assert said["resourceType"] == "OperationOutcome"
    assert f"prefetch.{key}" in said["issue"][0]["diagnostics"]
    assert answer.call is not None
    assert (answer.call.outcome, answer.call.card) == ("missing_prefetch", "")


def test_a_stay_that_is_not_scored_says_why(ehr: Ehr) -> None:
    child = {**ehr.prefetch("p-a")["patient"], "birthDate": "2015-01-01"}

    card = ehr.card(prefetch={**ehr.prefetch("p-a"), "patient": child})

    assert card["summary"] == "Sepsis risk: not for this patient"
    assert "Younger than the cohort's minimum age." in card["detail"]
    said = card["extension"][RISK]
    assert (said["outcome"], said["reason"]) == ("not_eligible", "under_age")


def test_a_patient_who_left_intensive_care_gets_no_risk(ehr: Ehr) -> None:
    over = {"status": "finished", "period": {"start": "2026-01-01T01:00:00Z", "end": "2026-01-02T04:00:00Z"}}
    ehr.icu.stay("gone", lactate=6.0, **over)

    card = ehr.card("p-gone")

    assert card["extension"][RISK]["outcome"] == "not_eligible"
    assert "Discharged before the prediction time." in card["detail"]


def test_prefetch_about_another_patient_is_refused(ehr: Ehr) -> None:
    answer = ehr.send(ehr.call("p-a", prefetch=ehr.prefetch("p-mid")))

    assert answer.status == 400
    assert b"p-mid" not in answer.body


def test_values_of_another_patient_are_set_aside_and_said(ehr: Ehr) -> None:
    mine, theirs = (ehr.prefetch(who)["observations"]["entry"] for who in ("p-mid", "p-a"))
    mixed = {**searchset([]), "entry": [*mine, *theirs]}

    card = ehr.card("p-mid", prefetch={**ehr.prefetch("p-mid"), "observations": mixed})

    assert card["summary"] == "Sepsis risk: MODERATE (46%)"
    assert "(About a patient who was not requested)" in card["detail"]


def test_an_encounter_that_is_no_current_stay_is_answered_with_the_current_one_and_said(ehr: Ehr) -> None:
    context = {"userId": "Practitioner/one", "patientId": "p-a", "encounterId": "outpatient-visit"}

    card = ehr.card("p-a", context=context)

    assert card["summary"] == "Sepsis risk: HIGH (89%)"
    assert "names an encounter that is no current stay in intensive care" in card["detail"]
    assert card["extension"][RISK]["encounterId"] == "e-a"


def test_of_a_hospital_stay_that_is_named_the_part_in_intensive_care_is_scored_and_said(ehr: Ehr) -> None:
    body = ehr.call()
    (entry,) = body["prefetch"]["encounters"]["entry"]
    entry["resource"] = {**entry["resource"], "partOf": {"reference": "Encounter/h-a"}}
    body["context"]["encounterId"] = "h-a"
    answer = ehr.send(body)
    (card,) = orjson.loads(answer.body)["cards"]
    assert "HIGH" in card["summary"]
    assert "names the hospital stay; this is about its current part in intensive care" in card["detail"]


def test_values_that_are_not_used_are_counted_by_reason(ehr: Ehr) -> None:
    ehr.icu.lactate("p-a", "odd", 9.0, hours=1, valueQuantity={"value": 9.0, "unit": "furlong", "code": "furlong"})
    ehr.icu.lactate("p-a", "wrong", 9.0, hours=1, status="entered-in-error")

    detail = ehr.card("p-a")["detail"]

    assert "**Values not used:** 1 (Entered in error" in detail
    assert "1 (Unknown unit)" in detail


def with_model(settings: Settings, folder: Path, coefficient: float = 1.0, **card: Any) -> Settings:
    """Returns the installation with a model store of its own, whose model has other keys on its card."""
    theirs, sepsis = ModelStore(settings.models), load_condition("sepsis", settings.schemas)
    model = theirs.load(sepsis)
    pipeline, changed = joblib.load(BytesIO(model.fitted.dump())), BytesIO()
    pipeline["regress"].coef_ *= coefficient
    joblib.dump(pipeline, changed)
    store, version = ModelStore(folder), model.version
    store.save("sepsis", model.card.model_copy(update=card), {model.fitted.file_name: changed.getvalue()})
    store.promote(sepsis, version, by="tests", why="tests")
    return replace(settings, models=folder)


def test_outside_the_hours_of_the_model_no_risk_is_told(ehr: Ehr, bedside: Settings, tmp_path: Path) -> None:
    covered = TrainingHours(first=6 * HOUR, last=24 * HOUR)
    ehr.door = Door.of(with_model(bedside, tmp_path, training_hours=covered), Kept())

    card = ehr.card("p-a")

    assert card["summary"] == "Sepsis risk: not given at this time of the stay"
    assert "not asked 1 d 4 h after admission" in card["detail"]
    assert "It covers 6 to 24 hours." in card["detail"]
    said = card["extension"][RISK]
    assert (said["outcome"], said["band"]) == ("outside_training_hours", "indeterminate")


def test_a_condition_in_shadow_shows_its_score_to_nobody(
    ehr: Ehr, home_with: Callable[..., Settings], kept: Kept
) -> None:
    ehr.door = Door.of(home_with(mode="shadow"), kept)

    answer = ehr.ask("p-a")

    (card,) = answer["cards"]
    assert card["summary"] == "Sepsis risk: not shown yet"
    assert "89%" not in card["detail"]
    assert not {"band", "probability"} & (set(answer["extension"][RISK]) | set(card["extension"][RISK]))
    assert (kept.calls[0].outcome, kept.calls[0].band) == ("shadow", "high")


def test_an_error_of_ours_is_said_on_a_card_and_its_place_to_the_operators(
    ehr: Ehr, bedside: Settings, tmp_path: Path, kept: Kept
) -> None:
    """Such as a model that returns no probability, which nothing but asking it can tell."""
    ehr.door = Door.of(with_model(bedside, tmp_path, coefficient=float("nan")), kept)

    answer = ehr.send(ehr.call("p-a"))

    (card,) = orjson.loads(answer.body)["cards"]
    assert card["summary"] == "Sepsis risk: not known, it could not be computed"
    assert NOT_LOW in card["detail"]
    assert re.fullmatch(r"\w+ in \w+, line \d+", answer.fault)
    assert kept.calls[0].outcome == "failed"


def screened(stay: str, band: str, hours: float, settings: Settings) -> dict[str, Any]:
    """Returns the RiskAssessment that a screening so many hours before AS_OF wrote of a stay."""
    condition = load_condition("sepsis", settings.schemas)
    screening = Screening("https://example.org/fhir", condition, "1.0.0-0123456789ab", "0", AS_OF - hours * HOUR)
    said = Assessment(f"e-{stay}", f"p-{stay}", {"low": 0.1, "high": 0.9}[band], band, (), (), ())
    return {**risk_assessment(said, screening, "Device/1"), "id": f"r-{stay}-{hours}"}


@pytest.fixture(scope="module")
def depending(home_with: Callable[..., Settings]) -> Door:
    """A door whose cards depend on the scheduled screening of the last day."""
    return Door.of(home_with(bedside={"only_if": {"screened": ["high"], "within": "24h"}}), Kept())


def ask_screened(ehr: Ehr, door: Door, kept: Kept, assessments: Any, patient: str = "p-a") -> dict[str, Any]:
    ehr.door = keeping_in(door, kept)
    return ehr.ask(patient, prefetch={**ehr.prefetch(patient), "screenings": assessments})


def test_a_stay_that_the_screening_put_there_gets_its_card(
    ehr: Ehr, depending: Door, kept: Kept, bedside: Settings
) -> None:
    answer = ask_screened(ehr, depending, kept, searchset([screened("a", "high", 3, bedside)]))

    assert answer["cards"][0]["summary"] == "Sepsis risk: HIGH (89%)"


def test_another_band_of_the_screening_is_told_apart_from_no_screening_and_from_an_old_one(
    ehr: Ehr, depending: Door, kept: Kept, bedside: Settings
) -> None:
    low, old = screened("a", "low", 3, bedside), screened("a", "high", 25, bedside)

    otherwise = ask_screened(ehr, depending, kept, searchset([old, low]))
    assert (otherwise["cards"], outcome(otherwise)) == ([], "screened_otherwise")

    never = ask_screened(ehr, depending, kept, searchset([]))
    assert (never["cards"][0]["summary"], outcome(never)) == ("Sepsis risk: not screened", "not_screened")
    assert NOT_LOW in never["cards"][0]["detail"]

    stale = ask_screened(ehr, depending, kept, searchset([old]))
    assert (stale["cards"][0]["summary"], outcome(stale)) == ("Sepsis risk: not screened lately", "not_screened")
    assert "is of 1 January 2026, 04:00 (UTC), more than 24 h ago." in stale["cards"][0]["detail"]


def test_a_screening_of_another_stay_or_patient_does_not_count(
    ehr: Ehr, depending: Door, kept: Kept, bedside: Settings
) -> None:
    assert outcome(ask_screened(ehr, depending, kept, searchset([screened("mid", "high", 3, bedside)]))) == (
        "not_screened"
    )


@pytest.mark.parametrize(
    ("band", "hours", "summary"),
    [
        ("high", 24, "Sepsis risk: HIGH (89%)"),
        ("indeterminate", 3, "Sepsis risk: not known, too little data"),
        ("high", 24.1, "Sepsis risk: not screened lately"),
    ],
)
def test_the_ledger_of_a_run_tells_what_was_screened(
    ehr: Ehr, home_with: Callable[..., Settings], tmp_path: Path, band: str, hours: float, summary: str
) -> None:
    Runs(tmp_path).add(AS_OF - hours * HOUR, {"e-a": band})
    settings = home_with(bedside={"only_if": {"screened": ["high"], "within": "24h"}})
    ehr.door = Door.of(replace(settings, runs=str(tmp_path)), Kept())

    card = ehr.card("p-a", prefetch={**ehr.prefetch("p-a"), "screenings": None}, fhirServer=SOURCE)

    assert card["summary"] == summary


def test_a_screening_that_knew_too_little_is_named_beside_a_risk_of_now(
    ehr: Ehr, bedside: Settings, tmp_path: Path
) -> None:
    Runs(tmp_path).add(AS_OF - 3 * HOUR, {"e-a": "indeterminate"})
    ehr.door = Door.of(replace(bedside, runs=str(tmp_path)), Kept())

    detail = ehr.card("p-a", fhirServer=SOURCE)["detail"]

    assert "The scheduled screening of 2 January 2026, 02:00 (UTC) knew too little for a score." in detail


def test_a_screening_that_cannot_be_read_is_said(ehr: Ehr, depending: Door, kept: Kept) -> None:
    answer = ask_screened(ehr, depending, kept, OUTCOME)

    assert outcome(answer) == "not_read"
    assert "results of the scheduled screening" in answer["cards"][0]["detail"]


def test_the_band_of_the_latest_screening_is_named_if_it_differs(ehr: Ehr, bedside: Settings) -> None:
    prefetch = ehr.prefetch("p-a")
    differs = {**prefetch, "screenings": searchset([screened("a", "low", 3, bedside)])}
    agrees = {**prefetch, "screenings": searchset([screened("a", "high", 3, bedside)])}

    said = "The scheduled screening of 2 January 2026, 02:00 (UTC) put this stay into the band **LOW**."
    assert said in ehr.card("p-a", prefetch=differs)["detail"]
    assert "scheduled screening" not in ehr.card("p-a", prefetch=agrees)["detail"]


def test_what_cannot_be_computed_is_never_an_empty_list(ehr: Ehr) -> None:
    """Whatever is sent under each key, for a patient whose risk is high."""
    whole = ehr.prefetch("p-a")
    contents = [None, searchset([]), OUTCOME, "<html>no</html>", 7, [], {}, {"resourceType": "Bundle", "entry": [None]}]
    seen = Counter[str]()
    for key, content in itertools.product(whole, contents):
        answer = ehr.send(ehr.call("p-a", prefetch={**whole, key: content}))
        if answer.status == 200:
            body = orjson.loads(answer.body)
            assert len(body["cards"]) == 1, (key, content)
            seen[outcome(body)] += 1
        else:
            assert answer.status == 412, (key, content)
            assert f"prefetch.{key}" in orjson.loads(answer.body)["issue"][0]["diagnostics"]
            seen["412"] += 1
    assert not {"card", "locked_out", "low", "failed"} & set(seen), seen


def test_a_call_without_prefetch_and_without_a_server_names_all_keys(ehr: Ehr) -> None:
    for body in (ehr.call("p-a", prefetch=None), ehr.call("p-a", prefetch={}), {**ehr.call("p-a"), "prefetch": None}):
        answer = ehr.send(body)
        assert answer.status == 412
        said = orjson.loads(answer.body)["issue"][0]["diagnostics"]
        assert all(f"prefetch.{key}" in said for key in ("patient", "encounters", "observations"))


def test_one_bundle_with_all_is_understood_too(ehr: Ehr) -> None:
    whole = ehr.prefetch("p-a")
    entries = [*whole["encounters"]["entry"], *whole["observations"]["entry"], {"resource": whole["patient"]}]

    one_bundle = ehr.ask(
        "p-a", prefetch={"everything": {"resourceType": "Bundle", "type": "collection", "entry": entries}}
    )

    assert one_bundle["extension"][RISK]["probability"] == 0.8918


def test_the_manual_names_everything_that_can_become_of_a_call() -> None:
    manual = (PROJECT / "docs" / "cds-hooks.md").read_text(encoding="utf-8").partition("\n## What is answered\n")[2]
    table = manual.partition("\n## ")[0]

    heading, *rows = re.findall(r"\| `([a-z_]+)` \|$", table, re.M)
    assert heading == "outcome"
    assert sorted(rows) == sorted(get_args(Outcome))


def by_names(ehr: Ehr, patient: str, *left_out: str) -> dict[str, Any]:
    """Returns a prefetch as tutorials have it: a Bundle under the name of each variable, and the Patient."""
    prefetch = ehr.prefetch(patient)
    codes = {"heart_rate": "8867-4", "respiratory_rate": "9279-1", "blood_pressure": "85354-9", "lactate": "2524-7"}
    named = {
        name: searchset(
            [one["resource"] for one in prefetch["observations"]["entry"] if code in str(one["resource"]["code"])]
        )
        for name, code in codes.items()
    }
    kept = {name: one for name, one in named.items() if name not in left_out}
    return {"patient": prefetch["patient"], "encounters": prefetch["encounters"], **kept}


def test_values_by_the_names_of_variables_are_understood_and_what_was_not_sent_is_said(ehr: Ehr) -> None:
    card = ehr.card("p-a", prefetch=by_names(ehr, "p-a"))

    assert card["extension"][RISK]["probability"] == 0.8918
    assert "**Not sent by the EHR:** " in card["detail"]
    assert "Creatinine" in card["detail"]


@pytest.mark.parametrize(
    "content",
    [
        None,
        OUTCOME,
        "<html>no</html>",
        {"resourceType": "Coverage", "id": "c"},
        {**searchset([{"resourceType": "Coverage", "id": "c"}]), "link": [{"relation": "next", "url": "?page=2"}]},
        {**searchset([]), "total": 3},
        searchset([OUTCOME]),
    ],
)
def test_keys_that_nobody_asked_for_change_nothing(ehr: Ehr, content: Any) -> None:
    prefetch = {**ehr.prefetch("p-a"), "coverage": content}

    answer = ehr.send(ehr.call(prefetch=prefetch))

    assert orjson.loads(answer.body)["cards"][0]["summary"] == "Sepsis risk: HIGH (89%)"
