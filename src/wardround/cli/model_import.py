"""`wardround model import`: a model that was trained elsewhere, and that a person trusts, becomes a version."""

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

A joblib file is a program: reading it runs whatever code it holds, with your rights, here now and later in every
screening. Go on only if you know who made this file, and that the digest is the one that they gave you."""


@click.command("import", short_help="Take in a model from elsewhere.")
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--condition", required=True, help="Id of the condition that the model predicts.")
@click.option("--schema", type=click.Path(path_type=Path), help="YAML feature schema that came with the model.")
@click.option("--trust", metavar="SHA256", help="Go on without asking if this is the file's SHA-256.")
@click.option("--threshold", type=float, help="Where the high band starts (default: metadata's optimal_threshold).")
@click.option("--impute", type=click.Path(path_type=Path), help="YAML or JSON: what replaces unknown values.")
@click.option(
    "--summary",
    type=click.Choice(["mean", "last", "first", "min", "max"]),
    default="mean",
    show_default=True,
    help="How several values of a schema's feature become one, unless the schema says.",
)
@click.option("--by", envvar="USER", default="unknown", help="Who trusts the file, for the record (default: USER).")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object instead of a table.")
def import_model(
    file: Path,
    condition: str,
    schema: Path | None,
    trust: str | None,
    threshold: float | None,
    impute: Path | None,
    summary: Any,
    by: str,
    as_json: bool,
) -> None:
    """Store the model in FILE, a joblib file of {"model": …, "metadata": …}, to be served like any other.

    The first model of a condition goes live; a later one is stored, for `wardround model promote`.
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
    )
    _show(workflow(request, settings_from()), as_json)


def _confirmed(file: Path) -> str:
    """The digest of a file that the person at the terminal trusts. Raises ModelError without a terminal."""
    from wardround.workflows.model_import import digest_of

    digest = digest_of(file)
    click.echo(WARNING.format(file=file, digest=digest), err=True)
    if not sys.stdin.isatty():
        raise ModelError(
            f"{file}: was not opened: nobody is there to be asked; compare the digest above with the one that its"
            " maker gave you, and give it with --trust"
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
            "inputs": [one.model_dump(mode="json") for one in inputs],
        }
        click.echo(json.dumps(result))
        return
    from rich.table import Table

    table = Table("the model's input", "column", "unit", "if unknown")
    for one in inputs:
        add_row(table, one.name, one.column, one.unit, _if_unknown(one.column, one.required, imported.card.imputation))
    print_table(table)
    condition, version = imported.card.condition, imported.version
    promote_it = f"`wardround model promote {condition} {version} --why TEXT` makes it live"
    state = "is live" if imported.live else f"is stored; {promote_it}"
    click.echo(f"{condition}: {version} {state}. Nothing about how good it is was measured here.")


def _if_unknown(column: str, required: bool, imputation: dict[str, float]) -> str:
    if column in imputation:
        return "imputed"
    return "no score" if required else "left to the model"
