"""Tests what cards say, through the door: bytes of a call in, bytes of its cards out."""

import re
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.cds.ehr import RISK, Ehr, keeping_in, searchset
from tests.cds.kept import Kept
from tests.fixtures.installation import FEW_FEATURES

from wardround.adapters.models.store import ModelStore
from wardround.cds.card_words import percent, summary
from wardround.cds.door import Door
from wardround.settings import Settings
from wardround.spec.digest import spec_digest
from wardround.spec.loading import load_condition

SHOWN = {"high": "critical", "moderate": "warning"}
HOSTILE = "<script>alert(1)</script> [a](javascript:x) **b** `c` | & _d_ # e ![x](http://evil/y.png)"


def test_a_high_risk_is_critical_and_says_why_with_units_and_ages(ehr: Ehr) -> None:
    card = ehr.card("p-a")

    assert card["summary"] == "Sepsis risk: HIGH (89%)"
    assert card["indicator"] == "critical"
    assert "* Lactate, highest of the last 24 h: 6 mmol/L (2.3 h before); raises the risk" in card["detail"]
    assert "in comparison with an average patient" in card["detail"]
    assert "**Not known:** Creatinine." in card["detail"]
    assert "until the hospital stay ends" in card["detail"]
    assert "As of 2 January 2026, 05:00 (UTC). Model `sepsis/1.0.0-0123456789ab`." in card["detail"]


def test_a_moderate_risk_is_a_warning_without_suggestions(ehr: Ehr) -> None:
    card = ehr.card("p-mid")

    assert card["summary"] == "Sepsis risk: MODERATE (46%)"
    assert card["indicator"] == "warning"
    assert "suggestions" not in card
    assert "selectionBehavior" not in card


def test_every_card_is_an_adjunct_that_needs_validation(ehr: Ehr) -> None:
    for patient in ("p-a", "p-mid"):
        assert "Adjunct only: one input to a clinical judgement, never the sole basis of a decision." in (
            detail := ehr.card(patient)["detail"]
        )
        assert "needs validation on local patients" in detail


def test_a_card_names_its_source_and_links_to_the_model_card(ehr: Ehr) -> None:
    assert ehr.card()["source"] == {
        "label": "Wardround",
        "url": "https://cds.example.org/model-cards/sepsis/1.0.0-0123456789ab",
        "topic": {"system": "http://snomed.info/sct", "code": "91302008", "display": "Sepsis"},
    }


def test_a_door_without_an_address_links_to_nothing(ehr: Ehr, bedside: Settings) -> None:
    assert "url" not in ehr.before(Door.of(bedside, Kept())).card()["source"]


def test_every_override_reason_has_a_display_and_a_code_of_its_own(ehr: Ehr) -> None:
    reasons = ehr.card()["overrideReasons"]

    assert all(set(one) == {"code", "system", "display"} and all(one.values()) for one in reasons)
    assert len({(one["system"], one["code"]) for one in reasons}) == len(reasons) >= 3


