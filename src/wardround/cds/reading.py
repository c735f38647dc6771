"""Reads what a call is about: the patient's stay and readings, from its prefetch and, if need be, its FHIR server.

Stays and readings are made by the code of the screening. What a client did not send is read from its server, if that
is listed; what it looked for and did not find, or was refused, is not asked for again.

This code sees patient values; it never logs.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from wardround.cds.gathering import RISK_ASSESSMENT, Gathered
from wardround.cds.hook_request import HookRequest
from wardround.cds.problems import Problem
from wardround.cds.screened import Ledgers, Screened, in_assessments
from wardround.cds.servers import Servers, WhyNot
from wardround.core.reading_rule import ReadingRule, reading_rule
from wardround.core.readings import Readings
from wardround.errors import FhirError, FhirRefused, FhirUnreachable
from wardround.fhir.client import FhirClient
from wardround.fhir.endpoint import FhirEndpoint
from wardround.fhir.references import Resource
from wardround.sources.fhir.current_stay import CurrentStay, NoStay
from wardround.sources.prefetch.prefetch import ENCOUNTER, OBSERVATION, PATIENT, Coverage, Prefetched, Template
from wardround.spec.conditions import Condition

_HOSPITAL: Final = "hours_in_hospital"
UNKNOWN_LOCATIONS: Final = "unknown_locations"
"""There is no stay, because the Locations that define stays could not be read."""
_TYPES: Final = (PATIENT, ENCOUNTER, OBSERVATION, RISK_ASSESSMENT)
# Locations change when a unit moves; until then, every call needs the same.
_LOCATIONS_LAST: Final = timedelta(minutes=10)


class Lack(StrEnum):
    """In which way something is lacking."""

    REFUSED = "refused"  # the client's server refused it to the client
    INCOMPLETE = "incomplete"  # there is more than was sent, and the rest could not be read
    UNSENT = "unsent"  # nothing was sent under the name of this variable or key, and it could not be read


@dataclass(frozen=True)
class Gap:
    """Something that is lacking, although a score may be possible without it.

    Attributes:
        key: of the prefetch, or the name of a variable.
        lack: in which way.
        why_not: why it was not read from the server; None if that was not to be tried.
    """

    key: str
    lack: Lack
    why_not: WhyNot | None = None


@dataclass(frozen=True, eq=False)
class Reading:
    """What was read for one call.

    Attributes:
        source: the server that the data are of, as configured; its base URL stands for the source in results.
        found: the stay, and how it was found; or why there is none.
        readings: those of the longest window before as_of, and undated ones, as in a screening: `admit` judges them.
        gaps: what is lacking.
        other_patient: how many Encounters and RiskAssessments are about somebody else, by type, and were set aside.
            Such Observations are among the readings, with that problem.
        of_listed: whether the call names that server, and it is one of the service's own.
        screened: what the latest scheduled screening said of the stay; None if there is no stay, or no screening.
    """

    source: FhirEndpoint
    found: CurrentStay | NoStay
    readings: Readings
    gaps: tuple[Gap, ...]
    other_patient: Mapping[str, int]
    of_listed: bool
    screened: Screened | None


class _Step(StrEnum):
    """What can be read from a server, in the order in which it is."""

    LOCATIONS = "locations"
    ENCOUNTERS = "encounters"
    PATIENT = "patient"
    HOSPITAL = "hospital"
    OBSERVATIONS = "observations"
    ASSESSMENTS = "assessments"


_STEP_OF: Final = {
    ENCOUNTER: _Step.ENCOUNTERS,
    PATIENT: _Step.PATIENT,
    OBSERVATION: _Step.OBSERVATIONS,
    RISK_ASSESSMENT: _Step.ASSESSMENTS,
}
_Wanted = dict[_Step, Sequence[str]]
"""What is to be read from the server, and the keys without which there is no answer if it cannot be."""


class Reader:
    """Reads calls for one condition. It is prepared once for a process, and may be used by several threads."""

    def __init__(
        self, condition: Condition, templates: Mapping[str, str], servers: Servers, ledgers: Ledgers | None = None
    ) -> None:
        """Prepares the reader.

        Args:
            condition: the spec.
            templates: the prefetch templates that the condition's services publish, by key.
            servers: what may be read from where.
            ledgers: of the condition's runs; None if there are none to look at.
        """
        self._ledgers = ledgers
        self._condition = condition
        self._servers = servers
        asked = {key: Template.of(text) for key, text in templates.items()}
        self._keys = {kind: tuple(key for key, one in asked.items() if one.type == kind) for kind in _TYPES}
        self._searched = frozenset(key for key, one in asked.items() if not one.reads_one)
        self._rules: dict[int, ReadingRule] = {}
        self._locations: dict[str, tuple[datetime, list[Resource]]] = {}

    def read(
        self, call: HookRequest, as_of: datetime, waiting: Callable[[], AbstractContextManager[None]] = nullcontext
    ) -> Reading:
        """Reads what the call is about, from a server within a block of `waiting`.

        Raises Problem: 400 for a Patient other than the call's, 412 for data that were neither sent nor can be read.
        """
        source, context = self._servers.source_of(call.fhir_server), call.context
        prefetch = Prefetched.of(call.prefetch, source.bases)
        _require_own_patient(prefetch, context.patient_id)
        rule = self._rule_of(source)
        gathered = Gathered(self._condition, source, rule, context.patient_id, context.encounter_id, as_of)
        gathered.add(self._known_locations(source, as_of))
        gathered.add_prefetch(prefetch)
        coverages = {kind: prefetch.coverage(kind, self._keys[kind], self._condition.variables) for kind in _TYPES}
        wanted = self._wanted(prefetch, coverages, gathered)
        failed: dict[_Step, WhyNot] = {}
        if wanted:
            with waiting():
                failed = self._complete(wanted, gathered, call)
        _require(wanted, failed)
        found = gathered.found
        if _Step.LOCATIONS in failed and isinstance(found, NoStay):
            found = NoStay(UNKNOWN_LOCATIONS)
        return Reading(
            source=source,
            found=found,
            readings=gathered.readings(),
            gaps=tuple(_gaps(coverages, failed)),
            other_patient=gathered.others(),
            of_listed=self._servers.has(call.fhir_server),
            screened=self._screened(found, gathered, source, as_of),
        )

    def _screened(
        self, found: CurrentStay | NoStay, gathered: Gathered, source: FhirEndpoint, as_of: datetime
    ) -> Screened | None:
        if isinstance(found, NoStay):
            return None
        key = self._condition.id
        said = in_assessments(gathered.assessments, found.stay, key, as_of)
        known = self._ledgers.latest(found.stay.stay_id, source.base_url, as_of) if self._ledgers else None
        return max((one for one in (said, known) if one), default=None)

    def _rule_of(self, source: FhirEndpoint) -> ReadingRule:
        """Returns the rule with the source's own codes, kept, as making it takes longer than a call may."""
        # The servers' translations are made once, before the first call.
        key = id(source.translation)
        if key not in self._rules:
            self._rules[key] = reading_rule(self._condition.variables, source.translation)
        return self._rules[key]

    def _known_locations(self, source: FhirEndpoint, as_of: datetime) -> list[Resource]:
        read, found = self._locations.get(source.base_url, (as_of, []))
        return found if abs(as_of - read) < _LOCATIONS_LAST else []

    def _wanted(self, prefetch: Prefetched, coverages: Mapping[str, Coverage], gathered: Gathered) -> _Wanted:
        needed = {kind: one for kind, one in coverages.items() if one.missing or one.incomplete or one.unsent}
        wanted: _Wanted = {_STEP_OF[kind]: one.missing for kind, one in needed.items() if kind != RISK_ASSESSMENT}
        no_stay = isinstance(gathered.found, NoStay)
        if no_stay and gathered.unknown_locations:
            wanted[_Step.LOCATIONS] = ()
        if no_stay and not (prefetch.parts.keys() & self._searched & set(self._keys[ENCOUNTER])):
            # A client that sent one Encounter, or what it likes, may know of others.
            wanted.setdefault(_Step.ENCOUNTERS, ())
        if _HOSPITAL in self._condition.features.demographics and (
            _Step.ENCOUNTERS in wanted or gathered.lacks_hospital
        ):
            wanted[_Step.HOSPITAL] = ()
        if self._condition.bedside.only_if and RISK_ASSESSMENT in needed:
            wanted[_Step.ASSESSMENTS] = ()
        return wanted

    def _complete(self, wanted: _Wanted, gathered: Gathered, call: HookRequest) -> dict[_Step, WhyNot]:
        """Reads what is wanted, each whether or not the others can be; returns what could not be read, and why."""
        if (why_not := self._servers.why_not(call)) is not None:
            return dict.fromkeys(wanted, why_not)
        failed: dict[_Step, WhyNot] = {}
        try:
            with self._servers.client_for(call) as client:
                for step in (step for step in _Step if step in wanted):
                    try:
                        self._reading(step, gathered)(client)
                    except FhirError as error:
                        failed[step] = _why(error)
                if _Step.LOCATIONS in wanted and _Step.LOCATIONS not in failed:
                    self._locations[client.source.base_url] = gathered.as_of, gathered.known_locations()
        except FhirError as error:
            return dict.fromkeys(wanted, _why(error))
        return failed

    def _reading(self, step: _Step, gathered: Gathered) -> Callable[[FhirClient], None]:
        only_if = self._condition.bedside.only_if
        match step:
            case _Step.LOCATIONS:
                return gathered.read_locations
            case _Step.ENCOUNTERS:
                return gathered.read_encounters
            case _Step.PATIENT:
                return gathered.read_patient
            case _Step.HOSPITAL:
                return gathered.read_hospital
            case _Step.OBSERVATIONS:
                return gathered.read_observations
        within = only_if.within if only_if else timedelta()
        return lambda client: gathered.read_assessments(client, within)


