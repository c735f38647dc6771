"""`wardround report`: writes the report of a run again."""

from pathlib import Path

import click

from wardround.cli.results import show
from wardround.core import run_files


@click.command()
@click.argument("run", metavar="RUN")
@click.option(
    "--identifiers/--no-identifiers",
    default=None,
    help=f"Whether page and {run_files.WORKLIST} identify patients and stays.  [default: only the page does]",
)
@click.option(
    "--out",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Write only the page, to this file, and leave the run's folder unchanged.",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object instead of a table.")
def command(run: str, identifiers: bool | None, out: Path | None, as_json: bool) -> None:
    """Write the report of RUN and its accompanying files again, from the files in the run's folder."""
    from wardround.adapters.files.whole_file import write_whole
    from wardround.settings import settings_from
    from wardround.workflows.report import report, report_page

    settings = settings_from()
    in_page = identifiers is not False
    if out is None:
        path = report(run, settings, identifiers=in_page, identified_table=identifiers is True)
    else:
        page = report_page(run, settings, identifiers=in_page)
        write_whole(out, page.encode())
        path = str(out)
    show({"run": run, "report": path}, as_json)
