"""MIMIC-IV CSVs in, stays and readings out, through DuckDB; nothing is ever loaded whole."""

from wardround.sources.mimic.folder import MimicFolder

__all__ = ["MimicFolder"]
