"""Tests how the bytes of a page are decoded."""

from codecs import BOM_UTF8
from typing import Any

import orjson
import pytest

from wardround.fhir.page import WHOLE, Misshapen
from wardround.sources.fhir.observation_shape import OBSERVATION, Observation


def observation(name: str, **changes: Any) -> dict[str, Any]:
    code = {"coding": [{"system": "http://loinc.org", "code": "8867-4", "display": "Heart rate"}], "text": "pulse"}
    return {"resourceType": "Observation", "id": name, "code": code, **changes}


def page_of(*resources: object, **more: object) -> bytes:
    entries = [{"fullUrl": "urn:x", "resource": resource, "search": {"mode": "match"}} for resource in resources]
    return orjson.dumps({"resourceType": "Bundle", "total": len(entries), "entry": entries, **more})


def test_a_shape_holds_the_elements_that_it_names_and_a_dict_all() -> None:
    content = page_of(observation("a", note=[{"text": "PRIVATE"}]))
    typed, whole = OBSERVATION.page(content), WHOLE.page(content)
    assert typed is not None
    assert isinstance(typed.entry[0].resource, Observation)
    assert "PRIVATE" not in repr(typed)
    assert whole is not None
    assert whole.entry[0].resource == observation("a", note=[{"text": "PRIVATE"}])


def test_one_misshapen_resource_does_not_cost_the_others_of_its_page() -> None:
    bad = observation("b", component="none")
    page = OBSERVATION.page(page_of(observation("a"), bad, observation("c")))
    assert page is not None
    first, second, third = (entry.resource for entry in page.entry)
    assert isinstance(first, Observation)
    assert isinstance(third, Observation)
    assert second == Misshapen(bad)
    assert OBSERVATION.about(Misshapen(bad)) == ("Observation", "b", None, None)


def test_a_misshapen_resource_does_not_change_how_others_are_read() -> None:
    alone, beside = (
        OBSERVATION.page(page_of(observation("a"))),
        OBSERVATION.page(page_of(observation("a"), {"code": 1})),
    )
    assert alone is not None
    assert beside is not None
    assert alone.entry[0] == beside.entry[0]
    assert (alone.resourceType, beside.resourceType, alone.total, beside.total) == ("Bundle", "Bundle", 1, 2)


@pytest.mark.parametrize("shape", [WHOLE, OBSERVATION])
def test_what_is_no_resource_stays_an_entry_without_one(shape: Any) -> None:
    page = shape.page(page_of(link=[None, {"relation": "next", "url": "?page=2"}], entry=[None, 5, {"resource": None}]))
    assert [entry.resource for entry in page.entry] == [None, None, None]
    assert len(shape.page(page_of(entry={"resource": observation("a")})).entry) == 1
    assert [(link.relation, link.url) for link in page.link] == [("next", "?page=2")]
    assert shape.page(page_of(link="none", entry=None)).link == []


@pytest.mark.parametrize("shape", [WHOLE, OBSERVATION])
@pytest.mark.parametrize(
    "content",
    [b"", b"[]", b'"Bundle"', page_of(observation("a"))[:-9], b'{"x":' + b"[" * 99999 + b"}"],
    ids=["nothing", "list", "text", "broken off", "too deep"],
)
def test_an_incomplete_json_object_is_not_a_page(shape: Any, content: bytes) -> None:
    assert shape.page(content) is None


@pytest.mark.parametrize("shape", [WHOLE, OBSERVATION])
def test_an_outcome_among_the_results_keeps_its_issue(shape: Any) -> None:
    issue = [{"severity": "warning", "code": "not-supported"}]
    page = shape.page(page_of({"resourceType": "OperationOutcome", "issue": issue}))
    kind, name, kept, _ = shape.about(page.entry[0].resource)
    assert (kind, name or None, kept) == ("OperationOutcome", None, issue)


@pytest.mark.parametrize("shape", [WHOLE, OBSERVATION])
def test_a_byte_order_mark_before_a_page_is_passed_over(shape: Any) -> None:
    content = page_of(observation("a"))
    assert shape.page(BOM_UTF8 + content) == shape.page(content)
