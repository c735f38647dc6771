"""A server in, the profile that it is recognised by out; a source and a profile in, the two together out."""

from dataclasses import replace
from pathlib import Path

from wardround.adapters.fhir_client import FhirClient
from wardround.adapters.fhir_source import FhirSource
from wardround.core.server_profiles import Fit, fitting
from wardround.spec.loading import load_server_profiles
from wardround.spec.servers import ServerProfile


def recognised(client: FhirClient, schemas: Path) -> Fit:
    """The profile that the server's CapabilityStatement points at, and why; one request. Raises FhirError."""
    return fitting(client.capabilities(), load_server_profiles(schemas).values())


def with_profile(source: FhirSource, profile: ServerProfile) -> FhirSource:
    """The source with this profile, recognised or chosen."""
    return replace(source, profile=profile, recognise=False)
