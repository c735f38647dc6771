"""YAML under include/schemas -> frozen, validated models. No data, no clock, no network."""
