"""`wardround stream listen|flag|query|predict|notify|resolve|watch`, and `wardround stream` for all of them."""

import json
import os
from functools import partial
from typing import TYPE_CHECKING, Final

import click

from wardround.adapters.heap import give_back, tune_glibc
from wardround.adapters.sockets import LOOPBACK, end_with_stdin, listen, url_of
from wardround.cli.results import say
from wardround.cli.verbosity import verbosity_now
from wardround.settings import settings_from

if TYPE_CHECKING:
    from collections.abc import Callable
    from socket import socket

    from wardround.settings import Settings

FIRST_PORT: Final = 9470
"""Of the page of the listener; each stage after it has the next one."""
# The libraries of a model would otherwise start a thread for each processor, and wait for each other.
_ONE_THREAD: Final = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
MEANS: Final = {
    "listen": "Take in messages from the interface engines, and acknowledge what is stored.",
    "flag": "Notice who was newly admitted, in the order in which messages arrived.",
    "query": "Read the data of those who were admitted from the FHIR server.",
    "predict": "Score what was read with the live model.",
    "notify": "Write scores into the record, and tell people.",
    "resolve": "Read the Encounters that FHIR Subscriptions announce.",
    "watch": "Raise alarms: queues that grow, visits that are stuck, sources that are silent, a disk that is full.",
}

host_option = click.option(
    "--host", default=LOOPBACK, show_default=True, help="Address of the page with /health, /ready and /metrics."
)
until_eof_option = click.option(
    "--until-eof", is_flag=True, help="Stop when standard input ends (for a program that starts this one)."
)
json_option = click.option("--json", "as_json", is_flag=True, help="Print one JSON object when ready.")


def process_command(name: str, position: int) -> click.Command:
    """Returns the command that runs one stage, or the listener, in this process."""

    @click.command(name, short_help=MEANS[name], help=_help_of(name))
    @click.option(
        "--port",
        type=click.IntRange(0, 65535),
        default=FIRST_PORT + position,
        show_default=True,
        help="Port of that page; 0 takes a free one.",
    )
    @host_option
    @until_eof_option
    @json_option
    def command(port: int, host: str, until_eof: bool, as_json: bool) -> None:
        os.environ.update(_ONE_THREAD)
        tune_glibc()
        with listen(host, port, f"stream {name}") as page:
            if until_eof:
                end_with_stdin()
            where = url_of(page)

            def ready() -> None:
                give_back()
                said = json.dumps({"process": name, "page": where})
                click.echo(said if as_json else f"stream {name}: ready; {where}/ready (Ctrl-C stops it)")

            _serve(name)(settings_from(), page, ready)
        say(f"stream {name}: stopped")

    return command


def _serve(name: str) -> "Callable[[Settings, socket, Callable[[], None]], None]":
    if name == "watch":
        from wardround.stream.watch import serve_watch

        return serve_watch
    from wardround.stream.serving import serve_listener, serve_stage

    return serve_listener if name == "listen" else partial(serve_stage, name)


def run_all_processes(host: str, port: int, until_eof: bool, as_json: bool) -> None:
    """Runs the listener and all stages as processes of their own, until SIGTERM or SIGINT."""
    from wardround.spec.loading import load_stream
    from wardround.stream.processes import run_all
    from wardround.stream.stages import PROCESSES, processes_of

    if until_eof:
        end_with_stdin()
    needed = processes_of(load_stream(settings_from().stream))
    ports = {name: port + place if port else 0 for place, name in enumerate(PROCESSES) if name in needed}
    commands = {
        name: [*verbosity_now(), "stream", name, "--host", host, "--port", str(own), "--until-eof", "--json"]
        for name, own in ports.items()
    }

    def ready(said: dict[str, str]) -> None:
        pages = {name: json.loads(line)["page"] for name, line in said.items()}
        click.echo(json.dumps({"pages": pages}) if as_json else f"stream: ready; pages {', '.join(pages.values())}")

    run_all(commands, ready)
    say("stream: stopped")


def _help_of(name: str) -> str:
    return (
        f"{MEANS[name]}\n\nRuns in the foreground, with a page that shows /health, /ready and /metrics. SIGTERM and"
        " Ctrl-C stop it after the messages in hand, within 10 seconds."
    )
