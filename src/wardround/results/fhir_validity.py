"""Checks that a resource about to be written is valid R4: its structure, value sets and references."""

import math
import re
from collections.abc import Mapping
from functools import cache
from typing import Any, Final

from wardround.results.risk_assessment import IDENTIFIER_SYSTEM, RISK_DISPLAYS, references
from wardround.results.written_shape import is_as_we_write

_RISK_ASSESSMENT_STATUS: Final = ("preliminary", "final", "amended", "corrected", "entered-in-error")
_REFERENCE: Final = re.compile(r"[A-Z][A-Za-z]{2,40}/[A-Za-z0-9.-]{1,64}")


def check_risk_assessment(resource: Mapping[str, Any], percent: bool) -> None:
    """Raises ValueError, naming the rule and no value, if a RiskAssessment of ours must not be written."""
    _require(resource["status"] in _RISK_ASSESSMENT_STATUS, "status is not in the value set")
    _require(resource["identifier"][0]["system"] == IDENTIFIER_SYSTEM, "identifier has another system")
    for prediction in resource["prediction"]:
        stated = prediction["probabilityDecimal"]
        _require(math.isfinite(stated) and 0 <= stated <= (100 if percent else 1), "probabilityDecimal is out of range")
        code = prediction["qualitativeRisk"]["coding"][0]["code"]
        _require(code in RISK_DISPLAYS, "qualitativeRisk is not in the value set")
    if not is_as_we_write(resource):
        _require(all(_leads_somewhere(reference) for reference in references(resource)), "a reference is malformed")
        _require(len(resource["basis"]) > 0, "basis is empty")
        # The references of the basis are all alike and were checked above; checking one of them is ten times faster.
        check_structure({**resource, "basis": resource["basis"][:1]})


def _leads_somewhere(reference: Mapping[str, Any]) -> bool:
    named = reference.get("identifier")
    if named is None:
        return _REFERENCE.fullmatch(reference["reference"]) is not None
    return "reference" not in reference and all(str(named.get(key) or "").strip() for key in ("system", "value"))


def check_structure(resource: Mapping[str, Any]) -> None:
    """Raises ValueError, naming elements and no values, if the structure of the resource is not valid R4."""
    # A pydantic error is a ValueError whose text quotes the input, so it is reworded.
    from pydantic import ValidationError

    try:
        _model(resource["resourceType"]).model_validate(resource)
    except ValidationError as error:
        places = sorted({".".join(str(part) for part in item["loc"]) or "resource" for item in error.errors()})
        raise ValueError(f"{resource['resourceType']} is not valid R4 at {', '.join(places)}") from None


def prepare() -> None:
    """Loads the models of what a screening writes, which takes a tenth of a second: call it while other work waits."""
    for resource_type in ("Device", "Provenance", "RiskAssessment"):
        _model(resource_type)


@cache
def _model(resource_type: str) -> Any:
    from fhir.resources.R4B import get_fhir_model_class

    return get_fhir_model_class(resource_type)


def _require(holds: bool, rule: str) -> None:
    if not holds:
        raise ValueError(rule)
