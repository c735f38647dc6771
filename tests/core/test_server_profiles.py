"""Which profile a CapabilityStatement points at."""

import pytest

from wardround.core.server_profiles import fitting, other_version
from wardround.spec.loading import load_server_profiles


@pytest.mark.parametrize(
    ("statement", "profile", "why"),
    [
        ({"software": {"name": "HAPI FHIR Server"}}, "hapi", "CapabilityStatement.software.name says HAPI FHIR"),
        ({"software": {"name": "SEKMET FHIR R4 Tester"}}, "sekmet", "CapabilityStatement.software.name says SEKMET"),
        ({"publisher": "Cerner"}, "oracle", "CapabilityStatement.publisher says Cerner"),
        ({"implementation": {"description": "medplum"}}, "medplum", "implementation.description says Medplum"),
        ({"software": {"name": "Epic"}, "publisher": "Epic"}, "epic", "software.name says Epic"),
        ({"software": {"name": "HAPI FHIR Server"}, "publisher": "Epic"}, "hapi", "software.name says HAPI FHIR"),
        ({"software": {"name": "Epicentre"}}, "generic", "names a kind of server that has a profile"),
        ({"software": None, "implementation": "text"}, "generic", "nothing in its CapabilityStatement"),
        ({}, "generic", "nothing in its CapabilityStatement"),
    ],
)
def test_a_server_is_recognised_by_what_it_calls_itself_in_whole_words(schemas, statement, profile, why) -> None:
    fit = fitting(statement, load_server_profiles(schemas).values())
    assert fit.profile.id == profile
    assert why in fit.why


@pytest.mark.parametrize(
    ("statement", "other"),
    [
        ({"fhirVersion": "4.0.1"}, ""),
        ({"fhirVersion": "4.0"}, ""),
        ({"fhirVersion": "4.0.0-ballot"}, ""),
        ({"fhirVersion": "4.3.0"}, "4.3.0"),
        ({"fhirVersion": "4.01"}, "4.01"),
        ({"fhirVersion": "5.0.0"}, "5.0.0"),
        ({"fhirVersion": "3.0.2"}, "3.0.2"),
        ({"fhirVersion": 5}, ""),
        ({}, ""),
    ],
)
def test_a_version_that_is_none_of_r4_is_named(statement: dict[str, object], other: str) -> None:
    assert other_version(statement) == other
