"""Starts what docker-compose.yaml describes, without containers: each service's processes, in folders of their own.

    with running_stack("name", stays=200) as stack:
        run = stack.api.trigger("screen_icu__sepsis", {...})

Services share the volumes of the file and nothing else: each sees them at a path of its own, and has its own
WARDROUND_HOME, AIRFLOW_HOME and temporary folder. Hosts, ports, folders and secrets of the file are replaced; all else
is as it stands there. PostgreSQL and Valkey are programs that Python packages carry; `fhir` is the embedded server.
What the services say, and the logs of the tasks, stay in var/stack/<name>.
"""

import os
import pwd
import re
import secrets
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from base64 import urlsafe_b64encode
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Final, TypeVar

import pandas as pd
from tests.stack.api import StackApi
from tests.stack.compose import FOLDERS, Compose, Service, placed
from tests.stack.container import Container, Runs
from tests.stack.image import Image, Servers, built, servers

from wardround.demo.simulate import Plan, simulate
from wardround.demo.standalone import free_port
from wardround.settings import PROJECT, settings_from
from wardround.spec.loading import load_variables

T = TypeVar("T")

STARTED: Final = {
    "postgres": 1,
    "redis": 1,
    "fhir": 1,
    "airflow-init": 1,
    "airflow-apiserver": 1,
    "airflow-scheduler": 1,
    "airflow-dag-processor": 1,
    "airflow-triggerer": 1,
    "airflow-worker": 2,
}
"""How many containers of each service, in an order in which they can start."""
USER: Final = "ward"
NOW: Final = pd.Timestamp("2026-01-02T05:00:00Z")
"""The present of the simulated ward."""
DISCHARGED: Final = 600
"""Stays to train on."""
POLL_SECONDS: Final = 1.0
"""An answer of Airflow's API costs a tenth of a second of a processor."""
PATIENCE: Final = 900
"""Seconds for what takes less than a minute on an idle machine."""
_MACHINE: Final = Path(__file__).with_name("machine")
# Ports that containers need not share, and that processes of one machine would.
_PORT_VARIABLES: Final = {
    "airflow-apiserver": {"AIRFLOW__API__PORT": 8080},
    "airflow-scheduler": {"AIRFLOW__SCHEDULER__SCHEDULER_HEALTH_CHECK_SERVER_PORT": 8974},
    "airflow-worker": {"AIRFLOW__LOGGING__WORKER_LOG_SERVER_PORT": 8793},
    "airflow-triggerer": {"AIRFLOW__LOGGING__TRIGGER_LOG_SERVER_PORT": 8794},
    "postgres": {"PGPORT": 5432},
}
_LOOPBACK_VARIABLES: Final = {"AIRFLOW__API__HOST": "127.0.0.1", "PGHOST": "127.0.0.1"}


def values() -> dict[str, str]:
    """Returns what stands in .env: the example's values, secrets that are made anew, and slots for all workers."""
    example = (PROJECT / ".env.example").read_text()
    made = ("POSTGRES_PASSWORD", "REDIS_PASSWORD", "AIRFLOW_JWT_SECRET", "AIRFLOW_API_SECRET", "AIRFLOW_ADMIN_PASSWORD")
    return {
        **dict(re.findall(r"^([A-Z_]+)=(.+)$", example, flags=re.MULTILINE)),
        **{name: secrets.token_urlsafe(32) for name in made},
        "AIRFLOW_FERNET_KEY": urlsafe_b64encode(secrets.token_bytes(32)).decode(),
        "AIRFLOW_ADMIN_USER": USER,
        "AIRFLOW_TASKS_AT_ONCE": str(4 * STARTED["airflow-worker"]),
    }


