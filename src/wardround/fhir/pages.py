"""Reads the pages of one search and gives each resource once; a search that is not read to its end is an error."""

import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Final, Generic, TypeVar
from urllib.parse import urljoin

from wardround.errors import FhirError
from wardround.fhir.answer import Answer, error_codes
from wardround.fhir.endpoint import FhirEndpoint, origin, shown
from wardround.fhir.page import Link, Misshapen, Page, Shape, called
from wardround.fhir.references import is_id
from wardround.fhir.versions import Seen

T = TypeVar("T")

# What servers answer to more values than they can handle: SQLite's "expression tree is too large" arrives as a 500.
TOO_LARGE: Final = (400, 413, 414, 500)
# What servers answer to the link of a search that they have forgotten: HAPI 410, others 404 or 400.
_EXPIRED: Final = (400, 404, 410)
MOST_RESTARTS: Final = 3
# Servers that filter after paging sometimes give pages without a match; so many in a row mean an endless search.
MOST_BARREN: Final = 100
# Limits one reading of a search: pages that a server invents without end must end. A search covers a chunk, or the
# stays of a hospital; 100 patients whose ten variables are recorded every minute give 4,300,000 in three days.
MOST_PAGES: Final = 100_000
MOST_RESOURCES: Final = 5_000_000
# What may come beyond an exact total: as many again, for what is entered while it is read, and some pages.
_MORE_THAN_TOTAL: Final = 20_000

_LOG = logging.getLogger(__name__)


class TooLarge(FhirError):
    """A search failed in a way that fewer values may fix."""


class _Expired(Exception):
    """The server has forgotten the search halfway."""


class _Short(Exception):
    """The last page came before all matches did, or an entry that may be a match cannot be read."""


class _Shrunk(Exception):
    """The total fell between two pages: a deletion may have shifted a resource that still exists past the next page."""


@dataclass(frozen=True)
class Search(Generic[T]):
    """One search at a server.

    Attributes:
        source: the server.
        resource_type: the type of the matches.
        shape: decodes the pages of the answers.
        first: asks for the first page.
        follow: asks for the page at a URL.
        seen: the resources that were given already, and in which version; those that are given are added to it.
    """

    source: FhirEndpoint
    resource_type: str
    shape: Shape[T]
    first: Callable[[], Answer]
    follow: Callable[[str], Answer]
    seen: Seen


def pages(search: Search[T]) -> Iterator[list[T | Misshapen]]:
    """Yields, page by page, the resources of a search that were not seen, or not in this version.

    A search that the server forgets, or that ends with fewer matches than its total, starts again. So does one with an
    entry that holds no resource, unless the total shows that none is missing. If pages shift because something was
    entered meanwhile, they repeat resources, which are given once, or again if they changed. If a total shrinks in
    between, the search is repeated until a reading brings nothing new.

    Raises:
        TooLarge: the server cannot handle so many values, or forgets the search each time.
        FhirError: a page is not a Bundle, results are missing, or the pages do not end.
    """
    restarts, short, shrunk = 0, False, False
    while True:
        known = len(search.seen)
        try:
            yield from _once(search)
            return
        except _Expired as expired:
            restarts += 1
            if restarts > MOST_RESTARTS:
                raise TooLarge(str(expired)) from None
            _LOG.warning(
                "%s: the server forgot the search before its end; reading it again from the start", _place(search)
            )
        except _Short as error:
            if short:
                raise FhirError(str(error)) from None
            short = True
            _LOG.warning("%s; reading it again from the start", error)
        except _Shrunk as error:
            if shrunk and len(search.seen) == known:
                return
            restarts, shrunk = restarts + 1, True
            if restarts > MOST_RESTARTS:
                raise FhirError(str(error)) from None
            _LOG.warning(
                "%s: the total shrank during the search; reading it again until nothing is new", _place(search)
            )


def _place(search: Search[T]) -> str:
    return f"{shown(search.source.base_url)}/{search.resource_type}"


