"""The bedside's features are the screening's: equal to 1e-9 from CSVs, a folder, a server and a prefetch."""

import gzip
from collections import defaultdict
from collections.abc import Iterable, Iterator
from datetime import timedelta
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import pandas as pd
import pytest
from tests.cds.calls import bundle, call
from tests.fixtures.simulated_ward import SimulatedWard

from wardround.cds.reading import Reader
from wardround.cds.servers import Servers
from wardround.cds.templates import templates
from wardround.core.events import admit
from wardround.core.stays import eligible, index_after, index_as_of
from wardround.demo.fhir_server.running import running_server
from wardround.demo.mimic2fhir import Selection, mimic2fhir
from wardround.features.build import feature_values
from wardround.features.index import Index
from wardround.fhir.client import FhirClient
from wardround.fhir.endpoint import FhirEndpoint
from wardround.sources.fhir.current_stay import CurrentStay, How
from wardround.sources.fhir.server import FhirServerSource
from wardround.sources.fhir_folder.source import FhirFolderSource
from wardround.sources.mimic.folder import MimicFolder
from wardround.spec.conditions import Condition
from wardround.spec.loading import load_condition
from wardround.spec.servers import GENERIC
from wardround.workflows.features import Source, features_of

Resource = dict[str, Any]


@pytest.fixture(scope="module")
def sepsis(schemas: Path) -> Condition:
    return load_condition("sepsis", schemas)


def by_patient(folder: Path) -> dict[str, list[Resource]]:
    """The resources of a folder that are about each patient."""
    found = defaultdict(list)
    for path in sorted(folder.glob("*.ndjson.gz")):
        with gzip.open(path) as lines:
            for resource in map(orjson.loads, lines):
                subject = resource.get("subject", {}).get("reference", "")
                key = resource["id"] if resource["resourceType"] == "Patient" else subject.removeprefix("Patient/")
                found[key].append(resource)
    return found


def alive(resource: Resource) -> Resource:
    """The resource as it was then: of a death that came later, the chart knew nothing."""
    return {name: value for name, value in resource.items() if name != "deceasedDateTime"}


def as_templates(resources: Iterable[Resource]) -> dict[str, Any]:
    kinds = defaultdict(list)
    for one in resources:
        kinds[one["resourceType"]].append(one)
    (patient,) = kinds["Patient"]
    return {
        "patient": patient,
        "encounters": bundle(kinds["Encounter"]),
        "observations": bundle(kinds["Observation"]),
    }


def as_one_bundle(resources: Iterable[Resource]) -> dict[str, Any]:
    return {"all": bundle(resources, type="collection")}


def as_transaction(resources: Iterable[Resource]) -> dict[str, Any]:
    entries = [{"resource": one, "request": {"method": "PUT", "url": f"Type/{one['id']}"}} for one in resources]
    return {"all": {"resourceType": "Bundle", "type": "transaction", "entry": entries}}


def at_the_bedside(
    index: pd.DataFrame, folder: Path, condition: Condition, schemas: Path, form: Any = as_templates
) -> pd.DataFrame:
    """The features of each stay of the index, from a call of its own."""
    servers = Servers((), FhirEndpoint("https://unlisted.invalid"), schemas, 1.0)
    reader = Reader(condition, templates(condition, GENERIC), servers)
    known, rows = by_patient(folder), []
    for row in index.itertuples():
        as_of = row.as_of.to_pydatetime()
        # As clients send it: more than the window, and what was entered since.
        since = (as_of - condition.longest_window - timedelta(days=2)).isoformat()
        sent = [alive(one) for one in known[row.patient_id] if one.get("effectiveDateTime", since) >= since]
        reading = reader.read(call(form(sent), row.patient_id, encounter=row.stay_id), as_of)
        assert isinstance(reading.found, CurrentStay), reading.found
        assert (reading.found.stay.stay_id, reading.found.how, reading.gaps) == (row.stay_id, How.NAMED, ())
        events = admit(reading.readings, condition.variables, as_of).events
        values = feature_values(events, Index.of_stays([reading.found.stay], as_of, condition), condition)
        rows.append(values[0])
    keys = index[["stay_id", "as_of"]].reset_index(drop=True)
    return pd.concat([keys, pd.DataFrame(rows, columns=list(condition.columns))], axis=1)


def of_server(folder: Path) -> Iterator[Source]:
    with running_server(folder) as server, FhirClient(FhirEndpoint(server.base_url)) as client:
        yield FhirServerSource(client, client.source.icu)


def assert_equal(found: pd.DataFrame, expected: pd.DataFrame) -> None:
    both = [table.sort_values("stay_id", ignore_index=True) for table in (found, expected)]
    pd.testing.assert_frame_equal(*both, rtol=0, atol=1e-9, check_dtype=False)


def test_a_simulated_ward_has_the_same_features_by_all_ways(
    simulated_ward: SimulatedWard, sepsis: Condition, schemas: Path
) -> None:
    stays = MimicFolder(simulated_ward.mimic).find_stays(as_of=simulated_ward.now).stays
    index = index_as_of(eligible(stays, simulated_ward.now, sepsis).eligible, simulated_ward.now)
    assert len(index) > 5
    expected, _ = features_of(MimicFolder(simulated_ward.mimic), index, sepsis)
    assert expected["heart_rate__last_24h"].notna().all()
    for source in chain([FhirFolderSource(simulated_ward.fhir)], of_server(simulated_ward.fhir)):
        assert_equal(features_of(source, index, sepsis)[0], expected)
    for form in (as_templates, as_one_bundle, as_transaction):
        assert_equal(at_the_bedside(index, simulated_ward.fhir, sepsis, schemas, form), expected)


@pytest.mark.mimic
@pytest.mark.long
def test_the_demos_140_stays_have_the_same_features_by_all_ways(
    mimic_demo: Path, sepsis: Condition, schemas: Path, tmp_path: Path
) -> None:
    mimic2fhir(mimic_demo, tmp_path, Selection(sepsis.variables), lambda _: None)
    csv = MimicFolder(mimic_demo)
    stays = csv.find_stays().stays
    # A day after admission, or half-way through shorter stays, which a bedside would not find a day later.
    index = index_after(stays, timedelta(hours=24))
    half = stays["intime"] + (stays["outtime"] - stays["intime"]) / 2
    index["as_of"] = np.minimum(index["as_of"], half.dt.floor("us"))
    expected, _ = features_of(csv, index, sepsis)
    assert len(expected) == 140
    for source in chain([FhirFolderSource(tmp_path)], of_server(tmp_path)):
        assert_equal(features_of(source, index, sepsis)[0], expected)
    assert_equal(at_the_bedside(index, tmp_path, sepsis, schemas), expected)
