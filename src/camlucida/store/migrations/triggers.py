"""Triggers as both databases write them: SQLite's hold statements, PostgreSQL's call a function.

SQLite alters a table by copying it (`batch_alter_table`), and the copy has no triggers: a migration that does
so makes them again.
"""

from alembic import op

REFUSED = "integrity_constraint_violation"  # PostgreSQL's name for what SQLite's RAISE(ABORT) comes to


def only_grow(table: str) -> None:
    """Have the database itself refuse to change, delete or empty the rows of a table."""
    for change in _changes():
        _refuse(f"{table}_refuse_{change.lower()}", change, table, f"{table} are only added, never changed")


def may_change(table: str) -> None:
    """Take that back."""
    for change in _changes():
        drop(f"{table}_refuse_{change.lower()}", table)


def _changes() -> tuple[str, ...]:
    """SQLite empties a table by deleting its rows."""
    return ("UPDATE", "DELETE") if _is_sqlite() else ("UPDATE", "DELETE", "TRUNCATE")


def _refuse(name: str, event: str, table: str, sentence: str) -> None:
    if _is_sqlite():
        op.execute(
            f"CREATE TRIGGER {name} BEFORE {event} ON {table} BEGIN SELECT RAISE(ABORT, '{sentence}'); END"
        )
    else:
        _function(name, f"RAISE {REFUSED} USING MESSAGE = '{sentence}';")
        each = "STATEMENT" if event == "TRUNCATE" else "ROW"
        op.execute(
            f"CREATE TRIGGER {name} BEFORE {event} ON {table} FOR EACH {each} EXECUTE FUNCTION {name}()"
        )


def follow(name: str, event: str, table: str, statement: str, when: str = "") -> None:
    """Have a statement follow each row that is changed; it speaks of the row as NEW and OLD."""
    condition = f" WHEN ({when})" if when else ""
    if _is_sqlite():
        op.execute(f"CREATE TRIGGER {name} AFTER {event} ON {table}{condition} BEGIN {statement}; END")
    else:
        _function(name, f"{statement}; RETURN NULL;")
        op.execute(
            f"CREATE TRIGGER {name} AFTER {event} ON {table} FOR EACH ROW{condition} "
            f"EXECUTE FUNCTION {name}()"
        )


def drop(name: str, table: str) -> None:
    """Take a trigger back."""
    if _is_sqlite():
        op.execute(f"DROP TRIGGER {name}")
    else:
        op.execute(f"DROP TRIGGER {name} ON {table}")
        op.execute(f"DROP FUNCTION {name}()")


def _is_sqlite() -> bool:
    return op.get_bind().dialect.name == "sqlite"


def _function(name: str, body: str) -> None:
    op.execute(f"CREATE FUNCTION {name}() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN {body} END $$")
