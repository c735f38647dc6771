"""Tests which base URLs and settings make a usable FHIR endpoint."""

import pytest

from wardround.errors import FhirError
from wardround.fhir.endpoint import FhirEndpoint, shown
from wardround.fhir.sign_in import BasicPassword, BearerToken, ClientSecret, SignedAssertion, SignIn
from wardround.spec.servers import GENERIC


@pytest.mark.parametrize(
    "sign_in",
    [
        BearerToken("secret"),
        BasicPassword("me", "secret"),
        ClientSecret("me", "secret"),
        SignedAssertion("me", "secret"),
    ],
)
def test_a_secret_is_never_shown(sign_in: SignIn) -> None:
    source = FhirEndpoint("https://example.org/fhir", sign_in, proxy="http://me:secret@proxy.example.org:3128")
    assert "secret" not in repr(source)
    assert "secret" not in f"{sign_in}"


def test_a_slash_at_the_end_makes_no_difference() -> None:
    assert FhirEndpoint("https://example.org/fhir/").base_url == "https://example.org/fhir"


@pytest.mark.parametrize(
    "url",
    [
        "",
        "example.org/fhir",
        "ftp://example.org",
        "https://",
        "http://h:port/",
        "http://[x",
        "http://h/fhir/ ",
        "http://h/fh\nir",
    ],
)
def test_what_is_no_web_address_is_refused(url: str) -> None:
    with pytest.raises(FhirError, match="not a web address"):
        FhirEndpoint(url)


@pytest.mark.parametrize("url", ["https://me:secret@example.org/fhir", "https://example.org/fhir?key=secret"])
def test_credentials_in_the_url_are_refused_and_not_shown(url: str) -> None:
    with pytest.raises(FhirError, match="credentials or a query") as caught:
        FhirEndpoint(url)
    assert "secret" not in str(caught.value)
    assert "secret" not in shown(url)


def test_a_profile_lowers_limits_and_never_raises_them() -> None:
    profile = GENERIC.model_copy(update={"page_size": 200, "patients_per_search": 1, "batch_entries": 500})
    source = FhirEndpoint("https://example.org/fhir", page_size=10_000, profile=profile)
    assert (source.page_size, source.patients_per_search, source.entries_per_batch) == (200, 1, 100)


@pytest.mark.parametrize(
    "url", ["http://example.org/token", "example.org/token", "https://me:pw@example.org/token", ""]
)
def test_a_token_endpoint_without_encryption_is_refused(url: str) -> None:
    for make in (ClientSecret, SignedAssertion):
        with pytest.raises(FhirError, match="token URL: not https"):
            make("me", "secret", token_url=url)


@pytest.mark.parametrize("url", ["http://localhost:80/token", "http://127.0.0.1/token", "http://[::1]/token", None])
def test_a_token_endpoint_on_this_machine_needs_no_https(url: str | None) -> None:
    assert ClientSecret("me", "secret", url).token_url == url


@pytest.mark.parametrize("token", ["", "secret\n", "secret\nX-Other: 1", "sec ret", "secret\u20ac"])
def test_a_token_that_is_invalid_in_a_header_is_refused_and_not_shown(token: str) -> None:
    with pytest.raises(FhirError, match="token: contains a space, a line break or a character outside ASCII") as caught:
        BearerToken(token)
    assert "secret" not in str(caught.value)


def test_results_go_to_another_server_that_keeps_them() -> None:
    url = "https://example.org/fhir"
    for same in (url, "https://EXAMPLE.org:443/fhir/", "http://inside/r4"):
        with pytest.raises(FhirError, match="to itself, expected another server"):
            FhirEndpoint(url, aliases=("http://inside/r4",), write_to=FhirEndpoint(same))
    with pytest.raises(FhirError, match="sets map_by_identifier but no other server to write to"):
        FhirEndpoint(url, map_by_identifier=True)
