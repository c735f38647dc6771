"""`wardround report`: the report of a run, written again."""

from pathlib import Path

import click

from wardround.cli.results import show


@click.command()
@click.argument("run", metavar="RUN")
@click.option("--no-identifiers", is_flag=True, help="Leave out all identifiers of patients and stays.")
@click.option(
    "--out", type=click.Path(path_type=Path, dir_okay=False), help="Write to this file, not to the run's folder."
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object instead of a table.")
def command(run: str, no_identifiers: bool, out: Path | None, as_json: bool) -> None:
    """Write the report of RUN as one HTML file, from what the run left in its folder."""
    from wardround.adapters.whole_file import write_whole
    from wardround.settings import settings_from
    from wardround.workflows.report import report, report_page

    settings = settings_from()
    if out is None:
        path = report(run, settings, identifiers=not no_identifiers)
    else:
        page = report_page(run, settings, identifiers=not no_identifiers)
        write_whole(out, page.encode())
        path = str(out)
    show({"run": run, "report": path}, as_json)
