"""A link leads to the chart of its patient at the given EHR, or there is no link."""

import pytest

from wardround.report.chart_links import chart_link, is_pattern

PATTERN = "https://ehr.example/chart/{patient_id}?enc={encounter_id}"


@pytest.mark.parametrize(
    "pattern", [PATTERN, "https://ehr.example:8443/p/{patient_id}", "https://ehr.example/?e={encounter_id}#vitals"]
)
def test_an_https_address_that_names_patient_or_encounter_is_a_pattern(pattern: str) -> None:
    assert is_pattern(pattern)


@pytest.mark.parametrize(
    "pattern",
    [
        "",
        "http://ehr.example/{patient_id}",
        "javascript:alert({patient_id})",
        "https:///{patient_id}",
        "https://ehr.example/chart",
        "https://{patient_id}.ehr.example/",
        "https://ehr.example:{patient_id}/",
        "https://user:secret@ehr.example/{patient_id}",
        "https://ehr.example/{patient_id}/{name}",
        "https://ehr.example/{patient_id",
        "https://ehr.example/{patient_id}/{0}",
        "https://ehr.example/ {patient_id}",
        "https://ehr.example/{patient_id}\n",
        'https://ehr.example/{patient_id}"><script>',
        "https://[ehr/{patient_id}",
        "https://ehr.example:99999/{patient_id}",
    ],
)
def test_anything_else_is_not_a_pattern(pattern: str) -> None:
    assert not is_pattern(pattern)


def test_ids_are_encoded() -> None:
    assert chart_link(PATTERN, "a/../b?c&d", "{patient_id}") == (
        "https://ehr.example/chart/a%2F..%2Fb%3Fc%26d?enc=%7Bpatient_id%7D"
    )


@pytest.mark.parametrize(("patient", "stay"), [("..", "e1"), (".", "e1"), ("p1", ".."), ("", "e1")])
def test_an_id_that_a_browser_would_treat_as_a_parent_folder_has_no_link(patient: str, stay: str) -> None:
    assert chart_link(PATTERN, patient, stay) == ""


def test_without_a_pattern_there_is_no_link() -> None:
    assert chart_link("", "p1", "e1") == ""
