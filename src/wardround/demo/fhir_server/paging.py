"""Encodes where a page ends, and the search itself, as an opaque text for the next link; the server keeps no state."""

import base64
import binascii
import zlib
from typing import NamedTuple

import msgspec

from wardround.demo.fhir_server.problems import invalid
from wardround.demo.fhir_server.query import Pair

Key = str | int | float | None
_LARGEST = 2**20  # bytes of a decoded search; the link to a page may come from anybody


class Place(NamedTuple):
    """A search, and the place up to which it has been answered.

    Attributes:
        pairs: the query string as received.
        after: the sort keys of the last match shown, its row number last; None before the first.
        newest: the greatest row number when the search began. Later resources do not appear in its pages.
        total: how many matched when the search began; None if the total was not requested.
    """

    pairs: tuple[Pair, ...]
    after: tuple[Key, ...] | None
    newest: int
    total: int | None


_PLACE = msgspec.json.Decoder(Place)


def token_of(place: Place) -> str:
    """Encodes the place as text for a URL."""
    return base64.urlsafe_b64encode(zlib.compress(msgspec.json.encode(place))).decode().rstrip("=")


def place_of(token: str) -> Place:
    """Decodes the place from a token; raises a 400 Problem for any other text."""
    try:
        packed = base64.urlsafe_b64decode(token + "=" * (-len(token) % 4))
        place = _PLACE.decode(zlib.decompressobj().decompress(packed, _LARGEST))
        if any(type(key) is int and key.bit_length() > 63 for key in (*(place.after or ()), place.newest)):
            raise ValueError("a number of no row")
        return place
    except (binascii.Error, zlib.error, ValueError, RecursionError):  # a wrong shape is a ValueError as well
        raise invalid("_page: not a page of this server, expected a next link as it was given") from None
