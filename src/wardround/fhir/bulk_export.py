"""Fetches a server's Bulk Data export into NDJSON files in the run's folder: starts it, waits for it, resumes it.

Follows FHIR Bulk Data Access 2.0.0. The state is kept in export.json, so that a run that was killed continues the same
export and downloads only the files it does not have yet.
"""

import logging
import re
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from itertools import chain
from typing import Any, Final
from urllib.parse import urlencode, urljoin, urlsplit

from wardround.adapters.files.run_folder import RunFolder
from wardround.core import run_files
from wardround.core.progress import Progress
from wardround.errors import FhirError, FhirRefused, FhirUnreachable
from wardround.fhir.answer import error_codes
from wardround.fhir.client import FhirClient
from wardround.fhir.endpoint import origin, shown
from wardround.fhir.json_object import json_object
from wardround.fhir.references import Resource
from wardround.spec.base import format_duration

Clock = Callable[[], float]  # seconds since 1970

DELETED: Final = "deleted"  # the part of a manifest with Bundles of deleted resources
NDJSON: Final = "application/fhir+ndjson"
FIRST_WAIT: Final = 0.25  # seconds between two polls if the server does not say; doubled each time
LONGEST_WAIT: Final = 120.0
MOST_IN_A_LINE: Final = 64 * 2**20  # bytes; the reader of the file holds one line at a time
_KICK_OFF: Final = {"Accept": "application/fhir+json", "Prefer": "respond-async"}
_STATUS: Final = {"Accept": "application/json"}
_GONE: Final = (404, 410)
# What servers answer when an export is deleted, whether or not they deleted it.
_DELETED: Final = (200, 202, 204, 400, 404, 405, 410, 500, 501)
_PERCENT: Final = re.compile(r"(\d+)(?:\.\d+)? ?%")
_PART: Final = re.compile(r"(\d+) ?(?:of|/) ?(\d+)")

_LOG = logging.getLogger(__name__)


@dataclass(frozen=True)
class ExportOrder:
    """What to export: types, from a Group or the whole server, changes since a time or all; and how long to wait."""

    types: tuple[str, ...]
    group: str | None
    since: datetime | None
    deadline: timedelta

    def url(self, base_url: str) -> str:
        """Returns the URL of the kick-off request."""
        place = f"{base_url}/Group/{self.group}/$export" if self.group else f"{base_url}/$export"
        query = {"_type": ",".join(self.types), "_outputFormat": NDJSON}
        if self.since:
            query["_since"] = self.since.isoformat().replace("+00:00", "Z")
        return f"{place}?{urlencode(query)}"


def export(
    client: FhirClient,
    order: ExportOrder,
    folder: RunFolder,
    progress: Progress,
    clock: Callable[[], float] = time.time,
) -> None:
    """Puts the files of the export in `folder` under FILES; starts an export, or continues the one already started.

    Raises:
        FhirUnreachable: the export is not done by the deadline, or the server is gone; another attempt continues it.
        FhirRefused: no access.
        FhirError: the export failed, is incomplete or cannot be used; another attempt starts a new one.
    """
    state = _State(folder, order.url(client.source.base_url))
    if state.downloaded:
        _LOG.info("using the export of an earlier attempt")
        return
    try:
        status_url, manifest = _manifest(client, order, state, progress, clock)
        _download(client, manifest, state, progress)
    except (FhirUnreachable, FhirRefused):
        raise
    except FhirError:
        state.forget()
        raise
    _LOG.info("%s: the export is downloaded", shown(client.source.base_url))
    state.finish()
    # Servers keep exports for days; failing to delete one is no reason to fail.
    with suppress(FhirError):
        client.ask("DELETE", status_url, _STATUS, accept=_DELETED)


class _State:
    """The content of export.json: the export under way (`asked`, `status_url`, `began`) and its downloaded files."""

    def __init__(self, folder: RunFolder, asked: str) -> None:
        self.folder = folder
        self._kept: dict[str, Any] = folder.read_json_or(run_files.EXPORT_STATE, {})
        if self._kept.get("asked") != asked:
            self.forget()
            self._kept = {"asked": asked}

    @property
    def status_url(self) -> str | None:
        return self._kept.get("status_url")

    @property
    def began(self) -> float:
        return float(self._kept["began"])

    @property
    def downloaded(self) -> bool:
        return bool(self._kept.get("downloaded"))

    def begin(self, status_url: str, now: float) -> None:
        self.folder.clear(run_files.EXPORT)
        self._keep(status_url=status_url, began=now, contents=None)

    def expect(self, contents: list[Any]) -> None:
        """Removes files of another export, or of the same export with its files in another order."""
        if self._kept.get("contents") != contents:
            self.folder.clear(run_files.EXPORT)
            self._keep(contents=contents)

    def finish(self) -> None:
        self._keep(status_url=None, downloaded=True)

    def forget(self) -> None:
        """Records that no export is under way any more."""
        self.folder.clear(run_files.EXPORT)
        self._kept = {name: value for name, value in self._kept.items() if name == "asked"}
        self._keep()

    def _keep(self, **changes: Any) -> None:
        self._kept |= changes
        self.folder.write_json(run_files.EXPORT_STATE, self._kept)


