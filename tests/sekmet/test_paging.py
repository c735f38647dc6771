"""A server that others wrote, whose pages are counted from the first match: what is written meanwhile shifts them."""

import pytest

from wardround.fhir.client import FhirClient, FhirEndpoint

pytestmark = pytest.mark.slow

NAMES = [f"p{number}" for number in range(6)]


def write(source, method, names):
    with FhirClient(source) as client:
        entries = [{"request": {"method": method, "url": f"Patient/{name}"}} for name in names]
        if method == "PUT":
            entries = [
                {**entry, "resource": {"resourceType": "Patient", "id": name}}
                for entry, name in zip(entries, names, strict=True)
            ]
        assert {answer["response"]["status"][:1] for answer in client.batch(entries)} == {"2"}


@pytest.fixture
def source(sekmet_server):
    """Pages of two of six Patients, p1 to p6, by the last written."""
    source = FhirEndpoint(sekmet_server, page_size=2)
    write(source, "PUT", NAMES)
    return source


def found(source, meanwhile):
    """The ids, in the order that they came; `meanwhile` is called with those of the first page when it was read."""
    with FhirClient(source) as client:
        search = client.search("Patient", [("_sort", "-_lastUpdated")])
        first = [next(search)["id"], next(search)["id"]]
        meanwhile(first)
        return [*first, *(resource["id"] for resource in search)]


def test_what_is_entered_meanwhile_is_no_loss_and_no_double(source):
    ids = found(source, lambda _first: write(source, "PUT", ["p7", "p8", "p9"]))
    assert len(set(ids)) == len(ids)
    assert set(NAMES) <= set(ids)


def test_what_is_deleted_meanwhile_shifts_nobody_out_of_all_pages(source):
    ids = found(source, lambda first: write(source, "DELETE", first))
    assert sorted(ids) == NAMES
