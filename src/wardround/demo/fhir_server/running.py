"""Runs the server: `serve` in this process, `running_server` in a child process that ends with its parent."""

import asyncio
import json
import signal
import socket
import ssl
import sys
import tempfile
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any

import uvicorn
from uvicorn.protocols.http.auto import AutoHTTPProtocol

from wardround.adapters.child_service import child_service
from wardround.adapters.ready_server import ReadyServer
from wardround.demo.fhir_server.app import Transports, create_app
from wardround.demo.fhir_server.certificates import Certificate, throw_away_certificate
from wardround.demo.fhir_server.faults import FaultPlan, Faults
from wardround.demo.fhir_server.sign_in import Clients
from wardround.demo.fhir_server.store import Store
from wardround.errors import FhirUnreachable

_KEEP_ALIVE_SECONDS = 75
_SHUTDOWN_SECONDS = 2


def serve(
    store: Store,
    listening: socket.socket,
    faults: Faults,
    cap: int,
    ready: Callable[[], None],
    certificate: Certificate | None = None,
    clients: Clients | None = None,
    origins: Sequence[str] = (),
) -> None:
    """Answers requests until SIGTERM or SIGINT; calls `ready` as soon as it does. The caller closes the store.

    With a certificate it uses TLS; with `clients` it serves only them; web pages of the `origins` may send requests.
    """
    transports: Transports = {}
    config = uvicorn.Config(
        create_app(store, faults, cap, transports, clients, origins),
        ssl_certfile=certificate.file if certificate else None,
        ssl_keyfile=certificate.key_file if certificate else None,
        http=_protocol(transports),
        ws="none",
        lifespan="off",
        log_level="warning",
        access_log=False,
        proxy_headers=False,
        timeout_keep_alive=_KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=_SHUTDOWN_SECONDS,
    )
    ReadyServer(config, ready).run(sockets=[listening])


def _protocol(transports: Transports) -> type[asyncio.Protocol]:
    """Returns uvicorn's own HTTP protocol, extended to record open connections, so that faults can close them."""

    class Noting(AutoHTTPProtocol):  # type: ignore[misc, valid-type]
        def connection_made(self, transport: asyncio.Transport) -> None:
            super().connection_made(transport)
            self._address = tuple(transport.get_extra_info("peername")[:2])
            transports[self._address] = transport

        def connection_lost(self, exc: Exception | None) -> None:
            transports.pop(self._address, None)
            super().connection_lost(exc)

    return Noting


def end_with_signals() -> None:
    """Makes SIGTERM unwind the process as SIGINT does, so that temporary files are removed."""

    def leave(_signal: int, _frame: FrameType | None) -> None:
        sys.exit(0)

    signal.signal(signal.SIGTERM, leave)


@dataclass(frozen=True)
class RunningServer:
    """A server in a child process. `base_url` ends in /fhir; /_faults and /_requests are under `control_url`.

    `ca_file` is the authority to trust if it uses TLS.
    """

    control_url: str
    pid: int
    ca_file: str | None = None

    @property
    def base_url(self) -> str:
        return f"{self.control_url}/fhir"

    def misbehave(self, plan: FaultPlan) -> None:
        """Starts a plan of faults; an empty one ends them."""
        self._control("POST", "/_faults", plan.model_dump_json().encode())

    def requests(self) -> dict[str, int]:
        """Returns the number of requests by method and kind of path: {"GET Observation/{id}": 2, "POST /": 1}."""
        counted: dict[str, int] = self._control("GET", "/_requests")["requests"]
        return counted

    def forget_requests(self) -> None:
        """Resets the counts of requests to zero."""
        self._control("DELETE", "/_requests")

    def _control(self, method: str, path: str, body: bytes | None = None) -> Any:
        asked = urllib.request.Request(f"{self.control_url}{path}", data=body, method=method)
        trusting = urllib.request.HTTPSHandler(context=ssl.create_default_context(cafile=self.ca_file))
        with urllib.request.build_opener(urllib.request.ProxyHandler({}), trusting).open(asked) as answer:
            return json.load(answer)


@contextmanager
def running_server(
    data: Path | None = None,
    db: Path | None = None,
    faults: FaultPlan | None = None,
    cap: int | None = None,
    tls: bool = False,
    clients: Clients | None = None,
    origins: Sequence[str] = (),
) -> Iterator[RunningServer]:
    """Runs a server on a free loopback port, in a child process, until the block ends; yields once it answers.

    `data` is a folder to load, `db` an SQLite file to keep (default: a temporary one), `cap` the largest page. With
    `tls` it has its own certificate; with `clients` it serves only them; web pages of the `origins` may send requests.
    Raises FhirUnreachable if the server cannot start; its own message is on stderr.
    """
    options = ["--port", "0", "--json", "--until-eof"]
    options += ["--data", str(data)] if data else []
    options += ["--db", str(db)] if db else []
    options += ["--faults", faults.model_dump_json()] if faults else []
    options += ["--cap", str(cap)] if cap else []
    options += [option for origin in origins for option in ("--cors", origin)]
    with tempfile.TemporaryDirectory(prefix="wardround-fhir-server-") as folder:
        certificate = throw_away_certificate(Path(folder)) if tls else None
        if certificate:
            options += ["--tls-cert", str(certificate.file), "--tls-key", str(certificate.key_file)]
        if clients:
            # In a file, because everybody on the machine can read a command line.
            file = Path(folder) / "clients.json"
            file.write_text(clients.model_dump_json())
            options += ["--clients", str(file)]
        failure = FhirUnreachable("fhir-server: ended before it was ready; its message is above")
        with child_service(["fhir-server", *options], failure) as child:
            control_url = child.said["base_url"].removesuffix("/fhir")
            yield RunningServer(control_url, child.pid, str(certificate.file) if certificate else None)
