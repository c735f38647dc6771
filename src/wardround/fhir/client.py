"""Sends searches, reads and batches, and returns resources as dicts; hides paging and splits oversized searches."""

import logging
import re
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from functools import partial
from itertools import chain
from types import TracebackType
from typing import Final, Self, TypeVar, cast
from urllib.parse import urlencode

from requests.adapters import BaseAdapter

from wardround.errors import FhirError
from wardround.fhir import batch as fhir_batch
from wardround.fhir.answer import Answer
from wardround.fhir.endpoint import FhirEndpoint, shown
from wardround.fhir.page import WHOLE, Misshapen, Shape, called
from wardround.fhir.pages import TOO_LARGE, Search, TooLarge, pages
from wardround.fhir.patience import Patience
from wardround.fhir.references import Resource
from wardround.fhir.transport import Transport
from wardround.fhir.versions import Seen

__all__ = ["FhirClient", "FhirEndpoint", "Params"]

S = TypeVar("S")
T = TypeVar("T")
Values = str | Sequence[str]
Params = Mapping[str, Values] | Sequence[tuple[str, Values]]

_FORM: Final = {"Content-Type": "application/x-www-form-urlencoded"}
_REFERENCE: Final = re.compile(r"[A-Z][A-Za-z]+/[A-Za-z0-9\-.]{1,64}")
_LOST: Final = (*TOO_LARGE, 404, 410)

_LOG = logging.getLogger(__name__)


