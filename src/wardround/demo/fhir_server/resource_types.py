"""Defines what the server supports: for each resource type its elements, code sets, search parameters and indexes.

Elements are written in a small notation: `status!+` is required and part of the summary, `issued@` is a date, dateTime
or instant, `value[Quantity|String]` is a choice, of which at most one may be present. Source: FHIR R4 (4.0.1), the
"Resource Content" and "Search Parameters" of each type's page.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Literal

Kind = Literal["token", "identifier", "reference", "date", "number", "quantity", "string"]

_NOTATION = re.compile(r"(?P<name>\w+)(?:\[(?P<choices>[\w|]+)\])?(?P<flags>[!+@]*)")
_COMMON = ("id", "meta", "implicitRules", "language", "text", "contained", "extension", "modifierExtension")


@dataclass(frozen=True)
class Parameter:
    """A search parameter: its kind and the paths of the elements that it reads.

    Attributes:
        targets: types that a reference may name; a bare id in a search means one of these. Empty: any type.
        many: a reference that may occur several times in a resource (stored in a separate table).
        stored: the parameter whose stored values this one uses, if it has none of its own.
    """

    name: str
    kind: Kind
    paths: tuple[tuple[str, ...], ...]
    targets: tuple[str, ...] = ()
    many: bool = False
    stored: str = ""

    @property
    def store_name(self) -> str:
        return (self.stored or self.name).replace("-", "_")


def _parameter(name: str, kind: Kind, paths: str, **more: object) -> Parameter:
    return Parameter(name, kind, tuple(tuple(path.split(".")) for path in paths.split()), **more)  # type: ignore[arg-type]


def _token(name: str, paths: str = "") -> Parameter:
    return _parameter(name, "token", paths or name)


def _string(name: str, paths: str = "") -> Parameter:
    return _parameter(name, "string", paths or name)


def _date(name: str, paths: str = "") -> Parameter:
    return _parameter(name, "date", paths or name)


def _reference(name: str, paths: str = "", to: str = "", many: bool = False) -> Parameter:
    return _parameter(name, "reference", paths or name, targets=tuple(to.split()), many=many)


def _patient(stored: str = "subject", many: bool = False) -> Parameter:
    """Returns the parameter `patient`: the reference of another parameter, if it names a Patient."""
    return Parameter("patient", "reference", (), targets=("Patient",), many=many, stored=stored)


_IDENTIFIER = _parameter("identifier", "identifier", "identifier")
_COMMON_PARAMETERS = (
    _token("_tag", "meta.tag"),
    _token("_profile", "meta.profile"),
    _token("_security", "meta.security"),
)


@dataclass(frozen=True)
class ResourceType:
    """One line of the table; the module's docstring explains the notation of `notation`."""

    name: str
    notation: str
    parameters: Mapping[str, Parameter]
    codes: Mapping[str, frozenset[str]] = field(default_factory=dict)
    indexes: tuple[tuple[str, ...], ...] = ()

    @cached_property
    def elements(self) -> frozenset[str]:
        """Every top-level name that a resource of this type may have."""
        names = {name for match in self._matches for name in _spelled_out(match)}
        primitives = {f"_{name}" for name in names}
        return frozenset({"resourceType", "_language", "_implicitRules", *_COMMON, *names, *primitives})

    @cached_property
    def required(self) -> frozenset[str]:
        return frozenset(match["name"] for match in self._matches if "!" in match["flags"])

    @cached_property
    def summary(self) -> frozenset[str]:
        return frozenset(name for match in self._matches if "+" in match["flags"] for name in _spelled_out(match))

    @cached_property
    def dates(self) -> frozenset[str]:
        """Elements that contain a date, dateTime or instant."""
        flagged = {match["name"] for match in self._matches if "@" in match["flags"]}
        choices = {
            name for match in self._matches for name in _spelled_out(match) if name.endswith(("DateTime", "Instant"))
        }
        return frozenset(flagged | choices)

    @cached_property
    def choices(self) -> tuple[frozenset[str], ...]:
        """Groups of names of which a resource may have only one."""
        return tuple(frozenset(_spelled_out(match)) for match in self._matches if match["choices"])

    @cached_property
    def _matches(self) -> tuple[re.Match[str], ...]:
        return tuple(match for word in self.notation.split() if (match := _NOTATION.fullmatch(word)))


def _spelled_out(match: re.Match[str]) -> list[str]:
    if not match["choices"]:
        return [match["name"]]
    return [match["name"] + choice for choice in match["choices"].split("|")]


