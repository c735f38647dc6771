"""`wardround stream`: runs the stream door, all of it or one process, and operates it."""

import click

from wardround.cli.stream.alarms import command as alarm_commands
from wardround.cli.stream.check import check_files
from wardround.cli.stream.dead import command as dead
from wardround.cli.stream.import_ import import_files
from wardround.cli.stream.pause import pause_command, resume_command
from wardround.cli.stream.replay import command as replay
from wardround.cli.stream.run import (
    FIRST_PORT,
    MEANS,
    host_option,
    json_option,
    process_command,
    run_all_processes,
    until_eof_option,
)
from wardround.cli.stream.status import command as show_status


@click.group(invoke_without_command=True)
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=FIRST_PORT,
    show_default=True,
    help="Port of the listener's page; the stages have the next ones. 0 takes free ones.",
)
@host_option
@until_eof_option
@json_option
@click.pass_context
def command(context: click.Context, port: int, host: str, until_eof: bool, as_json: bool) -> None:
    """Take ADT messages (HL7 v2) in, and score who was newly admitted.

    Without a command: run the listener and all stages, each in a process of its own, until SIGTERM or Ctrl-C.
    """
    if context.invoked_subcommand is None:
        run_all_processes(host, port, until_eof, as_json)


for _position, _name in enumerate(MEANS):
    command.add_command(process_command(_name, _position))
command.add_command(import_files)
command.add_command(check_files)
command.add_command(show_status)
command.add_command(dead)
command.add_command(pause_command)
command.add_command(resume_command)
command.add_command(replay)
command.add_command(alarm_commands)
