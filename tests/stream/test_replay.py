"""Tests that stored messages and readings say again what they said, to the last bit, and what another model says."""

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner
from sqlalchemy import delete, func, select, update
from tests.adt.ward import adt
from tests.fixtures.icu import AS_OF
from tests.stream.feeding import queue_in, settings, settings_file
from tests.stream.hospital import FEED, Hospital, promote_with

from wardround.adapters.database.tables import STREAM_BODY, STREAM_MESSAGE
from wardround.adapters.models.store import ModelStore
from wardround.adapters.pseudonyms import Pseudonyms
from wardround.adapters.queue.queue import Queue
from wardround.cli.main import wardround
from wardround.errors import SpecError
from wardround.settings import database_in, places_in_environment
from wardround.stream import flag
from wardround.stream.raw import raw
from wardround.stream.replay import Gone, Replayed, Span, replayed
from wardround.stream.replay_flags import flagged_again

HOUR = timedelta(hours=1)
SPAN = Span(AS_OF - HOUR, AS_OF + 24 * HOUR)
BRANCHES = [{"id": "now", "at": ["0h", "1h"]}, {"id": "trial", "at": ["0h"], "mode": "shadow"}]


@pytest.fixture
def queue(tmp_path: Path) -> Iterator[Queue]:
    """The file that the command opens, too."""
    with queue_in(tmp_path) as one:
        yield one


@pytest.fixture
def played(hospital_with: Callable[..., Hospital], tmp_path: Path) -> Hospital:
    """A hospital whose feed brought four patients; one has too little data for an hour."""
    hospital = hospital_with(BRANCHES)
    file = settings_file(tmp_path, settings(FEED, fhir=hospital.url, units=["MICU", "SICU"]))
    for name, lactate in (("a", 6.0), ("b", 2.5), ("c", 0.6)):
        hospital.ward.stay(name, lactate=lactate)
    hospital.ward.stay("d", lactate=None, vitals=False)
    hospital.upload()
    own = database_in(tmp_path)
    hospital.settings = replace(hospital.settings, stream=file, database=own)
    hospital.pseudonyms = Pseudonyms.in_folder(hospital.settings.var)  # those of the stage `flag`
    bodies = [adt("A01", f"V-{name}", of=f"P-{name}", when=AS_OF) for name in "abcd"]
    bodies += [adt("A02", "V-b", "SICU", of="P-b", when=AS_OF), adt("A13", "V-a", of="P-a", when=AS_OF)]
    hospital.queue.put([raw(body, FEED, AS_OF + timedelta(minutes=place)) for place, body in enumerate(bodies)])
    with flag.opened(hospital.settings, hospital.queue) as stage:
        hospital.run(stage, after=HOUR)
    hospital.run(hospital.query, hospital.predict, after=HOUR + timedelta(minutes=1))
    hospital.run(hospital.query, hospital.predict, after=2 * HOUR)
    return hospital


def play(hospital: Hospital, version: str | None = None, span: Span = SPAN) -> list[Replayed | Gone]:
    store = ModelStore(hospital.settings.models)
    return list(replayed(hospital.queue, hospital.ways, store, span, version))


def content(hospital: Hospital) -> tuple[int, ...]:
    with hospital.queue.database.reading() as connection:
        counts = [connection.execute(select(func.count()).select_from(one)).scalar() for one in hospital_tables()]
    return (*(count or 0 for count in counts), len(hospital.held("RiskAssessment")))


def hospital_tables() -> list[Any]:
    return [STREAM_MESSAGE, STREAM_BODY]


def test_all_is_flagged_and_scored_again_to_the_last_bit_and_nothing_is_written(played: Hospital) -> None:
    before = content(played)

    flags = flagged_again(played.queue, played.settings, SPAN)
    said = play(played)

    assert (flags.messages, flags.same, flags.missing, flags.new, flags.gone) == (6, 8, 0, 0, 0)
    known = [one for one in said if isinstance(one, Replayed) and one.then is not None]
    assert all(one.is_same for one in known)
    # Three scores of each branch, and one stay without a score, for which the live one asked twice.
    assert sorted(one.now.why for one in known) == [""] * 6 + ["minimum_data"] * 3
    assert len(said) == 9
    assert content(played) == before


