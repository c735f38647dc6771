"""Reads the resources in a folder of FHIR files, in the same way for all that read folders.

It reads NDJSON, gzipped or not, and JSON: Bundles of any kind, single resources, the prefetch of a CDS Hooks call,
including those in subfolders. Of an export it also understands the files besides the data: OperationOutcomes are
counted, and Bundles in the `deleted` files list deletions. Other files are skipped by their names. NDJSON of any size
is read line by line; JSON is read one file at a time, and takes about twice its size in memory.
"""

import zlib
from array import array
from bisect import bisect_right
from codecs import BOM_UTF8
from collections import Counter
from collections.abc import Callable, Hashable, Iterable, Iterator
from io import BufferedReader, RawIOBase
from pathlib import Path
from typing import Final, Generic, NamedTuple, NoReturn, TypeVar, cast

import fsspec
import orjson

from wardround.adapters.files.ahead import Readable, read_ahead
from wardround.adapters.files.storage import storage_at
from wardround.errors import SourceDataError
from wardround.fhir.page import called
from wardround.fhir.references import Bases, Resource, is_id
from wardround.fhir.versions import last_updated
from wardround.sources.fhir_folder.bundles import (
    OUTCOME,
    Account,
    Unusable,
    entries_of,
    kind_of,
    resources_of_prefetch,
)
from wardround.sources.fhir_folder.places import Places

_LINES: Final = (".ndjson", ".ndjson.gz")
_JSON: Final = ".json"
_NOT_FHIR: Final = frozenset({"log.ndjson", "manifest.json"})  # written by Bulk Data clients next to the data
_DELETED: Final = "deleted"
_OPENING: Final = b'{"resourceType":"'
_NO_BASES: Final = Bases()
_READ_AT_ONCE: Final = 2**18  # bytes
K = TypeVar("K", bound=Hashable)


class Place(NamedTuple):
    """Where a resource is in a folder: a line, an entry, or 0 if it is the whole file."""

    file: str
    number: int

    def __str__(self) -> str:
        unit = "line" if self.file.endswith(_LINES) else "entry"
        return f"{self.file}, {unit} {self.number}" if self.number else self.file


class Unread(NamedTuple):
    """What in a folder cannot be used, and why; `place` is a file or a place in it. It never contains a value."""

    place: str
    reason: str

    def __str__(self) -> str:
        return f"{self.place}: {self.reason}"


Refuse = Callable[[Unread], None]
Line = tuple[str, int, str, bytes]
"""File, number, type and bytes of a resource."""


def refuse_all(unread: Unread) -> NoReturn:
    """Raises SourceDataError, for callers that accept only folders without errors."""
    raise SourceDataError(str(unread))


