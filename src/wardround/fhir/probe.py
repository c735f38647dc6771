"""Sends single requests to a FHIR server and tells how each was answered; a refusal is an answer, not an error."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from statistics import median
from time import perf_counter
from types import TracebackType
from typing import Any, Final, Self
from urllib.parse import urlencode, urljoin

from requests.adapters import BaseAdapter

from wardround.errors import FhirError, FhirRefused, FhirUnreachable
from wardround.fhir.answer import error_codes
from wardround.fhir.endpoint import FhirEndpoint, origin
from wardround.fhir.page import called, dicts
from wardround.fhir.references import Resource, is_foreign, patient_of
from wardround.fhir.transport import Transport

Pairs = Sequence[tuple[str, str]]

_FORM: Final = {"Content-Type": "application/x-www-form-urlencoded"}
_FHIR: Final = {"Content-Type": "application/fhir+json"}
_ANY_REFUSAL: Final = frozenset(range(400, 600)) - {401, 403}


@dataclass(frozen=True)
class Asked:
    """An answer: its HTTP status (0 if it was unusable, and then why), its body, and the milliseconds it took.

    `instead` says what came in place of results. References to the server's own resources are relative in the body.
    """

    status: int
    body: Resource = field(default_factory=dict, repr=False)
    milliseconds: float = 0.0
    complaint: str = ""
    instead: str = ""

    @property
    def refused(self) -> bool:
        return bool(self.instead) or not 200 <= self.status < 300

    @property
    def kind(self) -> str:
        """The type of the resource that came back; "" if none did."""
        return str(self.body.get("resourceType") or "")

    def resources(self, resource_type: str) -> list[Resource]:
        """Returns the resources of a type in a Bundle."""
        found = [entry.get("resource") for entry in dicts(self.body.get("entry"))]
        return [each for each in found if isinstance(each, dict) and each.get("resourceType") == resource_type]

    def patients(self, resource_type: str) -> list[str]:
        """Returns the ids of the server's patients that these resources are about, each once."""
        return list(dict.fromkeys(patient for each in self.resources(resource_type) if (patient := patient_of(each))))

    def foreign_subjects(self, resource_type: str) -> int:
        """Returns how many of these resources are about a patient at another server."""
        return sum(is_foreign(each.get("subject")) for each in self.resources(resource_type))

    @property
    def following(self) -> str | None:
        """Returns the next link of a page."""
        links = [str(link.get("url")) for link in dicts(self.body.get("link")) if link.get("relation") == "next"]
        return links[0] if links else None


class Probe:
    """Asks a server; a context manager. Raises FhirUnreachable, and FhirRefused if the sign-in is not enough."""

    def __init__(self, source: FhirEndpoint, transport: BaseAdapter | None = None, repeats: int = 3) -> None:
        self._base = source.base_url
        self._bases = source.bases
        self._repeats = repeats
        self._transport = Transport(source, transport)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._transport.close()

    def sign_in(self) -> None:
        """Gets the token that requests need, if they need one. Raises FhirError if it cannot be had."""
        self._transport.sign_in()

    def metadata(self) -> Asked:
        """Returns the server's CapabilityStatement, asked for a few times: the last answer, with the median time."""
        return self._median([self._send("GET", f"{self._base}/metadata") for _ in range(self._repeats)])

    def get(self, resource_type: str, pairs: Pairs = ()) -> Asked:
        """Sends a search, a few times as well. One that is answered with anything but results counts as refused."""
        url = f"{self._base}/{resource_type}" + (f"?{urlencode(pairs)}" if pairs else "")
        return self._median([_results(self._send("GET", url)) for _ in range(self._repeats)])

    def post(self, resource_type: str, pairs: Pairs) -> Asked:
        """Sends the same search by POST."""
        url, form = f"{self._base}/{resource_type}/_search", urlencode(pairs)
        answers = [_results(self._send("POST", url, data=form, headers=_FORM)) for _ in range(self._repeats)]
        return self._median(answers)

    def follow(self, page: Asked) -> Asked:
        """Returns the next page; refused if it would lead to another server."""
        url = urljoin(f"{self._base}/", page.following or "")
        return self._send("GET", url) if page.following and origin(url) == origin(self._base) else Asked(0)

    def write(self, method: str, path: str, body: Resource | None = None, if_none_exist: str = "") -> Asked:
        """Sends one write, once. A refusal of any kind is an answer."""
        headers = _FHIR | ({"If-None-Exist": if_none_exist} if if_none_exist else {})
        try:
            return self._send(method, f"{self._base}/{path}".rstrip("/"), json=body, headers=headers)
        except FhirRefused:
            return Asked(403)

    def _send(self, method: str, url: str, **rest: Any) -> Asked:
        begun = perf_counter()
        try:
            answer = self._transport.send(method, url, accept=_ANY_REFUSAL, **rest)
        except (FhirUnreachable, FhirRefused):
            raise
        except FhirError as error:
            return Asked(0, milliseconds=_since(begun), complaint=str(error))
        return Asked(answer.status, self._bases.localised(answer.body), _since(begun))

    def _median(self, asked: list[Asked]) -> Asked:
        return replace(asked[-1], milliseconds=median(one.milliseconds for one in asked))


def _results(asked: Asked) -> Asked:
    """Returns the answer to a search; refused if it has no results, or an error that means some are missing."""
    if asked.refused:
        return asked
    if asked.kind != "Bundle":
        return replace(asked, instead=f"answered with {called(asked.kind)} instead of results")
    issues = [issue for outcome in asked.resources("OperationOutcome") for issue in dicts(outcome.get("issue"))]
    codes = error_codes(issues)
    return replace(asked, instead=f"answered with an error ({codes[0]})") if codes else asked


def _since(begun: float) -> float:
    return (perf_counter() - begun) * 1000
