"""A folder of FHIR files in (NDJSON, gzipped or not, and Bundles as .json), each resource with its place out."""

import gzip
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import orjson

from wardround.adapters.fhir_references import Resource
from wardround.errors import SourceDataError

_LINES: Final = (".ndjson", ".ndjson.gz")
_UUID: Final = "urn:uuid:"


def files_of(folder: Path) -> list[Path]:
    """The folder's FHIR files by name. Raises SourceDataError if there are none."""
    found = sorted(p for p in folder.glob("*") if p.name.endswith((*_LINES, ".json")) and not p.name.startswith("."))
    if not found:
        raise SourceDataError(f"{folder}: no *.ndjson, *.ndjson.gz or *.json; give a folder of FHIR files")
    return found


def resources_of(file: Path) -> Iterator[tuple[str, Resource]]:
    """Every resource of `file` after its place (`file, line 3`), all with a type and an id. Raises SourceDataError.

    References between a Bundle's entries by urn:uuid become Type/id.
    """
    for place, resource in _of_lines(file) if file.name.endswith(_LINES) else _of_bundle(file):
        for key in ("resourceType", "id"):
            if not isinstance(resource, dict) or not isinstance(resource.get(key), str):
                raise SourceDataError(f"{place}: {key} is missing, expected a resource with its id; correct the file")
        yield place, resource


def _of_lines(file: Path) -> Iterator[tuple[str, Any]]:
    try:
        with gzip.open(file) if file.suffix == ".gz" else file.open("rb") as lines:
            for number, line in enumerate(lines, start=1):
                if not line.isspace():
                    yield f"{file}, line {number}", _parsed(line, f"{file}, line {number}")
    except (OSError, EOFError, zlib.error):
        raise SourceDataError(f"{file}: cannot be read, expected NDJSON; copy the file again") from None


def _of_bundle(file: Path) -> Iterator[tuple[str, Any]]:
    try:
        bundle = _parsed(file.read_bytes(), str(file))
    except OSError:
        raise SourceDataError(f"{file}: cannot be read, expected a Bundle; copy the file again") from None
    entries = bundle.get("entry") if isinstance(bundle, dict) else None
    if not isinstance(entries, list) or bundle.get("resourceType") != "Bundle":
        raise SourceDataError(f"{file}: not a Bundle with entries; move other JSON out of the folder")
    targets: dict[str, str] = {}
    for entry in entries:
        _name(entry, targets)
    for number, entry in enumerate(entries, start=1):
        yield f"{file}, entry {number}", _resolved(entry.get("resource") if isinstance(entry, dict) else None, targets)


def _name(entry: Any, targets: dict[str, str]) -> None:
    """Notes what the entry's urn:uuid stands for, and gives its resource that id where it has none."""
    resource = entry.get("resource") if isinstance(entry, dict) else None
    url = entry.get("fullUrl") if isinstance(entry, dict) else None
    if isinstance(resource, dict) and isinstance(url, str) and url.startswith(_UUID):
        resource_id = resource.setdefault("id", url.removeprefix(_UUID))
        targets[url] = f"{resource.get('resourceType')}/{resource_id}"


def _resolved(node: Any, targets: dict[str, str]) -> Any:
    if isinstance(node, dict):
        return {key: _resolved(value, targets) for key, value in node.items()}
    if isinstance(node, list):
        return [_resolved(item, targets) for item in node]
    return targets.get(node, node) if isinstance(node, str) and node.startswith(_UUID) else node


def _parsed(text: bytes, place: str) -> Any:
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        raise SourceDataError(f"{place}: not JSON; copy the file again") from None
