"""Tests what becomes of each way in which Observations are sent, or not, with each kind of access to the EHR's server.

Everything goes over real HTTP: the signed call to the door, and what the door reads at the server.
"""

import json
import urllib.parse
import urllib.request
from collections.abc import Iterator
from typing import Any, NamedTuple

import orjson
import pytest
from tests.cds.calls import AUTHORIZATION, EMPTY, REFUSAL, bundle
from tests.cds.ehr import RISK, Ehr, keeping_in
from tests.cds.kept import Kept
from tests.fixtures.icu import Icu

from wardround.cds.door import Door
from wardround.demo.fhir_server.running import running_server
from wardround.demo.fhir_server.sign_in import Clients
from wardround.fhir.endpoint import FhirEndpoint
from wardround.fhir.sign_in import ClientSecret
from wardround.settings import Settings

SECRET = "s3cret"
LOINC_OF = {"heart_rate": "8867-4", "respiratory_rate": "9279-1", "systolic_pressure": "85354-9", "lactate": "2524-7"}


class Hospital(NamedTuple):
    """A server that wants a token, a token for it, and two doors: one that lists the server, and one that does not."""

    url: str
    token: str
    listing: Door
    other: Door


@pytest.fixture(scope="module")
def hospital(bedside: Settings) -> Iterator[Hospital]:
    icu = Icu()
    for name, lactate in (("a", 6.0), ("mid", 2.5)):
        icu.stay(name, lactate=lactate)
    with running_server(clients=Clients(secrets={"us": SECRET})) as server:
        tokens = f"{server.control_url}/auth/token"
        icu.upload(server.base_url, sign_in=ClientSecret("us", SECRET, tokens))
        form = {"grant_type": "client_credentials", "client_id": "us", "client_secret": SECRET}
        with urllib.request.urlopen(tokens, urllib.parse.urlencode(form).encode()) as answer:
            token = json.load(answer)["access_token"]
        listing = Door.of(bedside, Kept(), servers=(FhirEndpoint(server.base_url),))
        yield Hospital(server.base_url, token, listing, Door.of(bedside, Kept()))


def sent(ehr: Ehr, way: str) -> dict[str, Any]:
    """Returns a prefetch whose Observations are sent in this way."""
    whole = ehr.prefetch("p-a")
    observed = [entry["resource"] for entry in whole["observations"]["entry"]]
    first = {**whole["observations"], "entry": whole["observations"]["entry"][:1]}
    link = [{"relation": "next", "url": "https://ehr.example.org/fhir?page=2"}]
    without = {key: one for key, one in whole.items() if key != "observations"}
    match way:
        case "absent":
            return without
        case "keyed form":
            return without | {
                name: bundle(one for one in observed if one["code"]["coding"][0]["code"] == code)
                for name, code in LOINC_OF.items()
            }
        case "one Bundle":
            stays = [entry["resource"] for entry in whole["encounters"]["entry"]]
            return {"all": bundle([whole["patient"], *stays, *observed], type="collection")}
        case "wrong patient":
            return {**whole, "patient": ehr.prefetch("p-mid")["patient"]}
    contents = {
        "null": None,
        "empty": EMPTY,
        "refused": REFUSAL,
        "next link": {**first, "link": link},
        "HTML": "<html>502 Bad gateway</html>",
    }
    return {**whole, "observations": contents[way]}


EVERYWHERE = {
    "null": "indeterminate",
    "empty": "indeterminate",
    "refused": "not_read",
    "wrong patient": "refused",
    "keyed form": "card",
    "one Bundle": "card",
}
READ = {**EVERYWHERE, "absent": "card", "next link": "card", "HTML": "card"}
NOT_READ = {**EVERYWHERE, "absent": "missing_prefetch", "next link": "not_read", "HTML": "missing_prefetch"}


@pytest.mark.parametrize(
    ("access", "expected"),
    [("token", READ), ("no token", NOT_READ), ("expired", NOT_READ), ("not allowed", NOT_READ)],
)
def test_observations_sent_in_any_way_with_any_access(
    ehr: Ehr, hospital: Hospital, access: str, expected: dict[str, str]
) -> None:
    about: dict[str, Any] = {"fhirServer": hospital.url}
    if access != "no token":
        token = "long-gone" if access == "expired" else hospital.token
        about["fhirAuthorization"] = {"access_token": token, **AUTHORIZATION, "patient": "p-a"}
    became = {}
    for way in expected:
        ehr.door = keeping_in(hospital.other if access == "not allowed" else hospital.listing, Kept())
        answer = ehr.send(ehr.call("p-a", prefetch=sent(ehr, way), **about))
        said = orjson.loads(answer.body)
        assert answer.call is not None
        became[way] = answer.call.outcome
        if answer.status == 200:
            assert len(said["cards"]) == 1
            assert said["extension"][RISK]["outcome"] == answer.call.outcome
            assert said["extension"][RISK].get("probability") == (0.8918 if became[way] == "card" else None)
        else:
            assert answer.status == {"refused": 400, "missing_prefetch": 412}[became[way]]
            # Of the keys, those that lack are named.
            text = said["issue"][0]["diagnostics"]
            assert ("prefetch.observations:" in text) == (answer.status == 412)
            assert "prefetch.encounters" not in text
    assert became == expected
