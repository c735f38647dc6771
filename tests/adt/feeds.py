"""The settings that the samples are read with (tests/adt/samples.py), as plain facts of no module's shape."""

from typing import Final, NamedTuple


class Issuer(NamedTuple):
    """Who issues numbers: its names in CX.4 (namespace, universal id), and the system that a FHIR server knows."""

    namespace: str
    oid: str
    system: str


class Feed(NamedTuple):
    """One feed's settings: issuers of patients' numbers (the first one's count first), of visits', what is watched."""

    patients: tuple[Issuer, ...]
    visits: Issuer
    watched: tuple[str, ...]
    classes: tuple[str, ...]
    by_account: bool = False


HOMERTON: Final = Feed(
    (Issuer("test1", "2.16.1", "urn:oid:2.16.1"),), Issuer("AccMng", "1.2", "urn:oid:1.2"), ("HUH AE OMU",), ("P",)
)
INPATIENTS: Final = HOMERTON._replace(classes=("I",))
ACCOUNTS: Final = HOMERTON._replace(
    visits=Issuer("AccMgr", "1.3.6.1.4.1.44750.1.2.2", "urn:oid:1.3.6.1.4.1.44750.1.2.2"), by_account=True
)
GOOD_HEALTH: Final = Feed(
    (Issuer("ADT1", "", "urn:example:adt1"),),
    Issuer("AccMgr", "", "urn:example:accounts"),
    ("SPROOM", "GENROOM"),
    ("I",),
)
BCBS: Final = Issuer("BCBS", "", "urn:example:bcbs")
CLINIC: Final = GOOD_HEALTH._replace(patients=(BCBS,))
ONE_NUMBER: Final = GOOD_HEALTH._replace(patients=(Issuer("GOOD HEALTH HOSPITAL", "", "urn:example:ghh"),))
BOTH_NUMBERS: Final = ONE_NUMBER._replace(patients=(*ONE_NUMBER.patients, BCBS))
