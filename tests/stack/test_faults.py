"""Kills services in the middle of screenings, round after round: `make test-distributed`, by hand.

Each round kills one service with SIGKILL at a random moment of a phase, and lets it be started again. The run must end
in success with one RiskAssessment per scored stay, and must have recovered within two minutes. That ceiling is a time,
which a busy machine may break, so no other target runs these tests. STACK_SEED draws other rounds.
"""

import os

import pytest
from benchmarks.measure import machine
from tests.stack.faults import Outcome, Round, play, rounds, table
from tests.stack.rounds import ledger, present, scored, train, written

pytestmark = pytest.mark.distributed

SEED = os.environ.get("STACK_SEED") or "15"
ROUNDS = rounds(20, SEED)
CEILING = 120
"""Seconds."""


@pytest.fixture(scope="module")
def outcomes(stack) -> dict[Round, Outcome]:
    """The outcomes so far, in a stack with a live model."""
    assert train(stack) == "success"
    return {}


@pytest.mark.parametrize("fault", ROUNDS, ids=str)
def test_a_killed_service_costs_no_stay_doubles_none_and_is_recovered_from_within_two_minutes(
    fault: Round, stack, outcomes
) -> None:
    outcome = outcomes[fault] = play(stack, fault)
    measured = f"STACK_SEED={SEED}, {len(outcomes)} rounds; {machine()}"
    (stack.logs / "recovery.md").write_text(f"{measured}\n\n{table(outcomes)}\n")

    assert outcome.state == "success"
    accounted = ledger(stack, outcome.run_id)
    assert present(stack) <= set(accounted["stay_id"])
    assert written(stack, fault.as_of) == scored(accounted) != []
    assert outcome.hit > 0
    assert outcome.seconds < CEILING
