"""The `wardround` command: lists the subcommands and imports each one only when it is called."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from traceback import format_tb

import click

from wardround.adapters.files.refused import is_of_storage, refused
from wardround.cli.streams import print_safely
from wardround.cli.verbosity import say_on_stderr, verbose
from wardround.errors import WardroundError, named

# name -> one line of help. The code is the click command `command` in wardround/cli/<name with underscores>.py, or in
# wardround/demo/commands for those that are only for demonstration.
COMMANDS: dict[str, str] = {
    "demo": "Show everything once on an embedded FHIR server: data, training, screening, report.",
    "up": "Keep it running: Airflow with its UI, the FHIR server, CDS Hooks, the stream, schedules on.",
    "simulate": "Write a synthetic ward as MIMIC-IV CSVs and FHIR NDJSON, if you have no MIMIC.",
    "mimic2fhir": "Convert MIMIC-IV CSVs to MIMIC-IV-on-FHIR NDJSON, also as a census around a time.",
    "fhir-server": "Run the embedded FHIR R4 server, for demonstration and tests.",
    "seed": "Upload NDJSON or Bundles to a FHIR server; resources keep their ids.",
    "train": "Train a model for a condition from MIMIC-IV CSVs.",
    "model": "List, show, compare, import, promote and roll back models; suspend a condition.",
    "screen": "Screen every ICU stay of a FHIR server for a condition, and write RiskAssessments back.",
    "cds": "Answer CDS Hooks at the bedside: the score of one patient as a card.",
    "stream": "Take ADT messages (HL7 v2) in, and score who was newly admitted.",
    "demo-patients": "Write patients of each band as files, to try the bedside door with.",
    "sandbox": "Play the EHR: call a CDS Hooks service about patients, and show its cards.",
    "ehr": "Show the bedside door in a browser: a ward, and a small EHR page with its cards.",
    "retract": "Retract the RiskAssessments of a run.",
    "retract-bedside": "Retract the RiskAssessments that were written as charts were opened.",
    "features": "Write a condition's feature table, from MIMIC CSVs, NDJSON or a FHIR server.",
    "labels": "Write the labels of all ICU stays of MIMIC CSVs with their times, and hourly SOFA.",
    "report": "Write the report of a run again, with or without identifiers.",
    "runs": "List runs, also those of a patient, and remove old ones.",
    "history": "List, show and compare figures of past runs, or rebuild them from the run folders.",
    "database": "Back up and restore Wardround's database, or erase a patient in it.",
    "check-stores": "Find what does not fit together in models, runs, database and record, after a restoration.",
    "check-source": "Report what a FHIR server supports, which profile fits it, and how fast it answers.",
    "check": "Validate the spec, and check each condition's live model against it.",
}

_DEMONSTRATING = frozenset({"demo", "up", "simulate", "mimic2fhir", "fhir-server", "demo-patients", "sandbox", "ehr"})
# group -> its commands that are only for demonstration: <group>_<name>.py in wardround/demo/commands.
_DEMONSTRATING_IN = {"stream": ("simulate",)}


class _LazyCommands(click.Group):
    """Imports a command's module when the command is named, so that --help imports nothing heavy."""

    def list_commands(self, _ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, _ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        room = "demo.commands" if cmd_name in _DEMONSTRATING else "cli"
        command: click.Command = import_module(f"wardround.{room}.{cmd_name.replace('-', '_')}").command
        command.name = cmd_name
        if isinstance(command, click.Group):
            for name in _DEMONSTRATING_IN.get(cmd_name, ()):
                module = import_module(f"wardround.demo.commands.{cmd_name}_{name}")
                command.add_command(module.command, name)
        _with_verbose(command)
        return command

    def format_commands(self, _ctx: click.Context, formatter: click.HelpFormatter) -> None:
        if COMMANDS:
            with formatter.section("Commands"):
                formatter.write_dl(list(COMMANDS.items()))


def _with_verbose(command: click.Command) -> None:
    """Adds the option -v to a command, and to each command of a group; to a group only if it does something itself."""
    if isinstance(command, click.Group):
        for inner in command.commands.values():
            _with_verbose(inner)
        if not command.invoke_without_command:
            return
    if not any("--verbose" in option.opts for option in command.params):
        command.params.append(verbose())


@click.command(cls=_LazyCommands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="wardround")
def wardround() -> None:
    """Screens every intensive-care patient on a schedule.

    Decision support only: an adjunct, never the sole basis of a decision.
    """


wardround.params.append(verbose())


def run() -> None:
    """Runs the command line. A WardroundError becomes one message on stderr and its exit code, never a traceback.

    So does an unusable path. Any other error is a fault of the program: its type and origin are printed, but not its
    message, which may contain a patient's value.
    """
    print_safely()
    say_on_stderr()
    with reported():
        wardround(prog_name="wardround")


@contextmanager
def reported() -> Iterator[None]:
    """Turns what the block raises into a message on stderr and the end of the process, as `run` says."""
    try:
        yield
    except WardroundError as error:
        sys.stderr.write(f"wardround: {error}\n")
        sys.exit(error.exit_code)
    except (FileNotFoundError, FileExistsError, IsADirectoryError, NotADirectoryError, PermissionError) as error:
        where = error.filename or "a file"
        sys.stderr.write(
            f"wardround: {where}: cannot be read or written ({named(error)}), expected a readable and writable path;"
            " check the path and its permissions\n"
        )
        sys.exit(WardroundError.exit_code)
    except Exception as error:  # noqa: BLE001 - otherwise the interpreter would print its message
        if isinstance(error, OSError) and is_of_storage(error):
            full = refused(error.filename or "a file, or the output", error)
            sys.stderr.write(f"wardround: {full}\n")
            sys.exit(full.exit_code)
        sys.stderr.writelines(format_tb(error.__traceback__))
        sys.stderr.write(
            f"wardround: {named(error)}: a fault of the program, expected none; report it with the lines above. Its"
            " message is left out because it may contain a patient's value.\n"
        )
        sys.exit(WardroundError.exit_code)
