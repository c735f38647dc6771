"""The webhook that the hospital opens for notifications."""

from typing import Any

import requests

from wardround.adapters.sockets import LOOPBACK, listen, url_of
from wardround.demo.hospital.webhook import receiving


def test_each_notification_is_told_once_and_repeats_are_counted() -> None:
    told: list[dict[str, Any]] = []
    with listen(LOOPBACK, 0, "webhook") as listening, receiving(listening, told.append) as received:
        statuses = [_post(url_of(listening), key, b'{"band": "high"}') for key in ("a", "b", "a")]
    assert statuses == [204, 204, 204]
    assert (received.notifications, received.repeated, received.refused) == (2, 1, 0)
    assert told == [{"band": "high"}, {"band": "high"}]


def test_what_is_no_notification_is_refused_and_counted() -> None:
    told: list[dict[str, Any]] = []
    with listen(LOOPBACK, 0, "webhook") as listening, receiving(listening, told.append) as received:
        statuses = [_post(url_of(listening), key, body) for key, body in (("", b"{}"), ("a", b"[]"), ("a", b"{"))]
    assert (statuses, received.refused, received.notifications, told) == ([400] * 3, 3, 0, [])


def _post(url: str, key: str, body: bytes) -> int:
    session = requests.Session()
    session.trust_env = False
    with session:
        return session.post(url, data=body, headers={"Idempotency-Key": key} if key else {}, timeout=10).status_code
