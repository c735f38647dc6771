"""Searches, reads and batches in, resources as plain dicts out; pages and too large searches are its own matter."""

import re
from collections.abc import Iterator, Mapping, Sequence
from types import TracebackType
from typing import Final, Self
from urllib.parse import urlencode, urljoin

from requests.adapters import BaseAdapter

from wardround.adapters import fhir_batch
from wardround.adapters.fhir_references import Resource
from wardround.adapters.fhir_source import FhirSource, origin, shown
from wardround.adapters.fhir_transport import Answer, Transport
from wardround.errors import FhirError

__all__ = ["FhirClient", "FhirSource", "Params"]

Values = str | Sequence[str]
Params = Mapping[str, Values] | Sequence[tuple[str, Values]]

_FORM: Final = {"Content-Type": "application/x-www-form-urlencoded"}
_REFERENCE: Final = re.compile(r"[A-Z][A-Za-z]+/[A-Za-z0-9\-.]{1,64}")
# What servers answer to more values than they bear: SQLite's "expression tree is too large" arrives as a 500.
_TOO_LARGE: Final = (400, 413, 414, 500)


class FhirClient:
    """A connection to a FHIR server, for one or more threads; a context manager.

    Every request is safe to repeat, so all of them are retried (see `fhir_transport`); batches must therefore hold
    only conditional writes, or be sent without repeating. Raises FhirUnreachable, FhirRefused (401, 403) or FhirError.
    """

    def __init__(self, source: FhirSource, transport: BaseAdapter | None = None) -> None:
        self.source = source
        self._transport = Transport(source, transport)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._transport.close()

    @property
    def requests_made(self) -> int:
        """Requests sent so far, repeated ones included."""
        return self._transport.requests_made

    def search(self, resource_type: str, params: Params) -> Iterator[Resource]:
        """All resources that match, page after page, each once; included resources of other types among them.

        Args:
            resource_type: such as `Observation`.
            params: search parameters, in pairs if one is repeated. A text is sent as it is; a sequence means any of
                its values, is escaped, and is halved and asked again where the server cannot bear so many.
        """
        pairs = list(params.items()) if isinstance(params, Mapping) else list(params)
        if not any(name == "_count" for name, _ in pairs):
            pairs.append(("_count", str(self.source.page_size)))
        yield from self._search(resource_type, pairs, set())

    def read(self, reference: str) -> Resource:
        """The resource at `Type/id`."""
        if not _REFERENCE.fullmatch(reference):
            raise FhirError(f"{self.source.base_url}: got a reference that is not Type/id; give one such as Patient/a1")
        url = f"{self.source.base_url}/{reference}"
        return _expect(self._transport.send("GET", url), reference.partition("/")[0])

    def capabilities(self) -> Resource:
        """The server's CapabilityStatement."""
        return _expect(self._transport.send("GET", f"{self.source.base_url}/metadata"), "CapabilityStatement")

    def batch(self, entries: Sequence[Resource], repeat: bool = True) -> list[Resource]:
        """Sends Bundle entries in batches and gives the answered entries (`response`, `resource` if any) in order.

        An entry that failed says so in its own `response.status`; it raises nothing. Entries that must not be done
        twice are sent with `repeat` False (see `fhir_batch`).
        """
        return fhir_batch.perform(entries, self.source, self._transport, repeat)

    def _search(self, resource_type: str, pairs: list[tuple[str, Values]], seen: set[str]) -> Iterator[Resource]:
        try:
            yield from self._pages(resource_type, pairs, seen)
        except _TooLarge as error:
            halves = _halved(pairs)
            if not halves:
                raise FhirError(str(error)) from None
            for half in halves:
                yield from self._search(resource_type, half, seen)

    def _pages(self, resource_type: str, pairs: list[tuple[str, Values]], seen: set[str]) -> Iterator[Resource]:
        form = urlencode([(name, _joined(values)) for name, values in pairs])
        url = f"{self.source.base_url}/{resource_type}"
        if self.source.profile.has_post_search:
            answer = self._transport.send("POST", f"{url}/_search", data=form, headers=_FORM, accept=_TOO_LARGE)
        else:
            answer = self._transport.send("GET", f"{url}?{form}", accept=_TOO_LARGE)
        visited: set[str] = set()
        while True:
            bundle = _expect_page(answer)
            yield from _entries(bundle, answer, seen)
            following = self._next(bundle)
            if following is None:
                return
            if following in visited:
                raise FhirError(f"{shown(following)}: next links run in a circle, expected an end; check the server")
            visited.add(following)
            answer = self._transport.send("GET", following, accept=_TOO_LARGE)

    def _next(self, bundle: Resource) -> str | None:
        links = [str(link["url"]) for link in bundle.get("link", []) if link.get("relation") == "next"]
        if not links:
            return None
        url = urljoin(f"{self.source.base_url}/", links[0])
        if origin(url) != origin(self.source.base_url):
            raise FhirError(
                f"{shown(self.source.base_url)}: the next link leads to {shown(url)}, expected the same server;"
                " set the server's own base URL"
            )
        return url


class _TooLarge(FhirError):
    """A search failed in a way that fewer values may mend."""


def _expect(answer: Answer, resource_type: str) -> Resource:
    found = answer.body.get("resourceType")
    if found != resource_type:
        name = found if isinstance(found, str) else "no resource"
        raise FhirError(f"{answer.url}: answered {name}, expected {resource_type}; check the base URL")
    return answer.body


def _expect_page(answer: Answer) -> Resource:
    if answer.status in _TOO_LARGE:
        raise _TooLarge(answer.complaint)
    return _expect(answer, "Bundle")


def _entries(bundle: Resource, answer: Answer, seen: set[str]) -> Iterator[Resource]:
    for entry in bundle.get("entry", []):
        resource = entry.get("resource")
        if not isinstance(resource, dict):
            continue
        if resource.get("resourceType") == "OperationOutcome":
            _raise_if_fatal(resource, answer)
            continue
        key = f"{resource.get('resourceType')}/{resource.get('id')}"
        if key not in seen:
            seen.add(key)
            yield resource


def _raise_if_fatal(outcome: Resource, answer: Answer) -> None:
    """Warnings, such as of an unknown parameter, come with the results; errors mean that results are missing."""
    for issue in outcome.get("issue", []):
        if issue.get("severity") in ("error", "fatal"):
            raise FhirError(f"{answer.url}: the search failed with {issue.get('code')}; check the server's log")


def _joined(values: Values) -> str:
    if isinstance(values, str):
        return values
    return ",".join(value.replace("\\", "\\\\").replace(",", "\\,") for value in values)


def _halved(pairs: list[tuple[str, Values]]) -> list[list[tuple[str, Values]]]:
    """The search as two searches with half of its longest list of values each; none if no list can be halved."""
    place, longest = max(enumerate(pairs), key=lambda item: 0 if isinstance(item[1][1], str) else len(item[1][1]))
    name, values = longest
    if isinstance(values, str) or len(values) < 2:
        return []
    middle = len(values) // 2
    return [[*pairs[:place], (name, half), *pairs[place + 1 :]] for half in (values[:middle], values[middle:])]
