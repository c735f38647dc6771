"""`wardround model`: shows what is in the model store, and changes which version is live."""

import json
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from wardround.cli.deciding import by_option, why_option
from wardround.cli.model_compare import compare_versions
from wardround.cli.model_import import import_model
from wardround.cli.results import print_table, say, tell
from wardround.cli.times import DAY
from wardround.cli.versions import decided, versions_of, versions_table
from wardround.errors import ModelError
from wardround.evaluation.gates import in_words
from wardround.settings import settings_from

if TYPE_CHECKING:
    from wardround.adapters.models.live_record import LiveRecord
    from wardround.adapters.models.store import ModelStore
    from wardround.spec.conditions import Condition
    from wardround.training.decisions import Decision

_as_json = click.option("--json", "as_json", is_flag=True, help="Print one JSON object instead of tables.")


@click.group()
def command() -> None:
    """List, show, compare and import models, decide which version is live, and suspend a condition."""


command.add_command(import_model)
command.add_command(compare_versions)


@command.command("list", short_help="Show every version, its state, and who decided last.")
@click.argument("condition", required=False)
@_as_json
def list_models(condition: str | None, as_json: bool) -> None:
    """List the versions of CONDITION, or of all conditions."""
    store = _store()
    asked = (condition,) if condition else store.conditions()
    unreadable = {one: error for one in asked if (error := _unreadable(store, one))}
    conditions = [one for one in asked if one not in unreadable]
    doubts = {one: doubt for one in conditions if (doubt := store.doubts(one))}
    for one, doubt in doubts.items():
        say(f"{one}: the recorded decisions may not be the ones that were made. {doubt}")
    rows = [row for condition_id in conditions for row in versions_of(store, condition_id)]
    suspended = {one: decision for one in conditions if (decision := store.standing(one).suspended)}
    if as_json:
        said = {one: _suspension(decision) for one, decision in suspended.items()}
        challengers = {one: challenge for one in conditions if (challenge := _challenge(store, one))}
        click.echo(json.dumps({"suspended": said, "challengers": challengers, "doubts": doubts, "models": rows}))
    else:
        if not asked:
            tell(f"No model is stored in {store.root}.")
        for condition_id in conditions:
            if condition_id in suspended:
                tell(_suspended_since(condition_id, suspended[condition_id]))
            if beside := store.standing(condition_id).challenge:
                tell(f"{condition_id}: {beside.version} is scored beside the live one{_until(beside)}.")
            print_table(versions_table(condition_id, [row for row in rows if row["condition"] == condition_id]))
    # Everything that can be read has been listed by now.
    for error in unreadable.values():
        raise error


@command.command("show", short_help="Show a version's card and the decisions about it.")
@click.argument("condition")
@click.argument("version", required=False)
@click.option("--html", type=click.Path(dir_okay=False, path_type=Path), help="Write the card as a page to this file.")
@_as_json
def show_model(condition: str, version: str | None, html: Path | None, as_json: bool) -> None:
    """Show the card of VERSION, by default the live one, and the decisions about it."""
    store = _store()
    card = store.card(condition, version or store.live_version(condition))
    if html:
        from wardround.adapters.files.whole_file import write_whole

        write_whole(html, store.page(condition, card.version).encode())
        say(f"{html}: the card of {card.version}.")
    now = store.standing(condition)
    decisions = [each.model_dump(mode="json") for each in store.decisions(condition) if each.version == card.version]
    if as_json:
        from wardround.model_card.statements import statements

        said = {
            "suspended": _suspension(now.suspended) if now.suspended else None,
            "challenger": _challenge(store, condition),
            "promotion_gates": now.verdict(card.version),
            "withdrawn": card.version in now.withdrawn,
        }
        click.echo(json.dumps({**card.model_dump(mode="json"), **statements(card), **said, "decisions": decisions}))
        return
    from wardround.cli.cards import show_card

    if now.suspended:
        tell(_suspended_since(condition, now.suspended))
    show_card(card)
    if now.challenge:
        tell(f"Challenger: {now.challenge.version}{_until(now.challenge)}.")
    if card.version in now.withdrawn:
        tell(f"Withdrawn: {decided(now.withdrawn[card.version].model_dump(mode='json'))}.")
    tell(f"Promotion gates: {in_words(now.verdict(card.version))}.")
    for decision in decisions:
        tell(f"{decided(decision)}: {decision['why']}")


@command.command("promote", short_help="Make a stored version live.")
@click.argument("condition")
@click.argument("version")
@by_option
@why_option
@click.option("--despite-gates", is_flag=True, help="Promote it even though a promotion gate failed.")
@_as_json
def promote_model(condition: str, version: str, by: str, why: str, despite_gates: bool, as_json: bool) -> None:
    """Make VERSION the live one, even if it was rolled back or rejected before."""
    live = _store().promote(_spec(condition), version, by, why, despite_gates)
    _show_live(condition, live, as_json)


