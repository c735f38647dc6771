"""`python -m wardround` is the `wardround` command."""

from wardround.cli.main import run

run()
