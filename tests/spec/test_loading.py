"""A wrong spec file is refused with file, place, value and remedy; a right one becomes a frozen model."""

import shutil
from functools import partial
from pathlib import Path

import pytest
import yaml
from pydantic import ValidationError

from wardround.errors import SpecError
from wardround.spec.loading import condition_ids, load_condition, load_conditions, load_variables


@pytest.fixture
def own(schemas, tmp_path) -> Path:
    """A copy of include/schemas that a test may change."""
    return Path(shutil.copytree(schemas, tmp_path / "schemas"))


def spoil(path: Path, **changes: object) -> None:
    """Sets keys of a YAML file; a dotted name reaches inside, and None removes the key."""
    data = yaml.safe_load(path.read_text())
    for dotted, value in changes.items():
        *outer, last = dotted.split("__")
        place = data
        for key in outer:
            place = place[key]
        place.pop(last, None)
        if value is not None:
            place[last] = value
    path.write_text(yaml.safe_dump(data, allow_unicode=True))


def test_every_condition_of_the_project_loads(schemas):
    assert set(load_conditions(schemas)) == set(condition_ids(schemas)) >= {"sepsis", "mortality"}


def test_columns_derive_from_their_parts_and_keep_the_order_of_the_file(schemas):
    columns = load_condition("sepsis", schemas).columns
    assert columns[:5] == ("age", "sex", "hours_in_unit", "hours_in_hospital", "heart_rate__last_24h")
    assert "creatinine__max_24h" in columns


def test_models_are_frozen(schemas):
    with pytest.raises(ValidationError, match="frozen"):
        load_condition("sepsis", schemas).title = "Other"


def test_an_unknown_condition_names_the_known_ones(own):
    with pytest.raises(SpecError, match=r"no condition 'sepsi', expected one of: mortality, sepsis"):
        load_condition("sepsi", own)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"cohort__minage": 18}, r"sepsis.yaml: cohort.minage: unknown key \(did you mean 'min_age'\?\)"),
        ({"cohort__encounters": {}}, r"cohort: encounters names no class, type or Location; name one, or remove it"),
        ({"cohort__encounters": {"class": ["IMP"]}}, r"cohort.encounters.class: unknown key"),
        ({"title": None}, r"sepsis.yaml: title: is missing; add it"),
        ({"horizon": "soon"}, r"sepsis.yaml: horizon: got 'soon', expected a whole number of minutes, hours or days"),
        ({"label__icd10": ["A41.9"]}, r"sepsis.yaml: label: got A41.9, expected codes without dots"),
        ({"label__rule": "icq"}, r"sepsis.yaml: label.rule: got 'icq'"),
        ({"minimum_data__at_least": 9}, r"minimum_data: got at_least 9 of 8 variables"),
        ({"minimum_data__of": ["heart_rat"], "minimum_data__at_least": 1}, r"names heart_rat, which no feature uses"),
        ({"quality__max_failed": 2}, r"quality.max_failed: got 2"),
        ({"schedule": "0 25 * * *"}, r"sepsis.yaml: schedule: got '0 25 \* \* \*', expected a cron expression of five"),
        ({"schedule": "0 6 * *"}, r"schedule: got '0 6 \* \*', expected a cron expression of five fields"),
        ({"schedule": "0 0 6 * * *"}, r"schedule: got '0 0 6 \* \* \*', expected a cron expression of five fields"),
        ({"schedule": "0 0 31 2 *"}, r"that matches some date, such as 0 6 \* \* \*; correct it"),
        ({"schedule": ""}, r"schedule: got '', expected a cron expression"),
        ({"retraining": "monthly"}, r"retraining: got 'monthly', expected a cron expression"),
        (
            {"time_zone": "Europe/Belin"},
            r"sepsis.yaml: time_zone: got 'Europe/Belin' \(did you mean 'Europe/Berlin'\?\), expected an IANA time",
        ),
        ({"time_zone": "+01:00"}, r"time_zone: got '\+01:00', expected an IANA time zone name"),
        ({"time_zone": "localtime"}, r"time_zone: got 'localtime'"),
        ({"sources": ["north", "south", "North"]}, r"sources names north more than once; remove one of them"),
        ({"sources": ["north", "a/b"]}, r"sepsis.yaml: sources.1: got 'a/b'"),
        ({"sources": "north"}, r"sepsis.yaml: sources: got 'north'"),
        ({"id": "sepsis__south"}, r"sepsis.yaml: id: got 'sepsis__south'"),
        ({"id": "other"}, r"id: got 'other', expected 'sepsis'; name the file after its id"),
    ],
)
def test_a_wrong_condition_is_refused_with_place_value_and_remedy(own, changes, message):
    spoil(own / "conditions" / "sepsis.yaml", **changes)
    with pytest.raises(SpecError, match=message):
        load_condition("sepsis", own)


@pytest.mark.parametrize("schedule", ["0 6 * * *", "*/15 0-7,19-23 * * MON-FRI", "@hourly", "@quarterly"])
def test_a_schedule_is_whatever_airflow_accepts(own, schedule):
    spoil(own / "conditions" / "sepsis.yaml", schedule=schedule)
    assert load_condition("sepsis", own).schedule == schedule


