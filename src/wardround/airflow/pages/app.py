"""The pages as one FastAPI application.

    /runs                                  screenings, newest first; filtered by ?condition= and ?page=
    /runs/{run}                            one run: its counts and its files
    /runs/{run}/{file}                     a file of `files.SERVED`
    /models                                the stored versions of every condition
    /models/{condition}/{version}/card.html
    /dags/{dag_id}                         the tab of a DAG: the runs or the versions of its condition
    /dags/{dag_id}/runs/{dag_run_id}       the tab of a DAG run

What a user may not read is answered with 404, as if it did not exist; a file that names patients, with 403.
"""

import logging
from typing import Annotated, Final

from fastapi import Depends, FastAPI, HTTPException, Query, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import Response
from starlette.exceptions import HTTPException as AnyHttpError

from wardround.adapters.files.run_folder import RunFolder
from wardround.adapters.models.store import ModelStore
from wardround.airflow.conditions import valid_conditions
from wardround.airflow.pages import answers
from wardround.airflow.pages.access import PREFIXES, SignedIn
from wardround.airflow.pages.files import SERVED, Served
from wardround.airflow.pages.sheets import filtered_sheet, sheet
from wardround.airflow.sources import of_dag as parts_of
from wardround.airflow.sources import run_key
from wardround.core import run_files
from wardround.core.run_overview import Kind, RunOverview
from wardround.errors import ModelError, RunNotFound, SpecError, StorageError, WardroundError, named
from wardround.escaping import visible
from wardround.settings import Settings, settings_from
from wardround.training.decisions import Standing
from wardround.workflows.run_list import has_key, overview_of, overviews, run_names
from wardround.workflows.stores import model_store

_LOG = logging.getLogger(__name__)

MOST_PAGES: Final = 1_000_000
_WORDS: Final = {
    400: ("Not understood", "There is no page at this address. Go back to the list of runs."),
    401: ("Not signed in", "Sign in to Airflow, then open this page again."),
    403: (
        "Not for your account",
        "This file names patients. Your account may read the DAG's runs but not change them. Open the report without"
        " patients, or ask your Airflow administrator for the right to edit runs of this DAG.",
    ),
    404: ("Not found", "There is no such page, run or file, or your account may not read it."),
    405: ("Not understood", "These pages are read-only."),
}

Installation = Annotated[Settings, Depends(lambda: settings_from())]
Condition = Annotated[str | None, Query(pattern=r"^[a-z][a-z0-9_]*$", max_length=100)]
PageNumber = Annotated[int, Query(ge=1, le=MOST_PAGES)]


def create_app() -> FastAPI:
    """Returns the application that Airflow mounts. It has no API documentation, and each route requires a login."""
    app = FastAPI(title="Wardround", docs_url=None, redoc_url=None, openapi_url=None, redirect_slashes=False)
    app.add_api_route("/runs", runs, methods=["GET"])
    app.add_api_route("/runs/{run}", one_run, methods=["GET"])
    app.add_api_route("/runs/{run}/{file}", run_file, methods=["GET"])
    app.add_api_route("/models", models, methods=["GET"])
    app.add_api_route("/models/{condition}/{version}/card.html", card, methods=["GET"])
    app.add_api_route("/dags/{dag_id}", of_dag, methods=["GET"])
    app.add_api_route("/dags/{dag_id}/runs/{dag_run_id}", of_dag_run, methods=["GET"])
    app.add_exception_handler(AnyHttpError, _refused)
    app.add_exception_handler(RequestValidationError, _not_understood)
    app.add_exception_handler(RunNotFound, _not_there)
    app.add_exception_handler(ModelError, _not_there)
    app.add_exception_handler(WardroundError, _failed)
    app.add_exception_handler(Exception, _failed)
    return app


def runs(
    request: Request,
    reader: SignedIn,
    settings: Installation,
    condition: Condition = None,
    page: PageNumber = 1,
) -> Response:
    """Lists the screenings, newest first."""
    return _list(request, reader, settings, condition, page)