class FhirFolder:
    """A folder, local or at an fsspec URL. `account` is from the latest complete reading."""

    def __init__(self, path: Path | str, bases: Bases = _NO_BASES) -> None:
        self.path = path
        self.account = Account()
        self._bases = bases

    def lines(self, refuse: Refuse = refuse_all, wanted: Callable[[str], bool] = lambda _: True) -> Iterator[Line]:
        """Yields every resource, file by file in order of name; only files whose path is `wanted` are read.

        Each resource has a type; nothing else in it is checked. Raises SourceDataError if there are no FHIR files.
        """
        account = Account()
        files, names = self._files(account)
        named = {path: name for name, path in names if wanted(path)}
        for file in read_ahead(files, list(named)):
            yield from self._of(file, named[file.path], account, refuse)
        self.account = account

    def resources(
        self, refuse: Refuse = refuse_all, wanted: Callable[[str], bool] = lambda _: True
    ) -> Iterator[tuple[Place, Resource]]:
        """Yields every resource that is valid JSON and has an id, parsed."""
        for line in self.lines(refuse, wanted):
            if (resource := _parsed(line, refuse)) is not None:
                yield Place(*line[:2]), resource

    def _files(self, account: Account) -> tuple[fsspec.AbstractFileSystem, list[tuple[str, str]]]:
        """Returns the relative name and the path of each FHIR file, sorted by name."""
        files, root = storage_at(str(self.path))
        paths = files.find(root) if files.isdir(root) else []
        names = sorted((path.removeprefix(root).lstrip("/"), path) for path in paths)
        taken = [(name, path) for name, path in names if _is_fhir(name)]
        account.passed_over += [name for name, _ in names if not _is_fhir(name)]
        if not taken:
            found = "no *.ndjson, *.ndjson.gz or *.json" if files.isdir(root) else "there is no such folder"
            raise SourceDataError(f"{self.path}: {found}; give a folder of FHIR files, such as a Bulk Data export")
        return files, taken

    def _of(self, readable: Readable, name: str, account: Account, refuse: Refuse) -> Iterator[Line]:
        found = _contents(readable, refuse) if name.endswith(_JSON) else _lines(readable, refuse)
        if _DELETED in name.split("/")[:-1]:
            found = _bundles_alone(found, refuse)
        for file, number, kind, text in found:
            if kind == "Bundle":
                yield from self._entries(file, number, text, account, refuse)
            elif kind == OUTCOME:
                account.outcomes += 1
            else:
                yield file, number, kind, text

    def _entries(self, file: str, line: int, text: bytes, account: Account, refuse: Refuse) -> Iterator[Line]:
        """Yields the resources of a Bundle; if it is not the whole file, their place is that of the Bundle."""

        def refuse_entry(number: int, reason: str) -> None:
            refuse(Unread(str(Place(file, line or number)), reason))

        try:
            for number, kind, resource in entries_of(text, account, self._bases, refuse_entry):
                yield file, line or number, kind, resource
        except Unusable as error:
            refuse(Unread(str(Place(file, line)), str(error)))


class Current(Generic[K]):
    """The current resources of a folder: the latest version of each id, and nothing that was deleted.

    The folder is surveyed in one reading, or two if ids occur several times. `counts` is the number of resources per
    file and group; `account` is from the survey. In memory, each line takes a number, a group, and whether it is
    current.
    """

    def __init__(self, folder: FhirFolder, group: Callable[[Resource], K], refuse: Refuse = refuse_all) -> None:
        self._folder, self._group = folder, group
        self._begins: dict[str, int] = {}  # the number of each file's first line
        self._groups: dict[K, int] = {}
        self._of_line = array("i")  # the group of each line; -1 if outdated
        self.counts: dict[str, Counter[K]] = {}
        self.account = Account()
        self._survey(refuse)

    def resources(self, wanted: Callable[[K], bool] = lambda _: True) -> Iterator[tuple[Place, Resource]]:
        """Yields those whose group is wanted, in the order of the folder; files without any are not read."""
        groups = {number for group, number in self._groups.items() if wanted(group)}
        files = frozenset(file for file, counts in self.counts.items() if any(map(wanted, counts)))
        for number, line in self._numbered(files.__contains__):
            # What was added to the folder since the survey is ignored.
            if number < len(self._of_line) and self._of_line[number] in groups:
                resource = _parsed(line, _ignore)
                if resource is not None:
                    yield Place(*line[:2]), resource

    def _survey(self, refuse: Refuse) -> None:
        places = Places()
        for line in self._folder.lines(refuse):
            resource = _parsed(line, refuse)
            number = places.note(None if resource is None else _reference(resource))
            self._begins.setdefault(line[0], number)
            self._of_line.append(-1 if resource is None else self._note(line[0], self._group(resource)))
        self.account = self._folder.account
        for reference, time in self.account.deleted.items():
            places.delete(reference, time)
        groups, files, begins = list(self._groups), list(self._begins), list(self._begins.values())
        for number in places.outdated(lambda: self._folder.lines(_ignore), _version).tolist():
            self.counts[files[bisect_right(begins, number) - 1]][groups[self._of_line[number]]] -= 1
            self._of_line[number] = -1

    def _note(self, file: str, group: K) -> int:
        """Counts one more resource of a group in a file, and returns the group's number."""
        self.counts.setdefault(file, Counter())[group] += 1
        return self._groups.setdefault(group, len(self._groups))

    def _numbered(self, wanted: Callable[[str], bool]) -> Iterator[tuple[int, Line]]:
        """Yields the lines of some files, each with its number in the folder."""
        file, number = "", 0
        for line in self._folder.lines(_ignore, wanted):
            number = number + 1 if line[0] == file else self._begins[line[0]]
            file = line[0]
            yield number, line


