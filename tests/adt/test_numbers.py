"""Whose numbers count, and whose never do."""

import pytest
from tests.adt.ward import FEED, PATIENTS, VISITS, adt, patient, visit

from wardround.adt.numbers import groups, patient_of, renamed_in, visit_of
from wardround.core.identifier import Identifier
from wardround.hl7.reader import read
from wardround.spec.stream import Authority

OID = "1.2.3"


def group(**fields):
    return groups(read(adt("A01", **fields)))[0]


@pytest.mark.parametrize(
    ("pid_3", "expected"),
    [
        ("4711^^^HOSP^MR", patient("4711")),
        ("4711^^^HOSP", patient("4711")),  # the feed's own authority, whatever the type
        ("4711^^^HOSP&9.9&ISO^SOME CLINIC", patient("4711")),
        ("1^^^STATE^SS~4711^^^HOSP^PI", patient("4711")),
        ("8^^^OTHER^MR~4711^^^HOSP^PI", patient("4711")),  # the first authority comes first
        ("8^^^OTHER^MR", Identifier("urn:example:other", "8")),
        ("8^^^OTHER^PI", None),  # of another known authority only record numbers
        ("4711^^^^MR", None),  # never a number without a system
        ("4711", None),
        ("^^^HOSP^MR", None),
        ('""^^^HOSP^MR', None),
        ("4711^^^NOWHERE^MR", None),
    ],
)
def test_a_patients_number_is_chosen_by_its_authority(pid_3: str, expected) -> None:
    assert patient_of(group(pid={3: pid_3}), FEED) == expected


@pytest.mark.parametrize(
    ("text", "is_ours"),
    [
        ("V1^^^VISITS", True),
        (f"V1^^^VISITS&{OID}&ISO", True),
        (f"V1^^^&{OID}&ISO", True),
        (f"V1^^^ELSEWHERE&{OID}&ISO", True),  # the universal id decides
        ("V1^^^VISITS&4.5.6&ISO", False),  # because namespaces are local
        ("V1^^^ELSEWHERE", False),
        ("V1", False),
    ],
)
def test_a_universal_id_decides_where_both_sides_have_one(text: str, is_ours: bool) -> None:
    feed = FEED.__class__(**vars(FEED) | {"visits": Authority(system=VISITS, namespace="VISITS", universal_id=OID)})
    assert visit_of(group(pv1={19: text}), feed) == (visit("V1") if is_ours else None)


def test_a_bare_number_counts_only_where_the_settings_say_so() -> None:
    bare = FEED.__class__(**vars(FEED) | {"visits": Authority(system=VISITS, namespace="VISITS", issues_bare=True)})
    assert visit_of(group(pv1={19: "V1"}), FEED) is None
    assert visit_of(group(pv1={19: "V1"}), bare) == visit("V1")
    assert visit_of(group(pv1={19: "V1^^^ELSEWHERE"}), bare) is None


def test_the_visits_number_is_in_pv1_19_else_pv1_50_else_the_account_if_the_feed_says_so() -> None:
    by_account = FEED.__class__(**vars(FEED) | {"visit_fields": ("PV1-19", "PID-18")})
    other = {19: "", 50: "V2^^^VISITS"}
    assert visit_of(group(pv1={50: "V2^^^VISITS"}), FEED) == visit("V1")
    assert visit_of(group(pv1=other), FEED) == visit("V2")
    assert visit_of(group(pv1=other, pid={18: "A3^^^VISITS"}), by_account) == visit("A3")
    assert visit_of(group(pv1={19: ""}, pid={18: "A3^^^VISITS"}), FEED) is None


def test_a_visit_is_renamed_only_within_one_kind_of_field() -> None:
    """An account that was merged is no earlier number of a visit."""
    account, number = "||A0^^^VISITS", "||||V0^^^VISITS"
    assert renamed_in(group(merged=account), FEED) is None
    assert renamed_in(group(merged=number), FEED) == (visit("V0"), visit("V1"))


def test_a_swap_has_two_groups_and_a_message_without_pid_one_without_patient() -> None:
    text = adt("A17").decode()
    twice = text + text[text.index("PID|") :]
    assert [(one.pid is not None, one.pv1 is not None) for one in groups(read(twice.encode()))] == [(True, True)] * 2
    alone = text[: text.index("PID|")] + text[text.index("PV1|") :]
    (only,) = groups(read(alone.encode()))
    assert only.pid is None
    assert patient_of(only, FEED) is None


def test_nobodys_number_is_shown_where_an_identifier_is_printed() -> None:
    assert "4711" not in repr(patient("4711"))
    assert PATIENTS in repr(patient("4711"))
