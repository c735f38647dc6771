"""The way from an EHR to the door in these tests: real HTTP, and a token signed for each call, as in a hospital."""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from threading import Lock

import requests
from tests.cds.http.caller import BASE, Caller
from tests.cds.http.conftest import entry_of, running_app

from wardround.adapters.database.database import opened
from wardround.cds.door import Door
from wardround.cds.exchange import Answer, Request
from wardround.cds.http.app import Means
from wardround.cds.http.audit import Audit
from wardround.cds.http.metrics import Metrics
from wardround.cds.tokens.used_tokens import UsedTokens
from wardround.cds.tokens.verification import Verifier
from wardround.settings import database_in
from wardround.spec.issuers import Issuers

ISSUERS = ("https://ehr.example.org/fhir", "https://one.example.org", "https://other.example.org")
_HOUR = 3_600  # seconds: no answer depends on how busy this machine is


@dataclass
class _Waiting:
    """A request on its way, the door that is to answer it, and what that answered."""

    door: Door
    request: Request
    answers: list[Answer] = field(default_factory=list)


@dataclass
class Line:
    """Brings requests to doors. What has the same body is answered in the order in which it was sent."""

    callers: Mapping[str, Caller]
    folder: Path
    url: str = ""
    _waiting: dict[bytes, list[_Waiting]] = field(default_factory=lambda: defaultdict(list))
    _lock: Lock = field(default_factory=Lock)

    def answer(self, door: Door, request: Request) -> Answer:
        """Returns what the door answered, after looking whether that has arrived; the time is that of the request."""
        one = _Waiting(door, request)
        with self._lock:
            self._waiting[request.body].append(one)
        token = self.callers[request.issuer].token(aud=f"{BASE}{request.path}")
        headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
        arrived = requests.post(f"{self.url}{request.path}", request.body, headers=headers, timeout=_HOUR)
        (answer,) = one.answers
        assert (arrived.status_code, arrived.content) == (answer.status, answer.body)
        assert {name: arrived.headers.get(name) for name in answer.headers} == answer.headers
        assert not answer.body or arrived.headers["Content-Type"] == "application/json"
        return answer

    def left(self) -> str:
        """Returns what the service has told and left behind by now: metrics, audit, used tokens."""
        told = requests.get(f"{self.url}/metrics", timeout=_HOUR).text
        files = [file.read_bytes().decode(errors="replace") for file in self.folder.rglob("*") if file.is_file()]
        return "\n".join([told, *files])

    def taken(self, request: Request) -> Answer:
        """Has the door that a request is for answer it."""
        with self._lock:
            one = self._waiting[request.body].pop(0)
        answer = one.door.answer(replace(request, arrived=one.request.arrived))
        one.answers.append(answer)
        return answer


@contextmanager
def line_in(folder: Path) -> Iterator[Line]:
    """Serves doors to three EHRs until the block ends."""
    callers = {issuer: Caller(issuer, f"key-{number}") for number, issuer in enumerate(ISSUERS)}
    listed = Issuers(issuers=tuple(entry_of(one, folder) for one in callers.values()))
    line = Line(callers, folder)
    (folder / "counts").mkdir()
    with opened(database_in(folder)) as database:
        verifier = Verifier.of(listed, folder, BASE, UsedTokens(database))
        means = Means(line.taken, {}, verifier, Audit(folder / "audit"), Metrics(folder / "counts"))
        with running_app(means) as line.url:
            yield line
