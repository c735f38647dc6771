"""Tests how resources are extracted from a Bundle: ids, references, deletions, and unusable entries."""

import json
from typing import Any

import orjson
import pytest

from wardround.fhir.references import Bases, is_id
from wardround.fhir.times import micros_of
from wardround.fhir.versions import ALWAYS
from wardround.sources.fhir_folder.bundles import Account, Unusable, entries_of, kind_of, resources_of_prefetch

UUID = "0c2243d2-987b-5cbd-8eb1-170a80647693"
PATIENT = {"resourceType": "Patient", "gender": "female"}
VALUE = {"resourceType": "Observation", "id": "o1", "subject": {"reference": f"urn:uuid:{UUID}"}}
T1, T2 = "2026-03-10T01:00:00Z", "2026-03-10T02:00:00Z"


def entry(resource: Any = None, url: Any = None, method: str = "", asked: Any = "", **more: Any) -> dict[str, Any]:
    request = {"request": {"method": method, "url": asked}} if method else {}
    given = {"fullUrl": url, "resource": resource}
    return {key: value for key, value in given.items() if value is not None} | request | more


class Taken:
    """Returns the resources of a Bundle by reference, its account, and the refused places."""

    def __init__(self, bundle: bytes, *bases: str) -> None:
        self.account = Account()
        self.refused: list[tuple[int, str]] = []
        found = entries_of(bundle, self.account, Bases(*bases), lambda *unread: self.refused.append(unread))
        self.all = [json.loads(text) for _, _, text in found]
        self.references = [f"{one['resourceType']}/{one['id']}" for one in self.all]


def taken(*entries: Any, bases: tuple[str, ...] = (), **bundle: Any) -> Taken:
    whole = {"resourceType": "Bundle", "type": "transaction", "entry": list(entries), **bundle}
    return Taken(json.dumps(whole).encode(), *bases)


def test_a_resource_without_an_id_gets_that_of_its_urn_and_references_follow() -> None:
    found = taken(entry(VALUE), entry(PATIENT, f"urn:uuid:{UUID}", "POST", "Patient"))
    assert found.references == ["Observation/o1", f"Patient/{UUID}"]
    assert found.all[0]["subject"] == {"reference": f"Patient/{UUID}"}
    assert found.account == Account()


def test_a_resources_own_id_is_kept_and_its_urn_refers_to_it() -> None:
    found = taken(entry({**PATIENT, "id": "p1"}, f"urn:uuid:{UUID}", "POST", "Patient"), entry(VALUE))
    assert found.references == ["Patient/p1", "Observation/o1"]
    assert found.all[1]["subject"] == {"reference": "Patient/p1"}


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (entry(PATIENT, None, "PUT", "Patient/p7"), "p7"),
        (entry(PATIENT, "https://elsewhere.org/fhir/Patient/p8"), "p8"),
        (entry(PATIENT, "urn:oid:1.2.3"), "1.2.3"),
    ],
)
def test_an_id_may_come_from_the_request_or_the_address(given: Any, expected: str) -> None:
    assert taken(given).all[0]["id"] == expected


@pytest.mark.parametrize("url", [None, "urn:uuid:not a uuid", "https://elsewhere.org/fhir/Observation/o1"])
def test_an_unstated_id_depends_only_on_the_bundle(url: str | None) -> None:
    (first, second), (again, _) = (taken(entry(PATIENT, url), entry({**PATIENT, "gender": "male"})).all for _ in "ab")
    assert first["id"] == again["id"] != second["id"]
    assert is_id(first["id"])


def test_a_reference_to_no_entry_is_counted_and_left_unchanged() -> None:
    other = {"reference": "Practitioner?identifier=urn:test|1"}
    found = taken(entry({**VALUE, "performer": [other, {"reference": "Practitioner/d1"}, {"reference": "#c"}]}))
    assert found.all[0]["subject"] == VALUE["subject"]
    assert found.all[0]["performer"][0] == other
    assert found.account.unresolved == 2


def test_an_address_is_rewritten_only_in_elements_that_contain_addresses() -> None:
    urn = f"urn:uuid:{UUID}"
    report = {
        **{"resourceType": "DocumentReference", "id": "d1", "content": [{"attachment": {"url": urn}}]},
        **{"identifier": [{"system": "urn:ietf:rfc:3986", "value": urn}], "description": urn},
    }
    found = taken(entry(report), entry({**PATIENT, "identifier": [{"value": urn}]}, urn)).all
    assert found[0] == {**report, "content": [{"attachment": {"url": f"Patient/{UUID}"}}]}
    assert found[1]["identifier"] == [{"value": urn}]


