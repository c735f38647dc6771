"""Wardround's own database: what outlives a run and is shared by every door."""
