"""A source map: which codes and units it may contain, and which mistakes are reported."""

import json
from pathlib import Path

import pytest

from wardround.errors import SpecError
from wardround.spec.loading import load_source_map

HOUSE = "urn:oid:1.2.3.4"
LOINC = "http://loinc.org"


@pytest.fixture
def load(tmp_path: Path, schemas: Path):
    def read(text: str, name: str = "map.yaml"):
        (tmp_path / name).write_text(text)
        return load_source_map(tmp_path / name, schemas)

    return read


def test_a_code_means_a_variable_by_its_name(load) -> None:
    found = load(f"version: 1\ncodes: [{{system: {HOUSE}, means: {{PULS: heart_rate, 220045: lactate}}}}]\n")
    assert dict(found.codes) == {(HOUSE, "PULS"): (LOINC, "8867-4"), (HOUSE, "220045"): (LOINC, "2524-7")}


def test_a_code_means_a_code_or_a_panel_that_variables_name(load) -> None:
    found = load(f"version: 1\ncodes: [{{system: {HOUSE}, to: {LOINC}, means: {{RR: 85354-9, HF: 8867-4}}}}]\n")
    assert dict(found.codes) == {(HOUSE, "RR"): (LOINC, "85354-9"), (HOUSE, "HF"): (LOINC, "8867-4")}


def test_units_map_to_units_in_variables_yaml(load) -> None:
    assert load("version: 1\nunits: {/Min.: /min, G/l: 10*9/L}\n").units == (("/Min.", "/min"), ("G/l", "10*9/L"))


def concept_map(*elements: dict, **group: str) -> str:
    group = {"source": HOUSE, "target": LOINC, **group}
    return json.dumps({"resourceType": "ConceptMap", "title": "Ours", "group": [{**group, "element": list(elements)}]})


def element(code: str, target: str, equivalence: str) -> dict:
    return {"code": code, "target": [{"code": target, "equivalence": equivalence}]}


def test_only_equivalent_codes_of_a_concept_map_count(load) -> None:
    same = [element("HF", "8867-4", "equivalent"), element("AF", "9279-1", "equal")]
    other = [element("X", "2524-7", kind) for kind in ("wider", "narrower", "inexact", "relatedto", "unmatched")]
    found = load(concept_map(*same, *other, {"code": "Y"}), "map.json")
    assert dict(found.codes) == {(HOUSE, "HF"): (LOINC, "8867-4"), (HOUSE, "AF"): (LOINC, "9279-1")}
    assert found.title == "Ours"


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        (f"version: 1\ncodes: [{{system: {HOUSE}, means: {{HF: hart_rate}}}}]", "did you mean 'heart_rate'"),
        (f"version: 1\ncodes: [{{system: {HOUSE}, to: {LOINC}, means: {{HF: 8302-2}}}}]", "which no variable names"),
        (f"version: 1\ncodes: [{{system: {LOINC}, means: {{8867-4: lactate}}}}]", "variables.yaml names it already"),
        (
            f"version: 1\ncodes: [{{system: {HOUSE}, means: {{A: lactate}}}},"
            f" {{system: {HOUSE}, means: {{A: heart_rate}}}}]",
            "keep one of them",
        ),
        ("version: 1\nunit: {}", "unknown key (did you mean 'units'?)"),
        ("version: 2", "version"),
        ("version: 1\nunits: {x: Schläge}", "units.x: means 'Schläge', which no variable accepts"),
        ("version: 1\nunits: {mg/dL: mmol/L}", "units.mg/dL: means 'mmol/L', but is already a unit of lactate"),
        ("version: 1\nunits: {K/uL: /uL}", "units.K/uL: means '/uL', but is already a unit of white_cells"),
        ("version: 1\nunits: {'1': '%'}", "is already a unit of spo2; remove it from the map"),
        (f"version: 1\ncodes: [{{system: {HOUSE}, means: {{}}}}]", "codes.0.means"),
    ],
)
def test_what_is_wrong_is_named_with_its_place(load, text: str, complaint: str) -> None:
    with pytest.raises(SpecError) as caught:
        load(text)
    assert complaint in str(caught.value)
    assert "map.yaml" in str(caught.value)


def test_only_codes_that_variables_name_are_kept_from_a_complete_concept_map(load) -> None:
    found = load(concept_map(element("HF", "8867-4", "equal"), element("GROESSE", "8302-2", "equal")), "map.json")
    assert [code for (_, code), _ in found.codes] == ["HF"]


@pytest.mark.parametrize("system", ["http://unitsofmeasure.org", "urn:oid:2.16.840.1.113883.6.8"])
def test_a_concept_map_group_whose_target_is_ucum_gives_units(load, system: str) -> None:
    found = load(concept_map(element("/Min.", "/min", "equal"), target=system), "map.json")
    assert (found.codes, found.units) == ((), (("/Min.", "/min"),))


@pytest.mark.parametrize(
    ("elements", "complaint"),
    [
        ([element("HF", "8302-2", "equal")], "group: no code is equivalent to a code that variables name"),
        (
            [element("HF", "8867-4", "equal"), element("HF", "9279-1", "equal")],
            "group[0]: code HF means 8867-4 and 9279-1; keep one of them",
        ),
        ([{**element("HF", "8867-4", "equal"), "code": 5}], "group[0].element[0]: lacks a code"),
        ([None], "group[0].element[0]: is invalid"),
        ([{"code": "HF", "target": "8867-4"}], "group[0].element[0]: is invalid"),
        ([{"code": "HF", "target": [None]}], "group[0].element[0]: is invalid"),
        (
            [{"code": "HF", "target": [{"code": "8867-4", "equivalence": "equal", "dependsOn": [{"property": "x"}]}]}],
            "group: no code is equivalent",
        ),
    ],
)
def test_what_is_wrong_with_a_concept_map_is_named_with_its_place(load, elements: list, complaint: str) -> None:
    with pytest.raises(SpecError) as caught:
        load(concept_map(*elements), "map.json")
    assert complaint in str(caught.value)
    assert "map.json" in str(caught.value)


def test_a_concept_map_without_a_source_is_named(load) -> None:
    with pytest.raises(SpecError, match=r"map\.json: group\[0\]\.source: is missing"):
        load(json.dumps({"resourceType": "ConceptMap", "group": [{"target": LOINC, "element": []}]}), "map.json")


def test_a_missing_map_is_named(tmp_path: Path, schemas: Path) -> None:
    with pytest.raises(SpecError, match=r"none\.yaml: not found"):
        load_source_map(tmp_path / "none.yaml", schemas)


def test_the_digest_depends_on_the_content_of_the_map(load) -> None:
    one = load(f"version: 1\ntitle: a\ncodes: [{{system: {HOUSE}, means: {{A: lactate, B: sodium}}}}]")
    other = load(f"title: b\nversion: 1\ncodes: [{{means: {{B: sodium, A: lactate}}, system: {HOUSE}}}]")
    third = load(f"version: 1\ncodes: [{{system: {HOUSE}, means: {{A: sodium, B: lactate}}}}]")
    assert one.digest == other.digest != third.digest
