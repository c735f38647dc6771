"""Requests that no client would send on purpose, drawn with a seed: the same seed gives the same requests."""

import json
import random
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple
from urllib.parse import quote

from wardround.demo.fhir_server.resource_types import RESOURCE_TYPES, ResourceType

Json = Any
METHODS = ("GET", "POST", "PUT", "DELETE", "PATCH", "HEAD", "OPTIONS", "TRACE", "FOO")
TEXTS = (
    *("", "a", "0", "-1", "é", "\N{SNOWMAN}", "\x00", "\x1b[31m", "a b"),
    *("a|b", "|", "a|", "\\", "\\,", ",", ",,", "%", "%zz", "[", "http://["),
    *("2026-01-02", "2026-01-02T05:00:00Z", "9999-12-31T23:59:59-14:00"),
    *("0000-01-01", "0001-01-01T00:00:00+14:00", "2026-13-45"),
    *("ge2026", "ap2026-02", "sa", "eb9999", "\u0661\u0662\u0663\u0664"),
    *("2026-01-02T24:00:00Z", "2026-01-02T05:00:00." + "1" * 40 + "Z"),
    *("1e999", "NaN", "sNaN", "Infinity", "-Infinity"),
    *("1e-999999999", "1" * 400, "5.4", "ap5", "gt-0", "5||a", "5|a|b"),
    *("Patient/a", "Patient/a/_history/1", "Patient/", "/", "//", "#a"),
    *("urn:uuid:a", "https://elsewhere.org/Patient/a", "Patient?name=a"),
    *("true", "null", "Observation:subject", "Observation:*"),
    *("Observation:subject:Patient", "_has:a", "*", "W/\"1\"", "W/", "text", "count"),
    *("18446744073709551615", "99999999999999999999", "-9223372036854775809"),
    *("x" * 3000, "a," * 500, "{", "}", "<script>", "' OR 1=1 --"),
)  # fmt: skip
NUMBERS = (0, -1, 1, 0.5, -0.0, 1e308, 5e-324, 2**53 + 1, 2**63, 2**64 - 1, -(2**63), 10**30)
NAMES = (
    *("_id", "_lastUpdated", "_count", "_sort", "_include", "_revinclude"),
    *("_elements", "_summary", "_total", "_page", "_tag", "_profile"),
    *("_type", "_since", "_outputFormat", "_format", "_pretty", ""),
    *("nobody", "_has:Observation:patient:code", "_has:a:b:c", "_has:::"),
)  # fmt: skip
MODIFIERS = (
    "",
    ":missing",
    ":not",
    ":exact",
    ":contains",
    ":Patient",
    ":nobody",
    ":Patient.name",
    ".name",
    ".a.b.c.d.e",
    ":",
    ".",
)
HEADERS = (
    *("Accept", "Content-Type", "Prefer", "If-Match", "If-None-Match"),
    *("If-None-Exist", "Authorization", "Host", "Range"),
    *("Origin", "Access-Control-Request-Method", "X-Forwarded-Host", "Content-Encoding", "Expect-Nothing"),
)  # fmt: skip
SAID = (
    *("application/fhir+json", "application/json", "text/html"),
    *("application/x-www-form-urlencoded", "*/*", "", "a/b;c=d", "multipart/form-data"),
    *("return=minimal", "return=representation", "handling=strict"),
    *("respond-async", 'W/"1"', "*", "identifier=a", "Patient?identifier=a|b"),
    *("bytes=0-1", "bytes=9-1", "Basic !!!", "Bearer x", "localhost"),
    *("[::1]", "[", "a:b:c", "a:99999999", "\xff", "http://localhost:8080"),
)  # fmt: skip


class OddRequest(NamedTuple):
    method: str
    target: bytes
    headers: list[tuple[str, bytes]]
    body: bytes