class FhirClient:
    """A connection to a FHIR server, for one or more threads; a context manager.

    Every request is safe to repeat, so all of them are retried (see `fhir.transport`). Batches must therefore hold only
    conditional writes, or be sent without repeating. Raises FhirUnreachable, FhirRefused (401, 403) or FhirError.
    """

    def __init__(
        self, source: FhirEndpoint, transport: BaseAdapter | None = None, patience: Patience | None = None
    ) -> None:
        self.source = source
        self._transport = Transport(source, transport, patience)
        self._elsewhere = FhirClient(source.write_to, transport, self.patience) if source.write_to else None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._transport.close()
        if self._elsewhere:
            self._elsewhere._transport.close()

    @property
    def requests_made(self) -> int:
        """Requests sent so far, including repeated ones and those about results."""
        return self._transport.requests_made + (self._elsewhere.requests_made if self._elsewhere else 0)

    @property
    def results(self) -> "FhirClient":
        """The connection to the server that takes the results: this one, or `source.write_to`."""
        return self._elsewhere or self

    @property
    def patience(self) -> Patience:
        """What is left of the run's retries and waiting time."""
        return self._transport.patience

    def sending_while(self, require: Callable[[], None]) -> AbstractContextManager[None]:
        """Calls `require` before each request to this server, repeated ones too, until the block ends.

        What it raises is raised instead of sending the request.
        """
        return self._transport.sending_while(require)

    def is_down(self) -> bool:
        """Returns whether the server, or the one that takes its results, does not answer at all now; asks each once.

        A server that answers with a refusal is not down: waiting would not help.
        """
        return self._transport.is_down() or (self._elsewhere is not None and self._elsewhere.is_down())

    def search(self, resource_type: str, params: Params, shape: Shape[Resource] = WHOLE) -> Iterator[Resource]:
        """Yields all resources that match, page after page.

        Each is given once, or again if it changed meanwhile. Included resources of other types are among them.

        Args:
            resource_type: such as `Observation`.
            params: search parameters, in pairs if one is repeated. A string is sent as it is; a sequence means any of
                its values, is escaped, and is halved and sent again if the server cannot handle so many.
            shape: one that any JSON object has, such as WHOLE.
        """
        return cast(Iterator[Resource], chain.from_iterable(self.pages(resource_type, params, shape)))

    def pages(
        self, resource_type: str, params: Params, shape: Shape[S], seen: Seen | None = None
    ) -> Iterator[list[S | Misshapen]]:
        """Yields the same page by page, each resource decoded into the shape; one that does not fit stays as received.

        Resources in `seen`, from an earlier search, are not given again.
        """
        pairs = list(params.items()) if isinstance(params, Mapping) else list(params)
        if not any(name == "_count" for name, _ in pairs):
            pairs.append(("_count", str(self.source.page_size)))
        seen = Seen() if seen is None else seen
        before = len(seen.again)
        waiting = [pairs]
        while waiting:
            asked = waiting.pop(0)
            try:
                yield from pages(self._search(resource_type, asked, shape, seen))
            except TooLarge as error:
                halves = _halved(asked)
                if not halves:
                    raise FhirError(str(error)) from None
                _LOG.warning("%s; searching again with half as many values at a time", error)
                waiting = halves + waiting
        if newer := len(seen.again) - before:
            place = f"{shown(self.source.base_url)}/{resource_type}"
            _LOG.info("%s: %d resources arrived in several versions; the latest of each is used", place, newer)

    def read(self, reference: str) -> Resource:
        """Returns the resource at `Type/id`."""
        if not _REFERENCE.fullmatch(reference):
            raise FhirError(f"{self.source.base_url}: got a reference that is not Type/id; give one such as Patient/a1")
        url = f"{self.source.base_url}/{reference}"
        return _expect(self._transport.send("GET", url), reference.partition("/")[0])

    def capabilities(self) -> Resource:
        """Returns the server's CapabilityStatement."""
        return _expect(self._transport.send("GET", f"{self.source.base_url}/metadata"), "CapabilityStatement")

    def operation(
        self, resource_type: str, name: str, parameters: Sequence[Resource], accept: Collection[int] = ()
    ) -> Answer:
        """Returns the answer to `POST Type/$name` with these Parameters; the operation must be safe to repeat."""
        body = {"resourceType": "Parameters", "parameter": parameters}
        headers = {"Content-Type": "application/fhir+json"}
        url = f"{self.source.base_url}/{resource_type}/${name}"
        return self._transport.send("POST", url, json=body, headers=headers, accept=accept)

    def ask(self, method: str, url: str, headers: Mapping[str, str], accept: Collection[int] = ()) -> Answer:
        """Returns the answer to a request that is not one of FHIR's own interactions, such as for an export."""
        return self._transport.send(method, url, headers=headers, accept=accept)

    def download(self, url: str, accept: str, signed: bool, keep: Callable[[Iterator[bytes]], T]) -> T:
        """Passes a file's parts to `keep`, again from the start after an interruption; returns what `keep` returns.

        See `Transport.download`.
        """
        return self._transport.download(url, accept, signed, keep)

    def batch(self, entries: Sequence[Resource], repeat: bool = True) -> list[Resource]:
        """Sends Bundle entries in batches and returns the answered entries (`response`, `resource` if any) in order.

        A failed entry is reported in its own `response.status`; it raises nothing. Entries that must not be done twice
        are sent with `repeat` False (see `fhir.batch`). Raises FhirError for anything but a read if the results of this
        server go to another one.
        """
        if any(entry["request"]["method"] != "GET" for entry in entries):
            self._require_writable()
        return fhir_batch.perform(entries, self.source, self._transport, repeat)

    def transaction(self, bundle: Resource) -> list[Resource]:
        """Sends a transaction, which is done whole or not at all, and returns the answered entries, in order.

        It may be sent again, so that its entries must be safe to repeat. Raises FhirError if it is refused, or if the
        results of this server go to another one.
        """
        self._require_writable()
        headers = {"Content-Type": "application/fhir+json"}
        body = _expect(self._transport.send("POST", self.source.base_url, json=bundle, headers=headers), "Bundle")
        answered = body.get("entry", [])
        if not isinstance(answered, list) or len(answered) != len(bundle["entry"]):
            raise FhirError(
                f"{shown(self.source.base_url)}: answered a transaction with the wrong number of entries, expected one"
                " for each entry; check the server"
            )
        return answered

    def _require_writable(self) -> None:
        if self._elsewhere:
            raise FhirError(
                f"{shown(self.source.base_url)}: is read-only, because its results are written to "
                f"{shown(self._elsewhere.source.base_url)}; write to that server"
            )

    def _search(self, resource_type: str, pairs: list[tuple[str, Values]], shape: Shape[S], seen: Seen) -> Search[S]:
        form = urlencode([(name, _joined(values)) for name, values in pairs])
        url, send = f"{self.source.base_url}/{resource_type}", partial(self._transport.send, read=shape.page)
        if self.source.profile.has_post_search:
            first = partial(send, "POST", f"{url}/_search", data=form, headers=_FORM, accept=TOO_LARGE)
        else:
            first = partial(send, "GET", f"{url}?{form}", accept=TOO_LARGE)
        return Search(self.source, resource_type, shape, first, partial(send, "GET", accept=_LOST), seen)


def _expect(answer: Answer, resource_type: str) -> Resource:
    found = answer.body.get("resourceType")
    if found != resource_type:
        raise FhirError(f"{answer.url}: answered {called(found)}, expected {resource_type}; check the base URL")
    return answer.body


def _joined(values: Values) -> str:
    if isinstance(values, str):
        return values
    return ",".join(value.replace("\\", "\\\\").replace(",", "\\,") for value in values)


def _halved(pairs: list[tuple[str, Values]]) -> list[list[tuple[str, Values]]]:
    """Returns two searches, each with half of this one's longest list of values; none if no list can be halved."""
    place, longest = max(enumerate(pairs), key=lambda item: 0 if isinstance(item[1][1], str) else len(item[1][1]))
    name, values = longest
    if isinstance(values, str) or len(values) < 2:
        return []
    middle = len(values) // 2
    return [[*pairs[:place], (name, half), *pairs[place + 1 :]] for half in (values[:middle], values[middle:])]
