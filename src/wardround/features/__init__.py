"""Events to feature rows: windows, the minimum data for a score, and the events a score rests on."""
