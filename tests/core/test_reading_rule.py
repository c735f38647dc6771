"""What is read of a source's Observations: one rule for the searches and for the files."""

from pathlib import Path

import pytest

from wardround.core.reading_rule import reading_rule
from wardround.spec.loading import load_server_profiles, load_variables
from wardround.spec.servers import GENERIC

LOINC = "http://loinc.org"


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
