"""The door for notifications: who may send them, what is refused and why, and that success means stored."""

import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import datetime
from typing import Any

import pytest
import requests
import uvicorn

from wardround.adapters.ready_server import ReadyServer
from wardround.adapters.sockets import LOOPBACK, listen, url_of
from wardround.errors import DatabaseError
from wardround.stream.subscriptions.app import LARGEST, Lock, create_app
from wardround.stream.subscriptions.notification import Notified

SECRET = "a-secret-of-sixteen"
NEXT = "the-secret-that-replaces-it"
ENCOUNTER = b'{"resourceType":"Encounter","id":"e1"}'


class Stored:
    """What was stored, or why nothing is."""

    def __init__(self) -> None:
        self.found: list[tuple[str, Notified]] = []
        self.received: list[datetime] = []
        self.error: Exception | None = None

    def __call__(self, source: str, found: Notified, received: datetime) -> None:
        if self.error:
            raise self.error
        self.found.append((source, found))
        self.received.append(received)


@contextmanager
def serving(stored: Stored) -> Iterator[str]:
    app = create_app(Lock({"main": (SECRET.encode(), NEXT.encode())}, stored))
    ready = threading.Event()
    with listen(LOOPBACK, 0, "subscriptions") as listening:
        server = ReadyServer(uvicorn.Config(app, lifespan="off", log_level="warning", ws="none"), ready.set)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
        thread.start()
        try:
            assert ready.wait(30)
            yield url_of(listening)
        finally:
            server.should_exit = True
            thread.join()


@pytest.fixture(scope="module")
def door() -> Iterator[tuple[str, Stored]]:
    with ExitStack() as stack:
        stored = Stored()
        yield stack.enter_context(serving(stored)), stored


@pytest.fixture
def stored(door: tuple[str, Stored]) -> Stored:
    door[1].found.clear()
    door[1].error = None
    return door[1]


def send(url: str, path: str = "/subscriptions/main", method: str = "POST", **more: Any) -> requests.Response:
    headers = {"Authorization": f"Bearer {SECRET}", "Content-Type": "application/fhir+json", **more.pop("headers", {})}
    session = requests.Session()
    session.trust_env = False
    with session:
        return session.request(method, f"{url}{path}", headers=headers, timeout=30, **more)


def refusal(answer: requests.Response) -> tuple[int, str]:
    (issue,) = answer.json()["issue"]
    assert answer.headers["Content-Type"] == "application/fhir+json"
    return answer.status_code, issue["code"]


def test_each_form_of_r4_is_stored_before_it_is_answered(door: tuple[str, Stored], stored: Stored) -> None:
    url, _ = door
    assert send(url, data=b"").status_code == 200
    assert send(url, data=ENCOUNTER).status_code == 200
    assert send(url, "/subscriptions/main/Encounter/e1", "PUT", data=ENCOUNTER).status_code == 200
    named = Notified(("e1",))
    assert stored.found == [("main", Notified((), others=True)), ("main", named), ("main", named)]


def test_a_handshake_is_answered_and_nothing_is_stored(door: tuple[str, Stored], stored: Stored) -> None:
    status = {"resourceType": "SubscriptionStatus", "type": "handshake"}
    bundle = {"resourceType": "Bundle", "type": "subscription-notification", "entry": [{"resource": status}]}
    assert (send(door[0], json=bundle).status_code, stored.found) == (200, [])


@pytest.mark.parametrize("shown", ["", "Bearer", f"Basic {SECRET}", "Bearer another", f"Bearer {SECRET}x"])
def test_without_the_sources_secret_nothing_is_taken(door: tuple[str, Stored], stored: Stored, shown: str) -> None:
    assert refusal(send(door[0], data=ENCOUNTER, headers={"Authorization": shown})) == (401, "login")
    assert stored.found == []


def test_while_a_secret_is_replaced_the_old_one_and_the_new_one_open_the_door(
    door: tuple[str, Stored], stored: Stored
) -> None:
    for secret in (SECRET, NEXT):
        assert send(door[0], data=ENCOUNTER, headers={"Authorization": f"Bearer {secret}"}).status_code == 200
    both = send(door[0], data=ENCOUNTER, headers={"Authorization": f"Bearer {SECRET}\t{NEXT}"})
    assert refusal(both) == (401, "login")


def test_a_source_without_a_secret_is_refused_as_a_wrong_secret_is(door: tuple[str, Stored], stored: Stored) -> None:
    wrong = send(door[0], data=ENCOUNTER, headers={"Authorization": "Bearer x"})
    unknown = send(door[0], "/subscriptions/other", data=ENCOUNTER)
    assert (unknown.status_code, unknown.text) == (wrong.status_code, wrong.text)


@pytest.mark.parametrize(
    ("request_", "expected"),
    [
        ({"data": b"{"}, (400, "invalid")),
        ({"data": b'{"resourceType":"Patient","id":"marked-7391"}'}, (400, "invalid")),
        ({"data": b" " * (LARGEST + 1)}, (413, "too-long")),
        ({"data": b"<x/>", "headers": {"Content-Type": "application/fhir+xml"}}, (415, "not-supported")),
        ({"data": ENCOUNTER, "path": "/subscriptions/main/Encounter/e2", "method": "PUT"}, (400, "invalid")),
        ({"path": "/elsewhere"}, (404, "not-found")),
        ({"method": "GET"}, (405, "not-supported")),
    ],
)
def test_what_is_no_notification_is_refused_without_repeating_it(
    door: tuple[str, Stored], stored: Stored, request_: dict[str, Any], expected: tuple[int, str]
) -> None:
    answer = send(door[0], **request_)
    assert refusal(answer) == expected
    assert "marked" not in answer.text
    assert stored.found == []


def test_what_cannot_be_stored_is_not_answered_with_success(door: tuple[str, Stored], stored: Stored) -> None:
    stored.error = DatabaseError("database: cannot be used")
    answer = send(door[0], data=ENCOUNTER)
    assert (refusal(answer), answer.headers["Retry-After"]) == ((503, "transient"), "30")
    stored.error = ValueError("marked-7391")
    answer = send(door[0], data=ENCOUNTER)
    assert refusal(answer) == (500, "exception")
    assert "marked" not in answer.text
