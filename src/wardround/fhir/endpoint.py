"""What is known about a FHIR server before the first request: where it is, how to sign in, what it can handle."""

import re
from dataclasses import dataclass, field
from functools import cached_property
from urllib.parse import urlsplit

from wardround.errors import FhirError
from wardround.escaping import visible
from wardround.fhir.references import DEFAULT_PORTS, Bases
from wardround.fhir.sign_in import SignIn
from wardround.fhir.source_settings import DEFAULTS
from wardround.report.chart_links import EXPECTED, is_pattern
from wardround.spec.cohorts import Encounters
from wardround.spec.servers import GENERIC, ServerProfile
from wardround.spec.source_maps import NO_TRANSLATION, Translation


@dataclass(frozen=True)
class FhirEndpoint:
    """A FHIR R4 server. Attributes that are not listed here are settings, which `SourceSettings` explains.

    Attributes:
        base_url: such as https://example.org/fhir, without credentials or query.
        sign_in: how to sign in; None for a server without sign-in.
        translation: what the server's own codes and units mean.
        profile: what this kind of server can handle; the settings can lower it further.
        recognise: use the profile that the server's CapabilityStatement points to instead (see `fhir.profiles`).
        name: its name in the environment or in Airflow; None if it is given by its URL.
        write_to: the server that takes the results if this one does not: then this one is only read.
        map_by_identifier: results refer to the other server's own Patients and Encounters, found by their identifiers;
            otherwise they hold the identifiers.
    """

    base_url: str
    sign_in: SignIn | None = None
    ca_file: str | None = None
    proxy: str | None = field(default=None, repr=False)
    page_size: int = DEFAULTS.page_size
    patients_per_search: int = DEFAULTS.patients_per_search
    entries_per_batch: int = DEFAULTS.entries_per_batch
    timeout: float = DEFAULTS.timeout
    threads: int = DEFAULTS.threads
    retries: int = DEFAULTS.retries
    icu_classes: tuple[str, ...] = DEFAULTS.icu_classes
    icu_locations: tuple[str, ...] = DEFAULTS.icu_locations
    aliases: tuple[str, ...] = DEFAULTS.aliases
    translation: Translation = NO_TRANSLATION
    profile: ServerProfile = GENERIC
    recognise: bool = False
    name: str | None = None
    chart_url: str | None = None
    write_to: "FhirEndpoint | None" = None
    map_by_identifier: bool = False

    def __post_init__(self) -> None:
        try:
            scheme, host, _ = origin("" if re.search(r"\s", self.base_url) else self.base_url)
        except ValueError:
            scheme, host = "", None
        if scheme not in ("http", "https") or not host:
            raise FhirError("FHIR base URL: not a web address, expected http(s)://host/path; correct it")
        parts = urlsplit(self.base_url)
        if parts.username or parts.query or parts.fragment:
            what = "contains credentials or a query, expected neither"
            raise FhirError(f"FHIR base URL {shown(self.base_url)}: {what}; set the sign-in separately")
        object.__setattr__(self, "base_url", self.base_url.rstrip("/"))
        bases_of(self.aliases)
        if self.chart_url is not None and not is_pattern(self.chart_url):
            raise FhirError(
                f"{shown(self.base_url)}: chart_url is not a valid address, expected {EXPECTED}; correct it"
            )
        self._require_another_server()
        object.__setattr__(self, "page_size", min(self.page_size, self.profile.page_size))
        object.__setattr__(self, "patients_per_search", min(self.patients_per_search, self.profile.patients_per_search))
        object.__setattr__(self, "entries_per_batch", min(self.entries_per_batch, self.profile.batch_entries))

    def _require_another_server(self) -> None:
        if self.write_to is None:
            if self.map_by_identifier:
                what = "sets map_by_identifier but no other server to write to, expected one"
                raise FhirError(f"{shown(self.base_url)}: {what}; set write_to, or unset map_by_identifier")
        elif self.bases.have(self.write_to.base_url):
            what = "would write its results to itself, expected another server"
            raise FhirError(f"{shown(self.base_url)}: {what}; leave write_to out")

    @cached_property
    def bases(self) -> Bases:
        """The base URLs that make a reference one of this server's own."""
        return Bases(self.base_url, *self.aliases)

    @cached_property
    def icu(self) -> Encounters:
        """Which of its Encounters are ICU stays."""
        return Encounters(classes=self.icu_classes, locations=self.icu_locations)


def bases_of(aliases: tuple[str, ...]) -> Bases:
    """Returns the bases of a folder of data from servers with these base URLs. Raises FhirError for an invalid URL."""
    for alias in aliases:
        try:
            Bases(alias)
        except ValueError:
            raise FhirError("alias: not the base URL of a server, expected http(s)://host/path; correct it") from None
    return Bases(*aliases)


def origin(url: str) -> tuple[str, str | None, int | None]:
    """Returns scheme, host and port: a token is sent only if they are equal."""
    parts = urlsplit(url)
    return parts.scheme, parts.hostname, parts.port or DEFAULT_PORTS.get(parts.scheme)


def shown(url: str) -> str:
    """Returns the URL as messages may show it: without credentials, query and fragment."""
    parts = urlsplit(url)
    return visible(parts._replace(netloc=parts.netloc.rpartition("@")[2], query="", fragment="").geturl())
