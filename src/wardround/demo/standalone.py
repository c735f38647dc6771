"""Runs Airflow standalone as a child process: starts it, waits for it, and stops it with everything it started."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

import psutil

from wardround.adapters.files.refused import storing
from wardround.adapters.sockets import LOOPBACK
from wardround.demo.airflow_rest import AirflowApi
from wardround.errors import WardroundError

# Half a minute on an idle machine. An Airflow that ends is noticed at once, so this limit is for one that hangs.
_READY_SECONDS: Final = 600
_STOP_SECONDS: Final = 20
POLL_SECONDS: Final = 0.5


class Standalone:
    """Airflow's api-server, scheduler, dag-processor and triggerer under one parent, in their own session."""

    def __init__(self, process: subprocess.Popen[bytes], api: AirflowApi, log: Path) -> None:
        self.process = process
        self.api = api
        self.log = log

    def wait_until_ready(self) -> None:
        """Returns when every component is healthy. Raises WardroundError if Airflow ends or takes too long."""
        deadline = time.monotonic() + _READY_SECONDS
        while not self.api.is_healthy():
            self.check()
            if time.monotonic() > deadline:
                raise WardroundError(f"Airflow: not ready after {_READY_SECONDS} s; read {self.log}")
            time.sleep(POLL_SECONDS)
        self.api.log_in()

    def check(self) -> None:
        """Raises WardroundError if Airflow has ended."""
        if self.process.poll() is not None:
            raise WardroundError(f"Airflow: ended with code {self.process.returncode}; read {self.log}")


@contextmanager
def running_standalone(variables: Mapping[str, str], port: int, log: Path) -> Iterator[Standalone]:
    """Runs Airflow with `variables` (see `environment.local_environment`) on a loopback port until the block ends.

    Its output goes to `log`. Raises WardroundError if its database cannot be prepared or the port is taken.
    """
    refuse_taken(port)
    base_url = f"http://{LOOPBACK}:{port}"
    environment = {
        **os.environ,
        **variables,
        # Standalone starts its components by the name `airflow`, so it must be on the PATH.
        "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")]),
        "AIRFLOW__API__PORT": str(port),
        "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"{base_url}/execution/",
        "WARDROUND_PAGES": f"{base_url}/wardround",
        "AIRFLOW__LOGGING__WORKER_LOG_SERVER_PORT": str(free_port()),
        "AIRFLOW__LOGGING__TRIGGER_LOG_SERVER_PORT": str(free_port()),
    }
    with storing(log), log.open("wb") as output:
        _migrate(environment, log)
        process = subprocess.Popen(
            ["airflow", "standalone"],
            env=environment,
            executable=Path(sys.executable).parent / "airflow",
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            yield Standalone(process, AirflowApi(base_url), log)
        finally:
            _stop(process)


def free_port() -> int:
    """Returns a loopback port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind((LOOPBACK, 0))
        port: int = probe.getsockname()[1]
        return port


def refuse_taken(port: int, service: str = "Airflow", option: str = "--port") -> None:
    """Raises WardroundError, which names the service, if somebody already listens on a loopback port."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except OSError as error:
            raise WardroundError(
                f"{service}: port {port} cannot be used ({error.strerror}), expected a free one; choose another:"
                f" wardround up {option} {port + 1 if port < 65535 else 8080}"
            ) from None


def _migrate(environment: Mapping[str, str], log: Path) -> None:
    code = "from wardround.demo.in_process import migrate; migrate()"
    with storing(log), log.open("ab") as output:
        done = subprocess.run(
            [sys.executable, "-P", "-c", code], env=environment, stdout=output, stderr=subprocess.STDOUT, check=False
        )
    if done.returncode != 0:
        raise WardroundError(f"Airflow: its database cannot be prepared; read {log}")


def _stop(process: subprocess.Popen[bytes]) -> None:
    """Asks standalone to stop, as Ctrl-C does, and kills what is left of it after _STOP_SECONDS."""
    with suppress(subprocess.TimeoutExpired, ProcessLookupError):
        process.send_signal(signal.SIGINT)
        process.wait(_STOP_SECONDS)
    # Tasks have their own process groups, but all belong to the session that standalone leads.
    for member in psutil.process_iter():
        with suppress(ProcessLookupError, PermissionError, psutil.NoSuchProcess):
            if os.getsid(member.pid) == process.pid:
                member.kill()
    process.wait()
