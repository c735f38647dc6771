"""The fixtures of a server that answers what a test tells it to."""

from tests.scripted_server import page, reply, server

__all__ = ["page", "reply", "server"]
