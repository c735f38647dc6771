"""Writes a score into the record as a screening writes its own, and says what became of it (decision 58).

It sees patient values; it never logs.
"""

from datetime import datetime, timedelta
from typing import Final, NamedTuple

from wardround import __version__
from wardround.core.stay_reasons import FailedAt
from wardround.fhir.client import FhirClient
from wardround.fhir.endpoint import FhirEndpoint
from wardround.results.risk_assessment import Assessment, Screening, identity
from wardround.settings import Settings
from wardround.stream.bodies import Scored
from wardround.stream.branches import Way
from wardround.workflows.screen.taking_turns import alone
from wardround.workflows.screen.write_results import Performers, write_results
from wardround.workflows.screen.written import Written

DOOR: Final = "stream"
# What another attempt may find otherwise: an entry that was refused while the server as a whole answers.
_MAY_PASS: Final = (FailedAt.WRITE, FailedAt.PROVENANCE, FailedAt.REFER)


class Recorded(NamedTuple):
    """What became of a score.

    Attributes:
        is_written: the server holds the RiskAssessment with its Provenance.
        why_not: in words of ours or as a status, without anything of a patient.
        is_changed: the stay has changed meanwhile, so that nothing is to be written.
        is_withdrawn: somebody withdrew the result, which stands.
        may_pass: another attempt may succeed.
    """

    is_written: bool = False
    why_not: str = ""
    is_changed: bool = False
    is_withdrawn: bool = False
    may_pass: bool = False


class Recorder:
    """Writes scores; it keeps only which Device each server has."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._performers = Performers(settings)

    def record(self, scored: Scored, screening: Screening, client: FhirClient) -> Recorded:
        """Makes the server hold the result once. Raises FhirError if a server as a whole is at fault."""
        account = Written(to_write=1)
        performer = self._performers.of(screening, client.results)
        mine = [identity(screening, scored.stay_id)]
        # Some servers do not keep their promises about conditional writes.
        with alone(client.results, mine, self._settings):
            write_results(
                [_assessment(scored)],
                screening,
                client,
                account,
                by_identifier=client.source.map_by_identifier,
                performer=performer,
                keep=lambda _about: None,
            )
        return _recorded(account, scored.stay_id)

    def screening(self, way: Way, scored: Scored, as_of: datetime, source: FhirEndpoint) -> Screening:
        """Returns what the RiskAssessment of a score is made with."""
        return Screening(
            source_url=scored.source_url,
            condition=way.condition,
            model_version=scored.model_version,
            software_version=__version__,
            as_of=as_of,
            horizon=None if scored.horizon is None else timedelta(seconds=scored.horizon),
            percent=self._settings.percent,
            elsewhere=source.write_to is not None,
            door=DOOR,
        )


def _assessment(scored: Scored) -> Assessment:
    return Assessment(
        stay_id=scored.stay_id,
        patient_id=scored.patient_id,
        score=scored.score,
        band=scored.band,
        basis=scored.basis,
        reasons=scored.reasons,
        missing=scored.missing,
    )


def _recorded(account: Written, stay_id: str) -> Recorded:
    if stay_id in account.withdrawn:
        return Recorded(is_withdrawn=True)
    failed = account.failed.get(stay_id)
    if failed is None:
        return Recorded(is_written=True)
    changed = failed.failed_at is None
    return Recorded(why_not=failed.word, is_changed=changed, may_pass=failed.failed_at in _MAY_PASS)
