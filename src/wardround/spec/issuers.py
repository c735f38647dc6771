"""The issuers file: whose tokens the bedside door accepts, where their keys are, and what they may name as audience."""

from ipaddress import ip_address
from typing import Annotated, Literal, Self
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, model_validator

from wardround.spec.base import SpecModel


def _fetchable(url: str) -> str:
    parts = urlsplit(url)
    if not parts.hostname or parts.username or parts.fragment:
        raise ValueError(f"got {url!r}, expected the https URL of a JSON Web Key Set; correct it")
    if parts.scheme != "https" and not (parts.scheme == "http" and is_loopback(parts.hostname)):
        raise ValueError(f"got {url!r}, expected https: whoever changes the keys on the way can sign for the issuer")
    return url


def is_loopback(host: str) -> bool:
    """Returns whether a host name or address is of this machine alone."""
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False


Text = Annotated[str, Field(min_length=1, max_length=2_000)]


class Issuer(SpecModel):
    """One EHR that may call, and the one place where its keys are."""

    issuer: Text = Field(description="What its tokens name as `iss`, exactly.")
    jwks: Text | None = Field(
        default=None, description="File with its public keys (a JSON Web Key Set); relative to this file."
    )
    jku: Annotated[Text, AfterValidator(_fetchable)] | None = Field(
        default=None, description="URL of its public keys, exactly as its tokens name it. Only this one is fetched."
    )
    audiences: tuple[Text, ...] = Field(
        default=(), description="What its tokens may name as `aud` instead of the URL that is called."
    )

    @model_validator(mode="after")
    def _one_place_of_keys(self) -> Self:
        if (self.jwks is None) == (self.jku is None):
            raise ValueError("expected either jwks (a file) or jku (a URL); give one of them")
        return self


class Issuers(SpecModel):
    """The whole of an issuers file."""

    version: Literal[1] = Field(default=1, description="Version of this file's format.")
    issuers: tuple[Issuer, ...] = Field(description="Who may call; nobody else may.")

    @model_validator(mode="after")
    def _each_issuer_once(self) -> Self:
        names = [one.issuer for one in self.issuers]
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise ValueError(f"{twice[0]} is listed twice; keep one of them, with all its audiences")
        return self