@command.command("rollback", short_help="Go back to the previous live version.")
@click.argument("condition")
@by_option
@why_option
@_as_json
def rollback_model(condition: str, by: str, why: str, as_json: bool) -> None:
    """Make the previous live version live again, and withdraw the current one.

    Repeating it changes nothing. To go further back, or to a withdrawn version, use promote.
    """
    _show_live(condition, _store().rollback(_spec(condition), by, why), as_json)


@command.command("challenge", short_help="Score a stored version beside the live one.")
@click.argument("condition")
@click.argument("version", required=False)
@click.option("--until", type=DAY, help="Day (UTC) or time at which the challenge ends.  [default: until --end]")
@click.option("--end", is_flag=True, help="End the challenge.")
@by_option
@click.option(
    "--why", default="to be compared with the live one", show_default=True, help="The reason, for the record."
)
@_as_json
def challenge_model(
    condition: str, version: str | None, until: datetime | None, end: bool, by: str, why: str, as_json: bool
) -> None:
    """Score the stored VERSION beside the live one in every screening, without writing its scores.

    Each run's report and summary say how well the two agree. Only one version can be the challenger at a time. The
    challenge ends when it goes live.
    """
    if end == bool(version) or (end and until):
        raise click.UsageError("give either the VERSION to score beside the live one, or --end alone")
    if version:
        decision = _store().challenge(_spec(condition), version, by, why, until)
        said = f"{condition}: {version} is scored beside the live one{_until(decision)}."
    else:
        ended = _store().end_challenge(_spec(condition).id, by, why)
        said = f"{condition}: {f'{ended.version} is no longer scored' if ended else 'there was no challenger'}."
    if as_json:
        click.echo(json.dumps({"condition": condition, "challenger": _challenge(_store(), condition)}))
    else:
        tell(said)


@command.command("suspend", short_help="Switch a condition off.")
@click.argument("condition")
@by_option
@why_option
@_as_json
def suspend_condition(condition: str, by: str, why: str, as_json: bool) -> None:
    """Switch CONDITION off: from now on nothing new is computed for people.

    Screenings end with exit code 14; one that is running stops before its next write. Shadow runs, reports and retract
    keep working.
    """
    from wardround.workflows.suspension import suspend

    since = suspend(condition, by, why, settings_from())
    if as_json:
        click.echo(json.dumps({"condition": condition, "suspended": _suspension(since)}))
    else:
        tell(_suspended_since(condition, since))


@command.command("resume", short_help="Switch a condition on again.")
@click.argument("condition")
@by_option
@why_option
@_as_json
def resume_condition(condition: str, by: str, why: str, as_json: bool) -> None:
    """Switch CONDITION on again."""
    from wardround.workflows.suspension import resume

    began = resume(condition, by, why, settings_from())
    if as_json:
        click.echo(json.dumps({"condition": condition, "suspended": None}))
    else:
        tell(f"{condition} is active{' again' if began else '; it was not suspended'}.")


@command.command("accept-record", short_help="Accept a damaged record of decisions as it is.")
@click.argument("condition")
@by_option
@why_option
@_as_json
def accept_record(condition: str, by: str, why: str, as_json: bool) -> None:
    """Accept the record of CONDITION's decisions as it is, if lines were changed or lost and there is no backup.

    This decides nothing: the version that is live according to the record stays live. A new line of the record says
    who accepted it and why.
    """
    now = _store().accept_record(_spec(condition).id, by, why)
    if as_json:
        click.echo(json.dumps({"condition": condition, "live": now.version, "decisions_accepted": True}))
    else:
        tell(f"{condition}: the record is accepted; according to it {now.version or 'nothing'} is live.")


def _unreadable(store: "ModelStore", condition_id: str) -> ModelError | None:
    """Returns the error if the records of a condition cannot be read, otherwise None."""
    try:
        store.standing(condition_id)
        store.versions(condition_id)
    except ModelError as error:
        return error
    return None


def _store() -> "ModelStore":
    from wardround.workflows.stores import model_store

    return model_store(settings_from())


def _spec(condition_id: str) -> "Condition":
    from wardround.spec.loading import load_condition

    return load_condition(condition_id, settings_from().schemas)


def _challenge(store: "ModelStore", condition_id: str) -> dict[str, Any] | None:
    decision = store.standing(condition_id).challenge
    return decision.model_dump(mode="json", include={"version", "until", "by", "when", "why"}) if decision else None


def _until(decision: "Decision") -> str:
    return f" until {decision.until:%Y-%m-%dT%H:%M:%SZ}" if decision.until else ""


def _suspension(decision: "Decision") -> dict[str, Any]:
    return decision.model_dump(mode="json", include={"by", "when", "why"})


def _suspended_since(condition_id: str, decision: "Decision") -> str:
    since = f"{decision.when:%Y-%m-%dT%H:%M:%SZ}"
    return f"{condition_id}: SUSPENDED by {decision.by} since {since}: {decision.why}"


def _show_live(condition: str, live: "LiveRecord", as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps({"condition": condition, **live.model_dump(mode="json")}))
    else:
        since = f"since {live.when:%Y-%m-%dT%H:%M} by {live.by}"
        tell(f"{condition}: {live.version} is live {since}; previously {live.previous or 'nothing'}.")
