"""Writes everything that a search finds into one NDJSON file: each resource once, sorted, as the server sent it."""

import tempfile
from collections import Counter
from hashlib import sha256
from pathlib import Path
from typing import BinaryIO, Final

from wardround.adapters.files.refused import storing
from wardround.adapters.files.run_folder import RunFolder
from wardround.errors import FhirError, SettingsError
from wardround.fhir.as_sent import AS_SENT, Sent, line_of
from wardround.fhir.client import FhirClient, Params
from wardround.fhir.endpoint import shown
from wardround.fhir.page import Misshapen, called
from wardround.fhir.references import is_id
from wardround.fhir.versions import Newest

_SUFFIX: Final = ".ndjson"
Part = tuple[int, int, str]
"""Offset and length of a resource in the temporary file, and its type."""


def search_to_ndjson(client: FhirClient, resource_type: str, query: Params, target: str) -> dict[str, int]:
    """Writes what matches a search, and what it includes, to `target`; returns the number of resources of each type.

    Each resource is there once, in the version that counts, in the order of type and id: the same answers give the same
    bytes. The file is written whole or not at all. Until then the resources are in a file without a name under TMPDIR.

    Args:
        target: a path or an fsspec URL that ends with .ndjson.

    Raises:
        SettingsError: `target` is no such path.
        FhirError: the search failed; also FhirUnreachable and FhirRefused.
        StorageError: the file cannot be written.
    """
    folder, name = place_of(target)
    scratch = Path(tempfile.gettempdir())
    with storing(scratch), tempfile.TemporaryFile(dir=scratch) as spool:
        newest: Newest[Part] = Newest()
        for page in client.pages(resource_type, query, AS_SENT):
            for resource in page:
                _add(resource, spool, newest, f"{shown(client.source.base_url)}/{resource_type}")
        parts = [part for _, part in sorted(newest.by_id.items())]
        with folder.writing(name) as file:
            for offset, length, _ in parts:
                spool.seek(offset)
                file.write(spool.read(length))
    return dict(sorted(Counter(kind for *_, kind in parts).items()))


def place_of(target: str) -> tuple[RunFolder, str]:
    """Returns the folder of an NDJSON file, and its name. Raises SettingsError."""
    folder, slash, name = target.rpartition("/")
    if not slash or not folder.strip("/") or not name.removesuffix(_SUFFIX) or not name.endswith(_SUFFIX):
        raise SettingsError(
            f"{target!r}: expected the path or URL of a file in a folder, whose name ends with {_SUFFIX}; correct it"
        )
    return RunFolder(folder), name


def _add(resource: Sent | Misshapen, spool: BinaryIO, newest: Newest[Part], where: str) -> None:
    kind, name, _, updated = AS_SENT.about(resource)
    line = line_of(resource)
    if line is None:
        raise FhirError(f"{where}: sent a resource that is nested too deeply, expected a few hundred levels at most")
    # Without a usable id, only what is equal is the same.
    key = f"{called(kind)}/{name}" if is_id(name) else f"{called(kind)} {sha256(line).hexdigest()}"
    newest.add(key, updated, (spool.tell(), len(line) + 1, called(kind)))
    spool.write(line + b"\n")
