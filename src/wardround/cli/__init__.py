"""The command line: one file per command; arguments in, a table or JSON out, an exit code per cause."""
