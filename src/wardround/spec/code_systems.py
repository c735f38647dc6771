"""The code systems that Wardround knows by name, and the other ways in which sources write them."""

from typing import Final

LOINC: Final = "http://loinc.org"
SNOMED: Final = "http://snomed.info/sct"
IEEE_11073: Final = "urn:iso:std:iso:11073:10101"
# HL7 CDA documents identify a code system by its OID, and resources converted from them keep it.
_OIDS: Final = {
    LOINC: "urn:oid:2.16.840.1.113883.6.1",
    SNOMED: "urn:oid:2.16.840.1.113883.6.96",
    IEEE_11073: "urn:oid:2.16.840.1.113883.6.24",
}


def spellings(system: str) -> tuple[str, ...]:
    """Returns the system's own URI and, if there is one, its OID as a URI."""
    return (system, _OIDS[system]) if system in _OIDS else (system,)
