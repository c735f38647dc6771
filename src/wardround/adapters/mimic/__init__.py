"""MIMIC-IV CSVs in, stays and readings out, through DuckDB; nothing is ever loaded whole."""

from wardround.adapters.mimic.folder import MimicFolder

__all__ = ["MimicFolder"]
