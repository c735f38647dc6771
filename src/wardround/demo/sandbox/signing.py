"""Signs the tokens with which an EHR calls a CDS Hooks service."""

import json
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Self
from uuid import uuid4

import jwt

from wardround.errors import SettingsError

_ALGORITHMS: Final = {"P-384": "ES384", "P-256": "ES256"}
_SECONDS: Final = 300


@dataclass(frozen=True)
class Signer:
    """An EHR's private key, the `kid` under which its public half is known, and the EHR's name as an issuer."""

    issuer: str
    kid: str
    algorithm: str
    key: Any

    @classmethod
    def of_file(cls, file: Path, issuer: str) -> Self:
        """Returns the signer with the key of a file. Raises SettingsError if that is not a private JWK with a kid."""
        try:
            found = json.loads(file.read_text(encoding="utf-8"))
            algorithm = "RS384" if found.get("kty") == "RSA" else _ALGORITHMS[found["crv"]]
            key = jwt.PyJWK.from_dict({**found, "alg": algorithm}).key
            return cls(issuer, str(found["kid"]), algorithm, _private(key))
        except (ValueError, KeyError, AttributeError, TypeError, jwt.PyJWTError):
            raise SettingsError(
                f"{file}: is not a key to sign with, expected a private key as JWK (EC P-384, P-256 or RSA) with a kid;"
                " make one, and list its public half in the service's issuers"
            ) from None

    def header(self, url: str) -> dict[str, str]:
        """Returns the header of a request to a URL; each has a token of its own."""
        now = int(time.time())
        claims = {"iss": self.issuer, "aud": url, "iat": now, "exp": now + _SECONDS, "jti": str(uuid4())}
        token = jwt.encode(claims, self.key, self.algorithm, headers={"kid": self.kid})
        return {"Authorization": f"Bearer {token}"}


def _private(key: Any) -> Any:
    if not hasattr(key, "sign"):
        raise TypeError
    return key
