"""Bulk Data export: after a kick-off request, a thread writes NDJSON files and a manifest.

Follows FHIR Bulk Data Access 2.0.0 ("Bulk Data Export Operation Request Flow") at system, Patient and Group level.
"""

import shutil
import tempfile
import threading
import weakref
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple
from uuid import uuid4

from starlette.datastructures import Headers
from starlette.responses import FileResponse, JSONResponse, Response

from wardround.demo.fhir_server.dates import instant, microseconds, span
from wardround.demo.fhir_server.interactions import Call
from wardround.demo.fhir_server.problems import Problem, invalid, not_found
from wardround.demo.fhir_server.resource_types import RESOURCE_TYPES, Parameter
from wardround.demo.fhir_server.schema import key_in_many
from wardround.demo.fhir_server.session import Session
from wardround.demo.fhir_server.store import Store

KICK_OFF = "$export"
STATUS = "$export-status"
FILES = "$export-files"
NDJSON = "application/fhir+ndjson"
_PER_FILE = 10_000
_KNOWN = frozenset({"_type", "_since", "_outputFormat"})
_FORMATS = (NDJSON, "application/ndjson", "ndjson")
_PATIENCE_SECONDS = 0.2  # how long a status request waits, in case the export is nearly done


class Scope(NamedTuple):
    """What is exported: types, changes since (microseconds), and the SQL that selects the patients ("" for all)."""

    types: tuple[str, ...]
    since: int
    patients: str
    binds: tuple[str, ...]


@dataclass
class _Job:
    """One export, running or done; `files` are (type, name, resources)."""

    request: str
    signed: bool
    scope: Scope
    folder: Path
    time: int = 0
    done_types: int = 0
    files: list[tuple[str, str, int]] = field(default_factory=list)
    done: threading.Event = field(default_factory=threading.Event)
    cancelled: threading.Event = field(default_factory=threading.Event)
    failed: bool = False

    def open(self, name: str) -> BinaryIO:
        """Opens the next file of a type."""
        self.files.append((name, f"{len(self.files)}-{name}.ndjson", 0))
        return (self.folder / self.files[-1][1]).open("wb")

    def count(self) -> int:
        """Counts one more resource in the last file, and returns their number."""
        name, file, number = self.files[-1]
        self.files[-1] = (name, file, number + 1)
        return number + 1


