"""Says of a FHIR Encounter what an ADT message would say: where the visit is, as what, and whether it goes on.

So an Encounter is flagged by the same rules as a message, and stored, replayed and counted as one. It sees patient
values; it never logs.
"""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from wardround.core.microseconds import UNKNOWN, micros
from wardround.fhir.page import dicts
from wardround.fhir.periods import began
from wardround.fhir.references import Resource
from wardround.fhir.times import micros_of
from wardround.fhir.versions import last_updated
from wardround.hl7.charset import codec_of
from wardround.hl7.writing import field, message, moment, segment
from wardround.spec.stream import Authority, StreamSource

_IN_PROGRESS: Final = ("arrived", "triaged", "in-progress", "onleave")
_EVENTS: Final = {"planned": "A05", "finished": "A03", "cancelled": "A11", "entered-in-error": "A11"}
_NO_EFFECT: Final = "A31"
_UTF_8: Final = "UNICODE UTF-8"
# v3-ActCode -> HL7 v2 table 0004. Any other code is passed on as it is, so that settings may name it.
_CLASSES: Final = {
    "IMP": "I", "ACUTE": "I", "NONAC": "I", "EMER": "E", "AMB": "O", "SS": "O", "OBSENC": "O", "PRENC": "P",
}  # fmt: skip
JUST_ARRIVED: Final = timedelta(days=1)
"""A visit that has been in its unit for longer is recorded when it is first heard of, as by an update (A08)."""


class NoNumber(Exception):
    """The Patient has no number of an authority of the source, or one that its character set cannot write."""


def encounter_message(visit: Resource, parts: Sequence[Resource], patient: Resource, source: StreamSource) -> bytes:
    """Returns the message of a visit as it is now.

    Args:
        visit: the Encounter that is part of no other one.
        parts: those that are parts of it.
        patient: the Patient of all of them.
        source: whose numbers and units count.

    Raises:
        NoNumber: the patient has no number of an authority of the source, or it cannot be written.
    """
    everything = [visit, *parts]
    recorded = max(micros_of(last_updated(one)) for one in everything)
    at = _time(recorded) if recorded != UNKNOWN else datetime.fromtimestamp(0, UTC)
    now = max((one for one in everything if one.get("status") in _IN_PROGRESS), key=began, default=visit)
    unit, since = _place(now, source)
    event = _event(str(visit.get("status")), at, since)
    charset = source.charset or _UTF_8
    header = {
        3: "FHIR", 7: moment(at), 9: field("ADT", event, "ADT_A01"), 10: field(f"{visit['id']}-{recorded}"[:199]),
        11: source.processing, 12: "2.5.1", 18: charset,
    }  # fmt: skip
    person = {1: "1", 3: _patient_number(patient, source.patients)}
    lying = {1: "1", 2: field(_class(visit)), 3: field(unit)}
    numbered, place = source.visit_fields[0].split("-")
    visit_number = _visit_number(visit, source.visits)
    {"PID": person, "PV1": lying}[numbered][int(place)] = visit_number
    codec = codec_of(charset) or "utf-8"
    _require_writable(person[3] + visit_number, codec)
    segments = [segment("MSH", header), segment("EVN", {1: event, 2: moment(at)})]
    return message([*segments, segment("PID", person), segment("PV1", lying)], codec)


def _require_writable(numbers: str, codec: str) -> None:
    """Raises NoNumber for a character that the codec lacks: in its place stands a `?`, and the number is another's."""
    try:
        numbers.encode(codec)
    except UnicodeEncodeError:
        raise NoNumber from None


def _event(status: str, at: datetime, since: int) -> str:
    if status not in _IN_PROGRESS:
        return _EVENTS.get(status, _NO_EFFECT)
    return "A01" if since != UNKNOWN and micros(at - JUST_ARRIVED) <= since else "A08"


def _place(encounter: Resource, source: StreamSource) -> tuple[str, int]:
    """Returns the unit by the name that the source's settings have for it, if they have one, and since when."""
    present = [one for one in dicts(encounter.get("location")) if _is_present(one)]
    if not present:
        return "", began(encounter)
    latest = max(present, key=began)
    names = list(_names(latest.get("location")))
    since = began(latest)
    known = next((name for name in names if name in source.units), names[0] if names else "")
    return known, since if since != UNKNOWN else began(encounter)


def _is_present(place: Resource) -> bool:
    period = place.get("period")
    ended = isinstance(period, dict) and period.get("end")
    return not ended and place.get("status") not in ("completed", "planned", "reserved")


def _names(location: Any) -> Iterator[str]:
    """Yields what a reference calls a Location: its number, what it shows, and its id."""
    if isinstance(location, dict):
        identifier = location.get("identifier")
        for name in (identifier.get("value") if isinstance(identifier, dict) else None, location.get("display")):
            if isinstance(name, str) and name:
                yield name
        if isinstance(reference := location.get("reference"), str):
            yield "/".join(reference.split("/")[-2:])


def _class(visit: Resource) -> str:
    coding = visit.get("class")
    code = str(coding.get("code") or "") if isinstance(coding, dict) else ""
    return _CLASSES.get(code, code)


def _patient_number(patient: Resource, authorities: Sequence[Authority]) -> str:
    for authority in authorities:
        if number := _number(patient, authority):
            return _extended(number, authority, "MR")
    raise NoNumber


def _visit_number(visit: Resource, authority: Authority) -> str:
    # The server's own id stands in: with its type it is no other visit's number.
    return _extended(_number(visit, authority) or f"Encounter/{visit['id']}", authority, "VN")


def _number(resource: Resource, authority: Authority) -> str:
    carried = (one for one in dicts(resource.get("identifier")) if one.get("system") == authority.system)
    return next((str(one["value"]) for one in carried if one.get("value") and one.get("use") != "old"), "")


def _extended(number: str, authority: Authority, kind: str) -> str:
    """Returns a number as CX has it, such that it is recognised as this authority's."""
    assigner = (authority.namespace, authority.universal_id) if authority.universal_id else (authority.namespace,)
    return field(number, "", "", assigner if any(assigner) else "", kind)


def _time(time: int) -> datetime:
    return datetime.fromtimestamp(time / 1_000_000, UTC)
