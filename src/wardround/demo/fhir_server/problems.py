"""Errors that the server answers: a status, and an OperationOutcome that repeats no value of the request."""

import orjson


class Problem(Exception):
    """A request ended in an error status; `diagnostics` names the place and the rule, never a patient's value."""

    def __init__(self, status: int, code: str, diagnostics: str) -> None:
        super().__init__(diagnostics)
        self.status = status
        self.code = code
        self.diagnostics = diagnostics

    def outcome(self) -> bytes:
        """Returns the OperationOutcome, serialised."""
        return operation_outcome("error", self.code, self.diagnostics)


def operation_outcome(severity: str, code: str, diagnostics: str) -> bytes:
    """Returns an OperationOutcome with one issue, serialised."""
    issue = {"severity": severity, "code": code, "diagnostics": diagnostics}
    return orjson.dumps({"resourceType": "OperationOutcome", "issue": [issue]})


def invalid(diagnostics: str, code: str = "invalid") -> Problem:
    """Returns a 400: the request or the resource is invalid."""
    return Problem(400, code, diagnostics)


def not_found(diagnostics: str) -> Problem:
    """Returns a 404: there is no such type, resource or version."""
    return Problem(404, "not-found", diagnostics)


def too_deep() -> Problem:
    """Returns a 400: something is nested more deeply than this server supports."""
    return invalid("nested too deeply, expected a few hundred levels at most", "too-costly")


def several_match(where: str) -> Problem:
    """Returns a 412: more than one resource matches the criteria of a conditional request."""
    return Problem(412, "multiple-matches", f"{where}: several resources match, expected at most one")
