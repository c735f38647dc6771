"""Sends Bundle entries and returns the answered ones: in batches, or one by one if a server takes no batch."""

import logging
from collections.abc import Sequence
from typing import Final

from wardround.errors import FhirError, FhirUnreachable
from wardround.fhir.answer import Answer
from wardround.fhir.endpoint import FhirEndpoint, shown
from wardround.fhir.references import Resource
from wardround.fhir.transport import ATTEMPTS, Transport
from wardround.fhir.write_outcome import status_of

# The caller does not repeat a failed write, so the server need not send back what it received.
_BATCH: Final = {"Content-Type": "application/fhir+json", "Prefer": "return=minimal"}
_SINGLE: Final = {"Content-Type": "application/fhir+json"}
_CONDITIONS: Final = {"ifMatch": "If-Match", "ifNoneMatch": "If-None-Match", "ifNoneExist": "If-None-Exist"}
_NOT_DONE: Final = (429, 503)
_BUSY: Final = (*_NOT_DONE, 502, 504, None)  # None: it may or may not have been done
# One entry can make a server refuse the whole Bundle, and some servers refuse an oversized one with just a 400.
_WHOLE: Final = (400, 413, 422)

_LOG = logging.getLogger(__name__)


def perform(entries: Sequence[Resource], source: FhirEndpoint, transport: Transport, repeat: bool) -> list[Resource]:
    """Sends the entries and returns the answered ones (`response`, and `resource` if there is one), in order.

    An entry that was answered 429 or 503, or not answered at all, is sent again, `ATTEMPTS` times at most. Without
    `repeat`, only an entry that certainly was not done is sent again; one that may have been done gets no status.

    Raises:
        FhirUnreachable, FhirRefused: as for any other request, with `repeat`.
        FhirError: the server kept answering more or fewer entries than it was sent.
    """
    answers: list[Resource] = [{} for _ in entries]
    waiting = list(range(len(entries)))
    for attempt in range(1, ATTEMPTS + 1):
        for places in _parts(waiting, source.entries_per_batch if source.profile.has_batch else 1):
            asked = [entries[place] for place in places]
            for place, answer in zip(places, _sent(asked, source, transport, repeat), strict=True):
                answers[place] = answer
        again = _BUSY if repeat else _NOT_DONE
        waiting = [place for place in waiting if status_of(answers[place]) in again]
        if not waiting:
            return answers
        _LOG.warning(
            "%s: %d of %d entries of a batch were not processed, attempt %d of %d",
            *(shown(source.base_url), len(waiting), len(entries), attempt, ATTEMPTS),
        )
        if attempt == ATTEMPTS or not transport.wait(attempt):
            break
    if any(status_of(answers[place]) is None for place in waiting):
        raise FhirError(
            f"{shown(source.base_url)}: answered a batch with the wrong number of entries {attempt} times,"
            " expected one for each entry; check the server"
        )
    return answers


def _sent(entries: list[Resource], source: FhirEndpoint, transport: Transport, repeat: bool) -> list[Resource]:
    try:
        if source.profile.has_batch:
            return _batch(entries, source, transport, repeat)
        return [_single(entry, source, transport, repeat) for entry in entries]
    except FhirUnreachable:
        if repeat:
            raise
        # The server may still be working on it, and the caller will check whether it was done.
        transport.wait(1)
        return [{} for _ in entries]


def _batch(entries: list[Resource], source: FhirEndpoint, transport: Transport, repeat: bool) -> list[Resource]:
    bundle = {"resourceType": "Bundle", "type": "batch", "entry": entries}
    answer = transport.send("POST", source.base_url, json=bundle, headers=_BATCH, accept=_WHOLE, repeat=repeat)
    if answer.status in _WHOLE:
        if len(entries) == 1:
            return [_entry(answer)]
        _LOG.warning("%s: refused a batch of %d (%d); sending it in halves", answer.url, len(entries), answer.status)
        middle = len(entries) // 2
        halves = entries[:middle], entries[middle:]
        return [entry for half in halves for entry in _sent(half, source, transport, repeat)]
    if answer.body.get("resourceType") != "Bundle":
        raise FhirError(f"{answer.url}: answered a batch without a Bundle, expected one; check the base URL")
    answered = answer.body.get("entry")
    if not isinstance(answered, list) or len(answered) != len(entries):
        # There is no way to tell which of them is missing.
        return [{} for _ in entries]
    return [one if _is_answer(one) else {} for one in answered]


def _is_answer(entry: object) -> bool:
    return isinstance(entry, dict) and isinstance(entry.get("response"), dict)


def _single(entry: Resource, source: FhirEndpoint, transport: Transport, repeat: bool) -> Resource:
    request = entry["request"]
    conditions = {header: str(request[key]) for key, header in _CONDITIONS.items() if key in request}
    answer = transport.send(
        request["method"],
        f"{source.base_url}/{request['url']}",
        json=entry.get("resource"),
        headers={**_SINGLE, **conditions},
        accept=range(200, 500),
        repeat=repeat,
    )
    return _entry(answer)


def _entry(answer: Answer) -> Resource:
    entry: Resource = {"response": {"status": str(answer.status)}}
    return {**entry, "resource": answer.body} if answer.status < 400 and answer.body else entry


def _parts(places: Sequence[int], size: int) -> list[Sequence[int]]:
    return [places[start : start + size] for start in range(0, len(places), size)]
