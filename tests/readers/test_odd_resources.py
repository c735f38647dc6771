"""Tests a few hundred odd resources: what a server accepts is read the same by search, by export and from a folder."""

import json
from typing import Any

import pytest
import requests
from tests.readers.odd import AS_OF, odd_resources
from tests.readers.three import SCREENED, Read, assert_same, by_folder, by_screening

from wardround.demo.fhir_server.running import running_server
from wardround.fhir.endpoint import FhirEndpoint
from wardround.settings import Settings
from wardround.sources.fhir_folder.source import FhirFolderSource
from wardround.spec.conditions import Condition

SEEDS = (1, pytest.param(2, marks=pytest.mark.long), pytest.param(3, marks=pytest.mark.long))
PATIENTS = 120


@pytest.fixture(scope="module", params=SEEDS)
def read(request, sepsis: Condition, settings: Settings, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Read]:
    """Returns what each reader makes of what the server accepted."""
    folder = tmp_path_factory.mktemp("odd")
    with running_server() as server, (folder / "all.ndjson").open("w") as file:
        for resource in odd_resources(PATIENTS, request.param):
            if taken(server.base_url, resource):
                file.write(json.dumps(resource) + "\n")
        file.flush()
        source = FhirEndpoint(server.base_url)
        made = {way: by_screening(way, source, sepsis, AS_OF, settings) for way in ("search", "export")}
        return {**made, "folder": by_folder(FhirFolderSource(folder), sepsis, AS_OF)}


def taken(server: str, resource: dict[str, Any]) -> bool:
    url = f"{server}/{resource['resourceType']}/{resource['id']}"
    return requests.put(url, json=resource, timeout=30).ok


@pytest.mark.parametrize("way", ["export", "folder"])
def test_search_and_the_other_readers_agree(way: str, read: dict[str, Read]) -> None:
    assert_same(read["search"], read[way])


def test_something_of_every_kind_was_met(read: dict[str, Read]) -> None:
    search = read["search"]
    assert len(set(search.account.values()) - {SCREENED}) >= 4
    assert len({reason for _, _, reason in search.set_aside}) >= 6
    assert list(search.account.values()).count(SCREENED) > PATIENTS / 2
