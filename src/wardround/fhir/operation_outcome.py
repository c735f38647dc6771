"""OperationOutcomes that our own doors answer with."""

import orjson


def operation_outcome(code: str, said: str) -> bytes:
    """Returns an OperationOutcome with one error; `code` is one of FHIR's issue types."""
    issue = {"severity": "error", "code": code, "diagnostics": said}
    return orjson.dumps({"resourceType": "OperationOutcome", "issue": [issue]})
