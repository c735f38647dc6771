"""Chooses patients of each band by what the live model says of them at the bedside.

It sees patient values; it never logs.
"""

import random
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Self

import orjson
import pandas as pd

from wardround.cds.cards import EXTENSION
from wardround.cds.discovery import PATIENT_VIEW, Service
from wardround.cds.door import SERVICES, Door
from wardround.cds.exchange import Request
from wardround.cds.keeping import KeepsNothing
from wardround.core.stays import eligible
from wardround.demo.patients.made_up import made_up, only_latest
from wardround.demo.sandbox.charts import Chart
from wardround.errors import ModelError
from wardround.fhir.client import FhirClient
from wardround.fhir.profiles import recognised
from wardround.results.bands import BANDS
from wardround.settings import Settings
from wardround.sources.fhir.server import FhirServerSource
from wardround.spec.loading import load_condition
from wardround.spec.servers import ServerProfile


@dataclass(frozen=True)
class Choice:
    """Whom to choose.

    Attributes:
        condition: the id of the condition whose live model says the bands.
        per_band: how many patients of each band.
        seed: the order in which patients are looked at.
        now: the prediction time.
        minimal: of each kind of Observation, keep the latest alone.
    """

    condition: str
    per_band: int
    seed: int
    now: datetime
    minimal: bool = False


@dataclass(frozen=True)
class Chosen:
    """A patient: `name` is the band and a number, `prefetch` what the service asks for."""

    name: str
    band: str
    probability: float | None
    prefetch: dict[str, Any]


@dataclass(frozen=True)
class Judge:
    """The live model of a condition, asked through its service at the bedside, which keeps nothing of it."""

    door: Door
    service: Service

    @classmethod
    def of(cls, condition: str, settings: Settings, profile: ServerProfile) -> Self:
        """Prepares the door. Raises SpecError for an unknown condition, ModelError if no model is live."""
        load_condition(condition, settings.schemas)
        door = Door.of(settings, KeepsNothing(), profile=profile)
        (service,) = (
            one for one in door.services.values() if (one.condition.id, one.hook) == (condition, PATIENT_VIEW)
        )
        if door.means.live.of(condition).scoring is None:
            raise ModelError(
                f"{condition}: has no live model that can be asked, expected one; train and promote one, or resume it"
            )
        return cls(door, service)

    def said(self, patient_id: str, prefetch: dict[str, Any], now: datetime) -> dict[str, Any]:
        """Returns what the service says of the patient, for programs."""
        context = {"userId": "Practitioner/sandbox", "patientId": patient_id}
        body = {"hook": PATIENT_VIEW, "hookInstance": "1", "context": context, "prefetch": prefetch}
        answer = self.door.answer(Request("POST", f"{SERVICES}/{self.service.id}", now, orjson.dumps(body)))
        told = orjson.loads(answer.body).get("extension", {})
        return dict(told.get(EXTENSION, {}))


@dataclass
class Choosing:
    """Looks at the stays that a screening would score, in an order that the seed decides, until all bands are full.

    `looked_at` counts the patients of each band that were seen.
    """

    client: FhirClient
    choice: Choice
    settings: Settings
    looked_at: Counter[str] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        source, schemas = self.client.source, self.settings.schemas
        profile = recognised(self.client, schemas).profile if source.recognise else source.profile
        self._judge = Judge.of(self.choice.condition, self.settings, profile)

    def chosen(self) -> Iterator[Chosen]:
        """Yields the patients. Raises FhirError if the server cannot be read."""
        choice, chart = self.choice, Chart(self.client)
        taken: Counter[str] = Counter()
        for patient_id in self._patients():
            found = chart.prefetch(self._judge.service.prefetch, {"patientId": patient_id}, choice.now.date()).content
            prefetch = made_up(only_latest(found) if choice.minimal else found, choice.now)
            said = self._judge.said(patient_id, prefetch, choice.now)
            band = said.get("band")
            if band is None:
                continue
            self.looked_at[band] += 1
            if taken[band] < choice.per_band:
                taken[band] += 1
                yield Chosen(f"{band}_{taken[band]}", band, said.get("probability"), prefetch)
            if all(taken[one] == choice.per_band for one in BANDS):
                return

    def _patients(self) -> list[str]:
        condition, now = self._judge.service.condition, self.choice.now
        source = FhirServerSource(self.client, condition.cohort.encounters or self.client.source.icu)
        stays = eligible(source.find_stays(as_of=now).stays, pd.Timestamp(now), condition).eligible
        patients = sorted(set(stays["patient_id"]))
        random.Random(self.choice.seed).shuffle(patients)
        return patients