def _require_own_patient(prefetch: Prefetched, patient_id: str) -> None:
    """Raises Problem for a Patient other than the one that the call is about."""
    if any(one.get("id") != patient_id for one in prefetch.resources(PATIENT)):
        raise Problem(
            400, "prefetch: holds a Patient other than context.patientId; send what is about that patient alone"
        )


def _require(wanted: _Wanted, failed: Mapping[_Step, WhyNot]) -> None:
    """Raises Problem for keys that were not sent, and whose data could not be read either."""
    lacking = {key: why for step, why in failed.items() for key in wanted[step]}
    if lacking:
        keys = ", ".join(f"prefetch.{key}" for key in lacking)
        why = "; ".join(dict.fromkeys(_WORDS[one] for one in lacking.values()))
        raise Problem(412, f"{keys}: not sent, or not a resource, and not to be read from fhirServer: {why}")


_WORDS: Final = {
    WhyNot.NO_SERVER: "the call names none; send the data, or fhirServer with fhirAuthorization",
    WhyNot.NOT_LISTED: "it is not among the servers of this service; send the data, or have the server listed",
    WhyNot.NO_TOKEN: "the call has no fhirAuthorization that can be used; send the data, or a valid token",
    WhyNot.OTHER_PATIENT: "its token is for another patient; send the data, or a token for context.patientId",
    WhyNot.NOT_PRIVATE: "its address is not https, so that no token may be sent there; send the data",
    WhyNot.REFUSED: "it refused the token; send the data, or a token that may read them",
    WhyNot.UNREACHABLE: "it gave no answer in time; send the data, or try again",
    WhyNot.FAILED: "its answer cannot be used; send the data",
}


def _gaps(coverages: Mapping[str, Coverage], failed: Mapping[_Step, WhyNot]) -> Iterator[Gap]:
    for kind, one in coverages.items():
        yield from (Gap(key, Lack.REFUSED) for key in one.refused)
        why_not = failed.get(_STEP_OF[kind])
        if why_not is not None:
            yield from (Gap(key, Lack.INCOMPLETE, why_not) for key in one.incomplete)
            yield from (Gap(key, Lack.UNSENT, why_not) for key in (*one.unsent, *one.missing))


def _why(error: FhirError) -> WhyNot:
    match error:
        case FhirUnreachable():
            return WhyNot.UNREACHABLE
        case FhirRefused():
            return WhyNot.REFUSED
    return WhyNot.FAILED
