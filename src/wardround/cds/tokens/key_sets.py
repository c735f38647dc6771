"""Where an issuer's keys come from: a file, read once, or a URL, fetched again when needed and seldom."""

import logging
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final, Protocol

import requests
from urllib3.exceptions import HTTPError

from wardround.cds.tokens.public_keys import PublicKey, public_keys
from wardround.errors import SpecError, named
from wardround.fhir.auth import AuthorizationHeader
from wardround.fhir.wire import WAITS, WholeAnswers

_LOG = logging.getLogger(__name__)

SECONDS: Final = 3.0
"""How long a fetch may take, from its beginning to its end."""
LARGEST: Final = 64 * 2**10
"""Bytes of a key set."""
PAUSE: Final = 60.0
"""Seconds between two fetches, whatever tokens come and however the first one ended."""
OLD: Final = 600.0
"""Seconds after which a set is fetched again, so that a key that its issuer has withdrawn is no longer accepted."""


class NoKeys(Exception):
    """No key set has been fetched yet, and none can be had now."""


class KeySet(Protocol):
    """The keys of one issuer."""

    def key(self, kid: str) -> PublicKey | None:
        """Returns the key of this id; None if the issuer has none. Raises NoKeys."""
        ...


class KeyFile:
    """A key set from a file. Raises SpecError if it holds no usable key."""

    def __init__(self, path: Path) -> None:
        try:
            self._keys = public_keys(path.read_bytes())
        except OSError as error:
            raise SpecError(
                f"{path}: cannot be read ({error.strerror}), expected a key set; correct the path"
            ) from None
        except ValueError as error:
            raise SpecError(f"{path}: {error}; ask whoever runs the EHR for its public keys") from None
        if not self._keys:
            raise SpecError(
                f"{path}: holds no usable key, expected one with a kid: EC P-384 or P-256, or RSA of 2048 bits or more;"
                " ask whoever runs the EHR for its public keys"
            )

    def key(self, kid: str) -> PublicKey | None:
        """Returns the key of this id; None if there is none."""
        return self._keys.get(kid)


class FetchedKeys:
    """A key set from a URL, kept for the next token; several threads may ask.

    It is fetched for the first token, for an id that it does not have, and when it is old, but at most once in `PAUSE`.
    If a fetch fails, the previous set stays.
    """

    def __init__(self, url: str, clock: Callable[[], float] = time.monotonic) -> None:
        self._url = url
        self._clock = clock
        self._lock = threading.Lock()
        self._keys: dict[str, PublicKey] | None = None
        self._fetched = self._tried = -PAUSE - OLD

    def key(self, kid: str) -> PublicKey | None:
        """Returns the key of this id; None if the issuer has none. Raises NoKeys."""
        keys = self._keys
        if keys is None or (kid not in keys and self._may_fetch()):
            keys = self._renewed(kid)
        elif self._clock() - self._fetched > OLD and self._may_fetch():
            # A call with a known key does not wait for it.
            threading.Thread(target=self._renewed, daemon=True).start()
        if keys is None:
            raise NoKeys
        return keys.get(kid)

    def _may_fetch(self) -> bool:
        return self._clock() - self._tried >= PAUSE

    def _renewed(self, kid: str | None = None) -> dict[str, PublicKey] | None:
        """Returns the keys, fetched if that is allowed again, unless another thread has just found this id."""
        with self._lock:
            if self._may_fetch() and not (self._keys and kid in self._keys):
                self._tried = self._clock()
                self._fetch()
            return self._keys

    def _fetch(self) -> None:
        try:
            keys = public_keys(_fetched(self._url))
        except (requests.RequestException, HTTPError, ValueError, OSError) as error:
            kept = "none are known yet" if self._keys is None else "the previous ones stay"
            why = str(error) if type(error) is ValueError else named(error)
            _LOG.warning("%s: no keys could be fetched (%s); %s", self._url, why, kept)
        else:
            self._keys, self._fetched = keys, self._clock()


def _fetched(url: str) -> bytes:
    """Returns what is at the URL. Raises ValueError if it is too slow, too large, elsewhere or an error."""
    deadline = time.monotonic() + SECONDS
    with requests.Session() as session:
        session.mount("https://", WholeAnswers())
        session.mount("http://", WholeAnswers())
        answer = session.get(
            url,
            # The second limits each wait; the adapter limits all of them together.
            timeout=(SECONDS, SECONDS / WAITS),
            stream=True,
            allow_redirects=False,
            headers={"Accept": "application/json", "Accept-Encoding": "identity"},
            auth=AuthorizationHeader(None),
        )
        if answer.status_code != 200:
            raise ValueError(f"answered {answer.status_code}")
        content = b""
        while part := answer.raw.read1(LARGEST):
            content += part
            if len(content) > LARGEST:
                raise ValueError(f"larger than {LARGEST // 2**10} KB")
            if time.monotonic() > deadline:
                raise ValueError(f"took longer than {SECONDS:.0f} s")
        return content
