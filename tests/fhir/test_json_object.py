"""Tests how the JSON of servers is read, including invalid JSON."""

from codecs import BOM_UTF8

import pytest

from wardround.fhir.json_object import is_cut, json_object
from wardround.fhir.page import WHOLE
from wardround.sources.fhir.observation_shape import OBSERVATION, Observation

# What JSON does not allow, and how it is read.
UNUSABLE = [
    (b"1e999", "�"),
    (b"-1E400", "�"),
    (b"NaN", "�"),
    (b"Infinity", "�"),
    (b"-Infinity", "�"),
    (b"9" * 5000, "�"),
    (b"-" + b"9" * 5000, "�"),
    (b"1." + b"9" * 5000 + b"e999", "�"),
    (rb'"a\ud800"', "a�"),
    (rb'"\udc00b"', "�b"),
    (b'"\xe4"', "�"),
    (b'"a\x01b"', "a\x01b"),
]


@pytest.mark.parametrize(("token", "read"), UNUSABLE)
def test_a_token_that_cannot_be_used_costs_its_own_element_only(token: bytes, read: object) -> None:
    assert json_object(b'{"before": 1.5, "it": ' + token + b', "after": {"it": [' + token + b', "b"]}}') == {
        "before": 1.5,
        "it": read,
        "after": {"it": [read, "b"]},
    }


@pytest.mark.parametrize(
    ("token", "read"), [(rb'"\ud83e\uddea"', "🧪"), (b"0." + b"1" * 5000, 1 / 9), (b"1e-999", 0.0)]
)
def test_what_only_looks_odd_keeps_its_value_beside_what_cannot_be_used(token: bytes, read: object) -> None:
    assert json_object(b'{"it": ' + token + b', "bad": NaN}') == {"it": read, "bad": "�"}


@pytest.mark.parametrize("content", [b"", b"[1]", b"NaN", b"<html>", b'{"a": +5}', b'{"a": 1', b"[" * 100_000])
def test_what_holds_no_object_is_none(content: bytes) -> None:
    assert json_object(content) is None
    assert json_object(BOM_UTF8 + content) is None


def test_an_object_that_was_cut_is_known_wherever_the_cut_is() -> None:
    whole = b'{"resourceType": "Bundle", "total": 12, "entry": [{"resource": {"id": "\\u00e4", "active": true}}, null]}'
    assert all(is_cut(whole[:end]) for end in range(len(whole)))


@pytest.mark.parametrize("content", [b'{"a": +5, "b": "long enough"}', b'{"a": 1, a: "long enough"}', b"[" * 100_000])
def test_an_object_with_a_fault_in_its_middle_was_not_cut(content: bytes) -> None:
    assert not is_cut(content)


@pytest.mark.parametrize(("token", "read"), UNUSABLE)
def test_the_other_resources_of_a_page_are_read_as_usual(token: bytes, read: object) -> None:
    quantity = b'{"resourceType": "Observation", "id": "%s", "valueQuantity": {"value": %s, "code": "/min"}}'
    entries = b", ".join(
        b'{"resource": %s}' % (quantity % one) for one in ((b"a", b"80"), (b"b", token), (b"c", b"81"))
    )
    content = b'{"resourceType": "Bundle", "total": 3, "entry": [%s]}' % entries
    typed, whole = OBSERVATION.page(content), WHOLE.page(content)
    assert typed is not None
    assert whole is not None
    found = [entry.resource for entry in typed.entry]
    assert [one.value_quantity and one.value_quantity.value for one in found if isinstance(one, Observation)] == [
        80,
        read,
        81,
    ]
    assert [entry.resource["valueQuantity"]["value"] for entry in whole.entry if entry.resource] == [80, read, 81]
    assert OBSERVATION.decoded(quantity % (b"b", token)) == found[1]
