"""A FHIR server that is a source and the record, with a bedside door that writes to it, and an EHR."""

from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

from tests.cds.ehr import Ehr
from tests.cds.kept import Kept
from tests.fixtures.icu import Icu
from tests.waiting import until

from wardround.cds.door import Door
from wardround.cds.exchange import Answer, Result
from wardround.cds.record import Record
from wardround.fhir.client import FhirClient
from wardround.fhir.endpoint import FhirEndpoint
from wardround.settings import Settings


@dataclass
class Site:
    """A FHIR server with three patients, and a door that writes to it; what it told of each result."""

    url: str
    settings: Settings
    ehr: Ehr
    told: list[tuple[str, str]]

    @property
    def record(self) -> Record:
        def tell(_call: Any, became: str, why: str) -> None:
            self.told.append((became, why))

        return Record(self.settings, self.ehr.door.servers, self.ehr.door.means.live, tell)

    def answer(self, patient: str = "p-a", after: timedelta = timedelta(), **changed: Any) -> Answer:
        return self.ehr.send(self.ehr.call(patient, **{"fhirServer": self.url, **changed}), after=after)

    def write(self, *results: Result | None) -> None:
        with self.record.writing() as writing:
            for one in results:
                assert one is not None
                writing.offer(one)
            until(lambda: len(self.told) >= len(results))

    def held(self, kind: str = "RiskAssessment") -> list[dict[str, Any]]:
        with FhirClient(FhirEndpoint(self.url)) as client:
            return list(client.search(kind, {}))


def site_at(url: str, icu: Icu, ehr: Ehr, settings: Settings, tmp_path: Path, **source: Any) -> Site:
    """Returns a site whose server holds the ICU, and nothing that was written there before."""
    mine = replace(settings, runs=str(tmp_path / "runs"), var=tmp_path / "var")
    ehr.door = Door.of(mine, Kept(), servers=(FhirEndpoint(url, **source),))
    made = Site(url, mine, ehr, [])
    left = [f"{kind}/{one['id']}" for kind in ("Provenance", "RiskAssessment", "Device") for one in made.held(kind)]
    with FhirClient(FhirEndpoint(url)) as client:
        client.batch([{"request": {"method": "DELETE", "url": one}} for one in left])
    icu.upload(url)
    return made
