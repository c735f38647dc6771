"""TLS for MLLP: the keys of a port and of a client, as Python's ssl takes them."""

import ssl
from pathlib import Path

from wardround.errors import SettingsError


def server_context(certificate: Path, key: Path, client_ca: Path | None = None) -> ssl.SSLContext:
    """Returns the TLS of a port; with `client_ca` only clients with a certificate from there get in.

    Raises SettingsError, which names the file.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    _with_keys(context, certificate, key)
    if client_ca is not None:
        context.verify_mode = ssl.CERT_REQUIRED
        _trusting(context, client_ca)
    return context


def client_context(ca: Path, certificate: Path | None = None, key: Path | None = None) -> ssl.SSLContext:
    """Returns the TLS of a client that trusts `ca`, and shows a certificate of its own if it has one.

    Raises SettingsError, which names the file.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    _trusting(context, ca)
    if certificate is not None and key is not None:
        _with_keys(context, certificate, key)
    return context


def _with_keys(context: ssl.SSLContext, certificate: Path, key: Path) -> None:
    for file in (certificate, key):
        _readable(file)
    try:
        # An encrypted key would ask for its password on the terminal.
        context.load_cert_chain(certificate, key, password=lambda: "")
    except (ssl.SSLError, ValueError) as error:
        raise SettingsError(
            f"{certificate} and {key}: cannot be used together ({_why(error)}), expected a certificate and its own"
            " private key without a password, both as PEM; correct them"
        ) from None


def _trusting(context: ssl.SSLContext, ca: Path) -> None:
    _readable(ca)
    try:
        context.load_verify_locations(ca)
    except ssl.SSLError as error:
        raise SettingsError(f"{ca}: cannot be used ({_why(error)}), expected certificates as PEM; correct it") from None


def _readable(file: Path) -> None:
    try:
        file.open("rb").close()
    except OSError as error:
        raise SettingsError(
            f"{file}: cannot be read ({error.strerror}), expected a PEM file; correct the path or its permissions"
        ) from None


def _why(error: ssl.SSLError | ValueError) -> str:
    return getattr(error, "reason", None) or type(error).__name__
