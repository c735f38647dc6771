"""Tests that pages neither lose nor repeat a resource, whatever is written between them."""

from typing import Any

from wardround.demo.fhir_server.running import running_server


def _location(number: int) -> dict[str, Any]:
    return {"resourceType": "Location", "id": f"l{number}", "name": f"Room {number % 3}"}


def _next(page: dict[str, Any]) -> str | None:
    return next((link["url"] for link in page["link"] if link["relation"] == "next"), None)


def _walk(fhir: Any, query: str, between: Any = lambda: None) -> list[str]:
    page, ids = fhir.search(query), []
    while True:
        ids += [entry["resource"]["id"] for entry in page["entry"]]
        if (following := _next(page)) is None:
            return ids
        between()
        page = fhir.session.get(following, timeout=30).json()


def test_all_pages_together_are_the_whole_result_even_if_resources_change_meanwhile(fhir: Any) -> None:
    for number in range(23):
        fhir.put(_location(number))
    added = iter(range(100, 200))

    def write() -> None:
        fhir.put(_location(next(added)))
        fhir.send("DELETE", "Location/l0")

    assert _walk(fhir, "Location?_count=5", write) == [f"l{number}" for number in range(23)]
    by_name = _walk(
        fhir, "Location?_count=5&_sort=-name&_id=" + ",".join(f"l{number}" for number in range(1, 23)), write
    )
    assert by_name == sorted((f"l{n}" for n in range(1, 23)), key=lambda one: (-(int(one[1:]) % 3), int(one[1:])))


def test_a_page_of_50_is_the_default_and_the_cap_can_be_set() -> None:
    with running_server(cap=60) as server:
        import requests

        entry = [{"resource": _location(n), "request": {"method": "PUT", "url": f"Location/l{n}"}} for n in range(70)]
        requests.post(server.base_url, json={"resourceType": "Bundle", "type": "batch", "entry": entry}, timeout=30)
        sizes = [
            len(requests.get(f"{server.base_url}/Location{query}", timeout=30).json()["entry"])
            for query in ("", "?_count=1000", "?_count=7")
        ]
    assert sizes == [50, 60, 7]


def test_a_next_link_carries_no_readable_value(fhir: Any) -> None:
    fhir.put(_location(1))
    fhir.put(_location(2))
    page = fhir.search("Location?name=Room&_count=1")
    assert "Room" not in str(page["link"])
