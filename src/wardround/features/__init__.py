"""Makes feature rows from events: windows, the minimum data for a score, and the events behind a score."""
