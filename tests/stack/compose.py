"""Reads docker-compose.yaml and the Dockerfile: what each service runs, with which variables, and what it shares.

What a value says of a place (the host of another service, a published port, a folder) is replaced by where the stack
has it. A variable, a host or a folder that the stack knows nothing of is an error, so that nothing in the file is
passed over.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import yaml

from wardround.settings import PROJECT

FOLDERS: Final = ("/opt/wardround", "/opt/airflow", "/tmp")
"""What a container of our image has beside its volumes."""
NOBODY: Final = 9
"""A port at which nobody answers."""
_ABSENT: Final = {"otel-collector"}
"""Services that values name and that are not started: those of the profile `watch`."""
_DEFAULT_PORTS: Final = {"postgresql": 5432, "db": 5432, "http": 80}
_VARIABLE: Final = re.compile(r"\$(?:\$|\{([A-Z_]+)(?:(:[?-])([^}]*))?\})")
_HOST: Final = re.compile(
    r"(?P<scheme>[a-z]+)(?P<driver>\+\w+)?://(?P<user>[^/@\s]*@)?(?P<host>[\w.-]+)(?::(?P<port>\d+))?"
)
_FOLDER: Final = re.compile(r"(?<![\w/.:@$}*-])/[a-z][\w./-]*")


@dataclass(frozen=True)
class Service:
    """One service of the file, filled in.

    Attributes:
        ours: whether it runs the Dockerfile's image.
        command: what it runs; empty: what its image does.
        environment: its variables, those of the Dockerfile among them.
        volumes: what is mounted, by its folder in the container: a named volume, or `./` and a folder of the project.
        restarts: whether it is started again when it ends.
        waits_for: the condition under which it may start, by service.
        health: the command that says whether it is healthy; empty: there is none.
    """

    name: str
    ours: bool
    command: tuple[str, ...]
    environment: dict[str, str]
    volumes: dict[str, str]
    restarts: bool
    waits_for: dict[str, str]
    health: tuple[str, ...]


class Compose:
    """The file, filled in with the values that .env would have."""

    def __init__(self, values: Mapping[str, str]) -> None:
        self._values = values
        self._services: dict[str, Any] = yaml.safe_load((PROJECT / "docker-compose.yaml").read_text())["services"]

    def service(self, name: str) -> Service:
        """Raises ValueError for a variable without a value."""
        stated = self._services[name]
        given = {key: self._value(key, value) for key, value in stated.get("environment", {}).items()}
        ours = stated["image"].startswith("wardround:")
        check = stated.get("healthcheck", {})
        return Service(
            name=name,
            ours=ours,
            command=tuple(self._filled(word) for word in stated.get("command", ())),
            environment={
                **(image_variables() if ours else {}),
                **{key: value for key, value in given.items() if value is not None},
            },
            volumes={folder: volume for volume, folder, *_ in (one.split(":") for one in stated.get("volumes", ()))},
            restarts=stated["restart"] == "unless-stopped",
            waits_for={other: one["condition"] for other, one in stated.get("depends_on", {}).items()},
            health=tuple(self._filled(word) for word in check.get("test", ("CMD",))[1:]),
        )

    def names(self) -> set[str]:
        return set(self._services)

    def published(self, port: int) -> tuple[str, int] | None:
        """Returns the service, and its port, that is published as this one of the machine; None if none is."""
        for name, stated in self._services.items():
            for words in (one.split(":") for one in stated.get("ports", ())):
                if int(words[1]) == port:
                    return name, int(words[2])
        return None

    def _value(self, name: str, stated: object) -> str | None:
        return self._values.get(name) if stated is None else self._filled(str(stated))

    def _filled(self, text: str) -> str:
        def one(found: re.Match[str]) -> str:
            name, kind, default = found.groups()
            if name is None:
                return "$"
            if name not in self._values and kind != ":-":
                raise ValueError(f"docker-compose.yaml: the stack has no value for ${{{name}}}; give it one")
            return self._values.get(name, default)

        return _VARIABLE.sub(one, text)


def image_variables() -> dict[str, str]:
    """Returns what the Dockerfile's ENV sets."""
    text = (PROJECT / "Dockerfile").read_text()
    [block] = re.findall(r"^ENV ((?:.*\\\n)*.*)$", text, flags=re.MULTILINE)
    return dict(word.split("=", 1) for word in block.replace("\\\n", " ").split())


def copied() -> tuple[str, ...]:
    """Returns what the Dockerfile copies into its work folder."""
    text = (PROJECT / "Dockerfile").read_text().partition("\nWORKDIR ")[2]
    return tuple(name for line in re.findall(r"^COPY (.+) \S+$", text, flags=re.MULTILINE) for name in line.split())


def placed(
    text: str, own: str, compose: Compose, port_of: Callable[[str, int], int], folder_of: Callable[[str], str]
) -> str:
    """Returns a value, or a word of a command, with the stack's ports and folders in place of the containers'.

    Args:
        own: the service that it is of, which is `localhost` where no service has published the port.
        port_of: the port of this machine for a service and its port.
        folder_of: the folder of this machine for one of the container. Raises ValueError for one that it has not.

    Raises ValueError for a host or a folder that the stack does not have.
    """

    def host(found: re.Match[str]) -> str:
        name, port = found["host"], int(found["port"] or _DEFAULT_PORTS[found["scheme"]])
        if name == "localhost":
            name, port = compose.published(port) or (own, port)
        if name not in compose.names():
            raise ValueError(f"docker-compose.yaml: {own} names the host {name!r}, which is none of the services")
        here = NOBODY if name in _ABSENT else port_of(name, port)
        return f"{found['scheme']}{found['driver'] or ''}://{found['user'] or ''}127.0.0.1:{here}"

    return _HOST.sub(host, text) if _HOST.search(text) else _FOLDER.sub(lambda found: folder_of(found[0]), text)
