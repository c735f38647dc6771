"""The code systems that Wardround knows by name, and how else sources spell them."""

from typing import Final

LOINC: Final = "http://loinc.org"
SNOMED: Final = "http://snomed.info/sct"
IEEE_11073: Final = "urn:iso:std:iso:11073:10101"
# Documents in HL7's CDA name a code system by its OID, and what is converted from them keeps it.
_OIDS: Final = {
    LOINC: "urn:oid:2.16.840.1.113883.6.1",
    SNOMED: "urn:oid:2.16.840.1.113883.6.96",
    IEEE_11073: "urn:oid:2.16.840.1.113883.6.24",
}


def spellings(system: str) -> tuple[str, ...]:
    """The system's own URI, and its OID as one."""
    return (system, _OIDS[system]) if system in _OIDS else (system,)