def _manifest(
    client: FhirClient, order: ExportOrder, state: _State, progress: Progress, clock: Clock
) -> tuple[str, Resource]:
    """Waits until the export is done; returns its status URL and manifest."""
    resumed = state.status_url is not None
    status_url, looks = state.status_url or _kick_off(client, order, state, clock()), 0
    while True:
        answer = client.ask("GET", status_url, _STATUS, accept=(202, *_GONE))
        if answer.status in _GONE:
            if not resumed:
                raise FhirError(answer.complaint)
            # The server has forgotten the export that an earlier attempt started.
            _LOG.warning("%s: no longer has the export of an earlier attempt; starting another one", shown(status_url))
            resumed, status_url = False, _kick_off(client, order, state, clock())
        elif answer.status == 202:
            progress("export", _percent(answer.headers.get("X-Progress", "")), 100)
            left = state.began + order.deadline.total_seconds() - clock()
            if left <= 0:
                raise FhirUnreachable(
                    f"{shown(status_url)}: the export was not ready within its deadline of"
                    f" {format_duration(order.deadline)}, expected its files; try again to continue waiting, or"
                    " raise the deadline (of a cohort: source.deadline)"
                )
            asked = answer.retry_after
            wait = FIRST_WAIT * 2.0 ** min(looks, 12) if asked is None else asked
            _LOG.debug("%s: the export is not ready; checking again in %.1f s", shown(status_url), wait)
            client.patience.pause(min(wait, LONGEST_WAIT, max(left, 0.0)))
            looks += 1
        else:
            progress("export", 100, 100)
            return status_url, answer.body


def _kick_off(client: FhirClient, order: ExportOrder, state: _State, now: float) -> str:
    url = order.url(client.source.base_url)
    answer = client.ask("GET", url, _KICK_OFF, accept=(202,))
    location = answer.headers.get("Content-Location", "")
    if answer.status != 202 or not location:
        raise FhirError(
            f"{shown(url)}: answered {answer.status} without Content-Location, expected 202 with it;"
            " the server does not support bulk export: choose another cohort"
        )
    status_url = _address(url, location, f"{shown(url)}: its Content-Location")
    if origin(status_url) != origin(client.source.base_url):
        raise FhirError(
            f"{shown(url)}: gives the status URL {shown(status_url)}, expected one on the same server;"
            " set the server's own base URL"
        )
    _LOG.info("%s: started an export", shown(url))
    state.begin(status_url, now)
    return status_url


