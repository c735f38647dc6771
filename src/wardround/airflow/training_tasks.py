"""Runs the steps of a training that need the DAG run's Params or Airflow's settings; DAG files call the others."""

import logging
import os
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote, urlsplit

import pandas as pd
from airflow.configuration import conf

from wardround.adapters.files.run_folder import run_id
from wardround.adapters.models.live_record import LiveRecord
from wardround.airflow.forms import run_time, triggered_by
from wardround.airflow.pages.plugin import PREFIX
from wardround.errors import SourceDataError
from wardround.escaping import markdown, visible
from wardround.evaluation.comparison import Comparison
from wardround.evaluation.comparison_text import as_markdown
from wardround.model_card.card_words import predicted
from wardround.model_card.judged import alert_lines, in_short
from wardround.settings import settings_from
from wardround.spec.loading import load_condition
from wardround.training.decisions import What
from wardround.workflows import train
from wardround.workflows.report_places import card_place, stored_card_place
from wardround.workflows.stores import model_store
from wardround.workflows.train.run import load_run

_LOG = logging.getLogger(__name__)


def load(condition_id: str, params: Mapping[str, Any], dag_run: Any) -> str:
    """Opens the run and returns its id. A cleared DAG run opens the same run again."""
    mimic = params["mimic"] or os.environ.get("MIMIC_CSV_PATH")
    if not mimic:
        raise SourceDataError(
            "MIMIC: not given, expected a folder with hosp/ and icu/; fill in the form or set MIMIC_CSV_PATH"
        )
    created = run_time(dag_run)
    request = train.training_request(
        {
            **params,
            "mimic": mimic,
            "candidates": params["candidates"] or None,
            "condition": condition_id,
            "created": created,
            "run": run_id(f"train_{condition_id}", pd.Timestamp(created), dag_run.run_id),
        }
    )
    return train.load(request, settings_from())


def compare(run: str) -> None:
    """Compares the run's model with the live one. Raises TrainingError if a promotion gate failed."""
    train.require_gates(train.compare(run, settings_from()))


def is_live(run: str) -> bool:
    live = train.is_live(run, settings_from())
    if live:
        _log_result(run, "no approval needed, the version is already live")
    return live


def why_unasked(run: str) -> str | None:
    why = train.why_unasked(run, settings_from())
    if why:
        _log_result(run, f"no approval needed, {why}")
    return why


def question(run: str) -> tuple[str, str]:
    """Returns the question for the person who decides, and what to show them, as Markdown."""
    opened = load_run(run, settings_from())
    comparison = train.comparison_of(opened)
    _log_result(run, f"approval requested for {comparison.version}")
    first, _, rest = as_markdown(comparison).partition("\n")
    # Airflow shows the subject as it is, and the body as Markdown.
    subject = f"{visible(opened.condition.title)}: may {visible(comparison.version)} go live?"
    judged = _what_was_judged(comparison)
    return subject, f"{first}\n\n{_card_link(comparison)}\n\n{_warning(run)}{judged}\n\n{rest.lstrip()}"


def is_withdrawn(run: str) -> bool:
    return train.withdrawal(run, settings_from()) is not None


def _log_result(run: str, what: str) -> None:
    """Writes the last line of the log of `approve`."""
    _LOG.info("run %s, approve: %s; report %s", run, what, card_place(run, settings_from()))


def _card_link(comparison: Comparison) -> str:
    """Returns a link to the candidate's card in our pages, which also works if Airflow runs under a sub-path."""
    root = urlsplit(conf.get("api", "base_url", fallback="")).path.rstrip("/")
    pages = settings_from().pages or f"{root}/{PREFIX}"
    place = quote(f"models/{comparison.condition}/{comparison.version}/card.html")
    return f"[The candidate's model card]({pages}/{place}) says what it was trained on and how it was tested."


def _what_was_judged(comparison: Comparison) -> str:
    """Returns what the candidate predicts, which predictions its figures are of, and what people would be told."""
    card = model_store(settings_from()).card(comparison.condition, comparison.version)
    episodes = card.evaluation.episodes if card.evaluation else None
    told = ((line.name, f"{line.value} ({line.interval})") for line in alert_lines(episodes))
    facts = (("Predicts", predicted(card)), *in_short(card), *told)
    return "\n".join(f"* {markdown(name)}: {markdown(text)}" for name, text in facts)


def _warning(run: str) -> str:
    """Returns a warning if the version was withdrawn, with who and when.

    It leaves out the reason, because free text that a person wrote must not go into Airflow's database.
    """
    withdrawn = train.withdrawal(run, settings_from())
    if withdrawn is None:
        return ""
    done = "rejected" if withdrawn.what == "rejected" else "rolled back"
    return (
        f"**This version was {done}** by {markdown(withdrawn.by)} on {withdrawn.when:%Y-%m-%d}; `wardround model show`"
        " says why. It goes live again only with a reason.\n\n"
    )


def promote(run: str, by: str, why: str) -> dict[str, str | None]:
    """Makes the run's version live, and returns the extra of the Asset's event."""
    return _event(train.promote(run, by, why, settings_from()))


def promote_stored(condition_id: str, params: Mapping[str, Any], dag_run: Any) -> dict[str, str | None]:
    """Makes the form's version live, or rolls back if it names none, and returns the extra of the Asset's event."""
    settings = settings_from()
    condition, store = load_condition(condition_id, settings.schemas), model_store(settings)
    by, why = triggered_by(dag_run), params["why"]
    if params["version"]:
        live = store.promote(condition, params["version"], by, why, params["despite_gates"])
    else:
        live = store.rollback(condition, by, why)
    _LOG.info(
        "%s: %s is live; card %s", condition_id, live.version, stored_card_place(condition_id, live.version, settings)
    )
    return _event(live)


def leave(run: str, what: What, by: str, why: str) -> None:
    train.leave(run, what, by, why, settings_from())


def _event(live: LiveRecord) -> dict[str, str | None]:
    return {"version": live.version, "previous": live.previous}
