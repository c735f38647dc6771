"""A table of what a server may do: each row is what it does, to which requests, and how a screening must end.

The server stands in front of a sound one, and alters the answers to the requests that a row concerns.
"""

import gzip
import json
import threading
import time
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from itertools import count
from typing import Any, Final
from urllib.parse import parse_qs

from tests.loopback import Forward, Given, Line, gateway_before

STAYS: Final = 4
CHUNK: Final = 2
PRIVATE: Final = ("Zebrowski", "7.7131")  # a patient's name and a measured value, which servers write into anything
FAMILY, VALUE = PRIVATE
TIMEOUT: Final = 0.5
"""Of a row whose server drips: seconds. Elsewhere nothing is waited for."""

# What has to come of it.
ALL: Final = f"{STAYS} scored and written"
NONE: Final = f"{STAYS} failed; exit code 11"
ONE_FAILS: Final = f"{STAYS - 1} scored and written, 1 failed; exit code 11"
UNUSABLE, UNREACHABLE, REFUSED = "ends with exit code 5", "ends with exit code 6", "ends with exit code 7"

STAY_SEARCH, READINGS, LOOK, WRITE = "Encounter/_search", "Observation", "RiskAssessment/_search", "POST /fhir"
WHERE: Final = {
    "": "every request",
    STAY_SEARCH: "the search for stays",
    READINGS: "the search for readings",
    LOOK: "the look for earlier results",
    WRITE: "what is written",
}
"""Which requests: a part of method and path, in the words of the table."""


_NUMBERS: Final = count(1)  # of pages, each another one
Do = Callable[[Line, Given], None]


@dataclass(frozen=True)
class Row:
    """What the server does to the requests concerned (the first `times` of them), and how the screening must end."""

    does: str
    where: str
    do: Do
    expected: str
    times: int | None = None
    drips: bool = False


def _body(change: Callable[[bytes], bytes]) -> Do:
    """Answers with the changed bytes of the sound answer."""
    return lambda line, given: line.say(change(given.body))


def _bundle(change: Callable[[dict[str, Any]], object]) -> Do:
    """Answers with the sound answer's Bundle changed in place."""

    def do(line: Line, given: Given) -> None:
        bundle = given.bundle
        change(bundle)
        line.say(bundle)

    return do


def _entries(change: Callable[[list[Any]], object]) -> Do:
    return _bundle(lambda bundle: change(bundle["entry"]))


def _status(status: int, **headers: str) -> Do:
    issue = {"severity": "error", "code": FAMILY, "diagnostics": f"{FAMILY} {VALUE}"}
    return lambda line, _given: line.say({"resourceType": "OperationOutcome", "issue": [issue]}, status, **headers)


def _page(content: bytes, content_type: str = "application/fhir+json", **headers: str) -> Do:
    return lambda line, _given: line.say(content, content_type=content_type, **headers)


def _raw(content: bytes) -> Do:
    def do(line: Line, _given: Given) -> None:
        line.write(content)
        line.hang_up()

    return do


def _hang_up(line: Line, _given: Given) -> None:
    line.hang_up()


