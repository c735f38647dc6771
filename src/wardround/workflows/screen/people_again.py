"""Looks up age and sex again for patients whose rows broke the suite, and updates the run with today's answers.

These functions see patient values; they never log.
"""

from collections.abc import Iterator, Sequence
from datetime import datetime

import pandas as pd

from wardround.core import run_files
from wardround.core.microseconds import micros
from wardround.fhir.client import FhirClient
from wardround.fhir.references import is_id
from wardround.sources.fhir.people import Person, person_of
from wardround.workflows.screen.run import Run


def look_again(opened: Run, client: FhirClient) -> None:
    """Fetches the Patients of the stays whose rows broke the suite, and stores in stays.parquet what they now state.

    Without this, a wrong date of birth that has been corrected on the server would break the suite for ever.
    """
    broken = opened.broken()
    if not broken:
        return
    with opened.step("look_again", client) as step:
        stays = opened.folder.read_frame(run_files.STAYS)
        mine = stays["stay_id"].isin(broken)
        people = dict(_people(client, sorted(stays["patient_id"][mine].unique()), opened.request.as_of))
        born = stays["patient_id"].map({key: _birth_date(person) for key, person in people.items()})
        sex = stays["patient_id"].map({key: person.sex for key, person in people.items()})
        known = mine & stays["patient_id"].isin(people)
        opened.folder.write_frame(
            run_files.STAYS,
            stays.assign(
                birth_date=stays["birth_date"].where(~known, born.astype(stays["birth_date"].dtype)),
                sex=stays["sex"].where(~known, sex.astype(stays["sex"].dtype)),
            ),
        )
        step.count(stays=int(mine.sum()), patients=len(people))


def _people(client: FhirClient, patients: Sequence[str], as_of: datetime) -> Iterator[tuple[str, Person]]:
    size = client.source.patients_per_search
    for place in range(0, len(patients), size):
        for resource in client.search("Patient", [("_id", patients[place : place + size])]):
            if resource.get("resourceType") == "Patient" and is_id(resource.get("id")):
                yield resource["id"], person_of(resource, micros(as_of))


def _birth_date(person: Person) -> pd.Timestamp:
    """Returns the date of birth, known to the day or not at all."""
    return pd.Timestamp(person.born_from) if person.born_from == person.born_by else pd.NaT
