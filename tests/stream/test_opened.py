"""Tests that each stage is prepared from an installation's own files, and says what of them cannot be used."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tests.fixtures.icu import AS_OF
from tests.stream.feeding import settings as feed
from tests.stream.feeding import settings_file
from tests.stream.hospital import FEED, TOLD, Hospital
from tests.stream.receiver import Receiver

from wardround.errors import FhirError, SettingsError, SpecError
from wardround.settings import Settings
from wardround.stream import notify, predict, query
from wardround.stream.metrics import Metrics
from wardround.stream.runner import Runner
from wardround.stream.stage_metrics import StageMetrics

SECRET = "a secret of the ward's own pager"


def settings_with(hospital: Hospital, folder: Path, channels: dict[str, Any], secret: str = SECRET) -> Settings:
    (folder / "ward.secret").write_text(secret)
    file = settings_file(folder, feed(FEED, fhir=hospital.url), channels=channels)
    return replace(hospital.settings, stream=file)


def test_an_admission_goes_through_the_stages_as_they_are_run(
    hospital_with: Callable[..., Hospital], receiver: Receiver, tmp_path: Path
) -> None:
    hospital = hospital_with(TOLD)
    hospital.ward.stay("a", lactate=6.0)
    hospital.upload()
    hospital.admit("a")
    channels = {"ward": {"webhook": {"url": receiver.url, "secret_file": "ward.secret"}}}
    settings = settings_with(hospital, tmp_path, channels)

    for module in (query, predict, notify, notify):
        with module.opened(settings, hospital.queue) as stage:
            runner = Runner(stage, hospital.queue, StageMetrics(stage.name, Metrics()), clock=lambda: AS_OF)
            assert runner.step() == 1

    assert len(hospital.held("RiskAssessment")) == len(receiver.received) == 1


@pytest.mark.parametrize(
    ("channels", "secret", "error", "said"),
    [
        ({"other": {"flag": {}}}, SECRET, SpecError, "has no channel 'ward', which the branch sepsis/now names"),
        (
            {"ward": {"webhook": {"url": "https://x.example.org", "secret_file": "ward.secret"}}},
            "short",
            SettingsError,
            "ward.secret: is shorter than 24 bytes",
        ),
        (
            {"ward": {"webhook": {"url": "https://x.example.org", "secret_file": "ward.secret"}}},
            "whsec_?",
            SettingsError,
            "is not base64",
        ),
        (
            {"ward": {"webhook": {"url": "https://x.example.org", "secret_file": "no.secret"}}},
            SECRET,
            FhirError,
            "no.secret: does not exist",
        ),
    ],
)
def test_a_channel_that_could_tell_nobody_is_said_before_any_score(
    hospital_with: Callable[..., Hospital],
    tmp_path: Path,
    channels: dict[str, Any],
    secret: str,
    error: type[Exception],
    said: str,
) -> None:
    hospital = hospital_with(TOLD)
    settings = settings_with(hospital, tmp_path, channels, secret)

    with pytest.raises(error, match=said), notify.opened(settings, hospital.queue):
        pass