def _cut(line: Line, given: Given) -> None:
    half = given.body[: len(given.body) // 2]
    line.say(half, Content_Length=str(len(given.body)))
    line.hang_up()


def _token(token: bytes) -> Do:
    """Adds an Observation with this value at the end of the page, of the first patient in it."""

    def do(line: Line, given: Given) -> None:
        bundle = given.bundle
        one = dict(bundle["entry"][0]["resource"], id="odd", valueQuantity={"value": "TOKEN", "unit": "/min"})
        bundle["entry"].append({"resource": one, "search": {"mode": "match"}})
        bundle["total"] = bundle.get("total", len(bundle["entry"]) - 1) + 1
        line.say(json.dumps(bundle).encode().replace(b'"TOKEN"', token))

    return do


@cache
def _bomb() -> bytes:
    packer = zlib.compressobj(wbits=31)
    return b"".join([*(packer.compress(b" " * 2**20) for _ in range(300)), packer.flush()])


def _drip(line: Line, content: bytes) -> None:
    for byte in content:
        if line.close_connection:
            return
        line.write(bytes([byte]))
        time.sleep(0.05)


def _drip_headers(line: Line, _given: Given) -> None:
    line.write(b"HTTP/1.1 200 OK\r\nX-Padding: ")
    _drip(line, b"x" * 1_000)


def _drip_body(line: Line, given: Given) -> None:
    line.write(b"HTTP/1.1 200 OK\r\nContent-Type: application/fhir+json\r\nContent-Length: 1000\r\n\r\n")
    _drip(line, given.body[:1] + b" " * 999)


def _next(url: str | None) -> Do:
    """Links each page to this one; None links to a new page every time."""

    def do(line: Line, given: Given) -> None:
        bundle = given.bundle
        link = url or f"{line.path.partition('?')[0]}?_page={next(_NUMBERS)}"
        bundle["link"] = [{"relation": "next", "url": link.replace("{self}", line.path)}]
        line.say(bundle)

    return do


def _invented(line: Line, _given: Given) -> None:
    """Answers with a page of new Observations, and a link to the next one."""
    number = next(_NUMBERS)
    entry = [{"resource": {"resourceType": "Observation", "id": f"made-up-{number}-{n}"}} for n in range(5_000)]
    link = [{"relation": "next", "url": f"/fhir/Observation?_page={number}"}]
    line.say({"resourceType": "Bundle", "type": "searchset", "total": 3, "entry": entry, "link": link})


def _again(entries: list[Any]) -> None:
    entries += entries


def _other_versions(entries: list[Any]) -> None:
    """Puts another, different version before each entry."""
    old = [{**one, "resource": {**one["resource"], "status": "preliminary"}} for one in entries]
    for one in old:
        one["resource"]["meta"] = {"lastUpdated": "2020-01-01T00:00:00Z"}
    entries[:0] = old


def _odd_types(entries: list[Any]) -> None:
    entries += [{"resource": {"resourceType": kind, "id": f"odd-{n}"}} for n, kind in enumerate(ODD)]


def _of_others(entries: list[Any]) -> None:
    one = entries[0]["resource"]
    entries += [
        {"resource": {**one, "id": f"other-{n}", "subject": subject}}
        for n, subject in enumerate([None, 5, {}, {"reference": 5}, {"reference": "Patient/nobody"}, [{"a": 1}]])
    ]


def _odd_entries(entries: list[Any]) -> None:
    entries += [None, 5, "text", {"resource": None}, {"resource": []}]


def _of_no_use(resource_type: str, **content: Any) -> Do:
    return _page(json.dumps({"resourceType": resource_type, **content}).encode())


def _foreign(identity: str = "", **content: Any) -> Do:
    """Adds a RiskAssessment with the first identifier that is searched for, or with this one."""
    first = [identity] if identity else []

    def do(line: Line, given: Given) -> None:
        wanted = [token.rpartition("|")[2] for token in parse_qs(line.body.decode())["identifier"][0].split(",")]
        first[:] = first or wanted[:1]
        bundle = given.bundle
        if identity or first[0] in wanted:
            name = {"system": "urn:wardround:risk-assessment", "value": first[0]}
            odd = {
                "resourceType": "RiskAssessment",
                "id": "foreign",
                "status": "final",
                "identifier": [name],
                **content,
            }
            bundle["entry"] = [*bundle.get("entry", []), {"resource": odd}]
            bundle["total"] = bundle.get("total", 0) + 1
        line.say(bundle)

    return do


ODD: Final = [None, 5, [], {}, "", "Foo", "Observation\u0000", f"{FAMILY} {VALUE}"]
LOGIN: Final = f"<!doctype html><title>Sign in</title><p>{FAMILY}, {VALUE}</p>".encode()
FATAL: Final = [{"severity": "fatal", "code": "timeout", "diagnostics": f"{FAMILY} {VALUE}"}]
WARNING: Final = [{"severity": "warning", "code": "informational", "diagnostics": f"{FAMILY} {VALUE}"}]
XML: Final = f'<Bundle xmlns="http://hl7.org/fhir"><id value="{FAMILY}"/></Bundle>'.encode()
CHUNKED: Final = b"HTTP/1.1 200 OK\r\nContent-Type: application/fhir+json\r\nTransfer-Encoding: chunked\r\n\r\n"
AWAY: Final = "http://127.0.0.1:{elsewhere}/fhir"


def _of_batch(entry: Any) -> Do:
    """Processes the batch, and gives this answer for each of its entries."""
    return _entries(lambda entries: entries.__setitem__(slice(None), [entry for _ in entries]))


def rows(elsewhere: int) -> list[Row]:
    """Returns the table; `elsewhere` is a port that must never get a request."""
    away = AWAY.format(elsewhere=elsewhere)
    return [
        # Tokens that no computer holds: each costs its own resource.
        Row("a value of 1e999", READINGS, _token(b"1e999"), ALL),
        Row("a value of NaN", READINGS, _token(b"NaN"), ALL),
        Row("a value of 5,000 digits", READINGS, _token(b"9" * 5_000), ALL),
        Row("half a character", READINGS, _token(b'"\\ud800"'), ALL),
        Row("a NUL in a text", READINGS, _token(b'"\\u0000"'), ALL),
        Row("bytes that are no UTF-8", READINGS, _token(b'"\xff\xfe"'), ALL),
        # What is no page.
        Row("a login page with 200", READINGS, _page(LOGIN, "text/html; charset=utf-8"), NONE),
        Row("a login page with 200, to everything", "", _page(LOGIN, "text/html"), UNUSABLE),
        Row("a login page that says it is JSON", READINGS, _page(LOGIN), NONE),
        Row("XML", READINGS, _page(XML, "application/fhir+xml"), NONE),
        Row("JSON that says it is text", READINGS, lambda line, it: line.say(it.body, content_type="text/plain"), ALL),
        Row("no Content-Type", READINGS, lambda line, it: line.say(it.body, content_type=""), ALL),
        Row("a list in place of an object", READINGS, _body(lambda body: b"[" + body + b"]"), NONE),
        Row("null", READINGS, _page(b"null"), NONE),
        Row("nothing, with 200", READINGS, _page(b""), NONE),
        Row("100,000 brackets", READINGS, _page(b'{"a":' + b"[" * 100_000), NONE),
        Row("a Patient in place of a Bundle", READINGS, _of_no_use("Patient", id="p-s1", name=FAMILY), NONE),
        Row("an error with 200", READINGS, _of_no_use("OperationOutcome", issue=FATAL), NONE),
        Row(
            "an error among the results",
            READINGS,
            _entries(lambda all_: all_.append({"resource": {"resourceType": "OperationOutcome", "issue": FATAL}})),
            NONE,
        ),
        Row(
            "a warning among the results",
            READINGS,
            _entries(lambda all_: all_.append({"resource": {"resourceType": "OperationOutcome", "issue": WARNING}})),
            ALL,
        ),
        # Too much, or too slowly.
        Row("gzip that unpacks to 300 MiB", READINGS, _page(_bomb(), Content_Encoding="gzip"), NONE),
        Row("gzip that is none", READINGS, _page(b"no gzip", Content_Encoding="gzip"), NONE),
        Row("gzip", READINGS, lambda line, it: line.say(gzip.compress(it.body), Content_Encoding="gzip"), ALL),
        Row("headers that drip", READINGS, _drip_headers, UNREACHABLE, drips=True),
        Row("a body that drips", READINGS, _drip_body, UNREACHABLE, drips=True),
        Row("1,000 headers", READINGS, _raw(b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 1_000 + b"\r\n"), NONE),
        Row("a header of a megabyte", READINGS, _raw(b"HTTP/1.1 200 OK\r\nX: " + b"y" * 2**20), NONE),
        # Pages.
        Row("pages that lead to themselves", READINGS, _next("{self}"), NONE),
        Row("pages that lead on for ever, with nothing new", READINGS, _next(None), NONE),
        Row("pages that lead on for ever, with new resources", READINGS, _invented, NONE),
        Row("a next link to another server", READINGS, _next(f"{away}/Observation?_page=2"), NONE),
        Row("a next link that is no address", READINGS, _next("http://[broken"), NONE),
        Row("more matches than its total", READINGS, _bundle(lambda it: it.update(total=1)), ALL),
        Row("fewer matches than its total", READINGS, _bundle(lambda it: it.update(total=10_000)), NONE),
        Row("fewer matches than its total, once", READINGS, _entries(lambda all_: all_.pop()), ALL, times=1),
        Row("a total that is text", READINGS, _bundle(lambda it: it.update(total="many")), ALL),
        Row("no resources in its entries", READINGS, _entries(_odd_entries), ALL),
        # Resources.
        Row("every resource twice", READINGS, _entries(_again), ALL),
        Row("an older version of each resource", READINGS, _entries(_other_versions), ALL),
        Row("resources of odd types", READINGS, _entries(_odd_types), ALL),
        Row("resources of other patients, or of none", READINGS, _entries(_of_others), ALL),
        # Answers that break off, or refuse.
        Row("half a body, once", READINGS, _cut, ALL, times=1),
        Row("half a body, always", READINGS, _cut, NONE),
        Row("half a JSON", READINGS, _body(lambda body: body[: len(body) // 2]), NONE),
        Row("a chunk of no size", READINGS, _raw(CHUNKED + b"zz\r\n{}\r\n"), NONE),
        Row("no answer, once", READINGS, _hang_up, ALL, times=1),
        Row("no answer, always", READINGS, _hang_up, NONE),
        Row("what is no HTTP", READINGS, _raw(f"{FAMILY} {VALUE}\r\n\r\n".encode()), NONE),
        Row("429 with Retry-After, for ever", READINGS, _status(429, Retry_After="86400"), NONE),
        Row("429 with an odd Retry-After, once", READINGS, _status(429, Retry_After=FAMILY), ALL, times=1),
        Row("503 for ever", READINGS, _status(503), NONE),
        Row("503 for ever, to everything", "", _status(503), UNREACHABLE),
        Row("no answer to anything", "", _hang_up, UNREACHABLE),
        Row("500 once", READINGS, _status(500), ALL, times=1),
        Row("500 for ever", READINGS, _status(500), NONE),
        Row("500 to the search for stays, for ever", STAY_SEARCH, _status(500), UNUSABLE),
        Row("401 in the midst of it", READINGS, _status(401), REFUSED),
        Row("403 in the midst of it", READINGS, _status(403), REFUSED),
        Row("a redirect elsewhere", READINGS, _status(302, Location=away), NONE),
        Row("a redirect to what is no address", READINGS, _status(302, Location="http://[broken"), NONE),
        Row("204", READINGS, _raw(b"HTTP/1.1 204 No Content\r\n\r\n"), NONE),
        Row("a status of 999", READINGS, _raw(b"HTTP/1.1 999 \r\nContent-Length: 2\r\n\r\n{}"), NONE),
        Row(
            "two lengths", READINGS, _raw(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\n{}"), NONE
        ),
        Row("gzip in gzip, ten times", READINGS, _page(b"{}", Content_Encoding=", ".join(["gzip"] * 10)), NONE),
        Row("a redirect of what is written", WRITE, _status(307, Location=away), UNUSABLE),
        # Writing.
        Row("no answer to what was written, once", WRITE, _hang_up, ALL, times=1),
        Row("half an answer to what was written, once", WRITE, _cut, ALL, times=1),
        Row("one answer too few", WRITE, _entries(lambda all_: all_.pop()), UNUSABLE),
        Row("one answer too few, once", WRITE, _entries(lambda all_: all_.pop()), ALL, times=1),
        Row("answers that are null", WRITE, _of_batch(None), UNUSABLE),
        Row("answers without a status, once", WRITE, _of_batch({"response": {"status": FAMILY}}), ALL, times=1),
        Row("a login page to what is written", WRITE, _page(LOGIN, "text/html"), UNUSABLE),
        Row("403 to what is written", WRITE, _status(403), REFUSED),
        Row("a look for earlier results that fails", LOOK, _status(500), UNUSABLE),
        # What others keep under an identifier of ours: it costs its own stay, which is not written over.
        Row("a RiskAssessment of ours without an id", LOOK, _foreign(id=None), ONE_FAILS),
        Row("a RiskAssessment of ours whose id is a number", LOOK, _foreign(id=7), ONE_FAILS),
        Row("a RiskAssessment of ours whose note is text", LOOK, _foreign(note=FAMILY), ONE_FAILS),
        Row("a RiskAssessment of ours with a note of null", LOOK, _foreign(note=[None]), ONE_FAILS),
        Row("a RiskAssessment of ours whose meta is text", LOOK, _foreign(meta=FAMILY), ONE_FAILS),
        Row(
            "a RiskAssessment of ours whose score is text",
            LOOK,
            _foreign(prediction=[{"probabilityDecimal": VALUE}]),
            ONE_FAILS,
        ),
        Row("a RiskAssessment of ours without a status", LOOK, _foreign(status=None), ONE_FAILS),
        Row("results that nobody looked for", LOOK, _foreign("elsewhere"), ALL),
    ]


@dataclass
class Hostile:
    """The running server: it follows a row, or answers soundly without one."""

    url: str = ""
    row: Row | None = None
    met: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)

    def follow(self, row: Row | None) -> None:
        with self.lock:
            self.row, self.met = row, 0

    def meets(self, request: str) -> Row | None:
        """Returns the row, if it concerns this request."""
        with self.lock:
            row = self.row
            if row is None or not _concerns(row.where, request) or (row.times is not None and self.met >= row.times):
                return None
            self.met += 1
            return row


def _concerns(where: str, request: str) -> bool:
    return request == where if where == WRITE else where in request


@contextmanager
def hostile_server(sound: str) -> Iterator[Hostile]:
    """Yields a hostile server in front of the sound one at this URL."""
    hostile = Hostile()

    def meet(line: Line, forward: Forward) -> None:
        given = forward()
        row = hostile.meets(f"{line.command} {line.path}")
        if row is None:
            line.pass_on(given)
        else:
            row.do(line, given)

    with gateway_before(sound, meet) as hostile.url:
        yield hostile
