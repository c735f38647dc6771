"""Keeps the history in the database: replaces a run as a whole and reads runs, in the caller's transaction."""

from collections.abc import Iterator
from datetime import datetime
from itertools import groupby

from sqlalchemy import Connection, delete, insert, select, text

from wardround.adapters.database.tables import HISTORY_FIGURE, HISTORY_RUN
from wardround.report.history import STREAM, WHOLE, Figure, RunHistory


def replace_run(connection: Connection, history: RunHistory) -> None:
    """Writes a run in place of what the history held of it. Others that replace a run wait."""
    if connection.dialect.name == "postgresql":
        # Two processes may write the same run: the second would insert what it could not see to delete.
        connection.execute(text(f"lock table {HISTORY_RUN.name} in share row exclusive mode"))
    connection.execute(delete(HISTORY_FIGURE).where(HISTORY_FIGURE.c.run == history.run))
    connection.execute(delete(HISTORY_RUN).where(HISTORY_RUN.c.run == history.run))
    facts = {column.name: getattr(history, column.name) for column in HISTORY_RUN.columns}
    connection.execute(insert(HISTORY_RUN), facts)
    figures = [{"run": history.run, **figure._asdict()} for figure in history.figures]
    if figures:
        connection.execute(insert(HISTORY_FIGURE), figures)


def names_in(connection: Connection) -> set[str]:
    """Returns the names of all runs, without hours of the stream."""
    asked = select(HISTORY_RUN.c.run).where(HISTORY_RUN.c.condition != STREAM)
    return {str(run) for run in connection.execute(asked).scalars()}


def run_in(connection: Connection, run: str) -> RunHistory | None:
    """Returns a run with all its figures; None if the history does not have it."""
    found = connection.execute(select(HISTORY_RUN).where(HISTORY_RUN.c.run == run)).mappings().one_or_none()
    if found is None:
        return None
    figure = HISTORY_FIGURE.c
    rows = connection.execute(
        select(figure.unit, figure.measure, figure.value).where(figure.run == run).order_by(figure.unit, figure.measure)
    )
    return RunHistory(**found, figures=tuple(Figure(*row) for row in rows))


def runs_in(
    connection: Connection, condition: str | None = None, since: datetime | None = None
) -> Iterator[RunHistory]:
    """Yields the runs, the latest prediction time first, with the figures of the whole run; few are in memory.

    Those of all conditions, without a condition; hours of the stream only come by its name (STREAM).
    """
    figure, run = HISTORY_FIGURE.c, HISTORY_RUN.c
    asked = (
        select(HISTORY_RUN, figure.measure, figure.value)
        .outerjoin(HISTORY_FIGURE, (figure.run == run.run) & (figure.unit == WHOLE))
        .order_by(run.as_of.desc(), run.run, figure.measure)
        .execution_options(yield_per=1_000)
    )
    asked = asked.where(run.condition != STREAM if condition is None else run.condition == condition)
    if since is not None:
        asked = asked.where(run.as_of >= since)
    for _, rows in groupby(connection.execute(asked).mappings(), lambda row: row["run"]):
        mine = list(rows)
        facts = {column.name: mine[0][column.name] for column in HISTORY_RUN.columns}
        figures = (Figure(WHOLE, row["measure"], row["value"]) for row in mine if row["measure"] is not None)
        yield RunHistory(**facts, figures=tuple(figures))
