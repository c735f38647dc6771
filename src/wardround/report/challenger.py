"""Describes a run's challenger in words, for a section of the report."""

from dataclasses import dataclass

from wardround.core.run_summary import ChallengerAccount, OfBoth
from wardround.report.report_words import count, percent
from wardround.results.bands import BANDS


@dataclass(frozen=True)
class ChallengerFacts:
    """The section; `rows` are the live model's bands, each with its stays by the challenger's band, in that order."""

    version: str
    left_out: str
    facts: tuple[tuple[str, str], ...]
    bands: tuple[str, ...]
    rows: tuple[tuple[str, tuple[int, ...]], ...]


def challenger_facts(account: ChallengerAccount) -> ChallengerFacts:
    """Returns the section for a run that scored a challenger, or left it out."""
    bands = account.bands
    return ChallengerFacts(
        version=account.version,
        left_out=account.left_out,
        facts=tuple(_facts(account, account.compared)) if account.compared is not None else (),
        bands=BANDS,
        rows=tuple((band, tuple(bands.get(band, {}).get(theirs, 0) for theirs in BANDS)) for band in BANDS if bands),
    )


def _facts(account: ChallengerAccount, compared: int) -> list[tuple[str, str]]:
    same = account.same_band
    share = f" ({percent(same / compared)})" if compared else ""
    return [
        ("Scored", _both(account.scored)),
        ("High band", f"{_both(account.alerts)}; both {count(account.alerts_of_both)}"),
        ("Same band", f"{count(same)} of {count(compared)} stays that both scored{share}"),
        ("Difference of the scores", _difference(account)),
    ]


def _both(counts: OfBoth) -> str:
    return f"live {count(counts.live)}, challenger {count(counts.challenger)}"


def _difference(account: ChallengerAccount) -> str:
    """Returns the difference in points: the challenger's score minus the live model's."""
    if account.median_difference is None:
        return "–"
    return f"median {account.median_difference:+.4f}, largest {account.largest_difference:+.4f}"
