"""Where a page ends, as an opaque text for the next link, and back. It holds the search; the server keeps nothing."""

import base64
import binascii
import zlib
from typing import NamedTuple

import msgspec

from wardround.demo.fhir_server.problems import invalid
from wardround.demo.fhir_server.query import Pair

Key = str | int | float | None
_LARGEST = 2**20  # bytes of a search; a page's address comes from anywhere


class Place(NamedTuple):
    """A search, and the place up to which it has been answered.

    Attributes:
        pairs: the query string as it was asked.
        after: the sort keys of the last match shown, its number last; None before the first.
        newest: the greatest number when the search began. Later resources do not enter its pages.
        total: how many matched when the search began; None if that was not asked.
    """

    pairs: tuple[Pair, ...]
    after: tuple[Key, ...] | None
    newest: int
    total: int | None


_PLACE = msgspec.json.Decoder(Place)


def token_of(place: Place) -> str:
    """The place as text for a URL."""
    return base64.urlsafe_b64encode(zlib.compress(msgspec.json.encode(place))).decode().rstrip("=")


def place_of(token: str) -> Place:
    """The place that a token stands for; raises a 400 Problem for any other text."""
    try:
        packed = base64.urlsafe_b64decode(token + "=" * (-len(token) % 4))
        place = _PLACE.decode(zlib.decompressobj().decompress(packed, _LARGEST))
        if any(type(key) is int and key.bit_length() > 63 for key in (*(place.after or ()), place.newest)):
            raise ValueError("a number of no row")
        return place
    except (binascii.Error, zlib.error, ValueError, RecursionError):  # a wrong shape is a ValueError as well
        raise invalid("_page: not a page of this server, expected a next link as it was given") from None
