"""`wardround model import`: stores a model that was trained elsewhere and that a person trusts."""

import json
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from wardround.cli.results import add_row, print_table
from wardround.errors import ModelError
from wardround.settings import settings_from

if TYPE_CHECKING:
    from wardround.workflows.model_import import ImportedVersion

WARNING = """\
{file}
SHA-256 {digest}

A joblib file is a program: reading it runs any code in it with your rights, here and later in every screening.
Continue only if you know who made this file, and if the digest is the one that they gave you."""


@click.command("import", short_help="Import a model that was trained elsewhere.")
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--condition", required=True, help="Id of the condition that the model predicts.")
@click.option("--schema", type=click.Path(path_type=Path), help="YAML feature schema that came with the model.")
@click.option("--trust", metavar="SHA256", help="Continue without asking if this is the file's SHA-256.")
@click.option("--threshold", type=float, help="Where the high band begins (default: metadata's optimal_threshold).")
@click.option(
    "--moderate-from",
    type=float,
    help="Where the moderate band begins (default: the condition's moderate_at, as a part of where the high one does).",
)
@click.option("--impute", type=click.Path(path_type=Path), help="YAML or JSON file: values to use for unknown ones.")
@click.option(
    "--summary",
    type=click.Choice(["mean", "last", "first", "min", "max"]),
    default="mean",
    show_default=True,
    help="How several values of one feature are summarised, unless the schema says so.",
)
@click.option("--by", envvar="USER", default="unknown", help="Who trusts the file, for the record (default: USER).")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object instead of a table.")
def import_model(
    file: Path,
    condition: str,
    schema: Path | None,
    trust: str | None,
    threshold: float | None,
    moderate_from: float | None,
    impute: Path | None,
    summary: Any,
    by: str,
    as_json: bool,
) -> None:
    """Store the model in FILE, a joblib file of {"model": …, "metadata": …}, to be used like any other.

    The first model of a condition goes live at once; a later one is only stored until `wardround model promote`.
    """
    from wardround.workflows.model_import import ImportRequest
    from wardround.workflows.model_import import import_model as workflow

    request = ImportRequest(
        file=file,
        condition=condition,
        trusted=trust or _confirmed(file),
        trusted_by=by,
        created=datetime.now(UTC),
        feature_schema=schema,
        impute=impute,
        summary=summary,
        threshold=threshold,
        moderate_from=moderate_from,
    )
    _show(workflow(request, settings_from()), as_json)


def _confirmed(file: Path) -> str:
    """Asks at the terminal whether the file is trusted, and returns its digest.

    Raises ModelError if it is not, or if there is no terminal.
    """
    from wardround.workflows.model_import import digest_of

    digest = digest_of(file)
    click.echo(WARNING.format(file=file, digest=digest), err=True)
    if not sys.stdin.isatty():
        raise ModelError(
            f"{file}: was not opened: there is no terminal to ask at; compare the digest above with the one that its"
            " author gave you, and pass it with --trust"
        )
    if not click.confirm("Do you trust this file?", default=False, err=True):
        raise ModelError(f"{file}: was not opened: it is not trusted")
    return digest


def _show(imported: "ImportedVersion", as_json: bool) -> None:
    source = imported.card.imported
    inputs = source.inputs if source else ()
    if as_json:
        result = {
            "condition": imported.card.condition,
            "version": imported.version,
            "live": imported.live,
            "digest": source.digest if source else None,
            "thresholds": imported.card.thresholds,
            "inputs": [one.model_dump(mode="json") for one in inputs],
        }
        click.echo(json.dumps(result))
        return
    from rich.table import Table

    table = Table("the model's input", "column", "unit", "if unknown")
    for one in inputs:
        add_row(table, one.name, one.column, one.unit, _if_unknown(one.column, one.required, imported.card.imputation))
    print_table(table)
    starts = imported.card.thresholds
    click.echo(f"Bands: moderate from {starts['moderate']:.3f}, high from {starts['high']:.3f}.")
    condition, version = imported.card.condition, imported.version
    promote_it = f"`wardround model promote {condition} {version} --why TEXT` makes it live"
    state = "is live" if imported.live else f"is stored; {promote_it}"
    click.echo(f"{condition}: {version} {state}. Its performance was not measured here.")


def _if_unknown(column: str, required: bool, imputation: dict[str, float]) -> str:
    if column in imputation:
        return "imputed"
    return "no score" if required else "left to the model"
