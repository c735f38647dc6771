"""The bedside door: answers the calls of CDS Hooks with cards. `door.py` is where a call comes in."""