def _once(search: Search[T]) -> Iterator[list[T | Misshapen]]:
    source = search.source
    answer = search.first()
    count = _Count()
    visited: set[str] = set()
    while True:
        if answer.status in TOO_LARGE:
            raise TooLarge(answer.complaint)
        page: Page[T | Misshapen] = _searchset(answer)
        url = _next(page.link, source.base_url)
        yield _new(page, answer, search, count)
        if url is None:
            break
        if url in visited or count.barren > MOST_BARREN:
            raise FhirError(f"{shown(url)}: the next links form a loop, expected a last page; check the server")
        visited.add(url)
        if len(visited) >= MOST_PAGES or count.resources > MOST_RESOURCES:
            raise FhirError(
                f"{shown(url)}: {len(visited)} pages with {count.resources} resources and no last page,"
                " expected one; check the server, or search for fewer patients at once"
            )
        if source.profile.has_exact_totals and count.beyond:
            raise FhirError(
                f"{shown(url)}: returned {len(count.matches)} matches and no last page,"
                f" expected the {count.largest} of its total; check the server, and whether its totals are exact"
            )
        # A page is most of what a search holds in memory: release it before the next one comes.
        del answer, page
        answer = search.follow(url)
        if answer.status in _EXPIRED:
            raise _Expired(answer.complaint)
    if source.profile.has_exact_totals and len(count.matches) < count.total:
        raise _Short(
            f"{answer.url}: returned {len(count.matches)} of the {count.total} matches in its total, expected all;"
            " check the server, and whether its totals are exact"
        )
    if count.unreadable and not (source.profile.has_exact_totals and count.complete):
        raise _Short(
            f"{answer.url}: returned {count.unreadable} entries without a resource, expected one in each;"
            " check the server"
        )
    if source.profile.has_exact_totals and count.shrunk:
        raise _Shrunk(f"{answer.url}: its total shrinks on every read, expected a stable search; try later")


class _Count:
    """Counts the different matches that one reading of a search met, and how many there should be."""

    def __init__(self) -> None:
        self.matches: set[str] = set()
        self.total = 0
        self.largest = 0  # the largest total on its pages
        self.resources = 0  # including included and repeated ones
        self.barren = 0  # pages in a row without a new match
        self.unreadable = 0  # entries without a resource
        self.shrunk = False  # whether a page counted fewer than one before it
        self._told = False

    @property
    def complete(self) -> bool:
        """Whether the server gave a total, and that many were met."""
        return self._told and len(self.matches) == self.total

    @property
    def beyond(self) -> bool:
        """Whether far more came than the server's total."""
        return self._told and len(self.matches) > 2 * self.largest + _MORE_THAN_TOTAL

    def page(self, total: object, entries: int, barren: bool) -> None:
        self.resources += entries
        self.barren = self.barren + 1 if barren else 0
        if isinstance(total, int):
            self.largest = max(self.largest, total)
            self.shrunk |= self._told and total < self.total
            # The smallest total on any page: what was deleted meanwhile cannot be met any more.
            self.total = min(self.total, total) if self._told else total
            self._told = True


def _new(page: Page[T | Misshapen], answer: Answer, search: Search[T], count: _Count) -> list[T | Misshapen]:
    wanted, about, seen, matches, new = search.resource_type, search.shape.about, search.seen, count.matches, []
    known, versions = len(matches), seen.versions
    for place, entry in enumerate(page.entry):
        resource = entry.resource
        if resource is None:
            count.unreadable += 1
            continue
        kind, name, issue, updated = about(resource)
        if kind == "OperationOutcome":
            _raise_if_fatal(issue, answer)
            continue
        key = f"{kind}/{name}"
        if key not in versions and type(updated) is str and type(name) is str:
            versions[key] = updated  # as `takes` would do: nearly all resources take this path
            new.append(resource)
        elif not is_id(name):
            # Without a usable id, two resources cannot be told apart; both are given.
            key = f"{kind} {len(matches)}.{place}"
            new.append(resource)
        elif seen.takes(key, updated, resource):
            new.append(resource)
        if kind == wanted:
            matches.add(key)
    count.page(page.total, len(page.entry), barren=len(matches) == known)
    return new


def _searchset(answer: Answer) -> Page[Any]:
    page: Page[Any] = answer.body
    if page.resourceType == "OperationOutcome":
        _raise_if_fatal(page.issue, answer)
    if page.resourceType != "Bundle":
        raise FhirError(f"{answer.url}: answered {called(page.resourceType)}, expected Bundle; check the base URL")
    return page


def _raise_if_fatal(issues: Any, answer: Answer) -> None:
    """Raises FhirError for errors, which mean missing results.

    Warnings, such as of an unknown parameter, come with the results.
    """
    for code in error_codes(issues):
        raise FhirError(f"{answer.url}: the search failed with {code}; check the server's log")


def _next(links: list[Link], base_url: str) -> str | None:
    """Returns the URL of the next page: the server's link relative to the base, and only on the same server."""
    following = [str(link.url or "") for link in links if link.relation == "next"]
    if not following:
        return None
    try:
        url = urljoin(f"{base_url}/", following[0])
        foreign = origin(url) != origin(base_url)
    except ValueError:
        raise FhirError(
            f"{shown(base_url)}: the next link is not a web address, expected one; check the server"
        ) from None
    if foreign:
        raise FhirError(
            f"{shown(base_url)}: the next link leads to {shown(url)}, expected the same server;"
            " set the server's own base URL"
        )
    return url
