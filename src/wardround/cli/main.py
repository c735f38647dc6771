"""The `wardround` command: a table of subcommands, each imported only when it is called."""

import sys
from importlib import import_module
from traceback import format_tb

import click

from wardround.adapters.files.refused import is_of_storage, refused
from wardround.cli.streams import print_safely
from wardround.cli.verbosity import say_on_stderr, verbose
from wardround.errors import WardroundError, named

# name -> one line of help. The code is the click command `command` in wardround/cli/<name with underscores>.py, or, of
# those that only demonstrate, in wardround/demo/commands.
COMMANDS: dict[str, str] = {
    "demo": "The whole job on an embedded FHIR server: data, training, screening, report.",
    "up": "The same for staying: Airflow with its UI, the FHIR server, schedules on.",
    "simulate": "A synthetic ward as MIMIC-IV CSVs and FHIR NDJSON, for those who have no MIMIC.",
    "mimic2fhir": "MIMIC-IV CSVs to MIMIC-IV-on-FHIR NDJSON, also as a census around a time.",
    "fhir-server": "The embedded FHIR R4 server, for demonstration and tests.",
    "seed": "Upload NDJSON or Bundles to a FHIR server, by their own ids.",
    "train": "Train a model of a condition from MIMIC-IV CSVs.",
    "model": "List, show, compare, import, promote and roll back models; suspend a condition.",
    "screen": "Screen every ICU stay of a FHIR server for a condition, and write RiskAssessments back.",
    "retract": "Take the RiskAssessments of a run back.",
    "features": "A condition's feature table, of MIMIC CSVs, NDJSON or a FHIR server.",
    "labels": "The labels of all ICU stays of MIMIC CSVs with their times, and hourly SOFA.",
    "report": "Write the report of a run again, also without identifiers.",
    "runs": "List runs, also those of a patient, and remove old ones.",
    "history": "Figures of past runs: list, show and compare them, or read them again from the run folders.",
    "database": "Back up and restore the database of the history.",
    "check-source": "What a FHIR server can do, which profile fits it, and how fast it answers.",
    "check": "Validate the spec, and each condition's live model against it.",
}

DEMONSTRATING = frozenset({"demo", "up", "simulate", "mimic2fhir", "fhir-server"})


class _LazyCommands(click.Group):
    """Imports a command's module when the command is named, so that --help imports nothing heavy."""

    def list_commands(self, _ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, _ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        room = "demo.commands" if cmd_name in DEMONSTRATING else "cli"
        command: click.Command = import_module(f"wardround.{room}.{cmd_name.replace('-', '_')}").command
        command.name = cmd_name
        _with_verbose(command)
        return command

    def format_commands(self, _ctx: click.Context, formatter: click.HelpFormatter) -> None:
        if COMMANDS:
            with formatter.section("Commands"):
                formatter.write_dl(list(COMMANDS.items()))


def _with_verbose(command: click.Command) -> None:
    """Gives a command, or each one of a group, the option -v."""
    if isinstance(command, click.Group):
        for inner in command.commands.values():
            _with_verbose(inner)
    elif not any("--verbose" in option.opts for option in command.params):
        command.params.append(verbose())


@click.command(cls=_LazyCommands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="wardround")
def wardround() -> None:
    """Screens every intensive-care patient on a schedule. Decision support only: adjunct, never the sole factor."""


wardround.params.append(verbose())


def run() -> None:
    """Entry point: a WardroundError ends as one message on stderr and its own exit code, never as a traceback.

    A path that cannot be used ends so too. Any other error is a fault of the program. Where it came from is said, and
    what it is, but not its message, which may hold a patient's value.
    """
    print_safely()
    say_on_stderr()
    try:
        wardround(prog_name="wardround")
    except WardroundError as error:
        sys.stderr.write(f"wardround: {error}\n")
        sys.exit(error.exit_code)
    except (FileNotFoundError, FileExistsError, IsADirectoryError, NotADirectoryError, PermissionError) as error:
        where = error.filename or "a file"
        sys.stderr.write(
            f"wardround: {where}: cannot be read or written ({named(error)}), expected a place where both is allowed;"
            " look at the path and its permissions\n"
        )
        sys.exit(WardroundError.exit_code)
    except Exception as error:  # noqa: BLE001 - the interpreter would print its message
        if isinstance(error, OSError) and is_of_storage(error):
            full = refused(error.filename or "a file, or what the output goes to", error)
            sys.stderr.write(f"wardround: {full}\n")
            sys.exit(full.exit_code)
        sys.stderr.writelines(format_tb(error.__traceback__))
        sys.stderr.write(
            f"wardround: {named(error)}: a fault of the program, expected none; report it with the lines above. Its"
            " message is left out, for it may hold a patient's value.\n"
        )
        sys.exit(WardroundError.exit_code)