def test_every_card_has_a_uuid_of_its_own(ehr: Ehr) -> None:
    cards = [ehr.card("p-a"), ehr.card("p-mid"), ehr.card("p-a"), ehr.card("p-mid")]

    assert len({card["uuid"] for card in cards}) == 4
    assert all(re.fullmatch(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", card["uuid"]) for card in cards)


def test_a_high_risk_suggests_what_the_condition_says_for_this_patient_and_stay(ehr: Ehr) -> None:
    card = ehr.card("p-a")

    assert card["selectionBehavior"] == "any"
    (suggestion,) = card["suggestions"]
    (action,) = suggestion["actions"]
    assert (suggestion["label"], action["type"]) == ("Order a lactate", "create")
    order = action["resource"]
    assert (order["resourceType"], order["status"], order["intent"]) == ("ServiceRequest", "draft", "proposal")
    assert order["subject"] == {"reference": "Patient/p-a"}
    assert order["encounter"] == {"reference": "Encounter/e-a"}


def test_the_exact_probability_is_there_for_programs_with_what_it_is_about(ehr: Ehr) -> None:
    answer = ehr.ask("p-a")

    assert (
        answer["extension"][RISK]
        == answer["cards"][0]["extension"][RISK]
        == {
            "condition": "sepsis",
            "modelVersion": "1.0.0-0123456789ab",
            "asOf": "2026-01-02T05:00:00Z",
            "outcome": "card",
            "patientId": "p-a",
            "encounterId": "e-a",
            "band": "high",
            "probability": 0.8918,
        }
    )


def test_a_low_risk_shows_no_card_and_is_told_apart_from_silence(ehr: Ehr) -> None:
    answer = ehr.ask("p-low")

    assert answer["cards"] == []
    said = answer["extension"][RISK]
    assert (said["outcome"], said["band"], said["probability"]) == ("low", "low", 0.2019)


@pytest.fixture(scope="module")
def other_door(home_with: Callable[..., Settings], tmp_path_factory: pytest.TempPathFactory) -> Door:
    """A door whose sepsis tells low risks, links to two places and suggests nothing; its texts are hostile."""
    variables = yaml.safe_load((home_with().schemas / "variables.yaml").read_text())
    settings = home_with(
        title=HOSTILE * 3,
        bedside={
            "low": "info",
            "override_reasons": [],
            "links": [
                {"label": "Sepsis pathway", "url": "https://hospital.example.org/sepsis"},
                {
                    "label": "Course",
                    "url": "https://app.example.org/launch",
                    "type": "smart",
                    "app_context": "condition=sepsis",
                },
            ],
        },
    )
    for name in ("lactate", "creatinine"):
        variables["variables"][name]["display"] = HOSTILE
    (settings.schemas / "variables.yaml").write_text(yaml.safe_dump(variables))
    return Door.of(replace(settings, models=retrained(settings, tmp_path_factory.mktemp("models"))), Kept())


def retrained(settings: Settings, folder: Path) -> Path:
    """Returns a model store with the installation's live model, as if it had been trained for today's spec."""
    theirs, ours, sepsis = ModelStore(settings.models), ModelStore(folder), load_condition("sepsis", settings.schemas)
    version = theirs.live_version("sepsis")
    card = theirs.card("sepsis", version).model_copy(update={"spec_digest": spec_digest(sepsis)})
    files = {name: (theirs.root / "sepsis" / version / name).read_bytes() for name in card.files}
    ours.save("sepsis", card, files)
    ours.promote(sepsis, version, by="tests", why="tests")
    return folder


@pytest.fixture(scope="module")
def clocked(home_with: Callable[..., Settings], tmp_path_factory: pytest.TempPathFactory) -> Door:
    """A door whose sepsis has the times since the begins of the stay among its columns."""
    features = {**yaml.safe_load(FEW_FEATURES), "demographics": ["age", "sex", "hours_in_unit", "hours_in_hospital"]}
    settings = home_with(features=features)
    return Door.of(replace(settings, models=retrained(settings, tmp_path_factory.mktemp("models"))), Kept())


HOSPITAL = {"resourceType": "Encounter", "id": "h-a", "status": "in-progress", "subject": {"reference": "Patient/p-a"}}


@pytest.mark.parametrize(
    ("part_of", "hospital", "said"),
    [
        (None, {}, "the Encounter names no hospital stay"),
        ("Encounter/h-b", {}, "the Encounter of the hospital stay was not sent, and could not be read"),
        ("Encounter/h-a", {"status": "cancelled"}, "the Encounter of the hospital stay cannot be used"),
        ("Encounter/h-a", {}, "the Encounter of the hospital stay has no begin"),
        (
            "Encounter/h-a",
            {"period": {"start": "2025-12-30"}},
            "the begin in the hospital is a date, or a time without a zone",
        ),
        ("Encounter/h-a", {"period": {"start": "2025-12-30T01:00:00Z"}}, ""),
    ],
)
def test_why_the_begin_of_the_hospital_stay_is_not_known_is_on_the_card(
    ehr: Ehr, clocked: Door, part_of: str | None, hospital: dict[str, Any], said: str
) -> None:
    ehr.door = keeping_in(clocked, Kept())
    prefetch = ehr.prefetch("p-a")
    stay = {**prefetch["encounters"]["entry"][0]["resource"], **({"partOf": {"reference": part_of}} if part_of else {})}
    detail = ehr.card("p-a", prefetch={**prefetch, "encounters": searchset([stay, {**HOSPITAL, **hospital}])})["detail"]

    shown = f"**Not known:** Time in the hospital ({said}); Creatinine." if said else "**Not known:** Creatinine."
    assert shown in detail


def test_a_begin_in_the_unit_that_is_no_moment_is_on_the_card(ehr: Ehr, clocked: Door) -> None:
    ehr.door = keeping_in(clocked, Kept())
    prefetch = ehr.prefetch("p-a")
    stay = {**prefetch["encounters"]["entry"][0]["resource"], "period": {"start": "2025-12-30"}}
    detail = ehr.card("p-a", prefetch={**prefetch, "encounters": searchset([stay])})["detail"]

    assert "Time in the unit (the begin in the unit is a date, or a time without a zone)" in detail


def test_a_low_risk_can_be_told_in_an_info_card(ehr: Ehr, other_door: Door) -> None:
    card = ehr.before(other_door).card("p-low")

    assert card["summary"].endswith(" risk: LOW (20%)")
    assert card["indicator"] == "info"
    assert not {"links", "overrideReasons", "suggestions"} & set(card)
    assert card["extension"][RISK]["outcome"] == "low"


def test_the_condition_says_which_links_a_card_has(ehr: Ehr, other_door: Door, kept: Kept) -> None:
    card = ehr.before(keeping_in(other_door, kept)).card("p-a")

    assert card["links"] == [
        {"label": "Sepsis pathway", "url": "https://hospital.example.org/sepsis", "type": "absolute"},
        {
            "label": "Course",
            "url": "https://app.example.org/launch",
            "type": "smart",
            "appContext": "condition=sepsis",
        },
    ]
    assert not {"overrideReasons", "suggestions"} & set(card)


def test_texts_from_files_are_shown_as_they_are_and_never_as_markup(ehr: Ehr, other_door: Door, kept: Kept) -> None:
    detail = ehr.before(keeping_in(other_door, kept)).card("p-a")["detail"]

    assert r"\<script\>alert(1)\</script\> \[a\](javascript:x) \*\*b\*\* \`c\` \| \& \_d\_" in detail
    assert not re.search(r"(?<!\\)<", detail)
    assert not re.search(r"(?<!\\)\]\(", detail)


def test_a_summary_has_fewer_than_140_characters_and_keeps_what_it_says(ehr: Ehr, other_door: Door, kept: Kept) -> None:
    card = ehr.before(keeping_in(other_door, kept)).card("p-a")

    assert len(card["summary"]) == 139
    assert card["summary"].endswith("… risk: HIGH (89%)")


def test_a_title_of_any_length_leaves_room(small_home: Any) -> None:
    sepsis = load_condition("sepsis", small_home / "include" / "schemas")

    for length in range(100, 160):
        titled = sepsis.model_copy(update={"title": "x" * length})
        assert len(summary(titled, "HIGH (89%)")) == min(139, length + len(" risk: HIGH (89%)"))


@pytest.mark.parametrize(
    ("score", "shown"),
    [
        *((0.0, "0%"), (0.001, "<1%"), (0.005, "<1%"), (0.0051, "1%"), (0.85, "85%")),
        *((0.9949, "99%"), (0.995, ">99%"), (1.0, "100%")),
    ],
)
def test_a_probability_is_never_rounded_to_certainty(score: float, shown: str) -> None:
    assert percent(score) == shown


def test_the_time_is_told_in_the_conditions_time_zone(ehr: Ehr, home_with: Callable[..., Settings]) -> None:
    door = Door.of(home_with(time_zone="America/New_York"), Kept())

    detail = ehr.before(door).card(after=timedelta(minutes=7))["detail"]

    assert r"As of 2 January 2026, 00:07 (America/New\_York)." in detail
