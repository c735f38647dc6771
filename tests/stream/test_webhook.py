"""Tests how webhooks are signed."""

from datetime import UTC, datetime

import pytest

from wardround.errors import SettingsError
from wardround.stream.channels.webhook import keys_of, signature, signed_headers

BOTH = "a secret of the ward's own pager\nwhsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3\n"


def test_while_a_secret_is_replaced_a_message_is_signed_with_both() -> None:
    """Standard Webhooks: the signatures are separated by spaces, and a receiver that knows one of the keys accepts."""
    keys = keys_of(BOTH, "channel ward, ward.secret")
    assert keys == (b"a secret of the ward's own pager", b"0123456789abcdef01234567")
    headers = signed_headers(keys, "one", datetime(2026, 1, 2, 5, tzinfo=UTC), b"{}")
    at = headers["webhook-timestamp"]
    assert headers["webhook-signature"].split(" ") == [signature(key, "one", at, b"{}") for key in keys]
    with pytest.raises(SettingsError, match=r"ward\.secret: is shorter than 24 bytes"):
        keys_of("a secret of the ward's own pager\nshort", "channel ward, ward.secret")
