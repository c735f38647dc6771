"""`wardround check`: checks whether everything is in place for the next run."""

import json

import click

from wardround.airflow.sources import screening_dags
from wardround.cli.results import add_row, print_table
from wardround.errors import ModelError
from wardround.settings import settings_from


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object instead of a table.")
def command(as_json: bool) -> None:
    """Validate include/schemas and the stream's settings, and check each condition's live model against them."""
    from rich.table import Column, Table

    from wardround.workflows.check import check

    checked = check(settings_from())
    rows = checked.conditions
    if as_json:
        click.echo(json.dumps(checked.model_dump()))
    else:
        click.echo(
            f"{checked.schemas}: {checked.variables} variables, {checked.server_profiles} server profiles,"
            f" {len(rows)} conditions; models in {checked.models};"
            f" database {checked.database}"
            + (f"; feeds of the stream: {', '.join(checked.feeds)}" if checked.feeds else "")
        )
        table = Table("condition", "version", "columns", Column("spec digest", no_wrap=True), "mode")
        table.add_column("live model", no_wrap=True)
        table.add_column("state")
        for row in rows:
            add_row(
                table,
                row.condition,
                row.version,
                str(row.columns),
                row.spec_digest,
                row.mode,
                row.model or "none",
                row.state,
            )
        print_table(table)
        for row in rows:
            dags = screening_dags(row.condition, row.sources)
            places = ", ".join(f"{source} by {dag_id}" for source, dag_id in dags.items())
            click.echo(f"{row.condition} is screened at {row.schedule} ({row.time_zone}): {places}")
            for warning in row.warnings:
                click.echo(f"warning: {warning}")
    problems = [row.remedy for row in rows if row.state == "refused"] + [row.doubts for row in rows if row.doubts]
    if problems:
        raise ModelError(problems[0])