def one_run(request: Request, reader: SignedIn, settings: Installation, run: str) -> Response:
    """Shows one run with its existing files, including those that the user may not open."""
    return _run_page(request, _readable(run, reader, settings), reader, settings)


def run_file(
    reader: SignedIn,
    settings: Installation,
    run: str,
    file: str,
) -> Response:
    """Serves a file of a run. 404 if not served or missing; 403 if it names patients and the user may only read."""
    served = SERVED.get(file)
    if served is None:
        raise HTTPException(404)
    found = _readable(run, reader, settings)
    if not reader.may_see_run(found, served.right):
        raise HTTPException(403)
    content = RunFolder.of(settings.runs, run).read_bytes(file)
    if served.right == "PUT":
        _LOG.info("run %s: %s opened by %s", run, file, visible(reader.name))
    return answers.file(content, served.media_type, None if served.is_page else f"{run}-{file}")


def models(request: Request, reader: SignedIn, settings: Installation, condition: Condition = None) -> Response:
    """Lists the stored versions of the conditions whose cards the user may see."""
    store = model_store(settings)
    known = [one for one in store.conditions() if condition in (None, one) and reader.may_see_cards(one)]
    shelves = [(one, *_shelf(one, store)) for one in known]
    return answers.page(request, "models", title="Model cards", shelves=shelves)


def card(reader: SignedIn, settings: Installation, condition: str, version: str) -> Response:
    """Serves a model card from the store, after its digests were checked."""
    if not reader.may_see_cards(condition):
        raise HTTPException(404)
    return answers.file(model_store(settings).page(condition, version).encode(), "text/html")


def of_dag(request: Request, reader: SignedIn, settings: Installation, dag_id: str, page: PageNumber = 1) -> Response:
    """Shows the tab of a DAG: the runs of a screening, or the models for the condition's other DAGs."""
    kind, condition, source = _made_by(dag_id, reader)
    if not condition:
        return _no_report(request)
    if kind == "screening":
        alone = not _further_sources(settings).get(condition)
        return _list(request, reader, settings, condition, page, None if alone else source)
    return models(request, reader, settings, condition)


def of_dag_run(request: Request, reader: SignedIn, settings: Installation, dag_id: str, dag_run_id: str) -> Response:
    """Shows the tab of a DAG run: the run that it opened, or several if it was cleared with another prediction time."""
    kind, condition, _ = _made_by(dag_id, reader)
    if kind is None:
        return _no_report(request)
    names = [
        name
        for name in run_names(settings)
        if (name.kind, name.of_condition) == (kind, condition) and has_key(name, run_key(dag_id, dag_run_id))
    ]
    found = _allowed(overviews(names, settings), reader)
    if not found:
        text = "This DAG run has not opened a run yet. Open this tab again when its first task has ended."
        return answers.message(request, 200, "Nothing yet", text)
    return _run_page(request, found[0], reader, settings, also=found[1:])


def _list(
    request: Request,
    reader: SignedIn,
    settings: Settings,
    condition: str | None,
    page: int,
    source: str | None = None,
) -> Response:
    """Lists the screenings that the user may read, of one condition or all; with `source`, of one DAG of several.

    If their names are enough to select them, only the runs on the page are read.
    """
    further = _further_sources(settings)
    names = [name for name in run_names(settings) if name.kind == "screening"]
    dags = {one: ("", *further.get(one, ())) for one in {name.of_condition for name in names}}
    rights = {one: [reader.may_see("screening", one, further_source=each) for each in dags[one]] for one in dags}
    chosen = [one for one in rights if any(rights[one]) and condition in (None, one)]
    names = [name for name in names if name.of_condition in chosen]
    if source is None and all(all(rights[one]) for one in chosen):
        found = sheet(names, page, settings)
        found = found._replace(rows=_allowed(found.rows, reader))
    else:
        found = filtered_sheet(
            names,
            page,
            settings,
            lambda one: reader.may_see_run(one) and source in (None, one.further_source),
        )
    conditions = sorted(one for one in rights if any(rights[one]))
    return answers.page(
        request, "runs", title="Reports", sheet=found, conditions=conditions, condition=condition, page=page
    )


