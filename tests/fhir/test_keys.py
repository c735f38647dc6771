"""Tests private keys in the forms in which people have them, and the assertions that they sign."""

import json
import time

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    KeySerializationEncryption,
    NoEncryption,
    PrivateFormat,
)
from jwt.algorithms import ECAlgorithm, RSAAlgorithm

from wardround.errors import FhirError
from wardround.fhir.keys import Signer
from wardround.fhir.sign_in import SignedAssertion

ENDPOINT = "https://example.org/token"
RSA = rsa.generate_private_key(65537, 2048)
EC = ec.generate_private_key(ec.SECP384R1())
Key = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey


def pem(
    key: Key, form: PrivateFormat = PrivateFormat.PKCS8, encryption: KeySerializationEncryption | None = None
) -> str:
    return key.private_bytes(Encoding.PEM, form, encryption or NoEncryption()).decode()


def jwk(key: Key, **more: str) -> dict[str, str]:
    algorithm = RSAAlgorithm if isinstance(key, rsa.RSAPrivateKey) else ECAlgorithm
    return {**json.loads(algorithm.to_jwk(key)), **more}


def signed(text: str, key_id: str | None = None) -> str:
    return Signer.of(SignedAssertion("me", text, key_id)).assertion(ENDPOINT)


def verified(assertion: str, key: Key) -> dict[str, object]:
    return jwt.decode(assertion, key.public_key(), ["RS384", "ES384"], audience=ENDPOINT)


@pytest.mark.parametrize(
    ("text", "key", "algorithm"),
    [
        (pem(RSA), RSA, "RS384"),
        (pem(RSA, PrivateFormat.TraditionalOpenSSL), RSA, "RS384"),
        (pem(EC), EC, "ES384"),
        (pem(EC, PrivateFormat.TraditionalOpenSSL), EC, "ES384"),
        (json.dumps(jwk(RSA)), RSA, "RS384"),
        (json.dumps({"keys": [jwk(EC)]}), EC, "ES384"),
    ],
)
def test_the_kind_of_key_decides_how_it_signs(text: str, key: Key, algorithm: str) -> None:
    assertion = signed(text)
    assert jwt.get_unverified_header(assertion)["alg"] == algorithm
    assert verified(assertion, key)["sub"] == "me"


@pytest.mark.parametrize("end_of_line", [" ", "\\n", "\r\n", "\n\n", ""])
def test_a_pem_without_line_breaks_is_read(end_of_line: str) -> None:
    assert verified(signed(pem(RSA).replace("\n", end_of_line)), RSA)


def test_an_assertion_names_the_endpoint_expires_soon_and_is_unique() -> None:
    one, other = (verified(signed(pem(EC)), EC) for _ in range(2))
    assert one.keys() == {"iss", "sub", "aud", "exp", "jti"}
    assert (one["iss"], one["sub"], one["aud"]) == ("me", "me", ENDPOINT)
    assert 0 < one["exp"] - time.time() <= 300
    assert one["jti"] != other["jti"]


def test_the_key_id_is_the_given_one_or_that_of_the_jwk() -> None:
    def kid(text: str, given: str | None) -> str | None:
        return jwt.get_unverified_header(signed(text, given)).get("kid")

    assert kid(pem(EC), "k1") == "k1"
    assert kid(pem(EC), None) is None
    assert kid(json.dumps(jwk(EC, kid="k2")), None) == "k2"
    two = json.dumps({"keys": [jwk(RSA, kid="old"), jwk(EC, kid="new")]})
    assert kid(two, None) == "old"
    assert verified(signed(two, "new"), EC)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "secret",
        "{secret",
        '{"kty": "secret"}',
        json.dumps({"keys": []}),
        "-----BEGIN PRIVATE KEY-----\nsecret\n-----END PRIVATE KEY-----",
        pem(EC, encryption=BestAvailableEncryption(b"secret")),
        json.dumps({"keys": [jwk(EC, kid="other")]}),
        json.dumps({name: value for name, value in jwk(EC).items() if name != "d"}),
    ],
)
def test_text_that_is_not_a_private_key_is_refused_and_not_quoted(text: str) -> None:
    with pytest.raises(FhirError, match="client me: cannot be read, expected an unencrypted PEM or JWK") as raised:
        signed(text, "mine")
    assert "secret" not in str(raised.value)
    assert raised.value.__cause__ is None


@pytest.mark.parametrize("key", [ec.generate_private_key(ec.SECP256R1()), rsa.generate_private_key(65537, 1024)])
def test_a_key_that_is_too_weak_or_of_another_kind_is_refused(key: Key) -> None:
    with pytest.raises(FhirError, match="expected RSA of at least 2048 bits or EC P-384"):
        signed(pem(key))
