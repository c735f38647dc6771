"""The file of the stream's settings: which hospitals' feeds are taken, and what their messages mean."""

import re
from collections.abc import Callable
from datetime import timedelta
from typing import Annotated, Final, Literal, Self
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, BeforeValidator, Field, PlainSerializer, model_validator

from wardround.spec.alarms import Alarms
from wardround.spec.base import Duration, SpecModel
from wardround.spec.channels import Channel
from wardround.spec.clock import TimeZone

_UNITS: Final = {"kB": 1_000, "MB": 1_000_000}
_SIZE: Final = re.compile(r"([1-9]\d*)(kB|MB)")
_ADDRESS: Final = re.compile(r"(?P<host>\[[0-9a-fA-F:.]+\]|[A-Za-z0-9._-]+):(?P<port>\d{1,5})")
_SMALLEST, _LARGEST = 4_000, 64_000_000
_FEED: Final = r"^[a-z0-9]+(-[a-z0-9]+)*$"


def _size(text: object) -> int:
    if isinstance(text, int) and not isinstance(text, bool):
        return text
    match = _SIZE.fullmatch(str(text))
    if match is None:
        raise ValueError(f"got {text!r}, expected a size such as 64kB or 1MB")
    return int(match[1]) * _UNITS[match[2]]


def _within(size: int) -> int:
    if not _SMALLEST <= size <= _LARGEST:
        raise ValueError(f"got {_written(size)}, expected {_written(_SMALLEST)} to {_written(_LARGEST)}; correct it")
    return size


def _written(size: int) -> str:
    return f"{size // 1_000_000}MB" if size % 1_000_000 == 0 else f"{size // 1_000}kB"


Size = Annotated[
    int,
    BeforeValidator(_size, json_schema_input_type=str),
    AfterValidator(_within),
    PlainSerializer(_written, return_type=str),
]
"""A number of bytes, written as 64kB or 1MB."""


def _address(text: str) -> str:
    found = _ADDRESS.fullmatch(text)
    if found is None or int(found["port"]) > 65_535:
        raise ValueError(f"got {text!r}, expected an address and a port such as 127.0.0.1:2575 or 0.0.0.0:2575")
    return text


def _distinct(what: str) -> Callable[[tuple[str, ...]], tuple[str, ...]]:
    def checked(names: tuple[str, ...]) -> tuple[str, ...]:
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise ValueError(f"names the {what} {twice[0]!r} twice; keep one of them")
        return names

    return checked


def _host_and_port(address: str) -> tuple[str, int]:
    host, _, port = address.rpartition(":")
    return host.strip("[]"), int(port)


Text = Annotated[str, Field(min_length=1, max_length=500)]
Charset = Literal[
    "ASCII", "8859/1", "8859/2", "8859/3", "8859/4", "8859/5", "8859/6", "8859/7", "8859/8", "8859/9", "8859/15",
    "UNICODE UTF-8", "WINDOWS-1252", "ISO IR87", "GB 18030-2000", "KS X 1001", "BIG-5",
]  # fmt: skip


class Authority(SpecModel):
    """Who issues numbers: how messages name it, and the system of its numbers on the FHIR server."""

    system: Text = Field(description="System of these numbers as identifiers on the FHIR server, a URI.")
    namespace: str = Field(default="", max_length=500, description="How messages name the authority (CX.4.1).")
    universal_id: str = Field(
        default="",
        max_length=500,
        description="Its universal id (CX.4.2). Where a message names one too, it decides: namespaces are local.",
    )
    issues_bare: bool = Field(
        default=False, description="A number for which a message names no authority at all is taken as its number."
    )

    def issued(self, namespace: str, universal_id: str) -> bool:
        """Returns whether a number that a message gives with these (CX.4.1, CX.4.2) is this authority's."""
        if not namespace and not universal_id:
            return self.issues_bare
        if self.universal_id and universal_id:
            return self.universal_id == universal_id
        return bool(self.namespace) and self.namespace == namespace

    @model_validator(mode="after")
    def _can_be_recognised(self) -> Self:
        if not (self.namespace or self.universal_id or self.issues_bare):
            raise ValueError(
                "names neither namespace nor universal_id; give what messages have in CX.4, or `issues_bare: true` if"
                " they have nothing there"
            )
        return self


