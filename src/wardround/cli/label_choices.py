"""The options that choose between the definitions of a label: those of `train` and of `labels`."""

from typing import Final

import click

# The choices of OnsetDefinition and Suspicion in spec/conditions.py, without the seconds that pydantic takes to import.
ONSETS: Final = ("sofa_time", "sofa_rise", "suspected_infection_time", "earlier")
SUSPICIONS: Final = ("any_culture", "without_screening_cultures")

onset_option = click.option(
    "--onset", type=click.Choice(ONSETS), help="When sepsis began, for sepsis3 (default: as its label says)."
)
suspicion_option = click.option(
    "--suspicion",
    type=click.Choice(SUSPICIONS),
    help="Which cultures count when infection is suspected, for sepsis3 (default: as its label says).",
)
