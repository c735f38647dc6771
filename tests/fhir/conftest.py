"""Provides a server that gives the answers that a test sets."""

from tests.scripted_server import page, reply, server

__all__ = ["page", "reply", "server"]
