"""Tells for a command whether it starts a run or resumes one, and says how a run is resumed."""

from collections.abc import Collection
from typing import Final

import click
from click.core import ParameterSource

from wardround.cli.results import say

resume_option: Final = click.option(
    "--resume", "resumed", metavar="RUN", help="Finish a run that failed or was killed."
)


def require_all_or_resume(context: click.Context, needed: Collection[str], give: str, beside: Collection[str]) -> None:
    """Raises UsageError unless the options either start a run or resume one, which keeps its own.

    Args:
        needed: the parameters without which no run starts; `give` names them as they are typed.
        beside: the options that may be given with --resume.
    """
    if context.params["resumed"] is None:
        missing = [name for name in needed if not context.params[name]]
        if missing:
            raise click.UsageError(f"{missing[0].replace('_', '-')} is missing; give {give}")
        return
    given = {name for name in context.params if context.get_parameter_source(name) is ParameterSource.COMMANDLINE}
    if changed := sorted(given - {"resumed", *beside}):
        raise click.UsageError(f"--resume keeps the run's own {changed[0].replace('_', ' ')}; leave it out")


def say_how_to_continue(command: str, run: str) -> None:
    say(f"To continue this run if it is interrupted: wardround {command} --resume {run}")
