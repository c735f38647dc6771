"""Plays the EHR that calls CDS Hooks services: ours, and those of others."""
