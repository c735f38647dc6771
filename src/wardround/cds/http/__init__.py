"""The bedside door over HTTP: tokens and limits before the door, the audit and metrics behind it, and its workers."""
