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

__all__ = ["Binary", "ByteCount", "insert", "matches", "occurs"]

# PostgreSQL's compiler takes SQLite's ON CONFLICT as it is, but for this word, which only its own has; its
# own would be 0.15 s at every start to load.
OnConflictClause.constraint_target = None  # type: ignore[attr-defined]


class Binary(TypeDecorator[str]):
    """Text that is sorted by code points, as SQLite does, whatever the database's language."""

    impl = String
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        """PostgreSQL's text has an order of its own."""
        return String(collation="C") if dialect.name == "postgresql" else String()

    def coerce_compared_value(self, op: Any, value: Any) -> TypeEngine[Any]:  # noqa: ARG002
        """What it is compared with follows the column."""
        return String()


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


class each_of_json(FunctionElement[Any]):  # noqa: N801 - reads as a function of SQL
    """The elements of an array, or the values of an object, at a place in a JSON column: `.value` of a table.

    `each_of_json(column, "00100010", "Value", 0).table_valued("value")`; none where there is no such place.
    """

    inherit_cache = True

    def __init__(self, column: Any, *place: str | int) -> None:
        super().__init__(column[place])


@compiles(each_of_json, "sqlite")
def _each_of_json_in_sqlite(element: Any, compiler: SQLCompiler, **words: Any) -> str:
    (found,) = element.clauses
    column, place = (compiler.process(one, **words) for one in (found.left, found.right))
    return f"json_each({column}, {place})"


@compiles(each_of_json, "postgresql")
def _each_of_json_in_postgresql(element: Any, compiler: SQLCompiler, **words: Any) -> str:
    found = compiler.process(element.clauses, **words)
    array = f"CASE json_typeof({found}) WHEN 'array' THEN {found} WHEN 'object' THEN "
    values = f"SELECT json_agg(one.value) FROM json_each({found}) AS one"  # noqa: S608 - compiled parts
    return f"json_array_elements({array}({values}) END)"


class in_json(FunctionElement[str]):  # noqa: N801 - reads as a function of SQL
    """A value of `each_of_json` as text, compared by code points."""

    type = String()
    inherit_cache = True


@compiles(in_json, "sqlite")
def _in_json_in_sqlite(element: Any, compiler: SQLCompiler, **words: Any) -> str:
    return compiler.process(element.clauses, **words)


@compiles(in_json, "postgresql")
def _in_json_in_postgresql(element: Any, compiler: SQLCompiler, **words: Any) -> str:
    return f"({compiler.process(element.clauses, **words)} #>> '{{}}') COLLATE \"C\""


class is_number(FunctionElement[bool]):  # noqa: N801 - reads as a function of SQL
    """Whether a value of `each_of_json` is this number: `is_number(value, 4.0)`; a text of digits is not."""

    inherit_cache = True


@compiles(is_number, "sqlite")
def _is_number_in_sqlite(element: Any, compiler: SQLCompiler, **words: Any) -> str:
    value, number = (compiler.process(one, **words) for one in element.clauses)
    return f"{value} = {number}"


@compiles(is_number, "postgresql")
def _is_number_in_postgresql(element: Any, compiler: SQLCompiler, **words: Any) -> str:
    value, number = (compiler.process(one, **words) for one in element.clauses)
    as_number = f"CAST(CAST({value} AS text) AS double precision)"
    return f"CASE WHEN json_typeof({value}) = 'number' THEN {as_number} = {number} ELSE false END"