class Drawn:
    """Draws requests."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)

    def requests(self, count: int) -> Iterator[OddRequest]:
        for _ in range(count):
            yield self._request()

    def _one(self, *some: Any) -> Any:
        return self._random.choice(some)

    def _often(self, usual: Callable[[], Any], odd: Callable[[], Any], share: float = 0.8) -> Any:
        return usual() if self._random.random() < share else odd()

    def _text(self) -> str:
        return self._one(*TEXTS)

    def _id(self) -> str:
        return self._often(lambda: self._one("a", "b", "c", "d-1"), self._text)

    def _type(self) -> str:
        return self._often(
            lambda: self._one(*RESOURCE_TYPES), lambda: self._one("Specimen", "patient", self._text()), 0.95
        )

    def _request(self) -> OddRequest:
        kind = self._random.random()
        if kind < 0.30:
            return self._search()
        if kind < 0.60:
            return self._write()
        if kind < 0.80:
            return self._bundle()
        if kind < 0.90:
            return self._elsewhere()
        return self._anything()

    def _search(self) -> OddRequest:
        name = self._type()
        query = "&".join(self._pair(name) for _ in range(self._random.randint(0, 4)))
        if self._random.random() < 0.6:
            return self._made(self._one("GET", "GET", "HEAD"), f"{quote(name)}?{query}")
        form = [("Content-Type", b"application/x-www-form-urlencoded")]
        return self._made("POST", f"{quote(name)}/_search", self._mangled(query.encode()), form)

    def _pair(self, type_name: str) -> str:
        known = RESOURCE_TYPES[type_name].parameters if type_name in RESOURCE_TYPES else {"code": None}
        name = self._one(*known) + self._often(lambda: "", lambda: self._one(*MODIFIERS), 0.6)
        name = self._often(lambda: name, lambda: self._one(*NAMES), 0.6)
        value = ",".join(self._text() for _ in range(self._one(1, 1, 1, 2, 5)))
        if self._random.random() < 0.1:
            return f"{name}={self._one('%ff', '%00', '%ed%a0%80', '%', '%f0%9f', '%c3%28')}"
        return f"{quote(name)}={quote(value)}" if self._random.random() < 0.9 else f"{quote(name)}{quote(value)}"

    def _write(self) -> OddRequest:
        name, key = self._type(), self._id()
        body = self._mangled(self._dumped(self._resource(name, key)))
        conditional = f"{quote(name)}?{self._pair(name)}"
        path = self._one(
            quote(name), f"{quote(name)}/{quote(key, safe='')}", f"{quote(name)}/{quote(key, safe='')}", conditional
        )
        return self._made(self._one("PUT", "PUT", "POST", "DELETE", "PATCH"), path, body)

    def _bundle(self) -> OddRequest:
        bundle = {
            "resourceType": "Bundle",
            "type": self._often(lambda: self._one("batch", "transaction"), self._json, 0.95),
            "entry": [self._entry() for _ in range(self._random.randint(0, 4))],
        }
        mutated = self._often(lambda: bundle, lambda: self._mutated(bundle), 0.7)
        return self._made("POST", "", self._mangled(self._dumped(mutated)))

    def _entry(self) -> Json:
        name, key = self._type(), self._id()
        url = self._one(name, f"{name}/{key}", f"{name}?{self._pair(name)}", self._text())
        request = {"method": self._one(*METHODS), "url": url, self._one("ifMatch", "ifNoneExist", "x"): self._json()}
        entry = {
            "fullUrl": self._one(self._text(), "urn:uuid:a"),
            "resource": self._resource(name, key),
            "request": request,
        }
        return self._often(lambda: entry, lambda: self._mutated(entry), 0.8)

    def _resource(self, name: str, key: str) -> Json:
        resource = {"resourceType": name, "id": key}
        if name in RESOURCE_TYPES:
            resource |= self._elements(RESOURCE_TYPES[name])
        return self._often(lambda: resource, lambda: self._mutated(resource), 0.6)

    def _elements(self, kind: ResourceType) -> dict[str, Json]:
        """Returns a resource with the required elements of the type, and some others."""
        read = {
            path[0]: (parameter.kind, path[1:]) for parameter in kind.parameters.values() for path in parameter.paths
        }
        some = self._random.sample(sorted(read), min(len(read), self._random.randint(0, 5)))
        chosen = {*kind.required, *some} - {"id", "resourceType"}
        return {name: self._value(kind, name, read) for name in sorted(chosen)}

    def _value(self, kind: ResourceType, name: str, read: dict[str, Any]) -> Json:
        if self._random.random() < 0.1:
            return self._json()
        if name in kind.codes:
            return self._one(*sorted(kind.codes[name]))
        if name in kind.dates:
            return self._often(lambda: "2026-01-02T05:00:00Z", self._text)
        of_kind, path = read.get(name, ("token", ()))
        value: Json = {
            "token": {"coding": [{"system": self._text(), "code": self._text()}]},
            "identifier": [{"system": self._text(), "value": self._text()}],
            "reference": {"reference": self._one("Patient/a", self._text())},
            "date": self._one("2026-01-02T05:00:00Z", {"start": self._text(), "end": "2026"}),
            "number": self._one(*NUMBERS),
            "quantity": {"value": self._one(*NUMBERS), "code": self._text()},
            "string": self._text(),
        }[of_kind]
        for step in reversed(path):
            value = self._one({step: value}, [{step: value}])
        return value

    def _json(self, depth: int = 0) -> Json:
        kinds = [self._text, lambda: self._one(*NUMBERS), lambda: self._one(None, True, False, [], {}, "")]
        if depth < 3:
            kinds.append(lambda: [self._json(depth + 1) for _ in range(self._random.randint(0, 3))])
            kinds.append(lambda: {self._one("reference", "coding", "start", "a", "value"): self._json(depth + 1)})
        if depth == 0 and self._random.random() < 0.02:
            return self._nested(self._one(50, 300, 900, 1200))
        return self._one(*kinds)()

    def _nested(self, depth: int) -> Json:
        found: Json = {"reference": "Patient/a"}
        for _ in range(depth):
            found = self._one([found], {"extension": found})
        return found

    def _mutated(self, node: Json) -> Json:
        """Returns the same with another value at one place, or without it."""
        if isinstance(node, dict) and node and self._random.random() < 0.9:
            key = self._one(*node)
            if self._random.random() < 0.2:
                return {name: value for name, value in node.items() if name != key}
            return {**node, key: self._mutated(node[key])}
        if isinstance(node, list) and node and self._random.random() < 0.8:
            at = self._random.randrange(len(node))
            return [*node[:at], self._mutated(node[at]), *node[at + 1 :]]
        return self._json()

    def _dumped(self, node: Json) -> bytes:
        # orjson cannot write a body that is nested this deeply, so it is written by hand.
        try:
            return json.dumps(node).encode()
        except RecursionError:
            return b'{"resourceType":"Patient","id":"a","extension":' + b"[" * 900 + b"]" * 900 + b"}"

    def _mangled(self, body: bytes) -> bytes:
        """Returns mostly the same bytes."""
        if not body or self._random.random() < 0.85:
            return body
        at = self._random.randrange(len(body))
        odd = self._one(b"\xff", b"\x00", b"\xed\xa0\x80", b"NaN", b"1e999", b'"', b"{", b"", b"\\ud800", b"7" * 400)
        return self._one(body[:at], body[:at] + odd + body[at:], body[:at] + odd, odd + body)

    def _elsewhere(self) -> OddRequest:
        """Exports, the metadata, the control routes; never a plan of faults, whose errors are intended."""
        path = self._one(
            *(
                "$export",
                "Patient/$export",
                "Group/a/$export",
                "Observation/$export",
                "$export-status/a",
                "$export-files/a/b",
            ),
            *("metadata", ".well-known/smart-configuration", "a/b/c/d/e", "Patient/a/_history", "Patient/a/_history/1"),
            f"Patient/a/_history/{quote(self._text(), safe='')}",
        )
        if self._random.random() < 0.3:
            plan = self._mangled(
                self._one(
                    b"[]", b"5", b"NaN", b'{"faults": 5}', b'{"seed": 1e999}', b'{"faults": [{"rate": NaN}]}', b'"\xff"'
                )
            )
            return self._made(
                self._one("GET", "POST", "DELETE", "PUT"), "", plan, root=self._one("/_faults", "/_requests", "/_x")
            )
        asked = [("Prefer", b"respond-async")] if self._random.random() < 0.5 else []
        return self._made(self._one(*METHODS), f"{path}?{self._pair('Patient')}", b"", asked)

    def _anything(self) -> OddRequest:
        target = self._one(b"/fhir/", b"/", b"/fhir/Patient/") + self._one(
            b"", b"..", b"%2e%2e/", b"//", b"%00", b"%ff", b"?", b"?%ff=%ff", b"?a=\xff", b"\xff"
        )
        return self._made(self._one(*METHODS), "", self._dumped(self._json()), target=target)

    def _made(
        self,
        method: str,
        path: str,
        body: bytes = b"",
        headers: list[tuple[str, bytes]] | None = None,
        root: str = "/fhir/",
        target: bytes | None = None,
    ) -> OddRequest:
        own = list(headers or [])
        for _ in range(self._one(0, 0, 0, 1, 2)):
            own.append((self._one(*HEADERS), self._one(*SAID).encode("latin-1")))
        return OddRequest(method, target or f"{root}{path}".encode(), own, body)
