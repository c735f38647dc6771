"""Tests which codes are counted as used by no variable: those of an Observation and of its components."""

from pathlib import Path
from typing import Any

import pytest

from wardround.fhir.references import Bases
from wardround.sources.fhir.unmapped import Unmapped
from wardround.spec.loading import load_variables
from wardround.spec.source_maps import NO_TRANSLATION

HOUSE, LOINC = "https://house.example/codes", "http://loinc.org"


def concept(*codes: str) -> dict[str, Any]:
    pairs = [code.rpartition("|") for code in codes]
    return {"coding": [{"system": system or LOINC, "code": code} for system, _, code in pairs]}


def panel(code: str, *components: str) -> dict[str, Any]:
    parts = [{"code": concept(one), "valueQuantity": {"value": 120, "code": "mm[Hg]"}} for one in components]
    return {"code": concept(code), "component": parts}


@pytest.mark.parametrize(
    ("observation", "counted"),
    [
        (panel("85354-9", f"{HOUSE}|SYS", f"{HOUSE}|DIA"), ["DIA", "SYS"]),
        (panel(f"{HOUSE}|BD", f"{HOUSE}|SYS"), ["BD", "SYS"]),
        (panel("76284-9", "8480-6"), ["76284-9"]),
        (panel("85354-9", "8480-6", f"{HOUSE}|DIA"), []),
        (panel("85354-9", "8867-4"), []),
        (panel("8480-6", f"{HOUSE}|CUFF"), []),
        ({"code": {"text": "pulse"}}, [""]),
    ],
)
def test_codes_are_counted_where_nothing_is_read(schemas: Path, observation: dict[str, Any], counted: list) -> None:
    unmapped = Unmapped(load_variables(schemas), NO_TRANSLATION)
    unmapped.note({**observation, "subject": {"reference": "Patient/p"}}, frozenset({"p"}), Bases())
    found = unmapped.codes.most_frequent()
    assert [one.code for one in found] == counted
    assert unmapped.codes.observations == bool(counted)
    assert all(one.units == ("mm[Hg]",) for one in found if one.code)
