"""Opens the channels that the stream's settings name."""

from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from wardround.fhir.sign_in import read_secret
from wardround.spec.channels import Channel as Said
from wardround.spec.channels import Communication, Flag, Request, Webhook
from wardround.spec.stream import StreamSettings
from wardround.stream.channels.emr_field import EmrFieldChannel
from wardround.stream.channels.http import Sender
from wardround.stream.channels.in_record import RecordChannel
from wardround.stream.channels.telling import Channel
from wardround.stream.channels.webhook import WebhookChannel, keys_of
from wardround.stream.servers import Servers


@dataclass(frozen=True)
class Reach:
    """A channel, and how long after the prediction time people are told through it."""

    channel: Channel
    expires: timedelta


@contextmanager
def opened_channels(stream: StreamSettings, beside: Path, servers: Servers) -> Iterator[Mapping[str, Reach]]:
    """Gives the channels by name; files are relative to `beside`.

    Raises FhirError or SettingsError for a secret that cannot be used.
    """
    with closing(Sender()) as sender:
        yield {
            name: Reach(_channel(name, said, beside, servers, sender), said.expires)
            for name, said in stream.channels.items()
        }


def _channel(name: str, said: Said, beside: Path, servers: Servers, sender: Sender) -> Channel:
    match said.way:
        case Webhook() as webhook:
            file = beside / webhook.secret_file
            return WebhookChannel(webhook.url, keys_of(read_secret(file), f"channel {name}, {file}"), sender)
        case Request() as request:
            token = read_secret(beside / request.token_file) if request.token_file else None
            return EmrFieldChannel(request, token, sender)
        case Communication() | Flag() as means:
            return RecordChannel(means, servers)
