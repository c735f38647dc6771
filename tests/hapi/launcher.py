"""Builds HAPI FHIR's JPA server from Maven Central's artefacts, and runs it on H2 or on PostgreSQL.

The server is Hapi.java beside this file, because the whole of hapiproject/hapi is on no registry of packages.
"""

import hashlib
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from wardround.adapters.files.file_lock import locked
from wardround.demo.standalone import free_port
from wardround.settings import PROJECT

SERVER: Final = Path(__file__).parent / "server"
VERSION: Final = (SERVER / "pom.xml").read_text().partition("<hapi.version>")[2].partition("<")[0]
BUILT: Final = PROJECT / "var" / "hapi"
_NEEDED: Final = {"java": "openjdk-17-jre-headless", "javac": "openjdk-17-jdk-headless", "mvn": "maven"}
# It is started more often than it is asked much: the second compiler would only begin to pay off after minutes.
QUICK_START: Final = ("-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-Xmx1g")


class NotBuilt(Exception):
    """The server cannot be built here; says what is missing."""


def built() -> str:
    """Returns the class path of the compiled server; compiles it if its files have changed. Raises NotBuilt."""
    if missing := [program for program in _NEEDED if not shutil.which(program)]:
        packages = " ".join(_NEEDED[program] for program in missing)
        raise NotBuilt(
            f"HAPI FHIR cannot be started: {', '.join(missing)} not found, expected Java 17 or later and Maven;"
            f" install them (Debian: {packages})"
        )
    sources = sorted(file for file in SERVER.rglob("*") if file.is_file())
    digest = hashlib.sha256(b"".join(file.read_bytes() for file in sources)).hexdigest()[:12]
    BUILT.mkdir(parents=True, exist_ok=True)
    stamp = BUILT / f"compiled-{digest}"
    with locked(BUILT / "lock"):
        if not stamp.exists():
            command = ["mvn", "--quiet", "--batch-mode", "--file", str(SERVER / "pom.xml"), "compile"]
            done = subprocess.run(command, capture_output=True, text=True, check=False)
            if done.returncode:
                raise NotBuilt(
                    "HAPI FHIR cannot be built; is Maven Central reachable, and is this Java 17 or later?\n"
                    f"{(done.stdout + done.stderr)[-3000:]}"
                )
            stamp.touch()
    return f"{BUILT / 'classes'}:{(BUILT / 'classpath').read_text()}"


class Hapi:
    """One server with its database, at one address, however often it is killed and started again."""

    def __init__(self, properties: Mapping[str, object], folder: Path, options: tuple[str, ...] = QUICK_START) -> None:
        self.base_url = ""
        self._log = folder / "hapi.log"
        port = free_port()
        given = [f"-D{name}={value}" for name, value in {"port": port, **properties}.items()]
        quiet = "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn"
        self._command = ["java", *options, quiet, *given, "-cp", built(), "Hapi"]
        self._process: subprocess.Popen[str] | None = None

    @property
    def pid(self) -> int:
        assert self._process
        return self._process.pid

    def start(self) -> None:
        """Starts it, and returns when it answers; does nothing if it runs."""
        if self._process and self._process.poll() is None:
            return
        with self._log.open("a") as log:
            self._process = subprocess.Popen(self._command, stdout=subprocess.PIPE, stderr=log, text=True)
        assert self._process.stdout
        self.base_url = self._process.stdout.readline().strip()
        if not self.base_url:
            self._process.communicate()
            raise RuntimeError(f"HAPI FHIR did not start:\n{self._log.read_text()[-3000:]}")

    def kill(self) -> None:
        """Kills it as it is (SIGKILL)."""
        assert self._process
        self._process.kill()
        self._process.communicate()

    def stop(self) -> None:
        if self._process and self._process.poll() is None:
            self._process.terminate()
            self._process.communicate()


@contextmanager
def running(properties: Mapping[str, object], folder: Path, options: tuple[str, ...] = QUICK_START) -> Iterator[Hapi]:
    """Runs a server whose database the properties name; see Hapi.java for what else they can say. Raises NotBuilt."""
    hapi = Hapi(properties, folder, options)
    try:
        hapi.start()
        yield hapi
    finally:
        hapi.stop()


def in_memory() -> dict[str, object]:
    """Returns the properties of a database that ends with the server."""
    return {"url": "jdbc:h2:mem:hapi"}


def in_file(folder: Path) -> dict[str, object]:
    """Returns the properties of an H2 database in a folder, which has on disk what it has confirmed."""
    return {"url": f"jdbc:h2:file:{folder}/hapi;WRITE_DELAY=0"}


def in_postgresql(port: int, database: str, user: str, password: str) -> dict[str, object]:
    """Returns the properties of a database in a running PostgreSQL."""
    return {"url": f"jdbc:postgresql://127.0.0.1:{port}/{database}", "user": user, "password": password}


if __name__ == "__main__":
    try:
        built()
    except NotBuilt as error:
        sys.exit(f"make: {error}")
