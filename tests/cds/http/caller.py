"""An EHR for tests: it has a key, and signs tokens as CDS Hooks asks, or as a test asks."""

import json
import time
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

from cryptography.hazmat.primitives.asymmetric import ec
from jwt.algorithms import ECAlgorithm, RSAAlgorithm
from jwt.api_jws import PyJWS

BASE = "https://cds.example.org/wardround"
CALLED = f"{BASE}/cds-services/sepsis-risk"


def public_jwk(key: Any, **more: Any) -> dict[str, Any]:
    """Returns the public half of a key as a JWK."""
    algorithm = ECAlgorithm if isinstance(key, ec.EllipticCurvePrivateKey) else RSAAlgorithm
    return {**algorithm.to_jwk(key.public_key(), as_dict=True), **more}


@dataclass
class Caller:
    """An EHR with a key of its own, which signs tokens that are right unless the test says otherwise."""

    issuer: str = "https://ehr.example.org/fhir"
    kid: str = "4Xv+/9Q="  # as Epic's are
    algorithm: str = "ES384"
    key: Any = field(default_factory=lambda: ec.generate_private_key(ec.SECP384R1()))

    @property
    def keys(self) -> dict[str, Any]:
        return {"keys": [public_jwk(self.key, kid=self.kid)]}

    def claims(self, **changes: Any) -> dict[str, Any]:
        """Returns the claims of a token; None leaves one out."""
        now = time.time()
        claims = {"iss": self.issuer, "aud": CALLED, "iat": now, "exp": now + 300, "jti": str(uuid4()), **changes}
        return {name: value for name, value in claims.items() if value is not None}

    def token(self, header: dict[str, Any] | None = None, **changes: Any) -> str:
        headers = {"kid": self.kid, "typ": "JWT", **(header or {})}
        # PyJWT would refuse to sign some of what a test wants to see refused.
        return PyJWS().encode(json.dumps(self.claims(**changes)).encode(), self.key, self.algorithm, headers=headers)
