"""What SQLite and PostgreSQL say differently, said once: queries are the same for both, and so are results.

    session.execute(insert(OrderRow).values(...).on_conflict_do_nothing(index_elements=[...]))
    select(WorklistRow).where(occurs("chest", WorklistRow.words))

`func.casefold` is in both, too: Python's own in SQLite, a function of migration 0002 in PostgreSQL.
"""

from typing import Any

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Dialect,
    Integer,
    String,
    TypeDecorator,
    bindparam,
)
from sqlalchemy.dialects.sqlite import insert
from sqlalchemy.dialects.sqlite.dml import OnConflictClause
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement
from sqlalchemy.types import TypeEngine

__all__ = ["BINARY", "ByteCount", "insert", "matches", "occurs"]

# PostgreSQL's compiler takes SQLite's ON CONFLICT as it is, but for this word, which only its own has; its
# own would be 0.15 s at every start to load.
OnConflictClause.constraint_target = None  # type: ignore[attr-defined]

BINARY = String().with_variant(String(collation="C"), "postgresql")
"""Text that is sorted and compared by code points, as SQLite does, whatever the database's language."""


class ByteCount(TypeDecorator[int]):
    """A whole number of 64 bits, and sums of it: PostgreSQL's integers have 32, its sums are decimals."""

    impl = BigInteger
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        """SQLite's integers have 64 bits."""
        return Integer() if dialect.name == "sqlite" else BigInteger()

    def process_result_value(self, value: Any, dialect: Dialect) -> int | None:  # noqa: ARG002
        """An int, of a sum too."""
        return None if value is None else int(value)


class occurs(FunctionElement[bool]):  # noqa: N801 - reads as a function of SQL
    """Whether a text occurs in another, letter for letter: `occurs(part, text)`."""

    inherit_cache = True


@compiles(occurs, "sqlite")
def _occurs_in_sqlite(element: Any, compiler: SQLCompiler, **words: Any) -> str:
    part, text = (compiler.process(one, **words) for one in element.clauses)
    return f"instr({text}, {part}) > 0"


@compiles(occurs, "postgresql")
def _occurs_in_postgresql(element: Any, compiler: SQLCompiler, **words: Any) -> str:
    part, text = (compiler.process(one, **words) for one in element.clauses)
    return f"strpos({text}, {part}) > 0"


class _Pattern(TypeDecorator[str]):
    """A pattern with `*` and `?`, as each database writes it."""

    impl = String
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:
        """GLOB in SQLite, but for its character classes; LIKE in PostgreSQL."""
        if value is None or dialect.name == "sqlite":
            return value and value.replace("[", "[[]")
        for letter in "\\%_":
            value = value.replace(letter, f"\\{letter}")
        return value.replace("*", "%").replace("?", "_")


class _Matches(FunctionElement[bool]):
    inherit_cache = True


@compiles(_Matches, "sqlite")
def _matches_in_sqlite(element: Any, compiler: SQLCompiler, **words: Any) -> str:
    text, pattern = (compiler.process(one, **words) for one in element.clauses)
    return f"{text} GLOB {pattern}"


@compiles(_Matches, "postgresql")
def _matches_in_postgresql(element: Any, compiler: SQLCompiler, **words: Any) -> str:
    text, pattern = (compiler.process(one, **words) for one in element.clauses)
    return f"{text} LIKE {pattern}"


def matches(text: Any, pattern: str) -> ColumnElement[bool]:
    """Whether a text is like a pattern, in which `*` is any letters and `?` is one; case counts."""
    return _Matches(text, bindparam(None, pattern, type_=_Pattern(), unique=True))
