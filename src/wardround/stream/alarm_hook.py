"""Tells a program of the hospital of an alarm: whatever part of Wardround raises it, it goes this one way."""

from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import datetime
from typing import Final, NamedTuple

import orjson

from wardround.fhir.sign_in import read_secret
from wardround.settings import Settings
from wardround.spec.stream import StreamSettings
from wardround.stream.channels.http import Sender
from wardround.stream.channels.telling import Sent
from wardround.stream.channels.webhook import keys_of, signed_headers

TYPE: Final = "wardround.alarm"


class Hook(NamedTuple):
    """Where alarms are sent."""

    url: str
    keys: tuple[bytes, ...]
    sender: Sender

    def tell(self, name: str, state: str, text: str, since: datetime, now: datetime) -> bool:
        """Sends an alarm once; returns whether it has arrived."""
        said = {"alarm": name, "state": state, "since": since.isoformat(), "text": text}
        body = orjson.dumps({"type": TYPE, "timestamp": now.isoformat(), "data": said})
        headers = signed_headers(self.keys, f"{name}:{state}:{now.timestamp():.0f}", now, body)
        return isinstance(self.sender.send("POST", self.url, body, headers), Sent)


@contextmanager
def opened_hook(stream: StreamSettings, settings: Settings) -> Iterator[Hook | None]:
    """Yields the webhook of the stream's settings; None if they name none. Raises SettingsError for its secret."""
    webhook = stream.alarms.webhook
    if webhook is None:
        yield None
        return
    file = settings.stream.parent / webhook.secret_file
    with closing(Sender()) as sender:
        yield Hook(webhook.url, keys_of(read_secret(file), f"alarms, {file}"), sender)
