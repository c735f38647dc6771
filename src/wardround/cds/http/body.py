"""Reads the body of a request, within limits of type, size and time."""

import asyncio
from typing import Final

from starlette.requests import ClientDisconnect, Request

from wardround.cds.problems import Problem

LARGEST: Final = 5 * 2**20
"""Bytes of a body. A day of one stay is 420 KB at most in the MIMIC demo."""
SECONDS: Final = 10.0
"""How long a body may take to arrive."""
_JSON: Final = "application/json"


async def body_of(request: Request) -> bytes:
    """Returns the body. Raises Problem if it is not JSON by its type, packed, too large, too slow, or breaks off."""
    _require_json(request)
    try:
        async with asyncio.timeout(SECONDS):
            return await _read(request)
    except TimeoutError:
        raise Problem(
            408, f"the body did not arrive within {SECONDS:.0f} s; send it again", {"Connection": "close"}
        ) from None
    except ClientDisconnect:
        raise Problem(400, "the body broke off; send it again") from None


def _require_json(request: Request) -> None:
    stated = request.headers.get("content-type", "")
    if stated.partition(";")[0].strip().lower() != _JSON:
        raise Problem(415, f"the Content-Type is not {_JSON}; send JSON", {"Accept": _JSON})
    # No EHR is known to pack its requests, and what is packed can be a thousand times as large as it looks.
    if request.headers.get("content-encoding", "identity").strip().lower() != "identity":
        raise Problem(415, "the body is packed; send it without a Content-Encoding", {"Accept-Encoding": "identity"})


async def _read(request: Request) -> bytes:
    length = request.headers.get("content-length", "0")
    # Digits only: the server has refused anything else.
    if int(length) > LARGEST:
        raise _too_large()
    parts, size = [], 0
    async for part in request.stream():
        size += len(part)
        if size > LARGEST:
            raise _too_large()
        parts.append(part)
    return b"".join(parts)


def _too_large() -> Problem:
    return Problem(413, f"the body is larger than {LARGEST // 2**20} MB; send the prefetch that the service asks for")
