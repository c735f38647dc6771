"""`wardround report`: the report of a run, written again."""

from pathlib import Path

import click

from wardround.cli.results import show
from wardround.core import run_files


@click.command()
@click.argument("run", metavar="RUN")
@click.option(
    "--identifiers/--no-identifiers",
    default=None,
    help=f"Of patients and stays, in page and {run_files.WORKLIST}.  [default: in the page alone]",
)
@click.option(
    "--out",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Write the page to this file, and nothing into the run's folder.",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object instead of a table.")
def command(run: str, identifiers: bool | None, out: Path | None, as_json: bool) -> None:
    """Write the report of RUN, and the files that go with it, from what the run left in its folder."""
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
