"""Plays a hospital over MLLP: people who come, move, merge and leave, and the charts of those in the unit."""