def _parsed(line: Line, refuse: Refuse) -> Resource | None:
    """Parses the resource of a line; if it cannot be used, calls `refuse` and returns None."""
    file, number, kind, text = line
    try:
        resource: Resource = orjson.loads(text)
    except orjson.JSONDecodeError:
        why = "not valid JSON; correct it, or copy it again"
        refuse(Unread(str(Place(file, number)), why))
        return None
    if not is_id(resource.get("id")):
        refuse(Unread(str(Place(file, number)), f"{called(kind)} without a valid id, expected one; correct it"))
        return None
    return resource


def _reference(resource: Resource) -> str:
    return f"{resource['resourceType']}/{resource['id']}"


def _ignore(_unread: Unread) -> None:
    """Ignores it, because it was reported when the folder was surveyed."""


def _version(line: Line) -> tuple[str, object]:
    """Returns `Type/id` and lastUpdated of a line that was parsed successfully before."""
    resource = _parsed(line, _ignore)
    return ("", None) if resource is None else (_reference(resource), last_updated(resource))


def _is_fhir(name: str) -> bool:
    parts = name.split("/")
    hidden = any(part.startswith(".") for part in parts)
    return name.endswith((*_LINES, _JSON)) and parts[-1] not in _NOT_FHIR and not hidden


def _lines(readable: Readable, refuse: Refuse) -> Iterator[Line]:
    # A file usually has one type in one form, so that the type can be seen at the start of a line.
    opening, kind, path = b"\n", "", readable.path
    try:
        with readable.open() as file, BufferedReader(cast("RawIOBase", file), _READ_AT_ONCE) as lines:
            for number, line in enumerate(lines, start=1):
                if not line.startswith(opening):
                    line = line.removeprefix(BOM_UTF8)
                    if line.isspace():
                        continue
                    try:
                        kind = _kind_of(line)
                    except Unusable as error:
                        refuse(Unread(str(Place(path, number)), str(error)))
                        continue
                    opening = _OPENING + kind.encode() + b'"'
                yield path, number, kind, line
    except (OSError, EOFError, zlib.error):
        refuse(Unread(path, "cannot be read, expected NDJSON; copy the file again"))


def _contents(readable: Readable, refuse: Refuse) -> Iterator[Line]:
    """Yields what is in a JSON file: a resource, a Bundle, or those of a prefetch."""
    path = readable.path
    try:
        with readable.open() as file:
            content = file.read().removeprefix(BOM_UTF8)
    except OSError:
        refuse(Unread(path, "cannot be read; copy the file again"))
        return
    try:
        kind = kind_of(content)
        found: Iterable[bytes] = [content] if kind else resources_of_prefetch(content)
    except Unusable as error:
        refuse(Unread(path, str(error)))
        return
    for number, text in enumerate(found, start=0 if kind else 1):
        yield path, number, kind or kind_of(text), text


def _kind_of(line: bytes) -> str:
    if kind := kind_of(line):
        return kind
    raise Unusable("resourceType is missing, expected a resource; correct it, or move the file out of the folder")


def _bundles_alone(found: Iterator[Line], refuse: Refuse) -> Iterator[Line]:
    """Yields the Bundles of an export's deleted files; refuses bare resources, whose time of deletion is unknown."""
    for file, number, kind, text in found:
        if kind in ("Bundle", OUTCOME):
            yield file, number, kind, text
        else:
            refuse(Unread(str(Place(file, number)), "among the deleted resources, expected Bundles of DELETE entries"))
