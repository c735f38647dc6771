"""What a FHIR server can do, found out by asking it."""

from wardround.workflows.check_source.check_source import SourceCheck, check_source

__all__ = ["SourceCheck", "check_source"]
