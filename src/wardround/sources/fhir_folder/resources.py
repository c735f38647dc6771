"""A folder of FHIR files in, the resources that lie in it out: one rule for whoever reads folders.

NDJSON, gzipped or not, and JSON: Bundles of any kind, single resources, the prefetch of a CDS Hooks call. Folders in
folders count. What an export says beside its data is understood: OperationOutcomes are counted, Bundles of its
`deleted` files tell of deletions. Other files are passed over by their names. NDJSON of any size is read line by line;
of JSON one file is in memory, and takes about twice its size.
"""

import zlib
from array import array
from bisect import bisect_right
from codecs import BOM_UTF8
from collections import Counter
from collections.abc import Callable, Hashable, Iterable, Iterator
from pathlib import Path
from typing import Final, Generic, NamedTuple, NoReturn, TypeVar

import fsspec
import orjson

from wardround.errors import SourceDataError
from wardround.fhir.page import called
from wardround.fhir.references import Bases, Resource, is_id
from wardround.fhir.versions import last_updated
from wardround.sources.fhir_folder.bundles import (
    OUTCOME,
    Account,
    Unusable,
    kind_of,
    resources_of_prefetch,
    taken_apart,
)
from wardround.sources.fhir_folder.places import Places

_LINES: Final = (".ndjson", ".ndjson.gz")
_JSON: Final = ".json"
_NOT_FHIR: Final = frozenset({"log.ndjson", "manifest.json"})  # what clients of Bulk Data write beside the data
_DELETED: Final = "deleted"
_OPENING: Final = b'{"resourceType":"'
_NO_BASES: Final = Bases()
K = TypeVar("K", bound=Hashable)


class Place(NamedTuple):
    """Where a resource stands in a folder: a line, an entry, or 0 for what fills its file."""

    file: str
    number: int

    def __str__(self) -> str:
        unit = "line" if self.file.endswith(_LINES) else "entry"
        return f"{self.file}, {unit} {self.number}" if self.number else self.file


class Unread(NamedTuple):
    """What of a folder cannot be used, and why; `place` is a file, or a place in it. Never a value."""

    place: str
    reason: str

    def __str__(self) -> str:
        return f"{self.place}: {self.reason}"


Refuse = Callable[[Unread], None]
Line = tuple[str, int, str, bytes]
"""File, number, type and bytes of a resource."""


def refuse_all(unread: Unread) -> NoReturn:
    """Raises SourceDataError: for who takes a folder whole or not at all."""
    raise SourceDataError(str(unread))


class FhirFolder:
    """A folder, here or at an fsspec URL. `account` is of the latest reading that came to its end."""

    def __init__(self, path: Path | str, bases: Bases = _NO_BASES) -> None:
        self.path = path
        self.account = Account()
        self._bases = bases

    def lines(self, refuse: Refuse = refuse_all, only: frozenset[str] | None = None) -> Iterator[Line]:
        """Every resource, file by file in order of name; `only` names files to read.

        A resource has a type; whether anything else in it can be used is not looked at. Raises SourceDataError where
        there are no FHIR files.
        """
        account = Account()
        files, names = self._files(account)
        for name, path in names:
            if only is None or path in only:
                yield from self._of(files, name, path, account, refuse)
        self.account = account

    def resources(
        self, refuse: Refuse = refuse_all, only: frozenset[str] | None = None
    ) -> Iterator[tuple[Place, Resource]]:
        """Every resource that JSON allows and that has an id, parsed."""
        for line in self.lines(refuse, only):
            if (resource := _parsed(line, refuse)) is not None:
                yield Place(*line[:2]), resource

    def _files(self, account: Account) -> tuple[fsspec.AbstractFileSystem, list[tuple[str, str]]]:
        """Name below the folder and path of each FHIR file, in the order of the names."""
        files, root = fsspec.core.url_to_fs(str(self.path))
        paths = files.find(root) if files.isdir(root) else []
        names = sorted((path.removeprefix(root).lstrip("/"), path) for path in paths)
        taken = [(name, path) for name, path in names if _is_fhir(name)]
        account.passed_over += [name for name, _ in names if not _is_fhir(name)]
        if not taken:
            found = "no *.ndjson, *.ndjson.gz or *.json" if files.isdir(root) else "there is no such folder"
            raise SourceDataError(
                f"{self.path}: {found}; give a folder of FHIR files, such as that of a Bulk Data export"
            )
        return files, taken

    def _of(
        self, files: fsspec.AbstractFileSystem, name: str, path: str, account: Account, refuse: Refuse
    ) -> Iterator[Line]:
        found = _contents(files, path, refuse) if name.endswith(_JSON) else _lines(files, path, refuse)
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
        """The resources of a Bundle; of one that does not fill its file the place is the Bundle's."""

        def refuse_entry(number: int, reason: str) -> None:
            refuse(Unread(str(Place(file, line or number)), reason))

        try:
            for number, kind, resource in taken_apart(text, account, self._bases, refuse_entry):
                yield file, line or number, kind, resource
        except Unusable as error:
            refuse(Unread(str(Place(file, line)), str(error)))