class Stack:
    """The running services, and a ward of so many stays. `folder` is gone at the end, `logs` stays."""

    def __init__(self, folder: Path, logs: Path, stays: int, image: Image, programs: Servers) -> None:
        self.folder, self.logs, self.stays = folder, logs, stays
        self.containers: dict[str, Container] = {}
        self._given, self._image, self._programs = values(), image, programs
        self._compose = Compose(self._given)
        self._ports: dict[tuple[str, int], int] = {}
        self.api = StackApi(f"http://127.0.0.1:{self.port('airflow-apiserver', 8080)}")

    # --- what it is made of

    def volume(self, name: str) -> Path:
        """Returns the folder of a volume of the file, or of the project."""
        if name.startswith("./"):
            return PROJECT / name
        place = self.logs / "tasks" if name == "logs" else self.folder / "volumes" / name
        place.mkdir(parents=True, exist_ok=True)
        return place

    def port(self, name: str, port: int) -> int:
        """Returns the port of this machine for that of a service or a container."""
        return self._ports.setdefault((name, port), free_port())

    def log(self, name: str) -> Path:
        return self.logs / f"{name}.log"

    @property
    def fhir_base_url(self) -> str:
        return f"http://127.0.0.1:{self.port('fhir', 8080)}/fhir"

    @property
    def workers(self) -> list[Container]:
        return [one for name, one in self.containers.items() if name.startswith("airflow-worker")]

    # --- starting and waiting

    def start(self) -> None:
        """Starts all services, each when those it waits for are as the file wants them, and signs in to Airflow."""
        for name, count in STARTED.items():
            service = self._compose.service(name)
            for other, condition in service.waits_for.items():
                if other in STARTED:
                    self._wait_for(other, condition)
            for number in range(1, count + 1):
                self._start(service, name if count == 1 else f"{name}-{number}")
        self.wait_until(self.api.is_healthy, "Airflow is healthy")
        self.api.sign_in(USER, self._given["AIRFLOW_ADMIN_PASSWORD"])

    def wait_until(self, condition: Callable[[], T], what: str, every: float = POLL_SECONDS) -> T:
        """Waits until the condition returns something true, and returns it. Else an AssertionError names the logs."""
        deadline = time.monotonic() + PATIENCE
        while not (found := condition()):
            assert time.monotonic() < deadline, f"not after {PATIENCE} s: {what}; the logs are in {self.logs}"
            time.sleep(every)
        return found

    def run(self, command: Sequence[str], name: str = "airflow-scheduler") -> str:
        """Runs a command as `docker compose exec` would, with the hosts and folders of the container."""
        service = self._compose.service(name.rstrip("-0123456789"))
        done = subprocess.run(
            self._words(command, service, name),
            env=self._environment(service, name),
            cwd=self._root(name),
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, f"{' '.join(command)}: {done.stderr}; the logs are in {self.logs}"
        return done.stdout

    def fill(self) -> None:
        """Does what the service `ward` does: a simulated ward into the FHIR server, its MIMIC files into the volume."""
        data = self.volume("data")
        simulate(Plan(self.stays, DISCHARGED, 1, NOW), data, load_variables(settings_from().schemas), lambda _: None)
        self.run(["wardround", "seed", "--source", "http://fhir:8080/fhir", "--data", "/data/fhir"])

    def stop(self) -> None:
        """Ends all; PostgreSQL in order, because a killed one leaves a piece of shared memory to the machine."""
        for name, container in reversed(self.containers.items()):
            container.stop(grace=60 if name == "postgres" else 0)

    def _wait_for(self, name: str, condition: str) -> None:
        if condition == "service_completed_successfully":
            code = self.wait_until(lambda: self._ended(name), f"{name} has ended")
            assert code == "0", f"{name} ended with code {code}; the logs are in {self.logs}"
        else:
            assert condition == "service_healthy", condition
            self.wait_until(lambda: self.is_healthy(name), f"{name} is healthy")

    def _ended(self, name: str) -> str | None:
        code = self.containers[name].exit_code()
        return None if code is None else str(code)

    def is_healthy(self, name: str) -> bool:
        """Asks by the file's own health check."""
        service = self._compose.service(name)
        if service.health[0] == "redis-cli":  # Valkey's package does not carry it
            return _pongs(self.port("redis", 6379), self._given["REDIS_PASSWORD"])
        command = self._words(service.health, service, name)
        environment = self._environment(service, name)
        return subprocess.run(command, env=environment, capture_output=True, check=False).returncode == 0

    # --- one container

    def _start(self, service: Service, name: str) -> None:
        root = self._root(name)
        command, user = list(self._words(service.command, service, name)), None
        if service.name == "postgres":
            command, user = self._postgres(root, service)
        elif service.name == "fhir":
            command = self._fhir()
        elif service.name == "redis":
            command += ["--port", str(self.port("redis", 6379)), "--bind", "127.0.0.1"]
        folder = root / "data" if service.name == "redis" else root
        runs = Runs(command, self._environment(service, name), folder, self.log(name), service.restarts, user)
        self.containers[name] = Container(name, runs)

    def _root(self, name: str) -> Path:
        """Returns the folder of a container, made when it is first asked for."""
        root = self.folder / "containers" / name
        if not root.exists():
            service = self._compose.service(name.rstrip("-0123456789"))
            for place in FOLDERS:
                (root / place[1:]).mkdir(parents=True)
            if service.ours:
                self._image.copy_home(root / "opt/wardround")
            for place, volume in service.volumes.items():
                (root / place[1:]).parent.mkdir(parents=True, exist_ok=True)
                (root / place[1:]).symlink_to(self.volume(volume))
        return root

    def _environment(self, service: Service, name: str) -> dict[str, str]:
        root = self._root(name)
        stated = {key: self._placed(value, service, name) for key, value in service.environment.items()}
        programs = [self._image.site / "bin", self._image.bin, os.defpath]
        python_path = [_MACHINE, self._image.site, *filter(None, [stated.pop("PYTHONPATH", "")])]
        ports = {key: str(self.port(name, port)) for key, port in _PORT_VARIABLES.get(service.name, {}).items()}
        return {
            **stated,
            **ports,
            **_LOOPBACK_VARIABLES,
            "HOME": str(root),
            "LANG": "C.UTF-8",
            "PATH": os.pathsep.join(map(str, programs)),
            "PYTHONPATH": os.pathsep.join(map(str, python_path)),
            "STACK_HOST": name,
            "TMPDIR": str(root / "tmp"),
        }

    def _words(self, command: Sequence[str], service: Service, name: str) -> list[str]:
        """Returns a command with this machine's programs, ports and folders."""
        words = [self._placed(word, service, name) for word in command]
        program = (
            {
                "redis-server": self._programs.valkey,
                "pg_isready": self._programs.postgresql / "bin/pg_isready",
            }.get(words[0])
            if words
            else None
        )
        if program is not None:
            return [str(program), *words[1:]]
        if words[:2] == ["python", "-I"]:
            # The host's name comes by PYTHONPATH. And process 1 is not the container's here.
            words = [str(self._image.bin / "python"), words[2], f"--main={self.containers[name].pid}", *words[3:]]
        return words

    def _placed(self, text: str, service: Service, name: str) -> str:
        def port_of(other: str, port: int) -> int:
            return self.port(name if other == service.name else other, port)

        def folder_of(place: str) -> str:
            known = (*FOLDERS, *service.volumes)
            if not any(place == one or place.startswith(f"{one}/") for one in known):
                raise ValueError(f"docker-compose.yaml: {service.name} names {place}, which its container has not")
            return f"{self._root(name)}{place}"

        return placed(text, service.name, self._compose, port_of, folder_of)

    def _fhir(self) -> list[str]:
        """The embedded server in the place of HAPI FHIR; what it was given outlives it, as in a database."""
        options = [f"--port={self.port('fhir', 8080)}", f"--db={self.folder / 'fhir.sqlite'}"]
        return [sys.executable, "-P", "-m", "wardround", "fhir-server", *options]

    def _postgres(self, root: Path, service: Service) -> tuple[list[str], str | None]:
        """Does what the image of PostgreSQL does when it is first started; returns its command and user."""
        programs, data = self._programs.copy_postgresql(root / "programs"), root / "var/lib/postgresql/data"
        password = root / "password"
        password.write_text(service.environment["POSTGRES_PASSWORD"])
        password.chmod(0o644)
        user, options = None, {}
        if os.geteuid() == 0:  # PostgreSQL does not run as root
            nobody = pwd.getpwnam("nobody")
            user, options = f"{nobody.pw_uid}:{nobody.pw_gid}", {"user": nobody.pw_uid, "group": nobody.pw_gid}
            for place in (data.resolve(), root):
                os.chown(place, nobody.pw_uid, nobody.pw_gid)
        data.resolve().chmod(0o700)
        made = ["--auth=scram-sha-256", "--encoding=UTF8", "--locale=C.UTF-8", f"--pwfile={password}"]
        initdb = [programs / "bin/initdb", "-D", data, "-U", service.environment["POSTGRES_USER"], *made]
        with self.log("postgres").open("ab") as log:
            subprocess.run(list(map(str, initdb)), check=True, stdout=log, stderr=log, cwd="/", **options)  # type: ignore[call-overload]
            create = f"create database {service.environment['POSTGRES_DB']}\n".encode()
            alone = [programs / "bin/postgres", "--single", "-D", data, "postgres"]
            subprocess.run(list(map(str, alone)), check=True, input=create, stdout=log, stderr=log, cwd="/", **options)  # type: ignore[call-overload]
        set_to = {"listen_addresses": "127.0.0.1", "port": self.port("postgres", 5432), "unix_socket_directories": ""}
        settings = [word for key, value in set_to.items() for word in ("-c", f"{key}={value}")]
        return [str(programs / "bin/postgres"), "-D", str(data), *settings], user


def _pongs(port: int, password: str) -> bool:
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=5) as connection:
            connection.sendall(f"AUTH {password}\r\nPING\r\n".encode())
            with connection.makefile() as answers:
                return [answers.readline(), answers.readline()] == ["+OK\n", "+PONG\n"]
    except OSError:
        return False


@contextmanager
def running_stack(name: str, stays: int) -> Iterator[Stack]:
    """Runs the stack until the block ends, with a simulated ward of so many stays in the FHIR server.

    Nothing that it started is left then. Logs stay in var/stack/<name>. Raises AssertionError, which names the logs, if
    a service cannot start.
    """
    logs = PROJECT / "var" / "stack" / name
    shutil.rmtree(logs, ignore_errors=True)
    logs.mkdir(parents=True)
    with ExitStack() as ends:
        folder = Path(ends.enter_context(tempfile.TemporaryDirectory(prefix="wardround-stack-")))
        folder.chmod(0o755)
        stack = Stack(folder, logs, stays, built(folder / "image"), servers())
        ends.callback(stack.stop)
        stack.start()
        stack.fill()
        yield stack
