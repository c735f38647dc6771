"""What the server refuses: a status, an issue code and a sentence in; an OperationOutcome out. No value is repeated."""

import orjson


class Problem(Exception):
    """A request that ends in an error status; `diagnostics` names the place and the rule, never a patient's value."""

    def __init__(self, status: int, code: str, diagnostics: str) -> None:
        super().__init__(diagnostics)
        self.status = status
        self.code = code
        self.diagnostics = diagnostics

    def outcome(self) -> bytes:
        """The OperationOutcome, serialised."""
        return operation_outcome("error", self.code, self.diagnostics)


def operation_outcome(severity: str, code: str, diagnostics: str) -> bytes:
    """An OperationOutcome of one issue, serialised."""
    issue = {"severity": severity, "code": code, "diagnostics": diagnostics}
    return orjson.dumps({"resourceType": "OperationOutcome", "issue": [issue]})


def invalid(diagnostics: str, code: str = "invalid") -> Problem:
    """400: the request or the resource is wrong."""
    return Problem(400, code, diagnostics)


def not_found(diagnostics: str) -> Problem:
    """404: no such type, resource or version."""
    return Problem(404, "not-found", diagnostics)


def too_deep() -> Problem:
    """400: something is nested deeper than this server can follow."""
    return invalid("nested too deeply, expected at most some hundred levels", "too-costly")


def several_match(where: str) -> Problem:
    """412: a conditional request whose criteria more than one resource meets."""
    return Problem(412, "multiple-matches", f"{where}: several resources match, expected at most one")
