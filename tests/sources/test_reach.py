"""A variable is read as far back as its own features reach: the same features from all sources, and less to read."""

from datetime import timedelta
from pathlib import Path

import pandas as pd
import pytest
from tests.fixtures.simulated_ward import SimulatedWard

from wardround.core.events import admit
from wardround.core.readings import Readings
from wardround.core.stays import eligible, index_as_of
from wardround.demo.fhir_server.running import running_server
from wardround.features.build import build_features
from wardround.features.windows import within_reach
from wardround.fhir.client import FhirClient
from wardround.fhir.endpoint import FhirEndpoint
from wardround.sources.fhir.observations import fetch
from wardround.sources.fhir_folder.source import FhirFolderSource
from wardround.sources.mimic.folder import MimicFolder
from wardround.spec.conditions import Condition, FeatureGroup
from wardround.spec.loading import load_condition
from wardround.workflows.features import features_of

DAY = timedelta(days=1)
COUNTED = ("lactate", "creatinine", "white_cells", "platelets")


@pytest.fixture(scope="module")
def counting(schemas: Path) -> Condition:
    """Sepsis, with how often some laboratory values were measured in seven days, and when last."""
    sepsis = load_condition("sepsis", schemas)
    week = FeatureGroup(variables=COUNTED, summaries=("count", "hours_since_last"), window=7 * DAY)
    features = sepsis.features.model_copy(update={"groups": (*sepsis.features.groups, week)})
    return sepsis.model_copy(update={"features": features})


@pytest.fixture(scope="module")
def index(simulated_ward: SimulatedWard, counting: Condition) -> pd.DataFrame:
    now = pd.Timestamp(simulated_ward.now)
    stays = MimicFolder(simulated_ward.mimic).find_stays(as_of=now).stays
    return index_as_of(eligible(stays, now, counting).eligible, now)


def read_by_search(url: str, index: pd.DataFrame, condition: Condition, as_of: pd.Timestamp) -> Readings:
    starts = {name: as_of - window for name, window in condition.reach.items()}
    with FhirClient(FhirEndpoint(url)) as client:
        found = fetch(client, sorted(index["patient_id"].unique()), condition.variables, starts, as_of)
    return within_reach(found, condition.reach, as_of)


def test_counts_of_seven_days_are_the_same_from_csvs_folder_and_search_and_only_they_are_read_so_far_back(
    simulated_ward: SimulatedWard, counting: Condition, index: pd.DataFrame
) -> None:
    as_of = pd.Timestamp(simulated_ward.now)
    csv, _ = features_of(MimicFolder(simulated_ward.mimic), index, counting)
    folder, _ = features_of(FhirFolderSource(simulated_ward.fhir), index, counting)
    with running_server(simulated_ward.fhir) as server:
        readings = read_by_search(server.base_url, index, counting, as_of)
    events, _ = admit(readings, counting.variables, as_of)
    search = build_features(events, index, counting).sort_values("stay_id", ignore_index=True)
    pd.testing.assert_frame_equal(folder, csv, rtol=0, atol=1e-9)
    pd.testing.assert_frame_equal(search, csv, rtol=0, atol=1e-9)
    # Some were measured more than a day ago; nothing else of that time was read.
    read = readings.frame()
    old = read[read["time"] < as_of - DAY]
    assert len(old) > 0
    assert set(old["variable"]) <= set(COUNTED)
