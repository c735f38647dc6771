"""Misbehaves on request, to test clients: says which requests are slowed, refused or cut off, and how often.

A plan is JSON: `{"seed": 1, "faults": [{"kind": "status", "status": 429, "rate": 0.2, "retry_after": 1}]}`.
"""

import random
import threading
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

Rate = Annotated[float, Field(ge=0, le=1)]


class Fault(BaseModel):
    """One kind of misbehaviour, and the requests that it affects.

    Attributes:
        kind: `status` answers with `status` (an error, or the 202 of an export that never ends) and does nothing;
            `delay` waits `seconds` and continues; `drop` closes the connection and does nothing; `drop_after` performs
            the request, including writes, and closes the connection instead of answering; `truncate` performs it and
            closes the connection in the middle of the body.
        rate: the share of the matching requests that are affected, drawn with the plan's seed.
        methods: HTTP methods that match; empty: all.
        path: what the path must contain, e.g. "/Observation/_search"; empty: any.
        skip: how many matching requests pass first.
        times: how many are affected at most; None: no limit.
        retry_after: seconds for a Retry-After header; None: no header.
        retry_after_date: write it as an HTTP date.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Literal["status", "delay", "drop", "drop_after", "truncate"]
    rate: Rate = 1.0
    methods: tuple[str, ...] = ()
    path: str = ""
    skip: Annotated[int, Field(ge=0)] = 0
    times: Annotated[int, Field(ge=0)] | None = None
    status: Annotated[int, Field(ge=202, le=599)] = 503
    retry_after: Annotated[int, Field(ge=0)] | None = None
    retry_after_date: bool = False
    seconds: Annotated[float, Field(ge=0)] = 0.0

    def concerns(self, method: str, path: str) -> bool:
        return (not self.methods or method in self.methods) and self.path in path


class FaultPlan(BaseModel):
    """Faults and the seed of the draws. The first fault that affects a request decides; more may follow a delay."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    seed: int = 0
    faults: tuple[Fault, ...] = ()


class Faults:
    """A plan in use: counts the requests and makes the draws."""

    def __init__(self, plan: FaultPlan | None = None) -> None:
        self._lock = threading.Lock()
        self.follow(plan or FaultPlan())

    def follow(self, plan: FaultPlan) -> None:
        """Starts a plan from its beginning, in place of the previous one."""
        with self._lock:
            self.plan = plan
            self._random = random.Random(plan.seed)
            self._seen = [0] * len(plan.faults)
            self.met = [0] * len(plan.faults)

    def meeting(self, method: str, path: str) -> list[Fault]:
        """Returns the faults that affect a request, in order: delays, then at most one that decides."""
        found: list[Fault] = []
        with self._lock:
            for number, fault in enumerate(self.plan.faults):
                if not fault.concerns(method, path) or not self._drawn(number, fault):
                    continue
                self.met[number] += 1
                found.append(fault)
                if fault.kind != "delay":
                    break
        return found

    def _drawn(self, number: int, fault: Fault) -> bool:
        self._seen[number] += 1
        if self._seen[number] <= fault.skip or (fault.times is not None and self.met[number] >= fault.times):
            return False
        return self._random.random() < fault.rate
