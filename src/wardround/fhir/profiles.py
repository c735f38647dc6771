"""Recognises a server's profile, and combines a source with a profile."""

from dataclasses import replace
from pathlib import Path

from wardround.core.server_profiles import Fit, fitting, other_version, takes_results
from wardround.errors import FhirError, FhirRefused, FhirUnreachable
from wardround.fhir.client import FhirClient
from wardround.fhir.endpoint import FhirEndpoint, shown
from wardround.fhir.references import Resource
from wardround.spec.loading import load_server_profiles
from wardround.spec.servers import GENERIC, ServerProfile


def recognised(client: FhirClient, schemas: Path) -> Fit:
    """Returns the profile that the server's CapabilityStatement points to, and why; one request. Raises FhirError."""
    return recognised_by(client.capabilities(), client.source, schemas)


def fit_of(client: FhirClient, schemas: Path) -> Fit:
    """Returns the profile that suits the server, and why: the generic one if it states nothing. Raises FhirError."""
    statement = statement_of(client)
    if statement is None:  # its abilities are then found out by asking
        return Fit(GENERIC, "it returned no CapabilityStatement")
    return recognised_by(statement, client.source, schemas)


def recognised_by(statement: Resource, source: FhirEndpoint, schemas: Path) -> Fit:
    """Returns the same for a CapabilityStatement.

    Raises FhirError for another version of FHIR, where meanings may differ.
    """
    require_r4(statement, source)
    return fitting(statement, load_server_profiles(schemas).values())


def statement_of(client: FhirClient) -> Resource | None:
    """Returns the server's CapabilityStatement; None if it answers but gives none.

    Raises FhirUnreachable or FhirRefused.
    """
    try:
        return client.capabilities()
    except (FhirUnreachable, FhirRefused):
        raise
    except FhirError:
        return None


def require_r4(statement: Resource, source: FhirEndpoint) -> None:
    """Raises FhirError if the statement names another version of FHIR than R4."""
    if other := other_version(statement):
        raise FhirError(f"{source.base_url}: uses FHIR {other}, expected R4 (4.0); use the URL of its R4 interface")


def require_takes_results(client: FhirClient) -> None:
    """Raises FhirError if the server states that it takes no RiskAssessment; `client` is the one for results.

    If a server states nothing of the kind, only writing shows it.
    """
    statement = statement_of(client)
    if statement and takes_results(statement) is False:
        raise FhirError(
            f"{shown(client.source.base_url)}: accepts no RiskAssessment according to its"
            " CapabilityStatement, expected a server that does; screen in shadow (--mode shadow;"
            " in the form: Mode), or write the results to another server (write_to)"
        )


def with_profile(source: FhirEndpoint, profile: ServerProfile) -> FhirEndpoint:
    """Returns the source with this profile, recognised or chosen."""
    return replace(source, profile=profile, recognise=False)