class Current(Generic[K]):
    """The resources of a folder that count: of several versions of an id the latest, and nothing that was deleted.

    The folder is read once for that, and again where ids come again. `counts` has per file how many there are of each
    group; `account` is of the survey. Of each line a number, a group and whether it counts are kept.
    """

    def __init__(self, folder: FhirFolder, group: Callable[[Resource], K], refuse: Refuse = refuse_all) -> None:
        self._folder, self._group = folder, group
        self._begins: dict[str, int] = {}  # the number of each file's first line
        self._groups: dict[K, int] = {}
        self._of_line = array("i")  # the group of each line; -1 for what does not count
        self.counts: dict[str, Counter[K]] = {}
        self.account = Account()
        self._survey(refuse)

    def resources(self, wanted: Callable[[K], bool] = lambda _: True) -> Iterator[tuple[Place, Resource]]:
        """Those whose group is wanted, in the order of the folder; only files that hold any are read."""
        groups = {number for group, number in self._groups.items() if wanted(group)}
        files = frozenset(file for file, counts in self.counts.items() if any(map(wanted, counts)))
        for number, line in self._numbered(files):
            # What a folder has got since it was surveyed is not looked at.
            if number < len(self._of_line) and self._of_line[number] in groups:
                resource = _parsed(line, _overhear)
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
        for number in places.outdated(lambda: self._folder.lines(_overhear), _version).tolist():
            self.counts[files[bisect_right(begins, number) - 1]][groups[self._of_line[number]]] -= 1
            self._of_line[number] = -1

    def _note(self, file: str, group: K) -> int:
        """One more of a group in a file; gives the group's number."""
        self.counts.setdefault(file, Counter())[group] += 1
        return self._groups.setdefault(group, len(self._groups))

    def _numbered(self, only: frozenset[str]) -> Iterator[tuple[int, Line]]:
        """The lines of some files, each with its number in the folder."""
        file, number = "", 0
        for line in self._folder.lines(_overhear, only):
            number = number + 1 if line[0] == file else self._begins[line[0]]
            file = line[0]
            yield number, line


def _parsed(line: Line, refuse: Refuse) -> Resource | None:
    """The resource of a line; None if it cannot be used, which `refuse` hears of."""
    file, number, kind, text = line
    try:
        resource: Resource = orjson.loads(text)
    except orjson.JSONDecodeError:
        why = "not JSON, or with what JSON does not allow; correct it, or copy it again"
        refuse(Unread(str(Place(file, number)), why))
        return None
    if not is_id(resource.get("id")):
        refuse(Unread(str(Place(file, number)), f"{called(kind)} without a valid id, expected one; correct it"))
        return None
    return resource


def _reference(resource: Resource) -> str:
    return f"{resource['resourceType']}/{resource['id']}"


def _overhear(_unread: Unread) -> None:
    """It was said when the folder was surveyed."""


def _version(line: Line) -> tuple[str, object]:
    """Of a line that was parsed before."""
    resource = _parsed(line, _overhear)
    return ("", None) if resource is None else (_reference(resource), last_updated(resource))


def _is_fhir(name: str) -> bool:
    parts = name.split("/")
    hidden = any(part.startswith(".") for part in parts)
    return name.endswith((*_LINES, _JSON)) and parts[-1] not in _NOT_FHIR and not hidden


def _lines(files: fsspec.AbstractFileSystem, path: str, refuse: Refuse) -> Iterator[Line]:
    # A file tends to hold one type, written one way: then the beginning of a line says what it is.
    opening, kind = b"\n", ""
    try:
        with files.open(path, "rb", compression="infer") as file:
            for number, line in enumerate(file, start=1):
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


def _contents(files: fsspec.AbstractFileSystem, path: str, refuse: Refuse) -> Iterator[Line]:
    """What a JSON file holds: a resource, a Bundle, or those of a prefetch."""
    try:
        with files.open(path, "rb") as file:
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
    """Of an export's deleted files: a resource there is not to be had, but nobody says when it was deleted."""
    for file, number, kind, text in found:
        if kind in ("Bundle", OUTCOME):
            yield file, number, kind, text
        else:
            refuse(Unread(str(Place(file, number)), "among the deleted, expected Bundles of DELETE entries"))
