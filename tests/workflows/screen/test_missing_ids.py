"""What a server sends without a usable id costs the one resource, and is counted."""

from collections.abc import Callable
from typing import Any

import orjson
import pytest
import requests
from requests.adapters import HTTPAdapter

from wardround.adapters.files.run_folder import RunFolder
from wardround.fhir.endpoint import FhirEndpoint
from wardround.workflows.screen import Means, ScreeningRequest, screen


class Changing(HTTPAdapter):
    """Real HTTP, and each resource of a Bundle that comes back is changed."""

    def __init__(self, change: Callable[[dict[str, Any]], None]) -> None:
        super().__init__()
        self._change = change

    def send(self, request: requests.PreparedRequest, *args: Any, **kwargs: Any) -> requests.Response:
        response = super().send(request, *args, **kwargs)
        body = orjson.loads(response.content or b"{}")
        for entry in body.get("entry", []):
            self._change(entry.get("resource") or {})
        response._content = orjson.dumps(body)
        return response


@pytest.fixture
def altered(icu, server: str, settings) -> Any:
    """altered({id: wrong id}) screens four stays on a server that says such ids; gives summary and ledger."""
    for name in ("a", "b", "c", "d"):
        icu.stay(name, lactate=1.5)
    icu.upload(server)

    def run(ids: dict[str, Any], kinds: tuple[str, ...]) -> tuple[dict[str, Any], Any]:
        def change(resource: dict[str, Any]) -> None:
            if resource.get("resourceType") in kinds and resource.get("id") in ids:
                resource["id"] = ids[resource["id"]]

        request = ScreeningRequest.model_validate(
            {"condition": "sepsis", "source_url": server, "as_of": "2026-01-02T05:00:00Z", "chunk_size": 4}
        )
        summary = screen(request, Means(FhirEndpoint(server), settings, lambda *_: None, Changing(change))).as_json()
        ledger = RunFolder.existing(settings.runs, summary["run"]).read_frame("ledger.parquet")
        return summary, ledger.set_index("stay_id")

    return run


@pytest.mark.parametrize("wrong", [None, "", 7, 0.5, True, ["e-a"], "a/b", "e" * 65])
def test_encounters_without_a_usable_id_are_excluded_and_the_others_scored(altered, wrong: Any) -> None:
    summary, ledger = altered({"e-a": wrong, "e-b": wrong}, ("Encounter",))
    assert ledger["reason"].to_dict() == {
        "(no usable id) 1": "malformed",
        "(no usable id) 2": "malformed",
        "e-c": "",
        "e-d": "",
    }
    assert (summary["found"], summary["excluded"], summary["scored"], summary["written"]) == (4, 2, 2, 2)
    assert summary["problems"] == {}


@pytest.mark.parametrize("wrong", [None, 7, "a b"])
def test_an_observation_without_a_usable_id_is_set_aside_and_its_patient_scored(altered, settings, wrong: Any) -> None:
    summary, _ = altered({"o-p-a-lactate": wrong, "o-p-b-lactate": wrong}, ("Observation",))
    assert (summary["scored"], summary["written"]) == (4, 4)
    folder = RunFolder.existing(settings.runs, summary["run"])
    assert folder.read_json("set_aside.json") == {"lactate": {"malformed": 2}}


@pytest.mark.parametrize("wrong", [None, 7])
def test_a_patient_without_a_usable_id_is_unknown(altered, wrong: Any) -> None:
    summary, ledger = altered({"p-a": wrong}, ("Patient",))
    assert ledger.loc["e-a", ["outcome", "reason"]].tolist() == ["excluded", "unknown_patient"]
    assert (summary["scored"], summary["written"]) == (3, 3)


def test_a_result_without_a_usable_id_fails_its_stay(altered, held) -> None:
    altered({}, ())
    one = next(risk["id"] for risk in held("RiskAssessment") if risk["encounter"]["reference"] == "Encounter/e-a")
    summary, ledger = altered({one: None}, ("RiskAssessment",))
    assert ledger.loc["e-a", ["outcome", "reason"]].tolist() == ["failed", "write:malformed"]
    assert (summary["unchanged"], len(held("RiskAssessment"))) == (3, 4)
