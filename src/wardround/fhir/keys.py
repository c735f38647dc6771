"""Signs client assertions with a private key (SMART App Launch 2.2, Backend Services)."""

import json
import re
import time
from dataclasses import dataclass
from typing import Any, Final
from uuid import uuid4

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from jwt.algorithms import ECAlgorithm, RSAAlgorithm

from wardround.errors import FhirError
from wardround.fhir.sign_in import SignedAssertion

# SMART allows five minutes at most; a minute less tolerates a clock that is ahead of the server's.
_LIFETIME: Final = 240
_SMALLEST_RSA: Final = 2048
_PEM: Final = re.compile(r"-----BEGIN ([A-Z ]+)-----(.*?)-----END \1-----", re.DOTALL)

PrivateKey = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey


@dataclass(frozen=True, repr=False)
class Signer:
    """Signs the assertions of one client with one key."""

    client_id: str
    key: PrivateKey
    key_id: str | None

    @classmethod
    def of(cls, sign_in: SignedAssertion) -> "Signer":
        """Returns the signer for these settings.

        Raises FhirError for a key that cannot sign RS384 or ES384; the message never holds the key.
        """
        where = f"private key of client {sign_in.client_id}"
        key, key_id = _loaded(sign_in, where)
        suits = (isinstance(key, rsa.RSAPrivateKey) and key.key_size >= _SMALLEST_RSA) or (
            isinstance(key, ec.EllipticCurvePrivateKey) and isinstance(key.curve, ec.SECP384R1)
        )
        if not suits:
            raise FhirError(
                f"{where}: is of an unsupported kind or size,"
                f" expected RSA of at least {_SMALLEST_RSA} bits or EC P-384; create another one"
            )
        return cls(sign_in.client_id, key, sign_in.key_id or key_id)  # type: ignore[arg-type]  # checked by `suits`

    def assertion(self, token_url: str) -> str:
        """Returns a new assertion for the token endpoint, valid for one use within `_LIFETIME` seconds."""
        claims = {
            "iss": self.client_id,
            "sub": self.client_id,
            "aud": token_url,
            "exp": int(time.time()) + _LIFETIME,
            "jti": str(uuid4()),
        }
        algorithm = "RS384" if isinstance(self.key, rsa.RSAPrivateKey) else "ES384"
        return jwt.encode(claims, self.key, algorithm, headers={"kid": self.key_id} if self.key_id else None)


def _loaded(sign_in: SignedAssertion, where: str) -> tuple[object, str | None]:
    text = sign_in.key.strip()
    try:
        if text.startswith("{"):
            jwk = _chosen(json.loads(text), sign_in.key_id)
            return _from_jwk(jwk), jwk.get("kid")
        return load_pem_private_key(_pem(text), password=None), None
    except (ValueError, TypeError, KeyError, AttributeError, jwt.PyJWTError, StopIteration):
        # The libraries' own messages may quote what they read.
        raise FhirError(f"{where}: cannot be read, expected an unencrypted PEM or JWK; check the key") from None


def _chosen(document: dict[str, Any], key_id: str | None) -> dict[str, Any]:
    """Returns the JWK itself; of a set, the one with the key id, or else the first private one."""
    keys = document.get("keys", [document])
    return next(key for key in keys if "d" in key and key_id in (None, key.get("kid", key_id)))


def _from_jwk(jwk: dict[str, Any]) -> object:
    return RSAAlgorithm.from_jwk(jwk) if jwk["kty"] == "RSA" else ECAlgorithm.from_jwk(jwk)


def _pem(text: str) -> bytes:
    """Returns the PEM with its line breaks, which one-line fields and variables lose or turn into \\n."""
    found = _PEM.search(text)
    if found is None:
        raise ValueError
    body = "".join(found.group(2).replace("\\n", " ").split())
    lines = [body[at : at + 64] for at in range(0, len(body), 64)]
    return "\n".join([f"-----BEGIN {found.group(1)}-----", *lines, f"-----END {found.group(1)}-----", ""]).encode()
