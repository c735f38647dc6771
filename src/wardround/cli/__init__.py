"""The command line: one file per command. Commands print a table or JSON; each cause of failure has its exit code."""
