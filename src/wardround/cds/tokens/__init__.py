"""Tokens of the bedside door: whose they are, which keys signed them, and that each is used once."""
