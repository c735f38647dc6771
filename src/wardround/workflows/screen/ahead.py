"""Loads what the steps after the gate need, while the gate's own process is still at work."""

from importlib import import_module

from wardround.adapters.html import report as pages
from wardround.results import fhir_validity


def load_ahead() -> None:
    """Does nothing but save time: each of these would otherwise be loaded by the step that needs it first."""
    fhir_validity.prepare()
    pages.prepare()
    import_module("wardround.adapters.database.history")
