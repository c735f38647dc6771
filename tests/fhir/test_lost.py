"""Tests that each cause of a missing answer has its own message and remedy."""

import errno
import socket
import ssl
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
import requests
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from wardround.errors import FhirUnreachable
from wardround.fhir.endpoint import FhirEndpoint
from wardround.fhir.lost import loss_of
from wardround.fhir.patience import Patience
from wardround.fhir.transport import ATTEMPTS, Transport

# RFC 2606: no such name resolves, anywhere.
NOWHERE = "nowhere.invalid"


def send(url: str, waits: list[float], **settings: Any) -> Any:
    transport = Transport(FhirEndpoint(url, **settings), patience=Patience(pause=waits.append))
    try:
        return transport.send("GET", f"{url}/Patient/p1").body
    finally:
        transport.close()


def nobody(unused: socket.socket) -> str:
    """Yields host:port on which nothing listens as long as the socket is open."""
    unused.bind(("127.0.0.1", 0))
    return f"127.0.0.1:{unused.getsockname()[1]}"


def test_a_closed_port_and_an_unknown_host_name_have_different_messages() -> None:
    waits: list[float] = []
    with socket.socket() as unused, pytest.raises(FhirUnreachable) as refused:
        send(f"http://{nobody(unused)}/fhir", waits)
    with pytest.raises(FhirUnreachable) as unresolved:
        send(f"http://{NOWHERE}/fhir", waits)
    assert "nothing is listening on the port (tried 5 times), expected an answer; check that" in str(refused.value)
    assert "the host name does not resolve (tried 5 times), expected an answer; check" in str(unresolved.value)
    assert len(waits) == 2 * (ATTEMPTS - 1), "both may mend by themselves"


def test_a_fault_of_the_proxy_is_named_and_its_password_is_not_shown() -> None:
    with socket.socket() as unused, pytest.raises(FhirUnreachable) as refused:
        send("https://fhir.test/fhir", [], proxy=f"http://me:secret@{nobody(unused)}")
    with pytest.raises(FhirUnreachable) as unresolved:
        send("https://fhir.test/fhir", [], proxy=f"http://me:secret@{NOWHERE}:8080")
    assert "cannot get through the proxy: nothing is listening on the port" in str(refused.value)
    assert "cannot get through the proxy: the host name does not resolve" in str(unresolved.value)
    assert "secret" not in str(refused.value) + str(unresolved.value)


def test_a_proxy_that_refuses_the_tunnel_is_named(server, reply) -> None:
    server.answer = lambda _request: reply(status=407)
    with pytest.raises(
        FhirUnreachable,
        match=r"cannot get through the proxy: the tunnel was refused \(tried 5 times\), .*;" r" for the proxy: check",
    ):
        send("https://fhir.test/fhir", [], proxy=server.url.removesuffix("/fhir"))


def test_a_port_that_speaks_no_tls_is_named_at_once(server) -> None:
    waits: list[float] = []
    with pytest.raises(FhirUnreachable, match="the port does not speak TLS, expected an answer; check scheme"):
        send(server.url.replace("http:", "https:"), waits)
    assert waits == []


def certificate(folder: Path, host: str, ends: datetime) -> Path:
    """Returns a file with a self-signed certificate and its key."""
    key, name = ec.generate_private_key(ec.SECP256R1()), x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, host)])
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(ends - timedelta(days=9))
        .not_valid_after(ends)
        .add_extension(x509.SubjectAlternativeName([_named(host)]), critical=False)
        .sign(key, hashes.SHA256())
    )
    file = folder / "certificate.pem"
    text = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()) + made.public_bytes(Encoding.PEM)
    file.write_bytes(text)
    return file


def _named(host: str) -> x509.GeneralName:
    return x509.IPAddress(ip_address(host)) if host[0].isdigit() else x509.DNSName(host)


TLS = [
    ("localhost", 5, True, "its certificate is for another host, .*; use the host name"),
    ("127.0.0.1", -5, True, "its certificate is not valid today, .*; renew it"),
    ("127.0.0.1", 5, False, "its certificate is not trusted, .*; set the CA file"),
]


@pytest.mark.parametrize(("host", "days", "trusted", "message"), TLS)
def test_each_fault_of_a_certificate_is_named_at_once(tmp_path, host, days, trusted, message) -> None:
    file = certificate(tmp_path, host, datetime.now(UTC) + timedelta(days=days))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(file)
    waits: list[float] = []
    with socket.create_server(("127.0.0.1", 0)) as listening:
        thread = Thread(target=shake_hands, args=(listening, context))
        thread.start()
        with pytest.raises(FhirUnreachable, match=message):
            send(f"https://127.0.0.1:{listening.getsockname()[1]}/fhir", waits, ca_file=str(file) if trusted else None)
        thread.join()
    assert waits == []


def shake_hands(listening: socket.socket, context: ssl.SSLContext) -> None:
    """Accepts one client, which will reject the certificate."""
    with listening.accept()[0] as line:
        try:
            context.wrap_socket(line, server_side=True).close()
        except OSError:
            return


def test_an_unreachable_network_and_a_closed_port_have_different_messages() -> None:
    found = loss_of(requests.ConnectionError(OSError(errno.ENETUNREACH, "unreachable")))
    assert found.what == "its network cannot be reached"


def test_an_unknown_fault_is_named_by_its_type_only() -> None:
    found = loss_of(requests.ConnectionError("PRIVATE"))
    assert found.what == "no complete answer (ConnectionError)"
    assert not found.lasting
