"""Starts FHIR servers to measure on, from a filled copy, with TLS and SMART sign-in, and optionally at a distance."""

import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from urllib.parse import urlsplit

import psutil
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from benchmarks.delay import leads_to, network
from benchmarks.environments import environment
from benchmarks.measure import DATA
from benchmarks.population import recent, ward
from wardround.demo.fhir_server.certificates import throw_away_certificate
from wardround.demo.fhir_server.running import running_server
from wardround.demo.fhir_server.sign_in import Clients
from wardround.fhir.client import FhirClient, FhirEndpoint
from wardround.settings import PROJECT
from wardround.workflows.seed import seed

CLIENT = "ward"
HOURS = 6  # of Observations on sekmet
_SEKMET = PROJECT / "tests" / "sekmet"


@dataclass(frozen=True)
class Key:
    """The client's key pair; RSA, because HealthChain only signs with RS384."""

    private: rsa.RSAPrivateKey

    @classmethod
    def new(cls) -> "Key":
        return cls(rsa.generate_private_key(public_exponent=65537, key_size=2048))

    @cached_property
    def private_pem(self) -> str:
        return self.private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()

    @cached_property
    def public_pem(self) -> str:
        return self.private.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()


@dataclass(frozen=True)
class Server:
    """A running server.

    `count` returns the number of requests since the start, including those for tokens, and `cpu` the seconds of
    processor time that they took.
    """

    base_url: str
    ca_file: str
    count: Callable[[], int]
    cpu: Callable[[], float]

    @property
    def token_url(self) -> str:
        return self.base_url.removesuffix("/fhir") + "/auth/token"


@contextmanager
def embedded(stays: int, key: Key, round_trip: float) -> Iterator[Server]:
    """Runs Wardround's own server with the simulated ward."""
    filled = DATA / f"embedded-{stays}"
    if not filled.exists():
        with tempfile.TemporaryDirectory(dir=DATA) as folder:
            with running_server(ward(stays) / "fhir", Path(folder) / "db"):
                pass
            shutil.copytree(folder, filled)
    with ExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory())
        shutil.copytree(filled, folder, dirs_exist_ok=True)
        clients = Clients(public_keys={CLIENT: key.public_pem})
        server = stack.enter_context(running_server(db=Path(folder) / "db", tls=True, clients=clients))
        base_url = server.base_url
        if round_trip:
            port, process = stack.enter_context(network(round_trip))
            leads_to(process, urlsplit(base_url).port or 0)
            base_url = f"https://127.0.0.1:{port}/fhir"
        server.forget_requests()
        yield Server(base_url, str(server.ca_file), lambda: sum(server.requests().values()), _clock(server.pid))


@contextmanager
def sekmet(stays: int, key: Key, round_trip: float) -> Iterator[Server]:
    """Runs sekmet-fhir, as started by tests/sekmet/launch.py, with the simulated ward's last hours.

    For each page it searches all its resources again, and it becomes slow with more than 20,000 of them.
    """
    filled = DATA / f"sekmet-{stays}-{HOURS}h"
    if not filled.exists():
        with tempfile.TemporaryDirectory(dir=DATA) as folder:
            with _launched(Path(folder)) as (base_url, _), FhirClient(FhirEndpoint(base_url)) as client:
                seed(client, recent(stays, HOURS), lambda *_: None)
            shutil.copytree(folder, filled)
    with ExitStack() as stack:
        place = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        shutil.copytree(filled, place, dirs_exist_ok=True)
        certificate = throw_away_certificate(place)
        (place / "client.pem").write_text(key.public_pem)
        requests = place / "requests"
        requests.write_text("")
        base_url, pid = stack.enter_context(_at_a_distance(place, round_trip))
        yield Server(base_url, str(certificate.file), lambda: len(requests.read_text().splitlines()), _clock(pid))


def _clock(pid: int) -> Callable[[], float]:
    """Returns a function for the processor time of a process, counted from now on."""
    process = psutil.Process(pid)
    before = sum(process.cpu_times()[:2])
    return lambda: sum(process.cpu_times()[:2]) - before


@contextmanager
def _at_a_distance(folder: Path, round_trip: float) -> Iterator[tuple[str, int]]:
    """Yields base URL and process id; a server with absolute links must know the address that clients use."""
    if not round_trip:
        with _launched(folder) as launched:
            yield launched
        return
    with network(round_trip) as (port, process), _launched(folder, f"https://127.0.0.1:{port}") as (base_url, pid):
        leads_to(process, urlsplit(base_url).port or 0)
        yield f"https://127.0.0.1:{port}/fhir", pid


@contextmanager
def _launched(folder: Path, seen_at: str | None = None) -> Iterator[tuple[str, int]]:
    python = environment("sekmet", _SEKMET / "requirements.txt")
    command = [str(python), str(_SEKMET / "launch.py"), str(folder), *([seen_at] if seen_at else [])]
    with (
        (folder / "sekmet.log").open("w") as log,
        subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log, text=True) as process,
    ):
        try:
            assert process.stdout
            base_url = process.stdout.readline().strip()
            if not base_url:
                raise RuntimeError(f"sekmet did not start:\n{(folder / 'sekmet.log').read_text()}")
            yield base_url, process.pid
        finally:
            process.terminate()
