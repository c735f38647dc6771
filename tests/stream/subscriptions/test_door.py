"""The whole door for notifications, with a real queue behind it."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import requests
import yaml

from wardround.adapters.database.database import Database, opened
from wardround.adapters.queue.intake import intake_into
from wardround.adapters.queue.queue import Queue
from wardround.adapters.sockets import LOOPBACK, listen, url_of
from wardround.errors import SettingsError
from wardround.spec.loading import load_stream
from wardround.spec.stream import StreamSettings
from wardround.stream.metrics import Metrics
from wardround.stream.subscriptions.announced import STAGE, announced_in
from wardround.stream.subscriptions.door import opened_subscriptions, secrets_of
from wardround.stream.subscriptions.notification import Notified

SECRET = "a-secret-of-sixteen"
FULL_DISK = 1 << 60


@pytest.fixture
def settings(tmp_path: Path) -> StreamSettings:
    (tmp_path / "secret").write_text(f"{SECRET}\n")
    source: dict[str, Any] = {
        "fhir": "https://ehr.example.org/fhir",
        "time_zone": "UTC",
        "patients": [{"system": "urn:mrn", "namespace": "HOSP"}],
        "visits": {"system": "urn:visit", "namespace": "VISIT"},
        "units": ["MICU"],
    }
    announcing = {**source, "subscription": {"secret_file": "secret"}}
    content = {"subscriptions": "127.0.0.1:8282", "sources": {"main": announcing, "quiet": source}}
    (tmp_path / "stream.yaml").write_text(yaml.safe_dump(content))
    return load_stream(tmp_path / "stream.yaml")


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    with opened(f"sqlite:///{tmp_path / 'wardround.db'}") as database:
        yield database


@contextmanager
def door(settings: StreamSettings, folder: Path, database: Database, reserve: int = 0) -> Iterator[tuple[str, Metrics]]:
    metrics = Metrics()
    with (
        listen(LOOPBACK, 0, "subscriptions") as listening,
        intake_into(Queue(database), reserve) as intake,
        opened_subscriptions(settings, folder, listening, intake, metrics),
    ):
        yield url_of(listening), metrics


def notify(url: str, source: str = "main") -> int:
    session = requests.Session()
    session.trust_env = False
    with session:
        body, headers = b'{"resourceType":"Encounter","id":"e1"}', {"Authorization": f"Bearer {SECRET}"}
        return session.post(f"{url}/subscriptions/{source}", data=body, headers=headers, timeout=30).status_code


def test_what_was_answered_with_success_is_in_the_queue_each_time(
    settings: StreamSettings, tmp_path: Path, database: Database
) -> None:
    with door(settings, tmp_path, database) as (url, metrics):
        assert [notify(url), notify(url), notify(url, "quiet")] == [200, 200, 401]
        assert 'wardround_stream_received_total{source="main",became="new"} 2' in metrics.text()
    now = datetime.now(UTC)
    taken = Queue(database).take(STAGE, 10, timedelta(minutes=1), now, together=True)
    assert [(one.source, announced_in(one.body)) for one in taken] == [("main", Notified(("e1",)))] * 2


def test_before_the_disk_is_full_notifications_are_refused(
    settings: StreamSettings, tmp_path: Path, database: Database
) -> None:
    with door(settings, tmp_path, database, FULL_DISK) as (url, metrics):
        assert notify(url) == 503
        assert 'became="not_stored"} 1' in metrics.text()
    assert Queue(database).take(STAGE, 10, timedelta(minutes=1), datetime.now(UTC)) == []


def test_each_line_of_the_file_is_a_secret(settings: StreamSettings, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("a-secret-of-sixteen\n\nthe-secret-that-replaces-it \r\n")
    assert secrets_of(settings, tmp_path) == {"main": (b"a-secret-of-sixteen", b"the-secret-that-replaces-it")}


def test_a_secret_that_is_short_or_not_there_is_an_error_with_a_remedy(
    settings: StreamSettings, tmp_path: Path
) -> None:
    (tmp_path / "secret").write_text("short\n")
    with pytest.raises(SettingsError, match=r"secret: a secret of source main has 5 characters, expected at least 16"):
        secrets_of(settings, tmp_path)
    (tmp_path / "secret").unlink()
    with pytest.raises(FileNotFoundError):
        secrets_of(settings, tmp_path)
