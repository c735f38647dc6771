"""Tests what `GET /cds-services` lists, and that its templates keep to what CDS Hooks allows."""

import re
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qsl, unquote

import orjson
import pytest
from tests.cds.rules import require
from tests.fixtures.icu import AS_OF

from wardround.cds.door import Door
from wardround.cds.exchange import Request
from wardround.cds.keeping import KeepsNothing
from wardround.cds.templates import templates
from wardround.settings import PROJECT, Settings
from wardround.spec.bedside import Bedside, OnlyIf
from wardround.spec.conditions import Condition
from wardround.spec.loading import load_condition, load_conditions, load_server_profiles
from wardround.spec.servers import GENERIC, ServerProfile

SCHEMAS = PROJECT / "include" / "schemas"
PROFILES = load_server_profiles(SCHEMAS)
SCREENED = Bedside.model_validate({"only_if": {"screened": ["high"], "within": "36h"}})
CONDITIONS = [
    *load_conditions(SCHEMAS).values(),
    load_condition("sepsis", SCHEMAS).model_copy(update={"bedside": SCREENED}),
]
EVERY = [(condition, profile) for condition in CONDITIONS for profile in PROFILES.values()]
# CDS Hooks, "Prefetch query restrictions" and "Prefetch tokens": context.x, and in 3.0 today() and days.
TOKEN = re.compile(r"\{\{(context\.patientId|today\(\)( - \d+ days)?)\}\}")
MOMENT = re.compile(r"(eq|lt|gt|ge|le)\{\{today\(\) - \d+ days\}\}")


def services(door: Door) -> list[dict[str, Any]]:
    answer = door.answer(Request("GET", "/cds-services", AS_OF))
    assert answer.status == 200
    require("services", orjson.loads(answer.body))
    return list(orjson.loads(answer.body)["services"])


def searches(condition: Condition, profile: ServerProfile) -> list[list[tuple[str, str]]]:
    """Returns the parameters of each search that the templates make, after replacing their tokens."""
    filled = (TOKEN.sub("x", one) for one in templates(condition, profile).values())
    return [parse_qsl(one.partition("?")[2], strict_parsing=True) for one in filled if "?" in one]


def test_every_condition_has_a_service_on_patient_view_and_one_for_each_of_its_hooks(prepared: Door) -> None:
    assert {one["id"]: one["hook"] for one in services(prepared)} == {
        "sepsis-risk": "patient-view",
        "sepsis-encounter-start": "encounter-start",
        "sepsis-encounter-discharge": "encounter-discharge",
    }


def test_an_id_belongs_to_one_hook_of_one_condition(home_with: Callable[..., Settings]) -> None:
    hooks = ["encounter-start", "encounter-discharge", "order-select"]
    listed = services(Door.of(home_with(bedside={"hooks": hooks}), KeepsNothing()))

    assert len({one["id"] for one in listed}) == len(listed) == 4


def test_a_service_says_what_it_is(prepared: Door) -> None:
    for one in services(prepared):
        assert set(one) == {"hook", "title", "description", "id", "version", "usageRequirements", "prefetch"}
        assert one["version"] == "2.0.1"
        assert all(one.values())


def test_a_description_is_shown_as_it_is_and_never_as_markup(home_with: Callable[..., Settings]) -> None:
    door = Door.of(home_with(description="Risk <b>of</b> [sepsis](javascript:x), *at once*"), KeepsNothing())

    assert {one["description"] for one in services(door)} == {
        r"Risk \<b\>of\</b\> \[sepsis\](javascript:x), \*at once\*"
    }


@pytest.mark.parametrize(("condition", "profile"), EVERY)
def test_templates_hold_only_what_cds_hooks_allows(condition: Condition, profile: ServerProfile) -> None:
    for template in templates(condition, profile).values():
        rest = TOKEN.sub("", template)
        assert "{" not in rest, template
        assert "}" not in rest
        assert "now()" not in template
        assert re.fullmatch(r"Patient/x|[A-Z][A-Za-z]+\?\S+", TOKEN.sub("x", template))
        assert template.count("date=") <= 1
        for parameter in template.partition("?")[2].split("&"):
            name, _, value = parameter.partition("=")
            assert name in ("", "patient", "code", "category", "date"), "a modifier, or another parameter"
            assert name != "date" or MOMENT.fullmatch(value)
            assert name != "patient" or value == "{{context.patientId}}"


@pytest.mark.parametrize("condition", CONDITIONS)
def test_only_loinc_codes_are_asked_for_unless_the_profile_says_otherwise(condition: Condition) -> None:
    for name, profile in PROFILES.items():
        codes = [
            code
            for search in searches(condition, profile)
            for parameter, value in search
            if parameter == "code"
            for code in value.split(",")
        ]
        assert codes
        if name in ("mimic-on-fhir", "wardround"):
            assert "http://mimic.mit.edu/fhir/mimic/CodeSystem/mimic-chartevents-d-items|220045" in codes
        else:
            assert {code.partition("|")[0] for code in codes} == {"http://loinc.org"}


def test_a_search_names_no_more_codes_than_the_server_takes() -> None:
    asked = templates(load_condition("sepsis", SCHEMAS), PROFILES["epic"])

    observations = {key: one for key, one in asked.items() if key.startswith("observations")}
    assert list(observations) == ["observations", "observations_2", "observations_3"]
    assert all(one.count("http://loinc.org|") <= 25 for one in observations.values())


def test_a_server_that_is_asked_by_category_gets_a_search_for_each() -> None:
    asked = templates(load_condition("sepsis", SCHEMAS), GENERIC.model_copy(update={"prefetch_by": "category"}))

    assert [one.partition("&")[2] for key, one in asked.items() if key.startswith("observations")] == [
        f"category=http://terminology.hl7.org/CodeSystem/observation-category|{name}&date=ge{{{{today() - 2 days}}}}"
        for name in ("vital-signs", "laboratory")
    ]


def test_what_a_category_is_called_fits_into_an_address() -> None:
    mimic = PROFILES["mimic-on-fhir"].model_copy(update={"prefetch_by": "category"})

    asked = templates(load_condition("sepsis", SCHEMAS), mimic)["observations"]

    assert " " not in TOKEN.sub("", asked)
    assert "|Routine Vital Signs" in unquote(asked)


def test_one_day_more_than_the_window_is_asked_for(home_with: Callable[..., Settings]) -> None:
    """`today()` has no time: a call after midnight would otherwise get the values of a few hours."""
    condition = load_condition("sepsis", SCHEMAS)
    assert condition.longest_window.days == 1

    assert templates(condition, GENERIC)["observations"].endswith("&date=ge{{today() - 2 days}}")


def test_the_screening_is_asked_for_where_cards_depend_on_it() -> None:
    condition = load_condition("sepsis", SCHEMAS)
    only_if = OnlyIf.model_validate({"screened": ["high"], "within": "36h"})
    depending = condition.model_copy(update={"bedside": Bedside(only_if=only_if)})

    assert "screenings" not in templates(condition, GENERIC)
    assert templates(depending, GENERIC)["screenings"] == (
        "RiskAssessment?patient={{context.patientId}}&date=ge{{today() - 3 days}}"
    )


def test_a_template_by_loinc_codes_fits_into_an_address() -> None:
    for condition, profile in EVERY:
        if profile.prefetch_by != "all_codes":
            assert all(len(one) < 2_000 for one in templates(condition, profile).values())