class Tls(SpecModel):
    """The keys of a source's port. Files are relative to the file of settings."""

    certificate: Text = Field(description="File with the port's certificate and those that lead to its root (PEM).")
    key: Text = Field(description="File with its private key (PEM, not encrypted).")
    client_ca: Text | None = Field(
        default=None,
        description="File with the certificates (PEM) of those who certify the engines that may connect: nobody else"
        " can. Default: whoever reaches the port.",
    )


class Subscription(SpecModel):
    """What a FHIR server's notifications of Encounters must show. Files are relative to the file of settings."""

    secret_file: Text = Field(
        description="File with the secret that the server sends as `Authorization: Bearer …`: at least 16 characters."
    )


class StreamSource(SpecModel):
    """One feed of ADT messages: where it arrives, how it is answered, and what its messages mean."""

    listen: Annotated[Text, AfterValidator(_address)] | None = Field(
        default=None,
        description="Address and port for MLLP, such as 0.0.0.0:2575. Default: none; files can be imported.",
    )
    tls: Tls | None = Field(default=None, description="Keys for MLLP over TLS. Default: without TLS.")
    fhir: Text = Field(description="FHIR server with the record of its patients: a base URL, or the name of a source.")
    time_zone: TimeZone = Field(description="Zone of times that name no offset: an IANA name, such as Europe/Berlin.")

    patients: tuple[Authority, ...] = Field(
        min_length=1,
        description="Who issues patients' numbers (PID-3). Numbers of the first count whatever their type; those of the"
        " others only with type MR.",
    )
    visits: Authority = Field(description="Who issues visits' numbers.")
    visit_fields: Annotated[
        tuple[Literal["PV1-19", "PV1-50", "PID-18"], ...], Field(min_length=1), AfterValidator(_distinct("field"))
    ] = Field(
        default=("PV1-19", "PV1-50"),
        description="Where a visit's number stands; the first of these that has one of the authority counts.",
    )
    units: Annotated[tuple[Text, ...], Field(min_length=1), AfterValidator(_distinct("unit"))] = Field(
        description="Units that are watched, as PV1-3 names them: `MICU`, or `MICU^^^NORTH` where two facilities have"
        " one."
    )
    classes: Annotated[tuple[Text, ...], AfterValidator(_distinct("class"))] = Field(
        default=(), description="Classes of visits that are wanted (PV1-2), such as I. Default: all."
    )
    flag_first_seen: bool = Field(
        default=False,
        description="A visit that an update (A08) is the first to name counts as newly admitted. With the first"
        " messages of a new feed this announces the whole ward.",
    )

    subscription: Subscription | None = Field(
        default=None,
        description="Its FHIR server may announce Encounters at `POST /subscriptions/<source>`. Default: it may not.",
    )

    processing: Literal["P", "T", "D"] = Field(
        default="P", description="Processing id (MSH-11) of its messages: others are rejected."
    )
    charset: Charset | None = Field(
        default=None,
        description="Character set of its messages, if they declare another one than they use (MSH-18), or none that is"
        " right. Default: what they declare, else UTF-8, else Windows-1252.",
    )
    acknowledge: Literal["auto", "commit_only", "aa_only"] = Field(
        default="auto",
        description="How messages are answered. auto: as their MSH-15 and MSH-16 ask; commit_only: in enhanced mode"
        " without application acknowledgements; aa_only: exactly one application acknowledgement, whatever they ask.",
    )
    unstored: Literal["error", "reject", "silence"] = Field(
        default="error",
        description="Answer to a message that cannot be stored now: the one after which this engine sends it again."
        " error: AE or CE; reject: AR or CR; silence: none, and the connection is closed.",
    )

    connections: int = Field(default=20, ge=1, le=1_000, description="Connections at a time; further ones are closed.")
    idle: Duration = Field(
        default=timedelta(hours=1), description="A connection is closed after this time without a message."
    )
    largest: Size = Field(default=1_000_000, description="Size of the largest message; larger ones are rejected.")

    @property
    def zone(self) -> ZoneInfo:
        return ZoneInfo(self.time_zone)

    @property
    def address(self) -> tuple[str, int] | None:
        """Host and port of `listen`."""
        return None if self.listen is None else _host_and_port(self.listen)

    @model_validator(mode="after")
    def _tls_needs_a_port(self) -> Self:
        if self.tls is not None and self.listen is None:
            raise ValueError("has tls but no listen; give the address and port, or remove tls")
        return self