def test_an_unknown_variable_of_a_group_is_named(own):
    path = own / "conditions" / "sepsis.yaml"
    path.write_text(path.read_text().replace("variables: [white_cells, lactate,", "variables: [white_cells, lactat,"))
    with pytest.raises(
        SpecError, match=r"groups\.4\.variables: unknown variable 'lactat' \(did you mean 'lactate'\?\)"
    ):
        load_condition("sepsis", own)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"variables__lactate__unit": "mMol/L"}, r"variables.lactate: got unit 'mMol/L', expected a UCUM unit"),
        ({"variables__lactate__units": {"mmol/l": {}}}, r"units.mmol/l: UCUM converts it to mmol/L; remove it"),
        ({"variables__lactate__units": {"mM": {}}}, r"units.mM: is not a UCUM unit, expected the one that it means"),
        ({"variables__lactate__units": {"mM": "mg/dL"}}, r"units.mM: got 'mg/dL', expected a UCUM unit that converts"),
        ({"variables__lactate__units": {"mM": 1}}, r"variables.lactate.units.mM\S*: got 1"),
        ({"variables__lactate__plausible": {"min": 5, "max": 1}}, r"got min 5.0 and max 1.0, expected min below max"),
        (
            {"variables__lactate__loinc": ["2160-0"]},
            r"code 2160-0 of \S+ is claimed by creatinine and lactate",
        ),
        (
            {"variables__lactate__codes": [{"system": "http://snomed.info/sct", "code": "364075005"}]},
            r"code 364075005 of http://snomed.info/sct is claimed by heart_rate and lactate",
        ),
        (
            {"variables__lactate__codes": [{"system": "urn:oid:2.16.840.1.113883.6.1", "code": "2160-0"}]},
            r"code 2160-0 of urn:oid:\S+ is claimed by creatinine and lactate",
        ),
        (
            {"variables__lactate__codes": [{"system": "http://loinc.org", "code": "2524-7"}]},
            r"variables.lactate: code 2524-7 of http://loinc.org is given twice; remove one",
        ),
        ({"variables__lactate__codes": [{"system": "SNOMED", "code": "1"}]}, r"lactate.codes.0.system: got 'SNOMED'"),
        ({"variables__lactate__codes": [{"system": "urn:x", "code": 1}]}, r"lactate.codes.0.code: got 1"),
        ({"variables__lactate__excludes": {"site": []}}, r"lactate.excludes.site: unknown key"),
        ({"variables__lactate__risk_rises_with": "both"}, r"lactate: usual_range belongs to risk_rises_with: both"),
        ({"variables__lactate__usual_range": {"min": 1, "max": 2}}, r"lactate: usual_range belongs to risk_rises_with"),
        ({"variables__lactate__risk_rises_with": "up"}, r"lactate.risk_rises_with: got 'up'"),
        ({"variables__lactate__loincs": []}, r"variables.lactate.loincs: unknown key"),
        ({"version": 2}, r"version: got 2"),
    ],
)
def test_a_wrong_variable_is_refused(own, changes, message):
    spoil(own / "variables.yaml", **changes)
    with pytest.raises(SpecError, match=message):
        load_variables(own)


def test_a_column_defined_by_two_groups_is_refused(own):
    path = own / "conditions" / "sepsis.yaml"
    data = yaml.safe_load(path.read_text())
    data["features"]["groups"].append({"variables": ["lactate"], "summaries": ["last"], "window": "1d"})
    path.write_text(yaml.safe_dump(data))
    with pytest.raises(SpecError, match="names lactate__last_24h more than once"):
        load_condition("sepsis", own)


def test_a_key_given_twice_is_refused(own):
    path = own / "conditions" / "sepsis.yaml"
    path.write_text(path.read_text() + "\ntitle: Again\n")
    with pytest.raises(SpecError, match="key 'title' is given twice"):
        load_condition("sepsis", own)


def test_text_that_is_not_yaml_is_refused(own):
    (own / "variables.yaml").write_text("variables: [")
    with pytest.raises(SpecError, match=r"variables.yaml: not YAML"):
        load_variables(own)


@pytest.mark.parametrize("letter", [r"\e[31m", "\u202e", r"\x9b", "\u200b"])
def test_invisible_characters_are_refused_with_their_line(own, letter):
    path = own / "conditions" / "sepsis.yaml"
    path.write_text(path.read_text().replace("title: Sepsis", f'title: "Sepsis{letter}"'))
    with pytest.raises(SpecError, match=r"sepsis.yaml: .*contains an invisible character; remove it.*line 3"):
        load_condition("sepsis", own)


@pytest.mark.parametrize("there", [True, False], ids=["empty", "missing"])
@pytest.mark.parametrize("asked", [condition_ids, load_conditions, partial(load_condition, "sepsis")])
def test_a_folder_without_conditions_is_an_error_that_names_it_and_the_remedy(tmp_path, asked, there):
    if there:
        (tmp_path / "conditions").mkdir()
    state = "contains no condition" if there else "does not exist"
    with pytest.raises(SpecError, match=rf"^{tmp_path}/conditions: {state}, .*set WARDROUND_HOME"):
        asked(tmp_path)


def test_shadow_until_without_mode_shadow_is_refused(own):
    spoil(own / "conditions" / "sepsis.yaml", shadow_until="2026-04-01")
    with pytest.raises(SpecError, match="shadow_until ends mode shadow, but the mode is live"):
        load_condition("sepsis", own)
    spoil(own / "conditions" / "sepsis.yaml", mode="shadow")
    assert load_condition("sepsis", own).mode_in_words == "shadow until 2026-04-01"
