"""Reads YAML under include/schemas into frozen, validated models. No data, no clock, no network."""