def _type(
    name: str, notation: str, *parameters: Parameter, codes: Mapping[str, str] | None = None, indexes: str = ""
) -> ResourceType:
    allowed = {element: frozenset(words.split()) for element, words in (codes or {}).items()}
    by_name = {parameter.name: parameter for parameter in (*_COMMON_PARAMETERS, *parameters)}
    return ResourceType(name, notation, by_name, allowed, tuple(tuple(index.split("+")) for index in indexes.split()))


_OBSERVATION_STATUS = "registered preliminary final amended corrected cancelled entered-in-error unknown"
_ANY_PERFORMER = "Practitioner PractitionerRole Organization CareTeam Patient RelatedPerson Device"

_ALL = (
    _type(
        "Patient",
        """identifier+ active+ name+ telecom+ gender+ birthDate+@ deceased[Boolean|DateTime]+ address+ maritalStatus
        multipleBirth[Boolean|Integer] photo contact communication generalPractitioner managingOrganization+ link+""",
        _IDENTIFIER,
        _token("active"),
        _token("gender"),
        _date("birthdate", "birthDate"),
        _date("death-date", "deceasedDateTime"),
        _string("family", "name.family"),
        _string("given", "name.given"),
        _string("name", "name.family name.given name.text name.prefix name.suffix"),
        _reference("organization", "managingOrganization", to="Organization"),
        codes={"gender": "male female other unknown"},
    ),
    _type(
        "Encounter",
        """identifier+ status!+ statusHistory class!+ classHistory type+ serviceType+ priority subject+ episodeOfCare+
        basedOn participant+ appointment+ period length reasonCode+ reasonReference+ diagnosis+ account hospitalization
        location serviceProvider partOf""",
        _IDENTIFIER,
        _token("status"),
        _token("class"),
        _token("type"),
        _token("reason-code", "reasonCode"),
        _reference("subject", to="Patient Group"),
        _patient(),
        _date("date", "period"),
        _reference("location", "location.location", to="Location", many=True),
        _reference("part-of", "partOf", to="Encounter"),
        _reference("service-provider", "serviceProvider", to="Organization"),
        codes={"status": "planned arrived triaged in-progress onleave finished cancelled entered-in-error unknown"},
        indexes="subject part-of date",
    ),
    _type(
        "Location",
        """identifier+ status+ operationalStatus+ name+ alias description+ mode+ type+ telecom address physicalType+
        position managingOrganization+ partOf hoursOfOperation availabilityExceptions endpoint""",
        _IDENTIFIER,
        _token("status"),
        _token("operational-status", "operationalStatus"),
        _token("type"),
        _string("name", "name alias"),
        _reference("organization", "managingOrganization", to="Organization"),
        _reference("partof", "partOf", to="Location"),
        codes={"status": "active suspended inactive", "mode": "instance kind"},
    ),
    _type(
        "Condition",
        """identifier+ clinicalStatus+ verificationStatus+ category severity code+ bodySite+ subject!+ encounter+
        onset[Age|DateTime|Period|Range|String]+ abatement[Age|DateTime|Period|Range|String] recordedDate+@ recorder+
        asserter+ stage evidence note""",
        _IDENTIFIER,
        _token("clinical-status", "clinicalStatus"),
        _token("verification-status", "verificationStatus"),
        _token("category"),
        _token("severity"),
        _token("code"),
        _reference("subject", to="Patient Group"),
        _patient(),
        _reference("encounter", to="Encounter"),
        _date("onset-date", "onsetDateTime onsetPeriod"),
        _date("abatement-date", "abatementDateTime abatementPeriod"),
        _date("recorded-date", "recordedDate"),
        indexes="subject encounter code",
    ),
    _type(
        "Observation",
        """identifier+ basedOn+ partOf+ status!+ category code!+ subject+ focus+ encounter+
        effective[DateTime|Period|Timing|Instant]+ issued+@ performer+
        value[Quantity|CodeableConcept|String|Boolean|Integer|Range|Ratio|SampledData|Time|DateTime|Period]+
        dataAbsentReason interpretation note bodySite method specimen device referenceRange hasMember+ derivedFrom+
        component+""",
        _IDENTIFIER,
        _token("status"),
        _token("category"),
        _token("code"),
        _token("component-code", "component.code"),
        _token("value-concept", "valueCodeableConcept"),
        _token("data-absent-reason", "dataAbsentReason"),
        _parameter("value-quantity", "quantity", "valueQuantity"),
        _reference("subject", to="Patient Group Device Location"),
        _patient(),
        _reference("encounter", to="Encounter"),
        _reference("device", to="Device"),
        _reference("performer", to=_ANY_PERFORMER, many=True),
        _reference("derived-from", "derivedFrom", many=True),
        _reference("has-member", "hasMember", many=True),
        _date("date", "effectiveDateTime effectivePeriod effectiveInstant"),
        codes={"status": _OBSERVATION_STATUS},
        # The end of the span comes first in a date's index: a window that ends now, over a long history, is short.
        indexes="subject+date+code encounter code+date",
    ),
    _type(
        "RiskAssessment",
        """identifier+ basedOn parent status!+ method+ code+ subject!+ encounter+ occurrence[DateTime|Period]+
        condition+ performer+ reasonCode reasonReference basis prediction mitigation note""",
        _IDENTIFIER,
        _token("method"),
        _token("risk", "prediction.qualitativeRisk"),
        _parameter("probability", "number", "prediction.probabilityDecimal"),
        _reference("subject", to="Patient Group"),
        _patient(),
        _reference("encounter", to="Encounter"),
        _reference("condition", to="Condition"),
        _reference("performer", to="Device Practitioner PractitionerRole"),
        _date("date", "occurrenceDateTime occurrencePeriod"),
        codes={"status": _OBSERVATION_STATUS},
        indexes="subject encounter date",
    ),
    _type(
        "Provenance",
        """target!+ occurred[Period|DateTime] recorded!+@ policy location reason activity agent! entity signature""",
        _reference("target", many=True),
        _patient("target", many=True),
        _reference("agent", "agent.who", to=_ANY_PERFORMER, many=True),
        _reference("entity", "entity.what", many=True),
        _reference("location", to="Location"),
        _token("agent-type", "agent.type"),
        _token("agent-role", "agent.role"),
        _date("recorded"),
        _date("when", "occurredDateTime occurredPeriod"),
    ),
    _type(
        "Device",
        """identifier definition udiCarrier+ status+ statusReason distinctIdentifier manufacturer manufactureDate@
        expirationDate@ lotNumber serialNumber deviceName modelNumber partNumber type specialization version property
        patient owner contact location url note safety+ parent""",
        _IDENTIFIER,
        _token("status"),
        _token("type"),
        _string("device-name", "deviceName.name type.text type.coding.display"),
        _string("manufacturer"),
        _string("model", "modelNumber"),
        _reference("patient", to="Patient"),
        _reference("organization", "owner", to="Organization"),
        _reference("location", to="Location"),
        codes={"status": "active inactive entered-in-error unknown"},
    ),
    _type(
        "Organization",
        "identifier+ active+ type+ name+ alias telecom address partOf+ contact endpoint",
        _IDENTIFIER,
        _token("active"),
        _token("type"),
        _string("name", "name alias"),
        _reference("partof", "partOf", to="Organization"),
    ),
    _type(
        "Group",
        "identifier+ active+ type!+ actual!+ code+ name+ quantity+ managingEntity+ characteristic member",
        _IDENTIFIER,
        _token("type"),
        _token("actual"),
        _token("code"),
        _reference("member", "member.entity", many=True),
        _reference("managing-entity", "managingEntity"),
        codes={"type": "person animal practitioner device medication substance"},
    ),
    _type(
        "List",
        "identifier+ status!+ mode!+ title+ code+ subject+ encounter date+@ source+ orderedBy note entry emptyReason",
        _IDENTIFIER,
        _token("status"),
        _token("code"),
        _string("title"),
        _reference("subject", to="Patient Group Device Location"),
        _patient(),
        _reference("encounter", to="Encounter"),
        _reference("source", to="Practitioner PractitionerRole Patient Device"),
        _reference("item", "entry.item", many=True),
        _date("date"),
        codes={"status": "current retired entered-in-error", "mode": "working snapshot changes"},
    ),
    _type(
        "Communication",
        """identifier+ instantiatesCanonical+ instantiatesUri+ basedOn+ partOf+ inResponseTo status!+ statusReason+
        category priority+ medium subject topic about encounter+ sent@ received@ recipient sender reasonCode+
        reasonReference+ payload note""",
        _IDENTIFIER,
        _token("status"),
        _token("category"),
        _token("medium"),
        _reference("subject", to="Patient Group"),
        _patient(),
        _reference("encounter", to="Encounter"),
        _reference("recipient", many=True),
        _reference("sender"),
        _date("sent"),
        _date("received"),
        codes={
            "status": "preparation in-progress not-done on-hold stopped completed entered-in-error unknown",
            "priority": "routine urgent asap stat",
        },
    ),
    _type(
        "Flag",
        "identifier+ status!+ category+ code!+ subject!+ period+ encounter+ author+",
        _IDENTIFIER,
        _reference("subject", to="Patient Location Group Organization Practitioner"),
        _patient(),
        _reference("encounter", to="Encounter"),
        _reference("author"),
        _date("date", "period"),
        codes={"status": "active inactive entered-in-error"},
    ),
)

RESOURCE_TYPES: dict[str, ResourceType] = {resource_type.name: resource_type for resource_type in _ALL}
