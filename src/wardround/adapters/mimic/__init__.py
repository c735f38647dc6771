"""MIMIC-IV CSVs in, stays and readings out, through DuckDB; nothing is ever loaded whole."""
