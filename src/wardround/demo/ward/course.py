"""Simulates the latent course of illness of every stay, hourly; all vital signs and laboratory results follow it.

It is two numbers per stay and hour: severity (about -2 to 4) and infection (0 without one, about 1 in sepsis).
"""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Illness:
    """What determines the course of each stay: arrays with one entry per stay; times in hours since ICU admission.

    Attributes:
        severity: severity of illness at admission, standard normal over stays.
        intensity: size of the response to infection, 0 without one; inflammation without infection also has some.
        onset: when the response begins; may be before admission.
        death: when the patient dies; infinite for survivors.
    """

    severity: np.ndarray
    intensity: np.ndarray
    onset: np.ndarray
    death: np.ndarray


@dataclass(frozen=True)
class Course:
    """Severity and infection, each an array of stays x hours."""

    severity: np.ndarray
    infection: np.ndarray

    def at(self, stay: np.ndarray, hour: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Returns severity and infection of the stays (by position) at `hour` (floats; earlier than 0 means 0)."""
        column = np.clip(hour.astype(np.int64), 0, self.severity.shape[1] - 1)
        return self.severity[stay, column], self.infection[stay, column]


def run_course(illness: Illness, hours: int, rng: np.random.Generator) -> Course:
    """Simulates the course over `hours` hours.

    Severity wanders slowly around its value at admission, falls in survivors and rises before death. The response to
    infection rises within hours and fades over days.
    """
    time = np.arange(hours)[None, :]
    severity = 0.8 * illness.severity[:, None] + wander(len(illness.onset), hours, 0.5, rng)
    severity = severity - 0.004 * time
    with np.errstate(over="ignore"):
        severity = severity + 2.2 * np.exp(-np.maximum(illness.death[:, None] - time, 0) / 20)
    since = time - illness.onset[:, None]
    rise = 1 / (1 + np.exp(np.clip(-since / 2.5, -50, 50)))
    fade = np.exp(-np.maximum(since - 16, 0) / 90)
    return Course(severity, illness.intensity[:, None] * rise * fade)


def wander(stays: int, hours: int, size: float, rng: np.random.Generator, memory: float = 0.9) -> np.ndarray:
    """Returns autoregressive noise, stays x hours, of standard deviation `size` and hourly autocorrelation `memory`."""
    noise = rng.normal(0, size, (stays, hours))
    noise[:, 1:] *= np.sqrt(1 - memory**2)
    for hour in range(1, hours):
        noise[:, hour] += memory * noise[:, hour - 1]
    return noise
