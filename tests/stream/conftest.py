"""Provides the stages with queues: those of tests/adapters/queue."""

from tests.adapters.queue.conftest import database, queue, url, urls

__all__ = ["database", "queue", "url", "urls"]
