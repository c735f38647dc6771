"""Tests whom the door tells again, by the one alert policy: through calls, as clinicians make them."""

from datetime import timedelta

import orjson
import pytest
from tests.cds.ehr import RISK, Ehr
from tests.cds.kept import Kept
from tests.fixtures.icu import AS_OF

from wardround.cds.exchange import Request

HOUR = timedelta(hours=1)


def worse(ehr: Ehr, patient: str, lactate: float, hours: float) -> None:
    """Gives the patient another lactate, so many hours after AS_OF."""
    ehr.icu.lactate(patient, f"again{hours}", lactate, hours=-hours)


def test_the_second_call_within_the_lock_out_repeats_the_risk_in_an_info_card(ehr: Ehr) -> None:
    first = ehr.card("p-a")
    assert first["indicator"] == "critical"

    again = ehr.card("p-a", after=2 * HOUR)

    assert again["indicator"] == "info"
    assert again["summary"] == "Sepsis risk: HIGH (89%), as shown 2 h ago"
    assert (
        "A card about this stay was shown 2 h ago, with the band **HIGH** as of 2 January 2026, 05:00 (UTC)."
        in (again["detail"])
    )
    assert "* Lactate, highest of the last 24 h: 6 mmol/L" in again["detail"]
    assert again["extension"][RISK]["outcome"] == "locked_out"
    assert again["extension"][RISK]["probability"] == 0.8918
    assert again["extension"][RISK]["repeats"] == first["uuid"]
    assert not {"overrideReasons", "suggestions"} & set(again)


@pytest.mark.parametrize(
    ("after", "shown"),
    [(-timedelta(seconds=5), "just now"), (timedelta(seconds=59), "just now"), (timedelta(minutes=1), "1 min ago")],
)
def test_what_was_shown_a_moment_ago_was_shown_just_now(ehr: Ehr, after: timedelta, shown: str) -> None:
    ehr.card("p-a")

    again = ehr.card("p-a", after=after)

    assert again["summary"] == f"Sepsis risk: HIGH (89%), as shown {shown}"
    assert f"A card about this stay was shown {shown}, with the band" in again["detail"]


@pytest.mark.parametrize("patient", ["p-a", "p-low"])
def test_a_call_that_nobody_waits_for_any_more_tells_nobody_and_locks_nothing_out(
    ehr: Ehr, kept: Kept, patient: str
) -> None:
    body = orjson.dumps(ehr.call(patient))
    late = Request("POST", "/cds-services/sepsis-risk", AS_OF, body, given_up=lambda: True)

    answer = ehr.door.answer(late)
    assert answer.call is not None
    assert (answer.status, answer.call.outcome) == (503, "given_up")
    assert (kept.calls, kept.last) == ([], {})
    assert ehr.card("p-a")["indicator"] == "critical"


def test_after_the_lock_out_people_are_alerted_again(ehr: Ehr) -> None:
    ehr.card("p-a")

    assert ehr.card("p-a", after=12 * HOUR - timedelta(seconds=1))["indicator"] == "info"
    assert ehr.card("p-a", after=12 * HOUR)["indicator"] == "critical"
    assert ehr.card("p-a", after=13 * HOUR)["indicator"] == "info"


def test_a_rise_of_band_alerts_within_the_lock_out(ehr: Ehr) -> None:
    assert ehr.card("p-mid")["indicator"] == "warning"
    worse(ehr, "p-mid", 6.0, hours=0.5)

    assert ehr.card("p-mid", after=HOUR)["indicator"] == "critical"


def test_a_fall_of_band_says_what_was_shown_before(ehr: Ehr) -> None:
    assert ehr.card("p-a")["indicator"] == "critical"
    ehr.icu.resources = [one for one in ehr.icu.resources if one["id"] != "o-p-a-lactate"]
    worse(ehr, "p-a", 2.5, hours=0.5)

    card = ehr.card("p-a", after=HOUR)

    assert card["summary"] == "Sepsis risk: MODERATE (46%), HIGH was shown 1 h ago"
    assert card["indicator"] == "info"


def test_each_stay_has_a_lock_out_of_its_own(ehr: Ehr) -> None:
    assert ehr.card("p-a")["indicator"] == "critical"
    assert ehr.card("p-mid")["indicator"] == "warning"


def test_each_organisation_has_stays_of_its_own(ehr: Ehr) -> None:
    ehr.issuer = "https://one.example.org"
    assert ehr.card("p-a")["indicator"] == "critical"
    ehr.issuer = "https://other.example.org"
    assert ehr.card("p-a")["indicator"] == "critical"


def test_all_hooks_of_a_condition_share_the_lock_out(ehr: Ehr) -> None:
    assert ehr.card("p-a")["indicator"] == "critical"
    context = {"userId": "Practitioner/one", "patientId": "p-a", "encounterId": "e-a"}

    answer = ehr.send(ehr.call(hook="encounter-discharge", context=context), "sepsis-encounter-discharge", after=HOUR)

    assert orjson.loads(answer.body)["cards"][0]["indicator"] == "info"


def test_a_low_risk_locks_nobody_out(ehr: Ehr) -> None:
    assert ehr.ask("p-low")["cards"] == []
    worse(ehr, "p-low", 6.0, hours=0.5)

    assert ehr.card("p-low", after=HOUR)["indicator"] == "critical"


def test_a_call_that_overtook_another_is_not_alerted_twice(ehr: Ehr) -> None:
    assert ehr.card("p-a", after=HOUR)["indicator"] == "critical"
    assert ehr.card("p-a")["indicator"] == "info"


@pytest.mark.parametrize("patient", ["p-a", "p-few"])
def test_a_database_that_fails_costs_no_card_and_is_said_to_the_operators(ehr: Ehr, kept: Kept, patient: str) -> None:
    ehr.icu.stay("few", lactate=None, vitals=False)
    expected = ehr.ask(patient)["cards"]
    kept.broken = True

    answers = [ehr.send(ehr.call(patient), after=HOUR) for _ in range(2)]

    for answer in answers:
        assert [card["summary"] for card in orjson.loads(answer.body)["cards"]] == [
            card["summary"] for card in expected
        ]
        assert answer.fault.startswith("DatabaseError in ")
        assert answer.call is not None
        assert not answer.call.kept


def test_what_is_kept_of_a_call_names_no_patient(ehr: Ehr, kept: Kept) -> None:
    card = ehr.card("p-a")
    low = ehr.send(ehr.call("p-low")).call

    [high] = kept.calls
    assert (high.outcome, high.band, high.card) == ("card", "high", card["uuid"])
    assert low is not None
    assert (low.outcome, low.band, low.card) == ("low", "low", "")
    assert len({high.patient_key, low.patient_key, high.inputs_digest, low.inputs_digest}) == 4
    # A random uuid may hold "e-a" by chance.
    said = (repr([*kept.calls, low]) + repr(kept.last)).replace(card["uuid"], "")
    assert "p-a" not in said
    assert "e-a" not in said
