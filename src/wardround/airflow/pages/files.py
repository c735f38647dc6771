"""Lists the run files that the pages serve, each with the right that it requires. No other file is served."""

from typing import Final, Literal, NamedTuple

from wardround.core import run_files

Right = Literal["GET", "PUT"]
"""A right on the runs of a DAG in Airflow: to read them (GET), or to change them as well (PUT)."""


class Served(NamedTuple):
    """A file of a run: its title on the page, and the right that it requires."""

    title: str
    about: str
    right: Right
    media_type: str

    @property
    def is_page(self) -> bool:
        """Whether the browser shows it instead of saving it."""
        return self.media_type == "text/html"


SERVED: Final = {
    run_files.REPORT: Served(
        "Report with the worklist", "Who is at risk and why, patient by patient.", "PUT", "text/html"
    ),
    run_files.WORKLIST: Served("Worklist as CSV", "One row for every stay that was found.", "PUT", "text/csv"),
    run_files.AGGREGATES: Served(
        "Report without patients", "Counts, flow, missing data, validation, model.", "GET", "text/html"
    ),
    run_files.AGGREGATES_TABLE: Served(
        "Aggregates as CSV", "The counts of the run, without patients.", "GET", "text/csv"
    ),
    run_files.MODEL_CARD: Served("Model card", "The model that scored this run.", "GET", "text/html"),
}