class Exports:
    """All exports of a server; their files are in a temporary folder until they are deleted or the server ends."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._jobs: dict[str, _Job] = {}
        self._folder: Path | None = None

    def concerns(self, path: tuple[str, ...]) -> bool:
        """Returns whether a path belongs to an export."""
        return bool(path) and (path[-1] == KICK_OFF or path[0] in (STATUS, FILES))

    def answer(self, call: Call, headers: Headers) -> Response:
        """Answers a kick-off, a status request, a cancellation or a download. Raises a Problem."""
        match call.method, call.path:
            case "GET", (*_, operation) if operation == KICK_OFF:
                return self._start(call, headers)
            case "GET", (place, job) if place == STATUS:
                return self._status(job, call.base)
            case "DELETE", (place, job) if place == STATUS:
                return self._delete(job)
            case "GET", (place, job, name) if place == FILES:
                return self._file(job, name)
        raise Problem(405, "not-supported", f"{call.method} is not supported here; see /metadata")

    def _start(self, call: Call, headers: Headers) -> Response:
        if "respond-async" not in headers.get("prefer", ""):
            raise invalid("Prefer: expected respond-async; an export is never answered at once", "required")
        with self._store.reading() as session:
            scope = _scope(call, session)
        job, key = _Job(_asked(call), "authorization" in headers, scope, self._new_folder()), str(uuid4())
        self._jobs[key] = job
        threading.Thread(target=_run, args=(job, self._store), daemon=True).start()
        return Response(status_code=202, headers={"Content-Location": f"{call.base}/{STATUS}/{key}"})

    def _new_folder(self) -> Path:
        if self._folder is None:
            self._folder = Path(tempfile.mkdtemp(prefix="wardround-export-"))
            weakref.finalize(self, shutil.rmtree, self._folder, ignore_errors=True)
        folder = self._folder / str(uuid4())
        folder.mkdir()
        return folder

    def _job(self, key: str) -> _Job:
        if key not in self._jobs:
            raise not_found("no such export, expected the Content-Location of a kick-off; it may have been deleted")
        return self._jobs[key]

    def _status(self, key: str, base: str) -> Response:
        job = self._job(key)
        if not job.done.wait(_PATIENCE_SECONDS):
            progress = f"{job.done_types} of {len(job.scope.types)} types"
            return Response(status_code=202, headers={"X-Progress": progress, "Retry-After": "1"})
        if job.failed:
            raise Problem(500, "exception", "the export failed; the server's log has the reason")
        output = [
            {"type": name, "url": f"{base}/{FILES}/{key}/{file}", "count": count} for name, file, count in job.files
        ]
        manifest: dict[str, Any] = {"transactionTime": instant(job.time), "request": job.request}
        return JSONResponse({**manifest, "requiresAccessToken": job.signed, "output": output, "error": []})

    def _delete(self, key: str) -> Response:
        job = self._job(key)
        job.cancelled.set()
        job.done.wait()
        shutil.rmtree(job.folder, ignore_errors=True)
        self._jobs.pop(key, None)
        return Response(status_code=202)

    def _file(self, key: str, name: str) -> Response:
        job = self._job(key)
        if not job.done.is_set() or name not in {file for _, file, _ in job.files}:
            raise not_found("no such file of this export, expected one of its manifest's")
        return FileResponse(job.folder / name, media_type=NDJSON)


def _asked(call: Call) -> str:
    query = "&".join(f"{name}={value}" for name, value in call.pairs)
    return f"{call.base}/{'/'.join(call.path)}{'?' if query else ''}{query}"


def _scope(call: Call, session: Session) -> Scope:
    unknown = [name for name, _ in call.pairs if name not in _KNOWN]
    if unknown and call.strict:
        raise invalid(f"{unknown[0][:40]}: unknown parameter, expected {', '.join(sorted(_KNOWN))}", "not-supported")
    asked = dict(call.pairs)
    if asked.get("_outputFormat", NDJSON) not in _FORMATS:
        raise invalid(f"_outputFormat: expected {NDJSON}", "not-supported")
    types = tuple(filter(None, asked.get("_type", "").split(","))) or tuple(RESOURCE_TYPES)
    if strange := [name for name in types if name not in RESOURCE_TYPES]:
        raise invalid(f"_type: unknown type {strange[0][:40]!r}", "not-supported")
    try:
        since = span(asked["_since"])[0] if "_since" in asked else 0
    except ValueError:
        raise invalid("_since: expected an instant such as 2026-01-02T05:00:00Z", "value") from None
    patients, binds = _patients(call.path, session)
    concerned = types if not patients else tuple(name for name in types if name == "Patient" or _patient_of(name))
    return Scope(concerned, since, patients, binds)


def _patients(path: tuple[str, ...], session: Session) -> tuple[str, tuple[str, ...]]:
    """Returns the SQL that selects the patients of an export, and its bound values; empty for the whole server."""
    match path:
        case (_,):
            return "", ()
        case ("Patient", _):
            return "SELECT pk FROM search_Patient", ()
        case ("Group", group_id, _):
            row = session.row("Group", group_id)
            if row is None or row.body is None:
                raise not_found("Group: no resource with this id")
            group = RESOURCE_TYPES["Group"]
            return "SELECT value FROM many WHERE parameter = ? AND pk = ?", (
                key_in_many(group, group.parameters["member"]),
                str(row.pk),
            )
    raise Problem(405, "not-supported", "$export: expected at the base, at Patient or at a Group")


def _patient_of(name: str) -> Parameter | None:
    """Returns the parameter whose column contains a type's patient; None if outside the Patient compartment."""
    parameter = RESOURCE_TYPES[name].parameters.get("patient")
    return parameter if parameter is not None and not parameter.many else None


def _run(job: _Job, store: Store) -> None:
    try:
        with store.reading() as session:
            job.time = microseconds(store.clock())
            for name in job.scope.types:
                _write(job, name, session)
                job.done_types += 1
    except Exception:
        job.failed = True
        raise
    finally:
        job.done.set()


def _write(job: _Job, name: str, session: Session) -> None:
    with ExitStack() as stack:
        file, lines = None, 0
        for body in _bodies(job.scope, name, session):
            if job.cancelled.is_set():
                return
            if file is None or lines == _PER_FILE:
                file = stack.enter_context(job.open(name))
            file.write(body + b"\n")
            lines = job.count()


def _bodies(scope: Scope, name: str, session: Session) -> Iterator[bytes]:
    binds: tuple[Any, ...] = (scope.since,)
    where = "updated >= ?"
    if scope.patients:
        patient = _patient_of(name)
        column = f'"{patient.store_name}"' if patient else "pk"
        where, binds = f"{where} AND {column} IN ({scope.patients})", (scope.since, *scope.binds)
    sql = f"SELECT body FROM resource WHERE pk IN (SELECT pk FROM search_{name} WHERE {where}) ORDER BY pk"
    for (body,) in session.connection.execute(sql, binds):
        yield body
