"""Models that were trained elsewhere: their inputs, checks, and what their files say about their training."""
