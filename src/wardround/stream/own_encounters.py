"""Tells which Encounters of a patient are those of the visit that a message announced.

No other stay is scored in its place: an earlier one may never have been closed. This code sees numbers; it never logs.
"""

from collections.abc import Iterator, Mapping
from typing import Final, NamedTuple

from wardround.core.identifier import Identifier
from wardround.fhir.identified import carried
from wardround.fhir.references import Resource, id_in, patient_of
from wardround.sources.fhir.linking import Linked, latest_of

_DEEPEST: Final = 10  # a stay in a unit, in a department, in the hospital


class OwnEncounters(NamedTuple):
    """The visit's Encounter by its id, "" if the server has none with its number; `known` are the patient's, by id."""

    visit: str
    number: Identifier
    known: Mapping[str, Resource]

    @classmethod
    def of(cls, linked: Linked, number: Identifier, encounters: Mapping[str, Resource]) -> "OwnEncounters":
        """Returns them for a visit; a server that finds Encounters by patient only was not asked for its number."""
        theirs = {key: one for key, one in encounters.items() if patient_of(one) == linked.patient_id}
        numbered = (one for one in theirs.values() if number in carried(one))
        return cls(linked.encounter_id or latest_of(numbered), number, theirs)

    def has(self, encounter_id: str) -> bool:
        """Returns whether an Encounter is the patient's, and the visit's or a part of it.

        If the server has none with the visit's number, it is any that shows no other number of that authority: some
        servers have no numbers of visits.
        """
        if encounter_id not in self.known:
            return False
        of_another = False
        for key in self._with_wholes(encounter_id):
            numbers = carried(self.known.get(key, {}))
            if key == self.visit or self.number in numbers:
                return True
            of_another |= any(one.system == self.number.system for one in numbers)
        return not self.visit and not of_another

    def _with_wholes(self, key: str) -> Iterator[str]:
        for _ in range(_DEEPEST):
            if not key:
                return
            yield key
            key = id_in(self.known.get(key, {}).get("partOf"), "Encounter")
