"""Tests that one patient can be erased from what the bedside keeps, and that nothing else goes with it."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from tests.cds.ehr import Ehr
from tests.cds.store import HOUR, MARK, Store, feedback
from tests.fixtures.icu import AS_OF

from wardround.adapters.database.bedside_removal import forget_lock_outs
from wardround.adapters.database.database import opened
from wardround.adapters.database.tables import BEDSIDE_CARD, BEDSIDE_COMMENT, BEDSIDE_FEEDBACK, NOTIFICATION
from wardround.cli.main import wardround
from wardround.errors import StorageError
from wardround.settings import Settings, database_in

TABLES = (BEDSIDE_CARD, BEDSIDE_FEEDBACK, BEDSIDE_COMMENT, NOTIFICATION)
Erase = Callable[..., Result]


@pytest.fixture
def kept(store: Store, at: Any) -> Ehr:
    """An EHR at whose door two patients had cards with comments, and one patient of the same id at another EHR."""
    keeping = store.worker()
    ehr: Ehr = at(keeping)
    cards = [ehr.card("p-a"), ehr.card("p-a", after=HOUR), ehr.card("p-mid")]
    ehr.issuer = "https://other.example.org"
    cards.append(ehr.card("p-a"))
    said = [feedback(card["uuid"], comment=f"{MARK} {place}") for place, card in enumerate(cards)]
    keeping.heard([*said, feedback("unknown")], "sepsis", AS_OF)
    ehr.issuer = "https://ehr.example.org/fhir"
    return ehr


@pytest.fixture
def erase(bedside: Settings, tmp_path: Path) -> Erase:
    """erase(*options) erases a patient in the test's database, with the key of the door."""
    environment = {"WARDROUND_VAR": str(bedside.var), "WARDROUND_DATABASE": database_in(tmp_path)}

    def call(*options: str, answer: str = "", **more: str) -> Result:
        asked = ["database", "erase-patient", "--issuer", "https://ehr.example.org/fhir", "--json", *options]
        return CliRunner(env={**environment, **more}).invoke(wardround, asked, input=answer)

    return call


def counts(store: Store) -> list[int]:
    return [len(rows) for rows in store.rows(*TABLES)]


def test_a_patients_cards_feedback_comments_and_lock_outs_go_and_nobody_elses(
    kept: Ehr,
    store: Store,
    erase: Erase,
    tmp_path: Path,
) -> None:
    assert counts(store) == [4, 5, 4, 3]
    keys = {row["patient_key"] for row in store.rows(BEDSIDE_CARD)[0] if row["issuer"] == kept.issuer}

    done = erase("--patient", "p-a", "--yes")

    said = json.loads(done.stdout)
    assert said["patient_key"] in keys
    assert {name: said[name] for name in ("cards", "feedback", "comments", "lock_outs")} == {
        "cards": 2,
        "feedback": 2,
        "comments": 2,
        "lock_outs": 1,
    }
    cards, rows, comments, last = store.rows(*TABLES)
    assert [len(one) for one in (cards, rows, comments, last)] == [2, 3, 2, 2]
    assert said["patient_key"] not in {row["patient_key"] for row in cards}
    assert {row["comment"] for row in comments} == {f"{MARK} 2", f"{MARK} 3"}
    # Nothing is left in the file, or in what SQLite has written beside it, while the service goes on.
    content = b"".join(file.read_bytes() for file in tmp_path.glob("wardround.sqlite*"))
    assert f"{MARK} 3".encode() in content
    for gone in (f"{MARK} 0", f"{MARK} 1", said["patient_key"]):
        assert gone.encode() not in content
    assert kept.card("p-a", after=2 * HOUR)["indicator"] == "critical"


def test_a_lock_out_whose_card_is_gone_is_found_by_its_stay(kept: Ehr, store: Store, erase: Erase) -> None:
    erase("--patient", "p-a", "--yes")
    assert counts(store)[3] == 2

    said = json.loads(erase("--patient", "p-none", "--stay", "e-mid", "--yes").stdout)

    assert (said["cards"], said["lock_outs"]) == (0, 1)


def test_it_asks_for_the_patient_and_whether_to_do_it(kept: Ehr, store: Store, erase: Erase) -> None:
    refused = erase(answer="p-a\nn\n")
    assert (refused.exit_code, counts(store)) == (0, [4, 5, 4, 3])
    assert "Nothing was changed." in refused.stderr

    assert erase(answer="p-a\ny\n").exit_code == 0
    assert counts(store) == [2, 3, 2, 2]


def test_without_the_key_nobody_is_looked_for_and_none_is_made(erase: Erase, tmp_path: Path) -> None:
    done = erase("--patient", "p-a", "--yes", WARDROUND_VAR=str(tmp_path / "elsewhere"))

    assert isinstance(done.exception, StorageError)
    assert "expected the key of the bedside service; set WARDROUND_VAR" in str(done.exception)
    assert not (tmp_path / "elsewhere").exists()


def test_without_lock_outs_the_next_card_of_each_stay_is_the_first(
    kept: Ehr,
    store: Store,
    tmp_path: Path,
) -> None:
    assert kept.card("p-mid", after=HOUR)["indicator"] == "info"

    with opened(database_in(tmp_path)) as database, database.writing() as connection:
        forget_lock_outs(connection)

    assert kept.card("p-mid", after=2 * HOUR)["indicator"] == "warning"
    assert counts(store)[0] == 6
