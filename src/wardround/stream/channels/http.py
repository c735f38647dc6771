"""Sends one request to a program of the hospital: its answer decides; nothing of a patient is in a URL or a message."""

from collections.abc import Mapping
from typing import Final

import requests

from wardround.fhir.answer import retry_after
from wardround.stream.channels.telling import Became, Failed, Refused, Sent

# A receiver that hangs must not keep scores from the record for longer.
_TIMEOUT: Final = (3.0, 5.0)
# Those that may be answered otherwise another time.
_AGAIN: Final = (408, 409, 425, 429)


class Sender:
    """Connections that are kept open from one message to the next."""

    def __init__(self) -> None:
        self._session = requests.Session()
        # Neither a proxy nor a password of the environment is meant for this.
        self._session.trust_env = False

    def close(self) -> None:
        self._session.close()

    def send(self, method: str, url: str, body: bytes, headers: Mapping[str, str]) -> Became:
        """Sends the body once and returns what became of it."""
        try:
            with self._session.request(
                method, url, data=body, headers=dict(headers), timeout=_TIMEOUT, allow_redirects=False, stream=True
            ) as answer:
                return _became(answer)
        except requests.RequestException as error:
            return Failed(type(error).__name__)


def _became(answer: requests.Response) -> Became:
    status = answer.status_code
    if status // 100 == 2:
        return Sent()
    if status >= 500 or status in _AGAIN:
        return Failed(str(status), retry_after(answer.headers.get("Retry-After")) or 0.0)
    return Refused(str(status))
