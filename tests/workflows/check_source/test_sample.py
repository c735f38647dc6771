"""What ICU patients had measured: what is read of it, and what no variable names."""

from datetime import UTC, datetime

import pytest
import yaml

from wardround.demo.fhir_server.running import running_server
from wardround.errors import FhirError
from wardround.fhir.endpoint import FhirEndpoint
from wardround.spec.loading import load_variables
from wardround.spec.source_maps import SourceMap, Translation
from wardround.workflows.check_source import sample as module
from wardround.workflows.check_source.sample import sample

NOW = datetime(2026, 1, 2, 5, tzinfo=UTC)
HOUSE, LOINC = "urn:oid:1.2.3", "http://loinc.org"
PULSE = {"code": {"coding": [{"system": HOUSE, "code": "PULS", "display": "Puls"}]}}
QUANTITY = {"valueQuantity": {"value": 80, "unit": "bpm"}}


@pytest.fixture
def server(icu):
    """Two ICU patients; of one the house's monitor sends codes of its own, as it does of somebody on a ward."""
    icu.stay("a")
    icu.stay("b")
    icu.stay("ward", **{"class": {"code": "IMP"}})
    for who, hours in (("p-a", 1), ("p-a", 2), ("p-a", 40), ("p-ward", 1)):
        icu.observation(who, f"own{hours}", hours, **PULSE, **QUANTITY)
    with running_server() as running:
        icu.upload(running.base_url)
        yield running.base_url


def test_what_is_read_and_what_no_variable_names_is_counted(server, schemas) -> None:
    found = sample(FhirEndpoint(server), load_variables(schemas), NOW)
    (own,) = found.unmapped
    assert (own.system, own.code, own.display, own.units, own.observations, own.patients) == (
        *(HOUSE, "PULS", "Puls", ("bpm",)),
        *(2, 1),
    )
    assert (found.patients, found.read["heart_rate"], found.read["systolic_pressure"]) == (2, 6, 6)
    assert found.whole
    assert SourceMap.model_validate(yaml.safe_load(found.draft)).codes == ()
    assert '"PULS":' in found.draft


def test_what_a_source_map_tells_is_read(server, schemas) -> None:
    source = FhirEndpoint(server, translation=Translation(codes=(((HOUSE, "PULS"), (LOINC, "8867-4")),)))
    found = sample(source, load_variables(schemas), NOW)
    assert (found.unmapped, found.read["heart_rate"]) == ((), 8)


def test_a_sample_says_that_it_is_one(server, schemas, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "OBSERVATIONS", 5)
    found = sample(FhirEndpoint(server), load_variables(schemas), NOW)
    assert (found.observations, found.whole) == (5, False)


def test_an_icu_location_that_does_not_exist_is_an_error(server, schemas) -> None:
    with pytest.raises(FhirError, match="no Location 'MICU'"):
        sample(FhirEndpoint(server, icu_locations=("MICU",)), load_variables(schemas), NOW)
