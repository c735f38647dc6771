"""A source with an open port before a real queue, and engines that send to it."""

import re
from contextlib import contextmanager
from pathlib import Path

import yaml
from sqlalchemy import select

from wardround.adapters.database.database import opened
from wardround.adapters.database.tables import STREAM_BODY, STREAM_MESSAGE
from wardround.adapters.mllp.sender import sender_to
from wardround.adapters.queue.intake import intake_into
from wardround.adapters.queue.queue import Queue
from wardround.settings import database_in
from wardround.spec.stream import StreamSettings
from wardround.stream.doors import opened_doors
from wardround.stream.metrics import Metrics

WAIT = 60  # seconds; only a test that fails waits for them


def settings(*sources, **keys):
    """Returns settings with sources of these names, each on a free port; `keys` are those of all of them."""
    one = {
        "listen": "127.0.0.1:0",
        "fhir": "fhir_default",
        "time_zone": "UTC",
        "patients": [{"namespace": "HOSP", "system": "urn:oid:1.2.3"}],
        "visits": {"namespace": "VISITS", "system": "urn:oid:1.2.4"},
        "units": ["MICU"],
        **keys,
    }
    return StreamSettings.model_validate({"sources": dict.fromkeys(sources or ("main",), one)})


def settings_file(folder, given=None, **more):
    """Writes settings into a file, with `more` keys beside the sources; returns its path."""
    file = folder / "stream.yaml"
    content = (given or settings()).model_dump(mode="json", exclude_unset=True)
    file.write_text(yaml.safe_dump({**content, **more}))
    return file


class Fed:
    """Open doors by source, and what is counted."""

    def __init__(self, doors, metrics):
        self.where = doors.where
        self.trouble = doors.trouble
        self.metrics = metrics

    def sender(self, source="main", tls=None, wait=WAIT):
        host, _, port = self.where[source].rpartition(":")
        return sender_to("localhost" if tls else host, int(port), tls, wait)

    def sent(self, *bodies, source="main"):
        """Returns the answers to messages on one connection."""
        with self.sender(source) as sender:
            return [sender.send(body) for body in bodies]

    def received(self, source="main"):
        """Returns how many messages became what."""
        found = re.findall(rf'received_total{{source="{source}",became="(\w+)"}} (\d+)', self.metrics.text())
        return {became: int(count) for became, count in found}


@contextmanager
def doors_of(queue, sources, reserve=0, beside=Path()):
    """Gives the doors of these settings before a queue."""
    metrics = Metrics()
    with intake_into(queue, reserve) as intake, opened_doors(sources, beside, intake, metrics, WAIT) as doors:
        yield Fed(doors, metrics)


@contextmanager
def queue_in(folder):
    """Gives a queue of SQLite in a folder."""
    with opened(database_in(folder)) as database:
        yield Queue(database)


def stored(queue):
    """Returns what the queue holds of raw messages, in order: source and body."""
    asked = (
        select(STREAM_MESSAGE.c.source, STREAM_BODY.c.body)
        .join_from(STREAM_MESSAGE, STREAM_BODY)
        .where(STREAM_MESSAGE.c.run == queue.run, STREAM_MESSAGE.c.stage == "flag")
        .order_by(STREAM_MESSAGE.c.seq)
    )
    with queue.database.reading() as connection:
        return [tuple(row) for row in connection.execute(asked)]


def code(answer):
    """Returns the code and the id that an answer gives: `AA C1`."""
    _, code, *control_id = answer.split(b"\r")[1].decode().split("|")
    return " ".join([code, *control_id[:1]])
