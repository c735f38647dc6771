"""A command starts a run or resumes one, never both."""

import click
import pytest
from click.testing import CliRunner

from wardround.cli import screen, train
from wardround.cli.screen import BESIDE_RESUME

RUNS = {"screen": screen.command, "train": train.command}
BESIDE = {"screen": {*BESIDE_RESUME, "resumed"}, "train": {"by", "as_json", "resumed"}}
VALUES = {
    **{"as_of": "2026-01-02T05:00:00Z", "cohort": "search", "mode": "shadow", "look_back": "24h", "horizon": "6h"},
    **{"at": "24h", "split": "calendar", "approval": "never"},
    **{"fitted_on": "matched", "onset": "sofa_rise", "suspicion": "any_culture"},
}


def own(name: str) -> list[str]:
    """The parameters that a resumed run keeps."""
    return sorted({param.name or "" for param in RUNS[name].params if param.expose_value} - BESIDE[name])


@pytest.mark.parametrize(("name", "changed"), [(name, param) for name in RUNS for param in own(name)])
def test_a_resumed_run_takes_nothing_that_it_was_begun_with(name: str, changed: str) -> None:
    (param,) = (param for param in RUNS[name].params if param.name == changed)
    value = [] if isinstance(param, click.Option) and param.is_flag else [VALUES.get(changed, "1")]
    words = value if isinstance(param, click.Argument) else [param.opts[0], *value]
    result = CliRunner().invoke(RUNS[name], ["--resume", "x", *words])
    assert result.exit_code == 2
    assert f"--resume keeps the run's own {changed.replace('_', ' ')}; leave it out" in result.output


@pytest.mark.parametrize(
    ("name", "given", "said"),
    [
        ("screen", [], "condition is missing; give CONDITION, --source and --as-of"),
        ("screen", ["sepsis", "--source", "http://127.0.0.1:1"], "as-of is missing"),
        ("train", [], "condition is missing; give CONDITION and --mimic"),
        ("train", ["sepsis"], "mimic is missing"),
    ],
)
def test_a_new_run_needs_what_it_cannot_guess(name: str, given: list[str], said: str) -> None:
    result = CliRunner(env={"MIMIC_CSV_PATH": ""}).invoke(RUNS[name], given)
    assert (result.exit_code, said in result.output) == (2, True)