def test_a_reference_by_address_and_version_finds_its_entry() -> None:
    url = "https://elsewhere.org/fhir/Patient/p1"
    subject = {"subject": {"reference": f"{url}/_history/3"}}
    found = taken(entry({**PATIENT, "id": "p1"}, url), entry({**VALUE, **subject}), type="searchset")
    assert found.all[1]["subject"] == {"reference": "Patient/p1"}


def test_two_resources_with_one_name_are_not_merged() -> None:
    one, other = {**PATIENT, "id": "p1"}, {**PATIENT, "id": "p1", "gender": "male"}
    for first, second in (
        (entry(one, "https://a.org/Patient/p1"), entry(other, "https://b.org/Patient/p1")),
        (entry(one, "urn:uuid:1"), entry(other, "urn:uuid:2")),
        (entry({**PATIENT, "id": "p1"}, "urn:uuid:1"), entry({**PATIENT, "id": "p2"}, "urn:uuid:1")),
        (entry(PATIENT, "urn:uuid:1"), entry({**PATIENT, "gender": "male"}, "urn:uuid:1")),
    ):
        found = taken(first, second, entry({**VALUE, "subject": {"reference": second["fullUrl"]}}))
        assert [number for number, _ in found.refused] == [2]
        assert "has the same name as entry 1" in found.refused[0][1]
        meant = first["resource"].get("id", "1") if first["fullUrl"] == second["fullUrl"] else None
        assert found.all[1]["subject"]["reference"] == (f"Patient/{meant}" if meant else second["fullUrl"])


def test_versions_of_one_resource_and_copies_of_it_are_fine() -> None:
    url = "https://a.org/Patient/p1"
    for address in (url, None):
        versions = [entry({**PATIENT, "id": "p1", "gender": gender}, address) for gender in ("male", "female")]
        found = taken(*versions, versions[0])
        assert (found.references, found.refused) == (["Patient/p1"] * 3, [])
    copies = taken(*[entry(PATIENT, f"urn:uuid:{UUID}")] * 2)
    assert (copies.references, copies.refused) == ([f"Patient/{UUID}"] * 2, [])


def test_the_newest_version_of_a_history_comes_last() -> None:
    url = "https://a.org/Patient/p1"
    versions = [entry({**PATIENT, "id": "p1", "meta": {"versionId": n}}, url) for n in "321"]
    assert [one["meta"]["versionId"] for one in taken(*versions, type="history").all] == ["1", "2", "3"]


def test_deletions_are_read_with_their_time() -> None:
    def deleted(**bundle: Any) -> dict[str, int]:
        asked = ("Observation/o1", "https://example.org/fhir/Patient/a")
        found = taken(
            *(entry(None, None, "DELETE", url) for url in asked), bases=("https://example.org/fhir",), **bundle
        )
        assert (found.all, found.refused) == ([], [])
        return found.account.deleted

    assert deleted() == {"Observation/o1": ALWAYS, "Patient/a": ALWAYS}
    assert set(deleted(meta={"lastUpdated": T2}).values()) == {micros_of(T2)}
    assert set(deleted(timestamp=T1).values()) == {micros_of(T1)}
    own = entry(None, None, "DELETE", "Patient/b", response={"lastModified": T1})
    assert taken(own, meta={"lastUpdated": T2}).account.deleted == {"Patient/b": micros_of(T1)}


@pytest.mark.parametrize(
    "url", ["Observation?code=1", "Observation", "https://elsewhere.org/Patient/a", ["Patient/c"], None]
)
def test_a_deletion_without_a_resource_is_refused(url: Any) -> None:
    found = taken(entry(None, None, "DELETE", url))
    assert [number for number, _ in found.refused] == [1]
    assert not found.account.deleted


