"""Reads stays and readings from MIMIC-IV CSVs through DuckDB; no table is ever loaded into memory as a whole."""

from wardround.sources.mimic.folder import MimicFolder

__all__ = ["MimicFolder"]
