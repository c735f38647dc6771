"""A base URL and the settings in, the FHIR server to talk to out."""

from wardround.adapters.fhir_source import FhirSource
from wardround.settings import Settings


def server_at(url: str, settings: Settings) -> FhirSource:
    """The server at `url`, asked as the environment says. Raises FhirError for what is no base URL."""
    return FhirSource(
        base_url=url,
        token=settings.fhir_token,
        page_size=settings.fhir_page_size,
        retries=settings.fhir_retries,
        icu_classes=settings.icu_classes,
        icu_locations=settings.icu_locations,
    )
