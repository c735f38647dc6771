"""Compares who lies in a unit by the messages with who does by the FHIR server: messages may have been lost.

It sees record numbers; it never logs.
"""

from datetime import datetime
from typing import NamedTuple

import pandas as pd

from wardround.adt.admissions import wants
from wardround.adt.census import Lying
from wardround.adt.visit import Visit
from wardround.core.stays import eligible
from wardround.fhir.client import FhirClient
from wardround.sources.fhir.linking import Announced, Linked, link_all
from wardround.sources.fhir.server import FhirServerSource
from wardround.spec.conditions import Condition


class Compared(NamedTuple):
    """What both say of one source at one time.

    Attributes:
        by_messages: visits in watched units, by the messages.
        not_linked: those of them whose patient the server does not know, or knows twice.
        left_unannounced: those whose patient has no stay at the server that a screening would score.
        by_server: stays at the server that a screening would score.
        unannounced: ids of the Patients among them of whom no message said so, or only that they were there already.
    """

    by_messages: int
    not_linked: int
    left_unannounced: int
    by_server: int
    unannounced: tuple[str, ...]

    @property
    def counts(self) -> dict[str, int]:
        """The same without ids."""
        return {**self._asdict(), "unannounced": len(self.unannounced)}

    def __repr__(self) -> str:
        return f"Compared({self.counts})"


def compare(client: FhirClient, lying: list[Lying], condition: Condition, as_of: datetime) -> Compared:
    """Returns how the census of a source and its server differ about a condition's stays at `as_of`. Raises FhirError.

    Stays are those that a screening would find by searching, whatever the condition's cohort is: what is to be found is
    who is in no list.
    """
    links = link_all(client, [Announced((one.patient,), one.visit.number) for one in lying])
    known = [link.patient_id for link in links if isinstance(link, Linked)]
    asked = {
        link.patient_id
        for one, link in zip(lying, links, strict=True)
        if isinstance(link, Linked) and not _was_there_already(one.visit, condition)
    }
    source = FhirServerSource(client, condition.cohort.encounters or client.source.icu)
    stays = eligible(source.find_stays(as_of=as_of).stays, pd.Timestamp(as_of), condition).eligible
    staying = set(stays["patient_id"])
    return Compared(
        by_messages=len(lying),
        not_linked=len(links) - len(known),
        left_unannounced=sum(patient not in staying for patient in known),
        by_server=len(stays),
        unannounced=tuple(sorted(staying - asked)),
    )


def _was_there_already(visit: Visit, condition: Condition) -> bool:
    """Returns whether a branch of the condition wants such visits and was never asked about this one.

    So it is with those who were in the unit before the feed began: a message only recorded them.
    """
    wanted = any(wants(branch, visit) for branch in condition.stream.branches)
    return wanted and not any(one.branch.partition("/")[0] == condition.id for one in visit.requests)
