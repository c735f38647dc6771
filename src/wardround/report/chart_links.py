"""Builds links to patients' charts from an EHR's address pattern."""

import re
from typing import Final
from urllib.parse import quote, urlsplit

PLACES: Final = ("{patient_id}", "{encounter_id}")
EXPECTED: Final = "https://host/… with {patient_id}, {encounter_id} or both after the host"


def is_pattern(pattern: str) -> bool:
    """Returns whether it is an https address without credentials that names patient or encounter after its host."""
    bare = pattern
    for place in PLACES:
        bare = bare.replace(place, "")
    try:
        parts = urlsplit(pattern)
        host, port = parts.hostname, parts.port
    except ValueError:
        return False
    return (
        parts.scheme == "https"
        and bool(host)
        and port != 0
        and bare != pattern
        and "@" not in parts.netloc
        and not re.search(r"[{}]", bare + parts.netloc)
        and re.fullmatch(r"[!-~]+", bare) is not None
        and not re.search(r"[<>\"'`\\]", bare)
    )


def chart_link(pattern: str, patient: str, stay: str) -> str:
    """Returns the address of one patient's chart; "" for an id that could lead elsewhere even if it is encoded."""
    if not pattern or {patient, stay} & {"", ".", ".."}:
        return ""
    return pattern.replace(PLACES[0], quote(patient, safe="")).replace(PLACES[1], quote(stay, safe=""))
