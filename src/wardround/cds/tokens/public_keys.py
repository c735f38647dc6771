"""Public keys of an issuer, from a JSON Web Key Set. Each key has one algorithm; no token chooses another."""

from dataclasses import dataclass
from typing import Any, Final

import jwt
import orjson
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from jwt.algorithms import ECAlgorithm, RSAAlgorithm

_SMALLEST_RSA: Final = 2048
# What an elliptic curve signs with follows from the curve (RFC 7518, 3.4).
_OF_CURVE: Final = {"secp256r1": "ES256", "secp384r1": "ES384"}
# An RSA key may sign with several; without a word of its own it is what CDS Hooks recommends.
_OF_RSA: Final = ("RS384", "RS256")


@dataclass(frozen=True)
class PublicKey:
    """A key, and the one algorithm that its signatures are accepted with."""

    key: rsa.RSAPublicKey | ec.EllipticCurvePublicKey
    algorithm: str


def public_keys(content: bytes) -> dict[str, PublicKey]:
    """Returns the usable keys of a JSON Web Key Set, by `kid`.

    Keys for encryption, symmetric ones, short ones, and those without a `kid` are left out. Raises ValueError if it is
    not a key set.
    """
    try:
        keys = orjson.loads(content)["keys"]
    except (orjson.JSONDecodeError, KeyError, TypeError):
        raise ValueError('not a JSON Web Key Set, expected {"keys": […]}') from None
    if not isinstance(keys, list):
        raise ValueError('not a JSON Web Key Set, expected {"keys": […]}')
    read = ((jwk.get("kid"), _public_key(jwk)) for jwk in keys if isinstance(jwk, dict))
    return {kid: key for kid, key in read if isinstance(kid, str) and key is not None}


def _public_key(jwk: dict[str, Any]) -> PublicKey | None:
    if jwk.get("use", "sig") != "sig":
        return None
    # Only the public part: a set that holds private keys by mistake is none of ours to use.
    public = {name: value for name, value in jwk.items() if name in ("kty", "crv", "x", "y", "n", "e")}
    try:
        key = RSAAlgorithm.from_jwk(public) if jwk.get("kty") == "RSA" else ECAlgorithm.from_jwk(public)
    except (jwt.PyJWTError, ValueError, TypeError, KeyError, AttributeError):
        return None
    algorithm = _algorithm(key, jwk.get("alg"))
    return PublicKey(key, algorithm) if algorithm else None  # type: ignore[arg-type]  # public, as the parts are


def _algorithm(key: object, stated: object) -> str | None:
    """Returns what the key signs with; None if its word contradicts its kind, or it is too weak."""
    if isinstance(key, ec.EllipticCurvePublicKey):
        of_curve = _OF_CURVE.get(key.curve.name)
        return of_curve if stated in (None, of_curve) else None
    if isinstance(key, rsa.RSAPublicKey) and key.key_size >= _SMALLEST_RSA:
        return next((one for one in _OF_RSA if stated in (None, one)), None)
    return None
