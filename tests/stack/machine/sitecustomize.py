"""Gives each container of the stack the host name that Docker would: Python imports this file when it starts."""

import os
import socket

if "STACK_HOST" in os.environ:
    socket.gethostname = lambda: os.environ["STACK_HOST"]