@pytest.mark.parametrize(
    ("odd", "reason"),
    [
        (entry(), "without a resource"),
        (entry([]), "not a resource"),
        (entry("zz-secret-zz"), "not a resource"),
        (entry({"id": "a"}), "resourceType is missing"),
        (entry({"resourceType": ["Patient"]}), "resourceType is missing"),
        (entry({"resourceType": "zz secret zz"}), "resourceType is missing"),
        (entry({"resourceType": "Parameters"}, None, "PATCH", "Patient/a"), "a patch of a resource"),
    ],
)
def test_an_unusable_entry_does_not_affect_the_others(odd: Any, reason: str) -> None:
    found = taken(entry({**PATIENT, "id": "p1"}), odd, entry({**PATIENT, "id": "p2"}))
    assert found.references == ["Patient/p1", "Patient/p2"]
    ((number, said),) = found.refused
    assert (number, reason in said, "secret" in said) == (2, True, False)


@pytest.mark.parametrize("beside", [None, 5])
@pytest.mark.parametrize("own", ['"id":"deep",', ""])
def test_an_entry_nested_too_deeply_does_not_affect_the_others(beside: Any, own: str) -> None:
    deep = '{"resourceType":"Patient",' + own + '"x":' + "[" * 600 + "]" * 600 + "}"
    text = json.dumps({"entry": [entry({**PATIENT, "id": "p1"}), entry(PATIENT), beside]})
    found = Taken(text.replace(json.dumps(PATIENT), deep).encode())
    assert found.references == ["Patient/p1"]
    assert found.refused[-1][1].startswith("nested too deeply")


def test_a_name_that_is_not_an_id_is_not_used_in_references() -> None:
    odd = json.dumps(
        {
            "entry": [
                entry({**PATIENT, "id": "X"}, "urn:uuid:1"),
                entry({**VALUE, "subject": {"reference": "urn:uuid:1"}}),
            ]
        }
    )
    account, refused = Account(), []
    found = entries_of(
        odd.replace('"X"', r'"\ud800"').encode(), account, Bases(), lambda *unread: refused.append(unread)
    )
    assert (len(list(found)), account.unresolved, refused) == (2, 1, [])


def test_an_entry_that_is_not_an_object_does_not_affect_the_others() -> None:
    found = taken(entry({**PATIENT, "id": "p1"}), None, 5)
    assert (found.references, [number for number, _ in found.refused]) == (["Patient/p1"], [2, 3])


@pytest.mark.parametrize("token", ["NaN", "1e999", "-Infinity", '"\\ud800"', "7" * 5000])
def test_a_token_that_json_does_not_allow_stays_in_its_own_resource(token: str) -> None:
    bundle = json.dumps(
        {"resourceType": "Bundle", "entry": [entry({**VALUE, "x": 0}), entry(PATIENT, f"urn:uuid:{UUID}")]}
    )
    account = Account()
    odd, fine = entries_of(bundle.replace('"x": 0', f'"x": {token}').encode(), account, Bases(), lambda *_: None)
    assert json.loads(fine[2])["id"] == UUID
    assert f"Patient/{UUID}".encode() in odd[2]
    assert account.unresolved == 0
    with pytest.raises(orjson.JSONDecodeError):
        orjson.loads(odd[2])


def test_operation_outcomes_are_counted_and_are_not_resources() -> None:
    found = taken(entry({"resourceType": "OperationOutcome"}), entry({**PATIENT, "id": "p1"}), type="searchset")
    assert (found.references, found.account.outcomes) == (["Patient/p1"], 1)


@pytest.mark.parametrize("content", [b"[]", b"5", b"{", b'{"resourceType": "Bundle", "entry": {}}', b"[" * 100_000])
def test_other_content_than_a_bundle_is_unusable(content: bytes) -> None:
    with pytest.raises(Unusable):
        Taken(content)


def test_a_prefetch_contains_its_named_resources_and_null_is_skipped() -> None:
    prefetch = {"patient": PATIENT, "none": None, "values": {"resourceType": "Bundle", "entry": []}}
    assert [kind_of(one) for one in resources_of_prefetch(json.dumps(prefetch).encode())] == ["Patient", "Bundle"]


@pytest.mark.parametrize("odd", [{}, {"a": None}, {"a": PATIENT, "b": 5}, {"a": {"b": {}}}, [PATIENT]])
def test_other_json_is_not_accepted_as_a_prefetch(odd: Any) -> None:
    with pytest.raises(Unusable, match="neither a resource"):
        resources_of_prefetch(json.dumps(odd).encode())
