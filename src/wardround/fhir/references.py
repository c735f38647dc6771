"""FHIR References in, ids out; and ids in, the values of a search for patients out.

A reference is *ours* if it is relative, or absolute under a base URL of the source. `Bases` makes ours relative; the
functions below know relative ones alone, so that an id of another server is never taken for one of ours.
"""

import re
from collections.abc import Iterable
from functools import lru_cache
from typing import Any, Final
from urllib.parse import urlsplit

from wardround.spec.servers import ServerProfile

Resource = dict[str, Any]

FOREIGN_REFERENCE: Final = "foreign_reference"  # to a resource of another server, or to nobody knows where (urn:)
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
    """The base URLs of one source: its own and its aliases; none for a folder that has no server.

    Case of scheme and host, a default port and a slash at the end make no difference. Raises ValueError for what is
    no web address.
    """

    def __init__(self, *urls: str) -> None:
        self._bases = frozenset(_base(url) for url in urls)
        # A page of Observations names few patients and many times over.
        self.relative = lru_cache(maxsize=4096)(self._relative)
        self.patient = lru_cache(maxsize=4096)(self._patient)

    def _relative(self, text: str) -> str:
        """`Type/id` of a reference of ours, without its version; any other text as it is."""
        found = _REFERENCE.fullmatch(text)
        if found is None or (found["base"] and not self.have(found["base"])):
            return text
        return found["local"]

    def _patient(self, text: object) -> tuple[str, str]:
        """The id of the Patient that a reference of ours names; if none, FOREIGN_REFERENCE if that is why."""
        if not isinstance(text, str):
            return "", ""
        patient = id_in_text(self._relative(text), "Patient")
        return patient, FOREIGN_REFERENCE if not patient and is_foreign(self._relative(text)) else ""

    def localised(self, node: Any) -> Any:
        """The same JSON with each reference of ours relative; as it is if it is nested too deeply to be followed.

        What is absolute there then counts as foreign.
        """
        try:
            return self._localised(node)
        except RecursionError:
            return node

    def _localised(self, node: Any) -> Any:
        # Nine in ten nodes are leaves: a call for each of them would take most of the time.
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
            return [
                self._localised(item) if isinstance(item, _HOLDING) and not _is_relative(item) else item
                for item in node
            ]
        return node

    def have(self, url: str) -> bool:
        """Whether a URL is one of them."""
        try:
            return _base(url) in self._bases
        except ValueError:
            return False


def _is_relative(node: Any) -> bool:
    """Returns whether a node is nothing but a relative Reference without a version: a basis has more than a hundred."""
    text = node.get("reference") if type(node) is dict and len(node) == 1 else None
    return type(text) is str and ":" not in text and "/_history/" not in text


def _base(url: str) -> _Base:
    parts = urlsplit("" if _NEVER_IN_A_BASE.search(url) else url)
    if parts.scheme not in DEFAULT_PORTS or not parts.hostname:
        raise ValueError("not the base URL of a server")
    return parts.scheme, parts.hostname, parts.port or DEFAULT_PORTS[parts.scheme], parts.path.rstrip("/")


def is_id(value: object) -> bool:
    """Whether it can be the id of a resource in FHIR R4."""
    return type(value) is str and _is_id(value) is not None


@lru_cache(maxsize=4096)
def id_in_text(text: str, resource_type: str) -> str:
    """The id of a relative reference; empty if it is to another type, to another server or none."""
    kind, _, key = text.partition("/")
    return key if kind == resource_type and is_id(key) else ""


def id_in(reference: object, resource_type: str) -> str:
    """The id that a Reference of ours to this type holds; empty if none."""
    text = reference.get("reference") if isinstance(reference, dict) else None
    return id_in_text(text, resource_type) if isinstance(text, str) else ""


def is_foreign(reference: object) -> bool:
    """Whether a Reference, made relative if it is ours, leads to another server."""
    text = reference.get("reference") if isinstance(reference, dict) else reference
    return isinstance(text, str) and _ABSOLUTE.match(text) is not None


def contradicts(reference: object, resource_type: str) -> bool:
    """Whether a Reference's `type` says another type than this one, which its `reference` names."""
    stated = reference.get("type") if isinstance(reference, dict) else None
    return stated is not None and str(stated).rpartition("/StructureDefinition/")[2] != resource_type


def patient_of(resource: Resource) -> str:
    """The id of the Patient that `subject` refers to; empty if none."""
    return id_in(resource.get("subject"), "Patient")


def locations_of(encounter: Resource) -> list[str]:
    """The ids of the Locations of an Encounter's parts, in their order; empty where a part names none."""
    parts = encounter.get("location")
    if not isinstance(parts, list):
        return []
    return [id_in(part.get("location") if isinstance(part, dict) else None, "Location") for part in parts]


def patient_values(patient_ids: Iterable[str], profile: ServerProfile) -> list[str]:
    """The patients as the server wants them named in a search."""
    return [f"Patient/{key}" if profile.references == "type_and_id" else key for key in patient_ids]
