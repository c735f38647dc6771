"""Asks a FHIR server whether each resource of a folder is valid ($validate), and writes down what it said."""

from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import orjson

from wardround.errors import FhirError, SourceDataError
from wardround.fhir.answer import Answer, issue_code
from wardround.fhir.client import FhirClient
from wardround.fhir.endpoint import shown
from wardround.fhir.page import called, dicts
from wardround.fhir.references import is_id
from wardround.sources.fhir_folder.resources import FhirFolder, Line, Place, Unread, refuse_all
from wardround.workflows.search_to_ndjson import place_of

# With these a server may refuse an invalid resource, instead of describing it with a 200.
_REFUSED: Final = (400, 412, 422)
_SEVERE: Final = ("error", "fatal")
_SEVERITIES: Final = (*_SEVERE, "warning", "information")


@dataclass(frozen=True)
class Validated:
    """How many resources there are, how many are invalid, and how often each kind of issue, `severity code`, came."""

    resources: int
    invalid: int
    issues: dict[str, int]


def validate(client: FhirClient, data: Path | str, report: str, profile: str | None = None) -> Validated:
    """Validates every resource in `data`, and writes `report`: a line of NDJSON for each resource with an issue.

    A line has the file and line (`place`), the `reference`, and the server's `issue`, which may quote the resource. The
    report is written whole or not at all; the number of issues and the names of their codes hold nothing of a patient.

    Args:
        data: a folder, local or at an fsspec URL.
        report: a path or an fsspec URL that ends with .ndjson, in another folder than the data.
        profile: the canonical URL of a profile that the resources must conform to, besides those that they claim.

    Raises:
        SourceDataError: the folder has no FHIR files, or a damaged one.
        FhirError: the server has no $validate, or answered something else.
    """
    folder, name = place_of(report)
    issues: Counter[str] = Counter()
    resources = invalid = 0
    with folder.writing(name) as file:
        for line in FhirFolder(data).lines():
            place, reference = str(Place(*line[:2])), _reference(line)
            found = _issues(client, line, profile)
            resources += 1
            invalid += any(issue.get("severity") in _SEVERE for issue in found)
            issues.update(_kind(issue) for issue in found)
            if any(issue.get("severity") != "information" for issue in found):
                row = {"place": place, "reference": reference, "issue": found}
                file.write(orjson.dumps(row, option=orjson.OPT_APPEND_NEWLINE))
    return Validated(resources, invalid, dict(sorted(issues.items())))


def require_valid(validated: Validated, data: Path | str, report: str) -> None:
    """Raises SourceDataError if a resource is invalid."""
    if validated.invalid:
        severe = [f"{count} times {kind}" for kind, count in validated.issues.items() if kind.split()[0] in _SEVERE]
        raise SourceDataError(
            f"{data}: {validated.invalid} of {validated.resources} resources are invalid ({', '.join(severe)}),"
            f" expected none; {report} says which, and why"
        )


def _issues(client: FhirClient, line: Line, profile: str | None) -> list[dict[str, Any]]:
    """Returns the issues that the server has with a resource."""
    kind, text = called(line[2]), orjson.Fragment(line[3])
    parameters: list[dict[str, Any]] = [{"name": "resource", "resource": text}]
    if profile:
        parameters.append({"name": "profile", "valueUri": profile})
    answer = client.operation(kind, "validate", parameters, accept=_REFUSED)
    found = list(dicts(answer.body.get("issue")))
    if answer.body.get("resourceType") != "OperationOutcome" or not found or _is_unsupported(answer, found):
        raise FhirError(
            f"{shown(answer.url)}: answered {answer.status} and {called(answer.body.get('resourceType'))}, expected an"
            " OperationOutcome about the resource; use a server that has $validate"
        )
    return found


def _is_unsupported(answer: Answer, issues: list[dict[str, Any]]) -> bool:
    """Returns whether the server refuses the operation, and not the resource."""
    return answer.status in _REFUSED and any(issue.get("code") == "not-supported" for issue in issues)


def _kind(issue: dict[str, Any]) -> str:
    severity = issue.get("severity")
    return f"{severity if severity in _SEVERITIES else 'unknown'} {issue_code(issue)}"


def _reference(line: Line) -> str:
    """Returns `Type/id`, or the type alone if there is no valid id. Raises SourceDataError."""
    kind = called(line[2])
    try:
        name = orjson.loads(line[3]).get("id")
    except orjson.JSONDecodeError:
        refuse_all(Unread(str(Place(*line[:2])), "not valid JSON; correct it, or copy it again"))
    return f"{kind}/{name}" if is_id(name) else kind
