"""Uses the prefetch of a CDS Hooks call as a source: what the client looked up before it called."""
