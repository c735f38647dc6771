"""Uses a FHIR server as a source of feature tables: all its stays, and the readings of some patients at a time."""

from collections import Counter
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta

import pandas as pd

from wardround.core.stays import FoundStays
from wardround.features.windows import inside, windows
from wardround.fhir.client import FhirClient
from wardround.sources.fhir import observations, stays
from wardround.spec.cohorts import Encounters
from wardround.spec.variables import Variable


class FhirServerSource:
    """A FHIR server with the same methods as `MimicFolder`."""

    def __init__(self, client: FhirClient, encounters: Encounters) -> None:
        self._client = client
        self._encounters = encounters
        self.outside: Counter[str] = Counter()

    def find_stays(self, *, as_of: datetime | None = None) -> FoundStays:
        """Returns all stays of the server that match `encounters`; with as_of, those that had begun by then."""
        return stays.find(self._client, self._encounters, as_of=as_of)

    def readings(
        self, index: pd.DataFrame, variables: Mapping[str, Variable], window: timedelta
    ) -> Iterator[tuple[pd.DataFrame, pd.DataFrame]]:
        """Yields rows of the index and the readings in their patients' windows, taking patients in order of as_of."""
        source = self._client.source
        patient_ids = index.sort_values("as_of")["patient_id"].unique()
        size = source.patients_per_search * source.threads
        for place in range(0, len(patient_ids), size):
            mine = index[index["patient_id"].isin(patient_ids[place : place + size])]
            yield mine, self._fetch(mine, variables, window)

    def _fetch(self, index: pd.DataFrame, variables: Mapping[str, Variable], window: timedelta) -> pd.DataFrame:
        start, stop = index["as_of"].min() - window, index["as_of"].max()
        patient_ids = index["patient_id"].unique().tolist()
        found = observations.fetch(self._client, patient_ids, variables, dict.fromkeys(variables, start), stop)
        return inside(found.frame(), windows(index, window), self.outside)