def _run_page(
    request: Request, found: RunOverview, reader: SignedIn, settings: Settings, also: list[RunOverview] | None = None
) -> Response:
    held = RunFolder.of(settings.runs, found.run).held_of(SERVED)
    files = [(name, served, _may_open(served, found, reader)) for name, served in SERVED.items() if name in held]
    versions, _ = _shelf(found.condition, model_store(settings))
    in_store = found.model_version in versions and reader.may_see_cards(found.condition)
    return answers.page(
        request,
        "run",
        title=found.title or found.condition,
        row=found,
        files=files,
        card=in_store and run_files.MODEL_CARD not in held,
        also=also or [],
    )


def _shelf(condition_id: str, store: ModelStore) -> tuple[tuple[str, ...], Standing | None]:
    """Returns a condition's stored versions, newest first, and what was decided, or None if that cannot be read.

    A broken store must not hide the reports or the other conditions.
    """
    try:
        return tuple(reversed(store.versions(condition_id))), store.standing(condition_id)
    except (ModelError, StorageError) as error:
        _LOG.warning("pages: %s", visible(str(error)))
        return (), None


def _may_open(served: Served, found: RunOverview, reader: SignedIn) -> bool:
    return reader.may_see_run(found, served.right)


def _readable(run: str, reader: SignedIn, settings: Settings) -> RunOverview:
    """Returns a run that the user may read. Raises RunNotFound if it does not exist, else HTTPException 404."""
    found = _allowed([overview_of(run, settings)], reader)
    if not found:
        raise HTTPException(404)
    return found[0]


def _allowed(found: list[RunOverview], reader: SignedIn) -> list[RunOverview]:
    """Returns the runs that the user may read, judged by the content of their files and not by their names."""
    return [one for one in found if reader.may_see_run(one)]


def _further_sources(settings: Settings) -> dict[str, tuple[str, ...]]:
    """Returns, for each condition, the sources with their own DAG; empty if the conditions cannot be read."""
    try:
        return {each.id: each.sources[1:] for each in valid_conditions(settings)}
    except SpecError:
        return {}


def _made_by(dag_id: str, reader: SignedIn) -> tuple[Kind | None, str, str]:
    """Returns the kind of run that a DAG makes, its condition, and its source (empty for the first one).

    Kind and condition are empty if the DAG is not ours. Raises HTTPException 404 if the user may not read it.
    """
    if not reader.may("GET", dag_id):
        raise HTTPException(404)
    kind = next((kind for kind, prefix in PREFIXES.items() if dag_id.startswith(prefix)), None)
    condition, source = parts_of(dag_id)
    return kind, condition, source or ""


def _no_report(request: Request) -> Response:
    return answers.message(request, 200, "No report", "Only Wardround's screenings and trainings have reports.")


def _refused(request: Request, error: Exception) -> Response:
    assert isinstance(error, AnyHttpError)
    title, text = _WORDS.get(error.status_code, _WORDS[400])
    return answers.message(request, error.status_code, title, text, error.headers)


def _not_understood(request: Request, _error: Exception) -> Response:
    return answers.message(request, 400, *_WORDS[400])


def _not_there(request: Request, _error: Exception) -> Response:
    return answers.message(request, 404, *_WORDS[404])


def _failed(request: Request, error: Exception) -> Response:
    why = str(error) if isinstance(error, WardroundError) else named(error)
    _LOG.error("pages: %s", visible(why))
    return answers.message(request, 500, "Cannot be shown", "The log of Airflow's api-server says why.")
