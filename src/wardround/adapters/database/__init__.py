"""Wardround's own database, for data that outlives a run and is shared by every entry point."""
