"""Runs a temporary PostgreSQL server for tests, from the programs on this machine, on a free port on loopback."""

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from wardround.demo.standalone import free_port

USER, PASSWORD = "ward", "s3cr:et/@ß"


def programs() -> Path:
    """Returns the folder of PostgreSQL's programs, on the PATH or where Debian puts them. Skips if there is none."""
    found = shutil.which("postgres")
    folders = [Path(found).resolve().parent] if found else []
    folders += sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    for folder in folders:
        if (folder / "initdb").exists() and (folder / "postgres").exists():
            return folder
    pytest.skip("PostgreSQL's programs are not installed")


class Server:
    """The running server, in which each test has its own database."""

    def __init__(self, port: int, start: "Callable[[], subprocess.Popen[bytes]]") -> None:
        self.port = port
        self._start = start
        self.process = start()
        self._numbers = count()

    def connected(self, database: str = "postgres") -> Any:
        """Yields an administrator's connection that commits each statement."""
        import psycopg

        return psycopg.connect(
            host="127.0.0.1", port=self.port, user=USER, password=PASSWORD, dbname=database, autocommit=True
        )

    def new_database(self) -> str:
        """Returns the name of an empty database."""
        name = f"ward{next(self._numbers)}"
        with self.connected() as connection:
            connection.execute(f"create database {name}")
        return name

    def wait_until_ready(self) -> None:
        import psycopg

        while self.process.poll() is None:
            try:
                self.connected().close()
            except psycopg.OperationalError:
                time.sleep(0.1)
            else:
                return
        raise AssertionError("PostgreSQL ended before it was ready")

    def crash_and_start(self) -> None:
        """Lets the server end at once, with all connections, as if it had crashed, and starts it again."""
        self.process.send_signal(signal.SIGQUIT)
        self.process.wait()
        self.process = self._start()
        self.wait_until_ready()

    def url(self, database: str, user: str = USER, password: str = "s3cr:et%2F%40ß") -> str:
        return f"postgresql://{user}:{password}@127.0.0.1:{self.port}/{database}"


@contextmanager
def running(fsync: bool = False) -> Iterator[Server]:
    """PostgreSQL does not run as root, so root starts it as the user nobody. Benchmarks set `fsync`."""
    folder, port = programs(), free_port()
    home = Path(tempfile.mkdtemp(prefix="wardround-tests-postgresql-"))
    options: dict[str, Any] = {"cwd": "/"}
    if os.geteuid() == 0:
        nobody = pwd.getpwnam("nobody")
        os.chown(home, nobody.pw_uid, nobody.pw_gid)
        options |= {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}
    password = home / "password"
    password.write_text(f"{PASSWORD}\n", encoding="utf-8")
    password.chmod(0o644)
    made = [*("--auth=scram-sha-256", "--no-sync", "--encoding=UTF8", "--locale=C"), f"--pwfile={password}"]
    command: list[str | Path] = [folder / "initdb", "-D", home / "data", "-U", USER, *made]
    subprocess.run(command, check=True, capture_output=True, **options)
    settings = ["listen_addresses=127.0.0.1", f"port={port}", f"unix_socket_directories={home}"]
    settings.append(f"fsync={'on' if fsync else 'off'}")
    with (home.parent / f"{home.name}.log").open("wb") as log:
        command = [folder / "postgres", "-D", home / "data", *(part for one in settings for part in ("-c", one))]
        server = Server(port, lambda: subprocess.Popen(command, stdout=log, stderr=log, **options))
        try:
            server.wait_until_ready()
            yield server
        finally:
            server.process.terminate()  # "smart": it waits until the last connection is closed
            server.process.wait()
            Path(log.name).unlink()
            shutil.rmtree(home)
