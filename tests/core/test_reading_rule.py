"""What is read of a source's Observations: one rule for the searches and for the files."""

from pathlib import Path
from typing import Any, NamedTuple

import pytest

from wardround.core.reading_rule import CodesAndTexts, folded, reading_rule
from wardround.spec.loading import load_server_profiles, load_variables
from wardround.spec.servers import GENERIC
from wardround.spec.source_maps import Translation

LOINC = "http://loinc.org"


class Coding(NamedTuple):
    system: Any
    code: Any


@pytest.fixture(scope="module")
def variables(schemas: Path):
    return load_variables(schemas)


def test_a_search_asks_for_every_code_and_every_panel_of_the_variables_and_for_nothing_else(variables) -> None:
    some = {name: variables[name] for name in ("lactate", "systolic_pressure", "fio2")}
    ((name, tokens),) = reading_rule(some).criteria(GENERIC)
    assert name == "code"
    assert len(tokens) == len(set(tokens))
    named = {code for one in some.values() for code in (*one.all_codes(), *one.panel_codes())}
    assert set(tokens) == {f"{system}|{code}" for system, code in named}
    assert {f"{LOINC}|{code}" for code in ("85354-9", "55284-4", "59408-5")} <= set(tokens)


def test_an_own_code_that_a_variable_names_as_a_panel_is_not_its_value(variables) -> None:
    rule = reading_rule({"fio2": variables["fio2"]})
    assert rule.openings[LOINC, "59408-5"].variables == ()
    assert rule.openings[LOINC, "59408-5"].components[LOINC, "3150-6"] == "fio2"


def test_every_own_code_opens_its_own_variable_and_each_panel_those_that_name_it(variables) -> None:
    rule = reading_rule(variables)
    for variable in variables.values():
        for code in variable.all_codes():
            assert rule.openings[code].variables == (variable.name,)
        for code in (*variable.all_codes(), *variable.panel_codes()):
            assert {part for part, name in rule.openings[code].components.items() if name == variable.name} == set(
                variable.all_codes()
            )


def test_oracle_is_asked_for_panels_and_not_for_the_components_that_it_finds_by_them(variables, schemas: Path) -> None:
    rule, oracle = reading_rule(variables), load_server_profiles(schemas)["oracle"]
    tokens = [token for _, some in rule.criteria(oracle) for token in some]
    loinc = [f"{system}|{code}" for system, code in rule.openings if system == LOINC]
    assert set(loinc) - set(tokens) == {f"{LOINC}|8480-6", f"{LOINC}|8462-4"}
    assert set(tokens) < set(loinc), "its Observations bear LOINC codes, and no others are searched by"
    assert max(len(some) for _, some in rule.criteria(oracle)) == oracle.codes_per_search


def test_a_code_of_the_house_opens_what_its_target_opens_and_counts_as_a_component_too(variables) -> None:
    theirs, panel, other = ("urn:house", "RR-SYS"), ("urn:house", "RR"), ("urn:house", "RR2")
    codes = ((theirs, (LOINC, "8480-6")), (panel, (LOINC, "85354-9")), (other, (LOINC, "8480-6")))
    plain = reading_rule(variables)
    rule = reading_rule(variables, Translation(codes=(*codes, (("urn:house", "X"), (LOINC, "0000-0")))))
    assert set(rule.openings) - set(plain.openings) == {theirs, panel, other}, "whose target nobody names opens nothing"
    assert rule.openings[theirs].variables == rule.openings[other].variables == ("systolic_pressure",)
    assert rule.openings[panel].variables == ()
    for whole in (panel, (LOINC, "85354-9"), (LOINC, "55284-4")):
        components = rule.openings[whole].components
        assert (components[theirs], components[other], components[LOINC, "8480-6"]) == ("systolic_pressure",) * 3
        assert set(components) - set(plain.openings[LOINC, "85354-9"].components) == {theirs, other}
    assert theirs not in rule.openings[LOINC, "2524-7"].components
    assert reading_rule(variables, Translation()) == plain
    tokens = [token for _, some in rule.criteria(GENERIC) for token in some]
    assert {"urn:house|RR-SYS", "urn:house|RR", "urn:house|RR2"} <= set(tokens)


def test_a_server_that_wants_categories_is_asked_for_those_alone(variables) -> None:
    by_category = GENERIC.model_copy(
        update={"observation_needs": "category", "observation_categories": ("laboratory", "vital-signs")}
    )
    assert reading_rule(variables).criteria(by_category) == [("category", ["laboratory", "vital-signs"])]


def test_an_observation_with_codes_of_two_variables_is_read_for_both(variables) -> None:
    rule = reading_rule(variables)
    pulse, breaths = (Coding(LOINC, code) for code in ("8867-4", "9279-1"))
    both = rule.opening([pulse, breaths, pulse, Coding("urn:other", "8867-4"), Coding(None, None)])
    assert both is not None
    assert both.variables == ("heart_rate", "respiratory_rate")
    assert {(LOINC, "8867-4"), (LOINC, "9279-1")} <= set(both.components)
    assert rule.opening([pulse, pulse]) == rule.openings[LOINC, "8867-4"]
    assert rule.opening([Coding("urn:other", "8867-4")]) is None
    assert rule.opening([]) is None


@pytest.mark.parametrize(
    ("text", "element"),
    [
        ("  Pulmonary   ARTERY structure (body structure)", "body_site"),
        ("Right pulmonary artery, distal", "body_site"),
        ("PA", "body_site"),
        ("not the left: right pulmonary artery", "body_site"),
        ("not in the pulmonary artery", ""),
        ("Pulmonary(x)artery", ""),
        ("Space between atria", ""),
        ("paediatric cuff", ""),
    ],
)
def test_words_exclude_whole_wherever_they_stand_unless_they_are_denied(variables, text: str, element: str) -> None:
    said = {"body_site": CodesAndTexts(frozenset(), frozenset({folded(text)}))}
    assert reading_rule(variables).excluded("systolic_pressure", said) == element


def test_a_variable_that_excludes_nothing_excludes_nothing(variables) -> None:
    rule = reading_rule(variables)
    said = {"body_site": CodesAndTexts(frozenset({("urn:x", "1")}), frozenset({"somewhere"}))}
    assert rule.excluded("no_such_variable", said) == ""
    assert rule.excluded("lactate", {}) == ""
