"""Opens the storage at a path or an fsspec URL; says by name what it needs, or why it refuses."""

from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from typing import Final

import fsspec

from wardround.adapters.files.refused import refused
from wardround.errors import StorageError

_EXTRAS: Final = {
    **dict.fromkeys(("s3", "s3a"), ("s3fs", "s3")),
    **dict.fromkeys(("gs", "gcs"), ("gcsfs", "gcs")),
    **dict.fromkeys(("az", "abfs", "abfss"), ("adlfs", "azure")),
}
"""The library that each protocol needs, and the extra of Wardround that brings it."""

_EXPECTED: Final = f"expected a path or a URL of {', '.join(f'{protocol}://' for protocol in _EXTRAS)}"
# What the stores' libraries raise that is no OSError.
_LIBRARIES: Final = ("aiobotocore", "aiohttp", "azure", "botocore", "fsspec", "gcsfs", "google")
_CREDENTIALS: Final = (
    "no credentials were found, expected some; give every process those of the store, as its library reads them"
    " (S3: AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or a role)"
)
_UNREACHABLE: Final = (
    "the store does not answer, expected an answer; check the network and the store's address (S3: AWS_ENDPOINT_URL)"
)
_MISSING: Final = "there is no such bucket or container, expected to write there; create it, or correct the URL"
_CAUSES: Final = {
    "NoCredentialsError": _CREDENTIALS,
    "PartialCredentialsError": _CREDENTIALS,
    "DefaultCredentialsError": _CREDENTIALS,
    "EndpointConnectionError": _UNREACHABLE,
    "ConnectTimeoutError": _UNREACHABLE,
    "ClientConnectorError": _UNREACHABLE,
    "ServiceRequestError": _UNREACHABLE,
    "FSTimeoutError": _UNREACHABLE,
    "FileNotFoundError": _MISSING,
}


def storage_at(url: str) -> tuple[fsspec.AbstractFileSystem, str]:
    """Returns the file system of a path or a URL, and the place in it.

    It keeps no listings, because other machines write there too. Raises StorageError for storage that is not known, or
    whose library is not installed.
    """
    library, extra = _EXTRAS.get(url.partition("://")[0], ("", ""))
    if library and find_spec(library) is None:
        raise StorageError(
            f"{url}: needs {library}, which is not installed; install wardround[{extra}] for every process"
        )
    try:
        files, root = fsspec.core.url_to_fs(url, use_listings_cache=False)
    except (ImportError, ValueError):
        raise StorageError(f"{url}: is in no storage that can be used here, {_EXPECTED}; correct it") from None
    return files, str(root)


def prepare(url: str) -> None:
    """Imports the library of an object store's URL, which takes a second; nothing for a path, or if it is missing."""
    protocol = url.partition("://")[0]
    library, _ = _EXTRAS.get(protocol, ("", ""))
    if library and find_spec(library):
        fsspec.get_filesystem_class(protocol)


def is_local(files: fsspec.AbstractFileSystem) -> bool:
    """Returns whether these are files of this machine, or of a network drive that is mounted on it."""
    return "file" in ((files.protocol,) if isinstance(files.protocol, str) else files.protocol)


def content_of(files: fsspec.AbstractFileSystem, path: str) -> bytes:
    """Returns the content of a file in one request. Raises FileNotFoundError."""
    # Otherwise S3 is first asked how large it is, and a large one then fetched in parts.
    how = {"max_concurrency": 1} if "s3" in files.protocol else {}
    return bytes(files.cat_file(path, **how))


def tag_of(files: fsspec.AbstractFileSystem, path: str) -> dict[str, str]:
    """Returns what makes S3 write a file only if it is still the one that is there now; nothing for other storage."""
    if "s3" not in files.protocol:
        return {}
    try:
        return {"IfMatch": str(files.info(path)["ETag"])}
    except FileNotFoundError:
        return {"IfNoneMatch": "*"}


@contextmanager
def asking(location: str, *, to_write: bool = False) -> Iterator[None]:
    """Raises StorageError if an object store, or its library, refuses what is done inside.

    A missing file is raised unchanged, unless it is `to_write`: then it is the bucket that is missing.
    """
    try:
        yield
    except Exception as error:
        missing = isinstance(error, FileNotFoundError)
        if (missing and not to_write) or not (isinstance(error, OSError) or _is_of_library(error)):
            raise
        cause = next((_CAUSES[kind.__name__] for kind in type(error).__mro__ if kind.__name__ in _CAUSES), None)
        raise StorageError(f"{location}: {cause}") if cause else refused(location, error) from None


def _is_of_library(error: Exception) -> bool:
    return type(error).__module__.partition(".")[0] in _LIBRARIES
