"""Verifies the token of a call (CDS Hooks 2.0.1, section "Security"): who signed it, for which URL, when, and once."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, Literal, Self

import jwt

from wardround.cds.tokens.key_sets import FetchedKeys, KeyFile, KeySet, NoKeys
from wardround.cds.tokens.used_tokens import UsedTokens
from wardround.spec.issuers import Issuer, Issuers

LEEWAY: Final = 60
"""Seconds by which clocks may differ. The public sandbox rounds `iat`, half of the time into the future."""
LONGEST: Final = 3_600
"""Seconds between `iat` and `exp` at most."""
_LARGEST: Final = 8 * 2**10  # characters of a token
_LONGEST_ID: Final = 1_000  # characters of a jti
_REQUIRED: Final = ["iss", "aud", "exp", "iat", "jti"]

Reason = Literal[
    "missing", "malformed", "issuer", "key_place", "key", "signature", "audience", "time", "used", "no_keys"
]


class Refused(Exception):
    """A call without a token that can be accepted.

    Attributes:
        status: 401 for the token, 403 for the issuer, 503 if its keys cannot be had now.
        reason: for metrics and logs.
        said: what is wrong, in words; nothing of it comes from the token.
    """

    def __init__(self, status: int, reason: Reason, said: str) -> None:
        super().__init__(said)
        self.status = status
        self.reason = reason
        self.said = said


@dataclass(frozen=True)
class _Known:
    issuer: Issuer
    keys: KeySet


class Verifier:
    """Verifies tokens of the listed issuers, for calls below one base URL."""

    def __init__(self, known: Mapping[str, _Known], base_url: str, used: UsedTokens) -> None:
        self._known = known
        self._base_url = base_url
        self._used = used

    @classmethod
    def of(cls, issuers: Issuers, folder: Path, base_url: str, used: UsedTokens) -> Self:
        """Returns the verifier for the issuers of a file in `folder`.

        Raises SpecError for a file of keys that cannot be used.
        """
        known = {
            one.issuer: _Known(one, KeyFile(folder / one.jwks) if one.jwks else FetchedKeys(str(one.jku)))
            for one in issuers.issuers
        }
        return cls(known, base_url.rstrip("/"), used)

    def verify(self, authorization: str | None, path: str, now: datetime) -> str:
        """Returns the issuer of the token in an Authorization header, for a call of `path` below the base URL.

        The token is used then. Raises Refused; StorageError or DatabaseError if used tokens cannot be looked up.
        """
        token = _token_in(authorization)
        header, stated = _unverified(token)
        known = self._issuer(header, stated)
        claims = self._verified(token, header, known, path)
        expires = datetime.fromtimestamp(claims["exp"] + LEEWAY, UTC)
        if not self._used.take(known.issuer.issuer, claims["jti"], expires, now):
            raise Refused(401, "used", "the token was used before; sign a new one for each call")
        return known.issuer.issuer

    def check(self) -> None:
        """Raises StorageError or DatabaseError if no token could be accepted now."""
        self._used.check()

    def _issuer(self, header: Mapping[str, Any], stated: Mapping[str, Any]) -> _Known:
        issuer = stated.get("iss")
        known = self._known.get(issuer) if isinstance(issuer, str) else None
        if known is None:
            raise Refused(403, "issuer", "the issuer (iss) is not one that may call here; ask to have it listed")
        # Keys are only ever fetched from the listed place; a token that names another one is somebody else's.
        if known.issuer.jku and header.get("jku", known.issuer.jku) != known.issuer.jku:
            raise Refused(403, "key_place", "the place of keys (jku) is not the one listed for this issuer")
        return known

    def _verified(self, token: str, header: Mapping[str, Any], known: _Known, path: str) -> dict[str, Any]:
        kid = header.get("kid")
        if not isinstance(kid, str):
            raise Refused(401, "key", "the token names no key (kid)")
        try:
            key = known.keys.key(kid)
        except NoKeys:
            raise Refused(503, "no_keys", "the issuer's keys cannot be fetched now; try again in a minute") from None
        if key is None:
            raise Refused(401, "key", "the key (kid) is not one of the issuer's")
        if header.get("alg") != key.algorithm:
            raise Refused(401, "key", f"the algorithm (alg) is not the key's, expected {key.algorithm}")
        try:
            claims: dict[str, Any] = jwt.decode(
                token,
                key.key,
                [key.algorithm],
                audience=[f"{self._base_url}{path}", *known.issuer.audiences],
                issuer=known.issuer.issuer,
                leeway=LEEWAY,
                options={"require": _REQUIRED},
            )
        except jwt.InvalidAudienceError:
            raise Refused(401, "audience", "the audience (aud) is not the URL of this service") from None
        except (jwt.ExpiredSignatureError, jwt.ImmatureSignatureError):
            raise Refused(401, "time", "the token has expired, or is not valid yet; compare the clocks") from None
        except (jwt.InvalidSignatureError, jwt.InvalidAlgorithmError):
            raise Refused(401, "signature", "the signature is not the issuer's") from None
        # Numbers that are none, or beyond what a date can be, end in the other two.
        except (jwt.PyJWTError, ValueError, TypeError, OverflowError):
            raise _malformed() from None
        _require_short_life(claims)
        return claims


def _token_in(authorization: str | None) -> str:
    scheme, _, token = (authorization or "").strip().partition(" ")
    if scheme.lower() != "bearer" or not token.strip():
        raise Refused(401, "missing", "a signed token is required: Authorization: Bearer …")
    if len(token) > _LARGEST:
        raise _malformed()
    return token.strip()


def _unverified(token: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """Returns the header and the claims as the token states them: nobody has signed for them yet."""
    try:
        read = jwt.decode_complete(token, options={"verify_signature": False})
    except (jwt.PyJWTError, ValueError, RecursionError):
        raise _malformed() from None
    return read["header"], read["payload"]


def _require_short_life(claims: Mapping[str, Any]) -> None:
    """Raises Refused unless the times are numbers, the token lives an hour at most, and its id can be kept."""
    times, jti = (claims["iat"], claims["exp"]), claims["jti"]
    # Databases refuse some of what JSON can say: zero bytes, halves of letters.
    if (
        not all(type(time) in (int, float) for time in times)
        or not jti.isprintable()
        or not 0 < len(jti) <= _LONGEST_ID
    ):
        raise _malformed()
    if not 0 <= times[1] - times[0] <= LONGEST:
        raise Refused(401, "time", "the token lives too long, expected at most an hour between iat and exp")


def _malformed() -> Refused:
    return Refused(401, "malformed", f"the token is not a JWT with {', '.join(_REQUIRED)}")
