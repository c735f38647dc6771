"""Serves an application over real HTTP, in a thread of the test."""

import socket
import threading
from contextlib import contextmanager

import uvicorn


@contextmanager
def served(app):
    """Serves the application on a free loopback port, in a thread, until the block ends."""
    listening = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(app, log_config=None, access_log=False, lifespan="off", ws="none"))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
    thread.start()
    try:
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join()
