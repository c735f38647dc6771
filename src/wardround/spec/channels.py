"""The channels by which the stream tells people of a score: a webhook, a resource in the record, a field of the EMR."""

from datetime import timedelta
from string import Template
from typing import Annotated, Final, Literal, Self
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, model_validator

from wardround.spec.base import Duration, SpecModel
from wardround.spec.issuers import is_loopback

FIELDS: Final = (
    *("id", "condition", "branch", "visit", "visit_system", "patient", "patient_system", "unit"),
    *("probability", "percent", "band", "as_of", "age_seconds", "model_version"),
)
"""What a request's body may contain, each as `$name`."""


def _address(url: str) -> str:
    parts = urlsplit(url)
    if not parts.hostname or parts.username or parts.password or parts.fragment:
        raise ValueError("expected an https URL without credentials; put a secret into a file")
    if parts.scheme != "https" and not (parts.scheme == "http" and is_loopback(parts.hostname)):
        raise ValueError("expected https: what is sent there names a patient; http is for this machine alone")
    if "$" in url:
        raise ValueError("contains a `$`: nothing of a patient may be in a URL, which others log; use the body")
    return url


def _template(text: str) -> str:
    template = Template(text)
    if not template.is_valid():
        raise ValueError("contains a `$` that begins no name; write `$$` for a dollar sign")
    if unknown := sorted(set(template.get_identifiers()) - set(FIELDS)):
        raise ValueError(f"contains ${unknown[0]}, expected one of {', '.join(FIELDS)}")
    return text


Url = Annotated[str, Field(max_length=2_000), AfterValidator(_address)]
File = Annotated[str, Field(min_length=1, max_length=500)]


class Webhook(SpecModel):
    """A message in JSON to a program of the hospital, signed as the Standard Webhooks specification says."""

    url: Url = Field(description="Where it is sent: https, or this machine.")
    secret_file: File = Field(
        description="File with the secret that signs messages, at least 24 characters; relative to this file."
    )


class Request(SpecModel):
    """A value for a field of the EMR: a request whose body is a template."""

    url: Url = Field(description="Where it is sent: https, or this machine. Nothing of a patient is in it.")
    method: Literal["POST", "PUT", "PATCH"] = Field(default="POST", description="Method.")
    content: Literal["json", "xml"] = Field(
        default="json", description="What the body is; values are escaped accordingly."
    )
    body: Annotated[str, Field(min_length=1, max_length=20_000), AfterValidator(_template)] = Field(
        description=f"The body, with values as `$name`: {', '.join(FIELDS)}."
    )
    headers: dict[str, str] = Field(default={}, description="Further headers.")
    token_file: File | None = Field(
        default=None, description="File with a bearer token; relative to this file. Default: no sign-in."
    )


class Communication(SpecModel):
    """A Communication in the record, for the inbox of those who treat the patient."""

    recipients: tuple[Annotated[str, Field(pattern=r"^[A-Z][A-Za-z]+/[A-Za-z0-9\-.]{1,64}$")], ...] = Field(
        default=(), description="Whom it is for, such as CareTeam/icu. Default: the record shows it with the stay."
    )


class Flag(SpecModel):
    """A Flag in the record, which an EMR shows beside the patient's name; one per stay and condition."""

    lasts: Duration = Field(default=timedelta(hours=24), description="How long after the prediction time it counts.")


class Channel(SpecModel):
    """One way to people: exactly one of webhook, request, communication and flag."""

    webhook: Webhook | None = Field(default=None, description="A signed message to a program of the hospital.")
    request: Request | None = Field(default=None, description="A value for a field of the EMR.")
    communication: Communication | None = Field(default=None, description="A Communication in the record.")
    flag: Flag | None = Field(default=None, description="A Flag in the record.")
    expires: Duration = Field(
        default=timedelta(hours=1),
        description="Longest time from the prediction time to the notification: later, nobody is told any more.",
    )

    @property
    def way(self) -> Webhook | Request | Communication | Flag:
        """The one that is given."""
        return next(one for one in self._given if one is not None)

    @property
    def _given(self) -> tuple[Webhook | Request | Communication | Flag | None, ...]:
        return (self.webhook, self.request, self.communication, self.flag)

    @model_validator(mode="after")
    def _exactly_one(self) -> Self:
        if sum(one is not None for one in self._given) != 1:
            raise ValueError("expected exactly one of webhook, request, communication and flag; give one")
        return self
