"""Tests MLLP over TLS: who gets in, who is turned away and why, and files that cannot be used."""

import re
import ssl
from datetime import timedelta

import pytest
from tests.adapters.mllp.serving import is_refused, served

from wardround.adapters.mllp.framing import framed
from wardround.adapters.mllp.tls import client_context, server_context
from wardround.errors import SettingsError

ONE = b"MSH|1\r"


@pytest.fixture(scope="module")
def hospital(test_authority):
    return test_authority("hospital")


@pytest.fixture(scope="module")
def port(hospital):
    return hospital.issued("port")


@pytest.fixture(scope="module")
def mutual(hospital, port):
    with served(tls=server_context(*port, hospital.ca)) as one:
        yield one


def test_a_client_that_shows_its_certificate_is_answered(mutual, hospital):
    with mutual.sender(client_context(hospital.ca, *hospital.issued("engine"))) as sender:
        assert sender.send(ONE) == ONE
        assert sender.send(ONE * 50_000) == ONE * 50_000
        assert sender.connection.version() in ("TLSv1.2", "TLSv1.3")


def test_without_an_authority_of_clients_any_client_is_answered(hospital, port):
    with served(tls=server_context(*port)) as one, one.sender(client_context(hospital.ca)) as sender:
        assert sender.send(ONE) == ONE


def test_a_client_without_a_certificate_is_turned_away(mutual, hospital):
    assert is_refused(mutual.sender(client_context(hospital.ca)))
    mutual.watch.wait_for("turned away: PEER_DID_NOT_RETURN_A_CERTIFICATE")


@pytest.mark.parametrize("kind", ["wrong", "expired"])
def test_a_client_with_a_wrong_or_expired_certificate_is_turned_away(hospital, port, test_authority, kind):
    keys = (
        test_authority("elsewhere").issued("stranger")
        if kind == "wrong"
        else hospital.issued("expired", -timedelta(days=1))
    )
    with served(tls=server_context(*port, hospital.ca)) as one:
        assert is_refused(one.sender(client_context(hospital.ca, *keys)))
        one.watch.wait_for("turned away: CERTIFICATE_VERIFY_FAILED")
        assert one.frames == []


def test_a_client_that_does_not_trust_the_port_sends_nothing(mutual, test_authority):
    seen = len(mutual.frames)
    assert is_refused(mutual.sender(client_context(test_authority("other").ca)))
    assert len(mutual.frames) == seen


def test_a_port_with_an_expired_certificate_is_not_trusted(hospital):
    with (
        served(tls=server_context(*hospital.issued("old", -timedelta(days=1)))) as one,
        pytest.raises(ssl.SSLCertVerificationError),
        one.sender(client_context(hospital.ca)),
    ):
        pass


def test_a_client_without_tls_is_turned_away(port):
    with served(tls=server_context(*port)) as one:
        assert b"MSH" not in one.exchanged(framed(ONE), ends=False)
        one.watch.wait_until(lambda counts: counts.total() == 1)
        assert "turned away" in next(iter(one.watch.counts))


def test_old_versions_of_tls_are_not_spoken(port):
    assert server_context(*port).minimum_version is ssl.TLSVersion.TLSv1_2


@pytest.mark.parametrize("missing", ["certificate", "key", "ca"])
def test_a_file_that_is_not_there_is_named(hospital, port, tmp_path, missing):
    files = {"certificate": port.certificate, "key": port.key, "ca": hospital.ca, missing: tmp_path / "gone.pem"}
    with pytest.raises(SettingsError, match=r"gone\.pem: cannot be read \(No such file or directory\), expected a PEM"):
        server_context(files["certificate"], files["key"], files["ca"])


def test_keys_that_do_not_belong_together_or_are_none_are_named(hospital, port, tmp_path):
    other = hospital.issued("other")
    with pytest.raises(SettingsError, match=rf"{re.escape(str(other.key))}: cannot be used together \(KEY_VALUES_MIS"):
        server_context(port.certificate, other.key)
    (tmp_path / "no.pem").write_text("MARKED")
    with pytest.raises(SettingsError, match="cannot be used together") as caught:
        server_context(tmp_path / "no.pem", port.key)
    assert "MARKED" not in str(caught.value)
    with pytest.raises(SettingsError, match=r"no\.pem: cannot be used \(.*\), expected certificates as PEM"):
        server_context(*port, tmp_path / "no.pem")


def test_a_key_with_a_password_is_refused_and_asks_nobody(hospital, tmp_path):
    from cryptography.hazmat.primitives import serialization

    keys = hospital.issued("locked")
    key = serialization.load_pem_private_key(keys.key.read_bytes(), None)
    locked = serialization.BestAvailableEncryption(b"word")
    keys.key.write_bytes(key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, locked))
    with pytest.raises(SettingsError, match="private key without a password"):
        server_context(*keys)