def _percent(text: str) -> int:
    """Returns the percentage in a server's X-Progress, below 100; 0 if it holds no number."""
    if found := _PERCENT.search(text):
        return min(99, int(found[1]))
    if found := _PART.search(text):
        return min(99, 100 * int(found[1]) // max(1, int(found[2])))
    return 0


@dataclass(frozen=True)
class _File:
    """A file listed in the manifest."""

    name: str
    url: str
    signed: bool
    count: int | None


def _download(client: FhirClient, manifest: Resource, state: _State, progress: Progress) -> None:
    """Downloads every file that is not there yet, `threads` at a time."""
    _refuse_errors(client, manifest)
    files = [*_files(client, manifest, "output"), *_files(client, manifest, DELETED)]
    state.expect([manifest.get("transactionTime"), [[file.name, file.count] for file in files]])
    held = frozenset(state.folder.list(run_files.EXPORT))
    missing = [file for file in files if f"{run_files.EXPORT}/{file.name}" not in held]
    progress("download", len(files) - len(missing), len(files))
    with ThreadPoolExecutor(client.source.threads) as pool:
        done = pool.map(lambda file: _keep(client, file, state.folder), missing)
        for number, _ in enumerate(done, start=len(files) - len(missing) + 1):
            progress("download", number, len(files))


def _files(client: FhirClient, manifest: Resource, part: str) -> Iterator[_File]:
    entries, base = manifest.get(part), client.source.base_url
    where = f"{shown(base)}: the export's manifest"
    if entries is None and part != "output":
        return
    if not isinstance(entries, list):
        raise FhirError(f"{where} has no {part} list, expected one; check the server")
    for number, entry in enumerate(entries):
        if not isinstance(entry, dict):
            raise FhirError(
                f"{where} has an entry in {part} that is not a file, expected type and url; check the server"
            )
        url, kind = _address("", str(entry.get("url", "")), where), re.sub(r"\W", "", str(entry.get("type", "")))
        signed = manifest.get("requiresAccessToken", origin(url) == origin(base)) is True
        _check_place(url, base, signed, where)
        count = entry.get("count")
        name = f"{number:05}-{kind}.ndjson"
        yield _File(
            f"{DELETED}-{name}" if part == DELETED else name, url, signed, count if isinstance(count, int) else None
        )


def _address(base: str, text: str, where: str) -> str:
    """Returns the absolute form of a URL, relative to `base`. Raises FhirError if it is not a URL."""
    try:
        url = urljoin(base, text)
        origin(url)
    except ValueError:
        raise FhirError(f"{where} contains an invalid web address, expected a valid one; check the server") from None
    return url


def _check_place(url: str, base: str, signed: bool, where: str) -> None:
    """Checks where a file is: storage of another origin gets no token and must be protected as well as the server."""
    foreign, scheme = origin(url) != origin(base), urlsplit(url).scheme
    if scheme not in ("http", "https") or (foreign and scheme != "https" and urlsplit(base).scheme == "https"):
        raise FhirError(f"{where} lists {shown(url)}, expected https; check the server")
    if foreign and signed:
        raise FhirError(
            f"{where} requires sending the token to {shown(url)}, expected the same server; check requiresAccessToken"
        )


def _keep(client: FhirClient, file: _File, folder: RunFolder) -> None:
    def write(parts: Iterator[bytes]) -> int:
        lines, last = 0, b"\n"
        with folder.writing(f"{run_files.EXPORT}/{file.name}") as target:
            for part in _with_lines(parts, file.url):
                lines += part.count(b"\n")
                last = part[-1:] or last
                target.write(part)
        return lines + (last != b"\n")

    lines = client.download(file.url, NDJSON, file.signed, write)
    if file.count is not None and lines != file.count:
        folder.clear(run_files.EXPORT)
        raise FhirError(
            f"{shown(file.url)}: contains {lines} resources, expected {file.count} according to the manifest;"
            " export again"
        )


def _with_lines(parts: Iterator[bytes], url: str) -> Iterator[bytes]:
    """Yields the same parts. Raises FhirError if a line is too long."""
    begun = 0  # bytes of the line so far
    for part in parts:
        last = part.rfind(b"\n")
        begun = begun + len(part) if last < 0 else len(part) - last - 1
        if begun > MOST_IN_A_LINE:
            raise FhirError(
                f"{shown(url)}: has a line of more than {MOST_IN_A_LINE >> 20} MiB, expected one resource per line;"
                " export again, or choose another cohort"
            )
        yield part


def _refuse_errors(client: FhirClient, manifest: Resource) -> None:
    """Raises FhirError for errors in the manifest: resources are missing, and it is unknown of which patients."""
    codes: Counter[str] = Counter()
    for file in _files(client, manifest, "error"):
        issues = partial(_issues, url=file.url)
        codes += client.download(file.url, NDJSON, file.signed, issues)
    if codes:
        named = ", ".join(f"{number} times {code}" for code, number in sorted(codes.items()))
        raise FhirError(
            f"{shown(client.source.base_url)}: the export left resources out ({named}), expected all; see the server's"
            " log, or choose another cohort"
        )


def _issues(parts: Iterator[bytes], url: str) -> Counter[str]:
    """Counts the codes of the errors in OperationOutcomes; warnings and information do not mean missing resources."""
    codes: Counter[str] = Counter()
    rest = b""
    for part in chain(_with_lines(parts, url), [b"\n"]):
        *lines, rest = (rest + part).split(b"\n")
        for line in lines:
            if line.strip():
                codes.update(_errors(line))
    return codes


def _errors(line: bytes) -> list[str]:
    outcome = json_object(line)
    return ["unreadable"] if outcome is None else error_codes(outcome.get("issue"))
