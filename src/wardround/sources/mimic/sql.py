"""Quotes texts and names for SQL."""


def literal(text: str) -> str:
    """Quotes a text as a SQL string."""
    return "'" + text.replace("'", "''") + "'"


def identifier(name: str) -> str:
    """Quotes the name of a table or a column."""
    return '"' + name.replace('"', '""') + '"'
