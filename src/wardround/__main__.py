"""`python -m wardround` is the `wardround` command."""

from wardround.cli.main import run

if __name__ == "__main__":
    run()
