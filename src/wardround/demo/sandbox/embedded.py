"""Serves a folder of FHIR files by the embedded server, as the EHR's own."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from wardround.demo.fhir_server.running import running_server
from wardround.fhir.endpoint import FhirEndpoint
from wardround.settings import Settings
from wardround.spec.loading import load_server_profile

PROFILE: Final = "wardround"
"""Of the embedded server: it is asked for all codes that are known, and so for MIMIC's too."""


@contextmanager
def served(folder: Path, settings: Settings) -> Iterator[FhirEndpoint]:
    """Gives a server with the resources of the folder until the block ends."""
    with running_server(folder) as server:
        yield FhirEndpoint(
            server.base_url,
            profile=load_server_profile(PROFILE, settings.schemas),
            icu_classes=settings.icu_classes,
            icu_locations=settings.icu_locations,
        )
