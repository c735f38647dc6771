"""The files of a run that the pages give out, each with the right that it takes. No other file leaves the store."""

from typing import Final, Literal, NamedTuple

from wardround.core import run_files

Right = Literal["GET", "PUT"]
"""What Airflow lets somebody do with the runs of a DAG: read them, or change them as well."""


class Served(NamedTuple):
    """A file of a run's folder: what it is called on the page, and whom it is for."""

    title: str
    about: str
    right: Right
    media_type: str

    @property
    def is_page(self) -> bool:
        """Whether it is shown, and not saved."""
        return self.media_type == "text/html"


SERVED: Final = {
    run_files.REPORT: Served(
        "Report with the worklist", "Who is at risk and why, patient by patient.", "PUT", "text/html"
    ),
    run_files.WORKLIST: Served("Worklist as CSV", "A row for every stay that was found.", "PUT", "text/csv"),
    run_files.AGGREGATES: Served(
        "Report without patients", "Counts, flow, missing data, validation, model.", "GET", "text/html"
    ),
    run_files.AGGREGATES_TABLE: Served(
        "Aggregates as CSV", "The counts of the run, without a patient.", "GET", "text/csv"
    ),
    run_files.MODEL_CARD: Served("Model card", "Of the model that scored this run.", "GET", "text/html"),
}
