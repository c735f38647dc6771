"""The options --by and --why: who decides, and the reason, for the record."""

import click

by_option = click.option("--by", envvar="USER", default="unknown", help="Who decides, for the record (default: USER).")
why_option = click.option("--why", required=True, help="The reason, for the record.")
