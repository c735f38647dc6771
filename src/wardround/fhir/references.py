"""Reads ids from FHIR References, and turns patient ids into the values of a search.

A reference is *ours* if it is relative, or absolute under a base URL of the source. `Bases` makes our references
relative; the functions below handle relative ones only, so that an id of another server is never taken for one of ours.
"""

import re
from collections.abc import Iterable
from functools import lru_cache
from typing import Any, Final
from urllib.parse import urlsplit

from wardround.spec.servers import ServerProfile

Resource = dict[str, Any]

FOREIGN_REFERENCE: Final = "foreign_reference"  # to a resource of another server, or of an unknown one (urn:)
DEFAULT_PORTS: Final = {"http": 80, "https": 443}
_ID: Final = re.compile(r"[A-Za-z0-9\-.]{1,64}")
_is_id: Final = _ID.fullmatch
_REFERENCE: Final = re.compile(
    rf"(?:(?P<base>[A-Za-z][A-Za-z0-9+.\-]*:.+)/)?(?P<local>[A-Z][A-Za-z]+/{_ID.pattern})(?:/_history/{_ID.pattern})?"
)
_ABSOLUTE: Final = re.compile(r"[A-Za-z][A-Za-z0-9+.\-]*:")
_HOLDING: Final = (dict, list)
_NEVER_IN_A_BASE: Final = re.compile(r"[?#@\s]")
_Base = tuple[str, str | None, int | None, str]


class Bases:
    """The base URLs of one source: its own and its aliases; none for a folder without a server.

    The case of scheme and host, a default port and a trailing slash make no difference. Raises ValueError for anything
    but a web address.
    """

    def __init__(self, *urls: str) -> None:
        self._bases = frozenset(_base(url) for url in urls)
        # A page of Observations names few patients, each many times.
        self.relative = lru_cache(maxsize=4096)(self._relative)
        self.patient = lru_cache(maxsize=4096)(self._patient)

    def _relative(self, text: str) -> str:
        """Returns `Type/id` for a reference of ours, without its version; any other text unchanged."""
        found = _REFERENCE.fullmatch(text)
        if found is None or (found["base"] and not self.have(found["base"])):
            return text
        return found["local"]

    def _patient(self, text: object) -> tuple[str, str]:
        """Returns the id of the Patient that a reference of ours names, or "" and FOREIGN_REFERENCE if that is why."""
        if not isinstance(text, str):
            return "", ""
        patient = _id_in_text(self._relative(text), "Patient")
        return patient, FOREIGN_REFERENCE if not patient and is_foreign(self._relative(text)) else ""

    def localised(self, node: Any) -> Any:
        """Returns the same JSON with each reference of ours made relative; unchanged if it is nested too deeply.

        References that stay absolute then count as foreign.
        """
        try:
            return self._localised(node)
        except RecursionError:
            return node

    def _localised(self, node: Any) -> Any:
        # Nine in ten nodes are leaves: calling a function for each would take most of the time.
        if isinstance(node, dict):
            return {
                key: self._localised(value)
                if isinstance(value, _HOLDING)
                else self.relative(value)
                if key == "reference" and isinstance(value, str)
                else value
                for key, value in node.items()
            }
        if isinstance(node, list):
            if _are_relative(node):
                return node
            return [self._localised(item) if isinstance(item, _HOLDING) else item for item in node]
        return node

    def have(self, url: str) -> bool:
        """Returns whether a URL is one of them."""
        try:
            return _base(url) in self._bases
        except ValueError:
            return False


def _are_relative(nodes: list[Any]) -> bool:
    """Returns whether all are only relative References without a version: a basis has more than a hundred."""
    try:
        texts = [node["reference"] for node in nodes if len(node) == 1]
        together = " ".join(texts)
    except (TypeError, KeyError):
        return False
    return len(texts) == len(nodes) and ":" not in together and "/_history/" not in together


def _base(url: str) -> _Base:
    parts = urlsplit("" if _NEVER_IN_A_BASE.search(url) else url)
    if parts.scheme not in DEFAULT_PORTS or not parts.hostname:
        raise ValueError("not the base URL of a server")
    return parts.scheme, parts.hostname, parts.port or DEFAULT_PORTS[parts.scheme], parts.path.rstrip("/")


def is_id(value: object) -> bool:
    """Returns whether it can be the id of a resource in FHIR R4."""
    return type(value) is str and _is_id(value) is not None


@lru_cache(maxsize=4096)
def _id_in_text(text: str, resource_type: str) -> str:
    """Returns the id in a relative reference; "" if it is to another type or server, or not a reference."""
    kind, _, key = text.partition("/")
    return key if kind == resource_type and is_id(key) else ""


def id_in(reference: object, resource_type: str) -> str:
    """Returns the id in a Reference of ours to this type; "" if there is none."""
    text = reference.get("reference") if isinstance(reference, dict) else None
    return _id_in_text(text, resource_type) if isinstance(text, str) else ""


def is_foreign(reference: object) -> bool:
    """Returns whether a Reference, made relative if it is ours, leads to another server."""
    text = reference.get("reference") if isinstance(reference, dict) else reference
    return isinstance(text, str) and _ABSOLUTE.match(text) is not None


def contradicts(reference: object, resource_type: str) -> bool:
    """Returns whether a Reference's `type` differs from this type, which its `reference` names."""
    stated = reference.get("type") if isinstance(reference, dict) else None
    return stated is not None and str(stated).rpartition("/StructureDefinition/")[2] != resource_type


def patient_of(resource: Resource) -> str:
    """Returns the id of the Patient that `subject` refers to; "" if there is none."""
    return id_in(resource.get("subject"), "Patient")


def locations_of(encounter: Resource) -> list[str]:
    """Returns the ids of the Locations of an Encounter's parts, in order; "" for a part that names none."""
    parts = encounter.get("location")
    if not isinstance(parts, list):
        return []
    return [id_in(part.get("location") if isinstance(part, dict) else None, "Location") for part in parts]


def patient_values(patient_ids: Iterable[str], profile: ServerProfile) -> list[str]:
    """Returns the patients as the server expects them in a search."""
    return [f"Patient/{key}" if profile.references == "type_and_id" else key for key in patient_ids]
