"""What makes a FHIR base URL usable."""

import pytest

from wardround.adapters.fhir_source import FhirSource, shown
from wardround.errors import FhirError
from wardround.spec.servers import GENERIC


def test_a_token_is_never_shown() -> None:
    assert "secret" not in repr(FhirSource("https://example.org/fhir", token="secret"))


def test_a_slash_at_the_end_makes_no_difference() -> None:
    assert FhirSource("https://example.org/fhir/").base_url == "https://example.org/fhir"


@pytest.mark.parametrize(
    "url", ["", "example.org/fhir", "ftp://example.org", "https://", "http://h:port/", "http://[x"]
)
def test_what_is_no_web_address_is_refused(url: str) -> None:
    with pytest.raises(FhirError, match="not a web address"):
        FhirSource(url)


@pytest.mark.parametrize("url", ["https://me:secret@example.org/fhir", "https://example.org/fhir?key=secret"])
def test_credentials_in_the_url_are_refused_and_not_shown(url: str) -> None:
    with pytest.raises(FhirError, match="credentials or a query") as caught:
        FhirSource(url)
    assert "secret" not in str(caught.value)
    assert "secret" not in shown(url)


def test_a_profile_lowers_what_the_server_cannot_bear_and_raises_nothing() -> None:
    profile = GENERIC.model_copy(update={"page_size": 200, "patients_per_search": 1, "batch_entries": 500})
    source = FhirSource("https://example.org/fhir", page_size=10_000, profile=profile)
    assert (source.page_size, source.patients_per_search, source.entries_per_batch) == (200, 1, 100)
