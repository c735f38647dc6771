"""Measures a screening of HAPI FHIR's JPA server, on H2 and on PostgreSQL, beside the embedded server and HealthChain.

HAPI is started as tests/hapi/launcher.py does, with both of the JVM's compilers. All servers speak TLS, because
HealthChain speaks nothing else, need no sign-in, and hold the last hours of a simulated ward. Without Java, Maven or
PostgreSQL it says what is missing, and measures the rest.
"""

import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, load_pem_private_key, pkcs12
from tests.adapters.database.throwaway_postgresql import PASSWORD, USER
from tests.adapters.database.throwaway_postgresql import running as running_postgresql
from tests.hapi.launcher import VERSION, NotBuilt, in_file, in_postgresql
from tests.hapi.launcher import running as running_hapi

from benchmarks.environments import environment as environment_of
from benchmarks.healthchain_job import Model
from benchmarks.measure import table
from benchmarks.peer import HERE, Runner, patients_of
from benchmarks.population import recent, ward
from benchmarks.screening import screen, train
from benchmarks.stream_databases import POSTGRESQL, why_not
from wardround.demo.fhir_server.certificates import throw_away_certificate
from wardround.demo.fhir_server.running import running_server
from wardround.fhir.client import FhirClient, FhirEndpoint
from wardround.workflows.seed import seed

STAYS = 100
SAMPLE = 20  # patients for HealthChain, which handles one after the other
HOURS = 6  # of Observations
SOURCE = "bench"
_OPTIONS = ("-Xmx2g",)
_SECRET = b"hapi"  # of the key store, as Hapi.java expects it


@dataclass(frozen=True)
class Server:
    """A running server, and the processes that work for it."""

    base_url: str
    ca_file: str
    processes: tuple[int, ...]

    def spent(self) -> float:
        """Returns the seconds of processor time that the processes and their children have used."""
        own = [psutil.Process(one) for one in self.processes]
        every = {one.pid: one for process in own for one in (process, *process.children(recursive=True))}
        return float(sum(sum(one.cpu_times()[:2]) for one in every.values()))

    @property
    def variables(self) -> dict[str, str]:
        return {f"{SOURCE.upper()}_BASE_URL": self.base_url, f"{SOURCE.upper()}_CA_FILE": self.ca_file}


Start = Callable[[Path], AbstractContextManager[Server]]


@contextmanager
def embedded(_folder: Path) -> Iterator[Server]:
    with running_server(tls=True) as server:
        yield Server(server.base_url, str(server.ca_file), (server.pid,))


@contextmanager
def on_h2(folder: Path) -> Iterator[Server]:
    with hapi(folder, in_file(folder)) as server:
        yield server


@contextmanager
def on_postgresql(folder: Path) -> Iterator[Server]:
    with running_postgresql(fsync=True) as database:
        properties = in_postgresql(database.port, database.new_database(), USER, PASSWORD)
        with hapi(folder, properties, database.process.pid) as server:
            yield server


@contextmanager
def hapi(folder: Path, database: dict[str, object], *others: int) -> Iterator[Server]:
    pem = throw_away_certificate(folder)
    certificate = x509.load_pem_x509_certificate(pem.file.read_bytes())
    key = load_pem_private_key(pem.key_file.read_bytes(), None)
    assert isinstance(key, EllipticCurvePrivateKey)
    store, sealed = folder / "server.p12", BestAvailableEncryption(_SECRET)
    store.write_bytes(pkcs12.serialize_key_and_certificates(_SECRET, key, certificate, None, sealed))
    with running_hapi({**database, "certificate": store}, folder, _OPTIONS) as server:
        yield Server(server.base_url, str(pem.file), (server.pid, *others))


def servers() -> Iterator[tuple[str, Start]]:
    """Yields the servers that can be measured here; prints why another cannot."""
    yield "embedded", embedded
    yield f"HAPI FHIR {VERSION} on H2", on_h2
    if why := why_not(POSTGRESQL):
        print(f"HAPI FHIR on PostgreSQL: not measured. {why}")
    else:
        yield f"HAPI FHIR {VERSION} on PostgreSQL", on_postgresql


def rows(name: str, server: Server, stays: int, model: Model, environment: dict[str, str]) -> Iterator[list[str]]:
    """Yields rows of the table: loading the ward, HealthChain, the first screening, and two repetitions."""

    def row(what: str, number: int, seconds: float, client: float) -> list[str]:
        served = server.spent() - before
        each = f"{served / number * 1000:.1f}"
        return [name, what, f"{number:,}", f"{seconds:.1f}", f"{number / seconds:.1f}", f"{client:.1f}", each]

    began, before, used = time.monotonic(), server.spent(), time.process_time()
    with FhirClient(FhirEndpoint(server.base_url, ca_file=server.ca_file)) as client:
        written = sum(seed(client, recent(stays, HOURS), lambda *_: None).written.values())
    yield row("load (resources)", written, time.monotonic() - began, time.process_time() - used)

    before, patients = server.spent(), patients_of(stays)[:SAMPLE]
    python = environment_of("healthchain", HERE / "healthchain-requirements.txt")
    runner = Runner([str(python), str(HERE / "peer_healthchain.py")], {"SSL_CERT_FILE": server.ca_file})
    result = runner({"base_url": server.base_url, "patients": patients, **model.job()})
    yield row("HealthChain (patients)", int(result["written"]), result["seconds"], result["cpu"])

    for what in ("Wardround (stays)", "again", "once more"):
        before = server.spent()
        run, result = screen(SOURCE, {**environment, **server.variables})
        yield row(what, result["found"], run.wall, run.cpu)


def main(stays: int = STAYS) -> None:
    """Prints the table for a ward of so many stays."""
    columns = ["server", "what", "number", "seconds", "per second", "client CPU s", "server ms each"]
    measured: list[list[str]] = []
    with tempfile.TemporaryDirectory() as folder:
        environment = {"WARDROUND_MODELS": f"{folder}/models", "WARDROUND_VAR": folder}
        train(ward(200) / "mimic", environment)
        model = Model.live(Path(folder) / "models", Path(folder))
        for name, start in servers():
            try:
                with tempfile.TemporaryDirectory() as place, start(Path(place)) as server:
                    measured += rows(name, server, stays, model, environment)
            except NotBuilt as error:
                print(f"{name}: not measured. {error}")
    table(f"A ward of {stays} stays with {HOURS} hours of Observations, whole processes", columns, measured)


if __name__ == "__main__":
    main(*(int(argument) for argument in sys.argv[1:]))