def test_a_message_that_came_after_scores_is_flagged_again_with_these_known(played: Hospital) -> None:
    returned = adt("A02", "V-c", "SICU", of="P-c", when=AS_OF + 3 * HOUR)
    played.queue.put([raw(returned, FEED, AS_OF + 3 * HOUR)])
    with flag.opened(played.settings, played.queue) as stage:
        assert [outcome for outcome, _ in played.run(stage, after=3 * HOUR)] == ["done"]

    flags = flagged_again(played.queue, played.settings, SPAN)

    assert (flags.messages, flags.same, flags.missing, flags.new, flags.gone) == (7, 8, 0, 0, 0)


def test_another_model_is_compared_and_the_model_of_then_still_gives_the_scores_of_then(played: Hospital) -> None:
    promote_with(played.settings, thresholds={"moderate": 0.0001, "high": 0.0002})

    now = [one for one in play(played, "1.0.1-abcdefabcdef") if isinstance(one, Replayed) and one.then]
    then = [one for one in play(played) if isinstance(one, Replayed) and one.then]

    # Of a shadow, the version is that which the decisions say was live; here, they were made after its time.
    assert all(one.is_same for one in then if one.branch == "sepsis/now")
    of_live = [one for one in now if one.branch == "sepsis/now" and one.then and one.then.score]
    bands = [(one.then.band, one.now.band) for one in of_live if one.then]
    assert bands == [("high", "high"), ("moderate", "high"), ("low", "high")]


def test_what_is_no_longer_stored_is_counted_and_not_made_up(played: Hospital) -> None:
    with played.queue.database.writing() as connection:
        first = select(STREAM_MESSAGE.c.seq).where(STREAM_MESSAGE.c.stage.in_(("predict", "flag")))
        seqs = list(connection.execute(first.order_by(STREAM_MESSAGE.c.seq)).scalars())
        connection.execute(delete(STREAM_BODY).where(STREAM_BODY.c.seq.in_((seqs[0], seqs[-1]))))

    said = play(played)
    flags = flagged_again(played.queue, played.settings, SPAN)

    assert said.count(Gone("sepsis/trial")) + said.count(Gone("sepsis/now")) == 1
    assert (flags.gone, flags.missing) == (1, 2)


def test_other_settings_of_a_branch_show_in_what_is_flagged(played: Hospital) -> None:
    file = played.settings.schemas / "conditions" / "sepsis.yaml"
    said = yaml.safe_load(file.read_text())
    said["stream"]["branches"][0]["units"] = ["SICU"]
    file.write_text(yaml.safe_dump(said))

    flags = flagged_again(played.queue, played.settings, SPAN)
    of_one = flagged_again(played.queue, played.settings, SPAN._replace(branches=("sepsis/trial",)))

    assert (flags.same, flags.missing, flags.new) == (4, 4, 1)
    assert (of_one.same, of_one.missing, of_one.new) == (4, 0, 0)


def test_a_score_that_was_changed_afterwards_is_noticed(played: Hospital) -> None:
    with played.queue.database.writing() as connection:
        notify = select(STREAM_MESSAGE.c.seq).where(STREAM_MESSAGE.c.stage == "notify").limit(1)
        seq = connection.execute(notify).scalar()
        body = connection.execute(select(STREAM_BODY.c.body).where(STREAM_BODY.c.seq == seq)).scalar()
        assert body is not None
        other = body.replace(b'"score":0.', b'"score":0.0')
        connection.execute(update(STREAM_BODY).where(STREAM_BODY.c.seq == seq).values(body=other))

    assert [one.is_same for one in play(played) if isinstance(one, Replayed) and one.then].count(False) == 1


def test_the_command_prints_the_comparison(played: Hospital, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in places_in_environment(played.settings).items():
        monkeypatch.setenv(name, value)
    asked = ["stream", "replay", "--from", "2026-01-02", "--to", "2026-01-03"]

    told = CliRunner().invoke(wardround, [*asked, "--json"], catch_exceptions=False)
    shown = CliRunner().invoke(wardround, asked, catch_exceptions=False)

    result = json.loads(told.stdout)
    assert result["flags"]["same"] == 8
    assert result["branches"]["sepsis/now"]["same"] == 5
    assert result["branches"]["sepsis/now"]["different"] == 0
    assert result["branches"]["sepsis/trial"]["same"] == 4
    assert "same 5, different 0" in shown.stdout
    with pytest.raises(SpecError, match="no branch 'sepsis/other'"):
        CliRunner().invoke(wardround, [*asked, "--branch", "sepsis/other"], catch_exceptions=False)
