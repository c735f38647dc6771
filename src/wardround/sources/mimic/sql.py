"""Texts and names in; how SQL writes them, quoted, out."""


def literal(text: str) -> str:
    """A text as a string."""
    return "'" + text.replace("'", "''") + "'"


def identifier(name: str) -> str:
    """The name of a table or a column."""
    return '"' + name.replace('"', '""') + '"'