class Keep(SpecModel):
    """How long what has ended is kept. Without the bodies of `flag` and `predict`, a time cannot be played back."""

    flag: Duration = Field(
        default=timedelta(days=90), description="Raw messages, and the notifications of Subscriptions."
    )
    query: Duration = Field(default=timedelta(days=30), description="Admissions.")
    predict: Duration = Field(default=timedelta(days=90), description="Stays with their readings.")
    notify: Duration = Field(default=timedelta(days=30), description="Scores.")
    visits: Duration = Field(
        default=timedelta(days=180),
        description="States of visits that are over, since the last message about them; a later one is then the first.",
    )
    told: Duration = Field(
        default=timedelta(days=180),
        description="When people were last told of a visit; at least the `lock_out` of each condition with a channel.",
    )

    @property
    def by_stage(self) -> dict[str, timedelta]:
        """How long the bodies of each stage are kept."""
        return {
            "resolve": self.flag,
            "flag": self.flag,
            "query": self.query,
            "predict": self.predict,
            "notify": self.notify,
        }


class StreamSettings(SpecModel):
    """The whole of the file."""

    version: Literal[1] = Field(default=1, description="Version of this file's format.")
    subscriptions: Annotated[Text, AfterValidator(_address)] | None = Field(
        default=None,
        description="Address and port for notifications of FHIR Subscriptions, such as 127.0.0.1:8282; TLS is up to the"
        " proxy in front of it. Default: none.",
    )
    sources: dict[Annotated[str, Field(pattern=_FEED, max_length=40)], StreamSource] = Field(
        min_length=1, description="Feeds by name. The name stands in metrics and logs."
    )
    channels: dict[Annotated[str, Field(pattern=_FEED, max_length=40)], Channel] = Field(
        default={}, description="Ways to people by name, for the branches of conditions."
    )
    alarms: Alarms = Field(default=Alarms(), description="When an alarm is raised, and where it is sent.")
    keep: Keep = Field(default=Keep(), description="How long what has ended is kept; the upkeep removes older things.")

    @property
    def subscriptions_address(self) -> tuple[str, int] | None:
        """Host and port of `subscriptions`."""
        return None if self.subscriptions is None else _host_and_port(self.subscriptions)

    @model_validator(mode="after")
    def _subscriptions_need_a_port_and_a_secret(self) -> Self:
        subscribed = sorted(name for name, source in self.sources.items() if source.subscription is not None)
        if subscribed and self.subscriptions is None:
            raise ValueError(f"{subscribed[0]} has a subscription, and there is no port for it; give `subscriptions`")
        if self.subscriptions is not None and not subscribed:
            raise ValueError("subscriptions has a port, and no source a subscription; give one its secret_file")
        return self

    @model_validator(mode="after")
    def _a_port_for_each(self) -> Self:
        taken: dict[tuple[str, int], str] = {}
        for name, source in self.sources.items():
            address = source.address
            if address is None or address[1] == 0:
                continue
            if (other := taken.setdefault(address, name)) != name:
                raise ValueError(f"{other} and {name} both listen on {source.listen}; give each a port of its own")
        return self
