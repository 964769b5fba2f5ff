"""Python's str.casefold as a function of PostgreSQL, whose own lower() asks the database's language.

Each letter that folds to one letter is translated, each that folds to several is replaced: made from Python's
own tables, so that both databases find the same names.
"""

import sys


def function() -> str:
    """The statement that makes it."""
    folds = {chr(n): chr(n).casefold() for n in range(sys.maxunicode + 1) if not 0xD800 <= n < 0xE000}
    one = {letter: to for letter, to in folds.items() if letter != to and len(to) == 1}
    several = {letter: to for letter, to in folds.items() if len(to) > 1}
    body = "words"
    for letter, to in several.items():
        body = f"replace({body}, '{letter}', '{to}')"
    body = f"translate({body}, '{''.join(one)}', '{''.join(one.values())}')"
    plain = "translate(words, 'ABCDEFGHIJKLMNOPQRSTUVWXYZ', 'abcdefghijklmnopqrstuvwxyz')"
    return (
        "CREATE FUNCTION casefold(words text) RETURNS text LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$ "
        f"SELECT CASE WHEN octet_length(words) = char_length(words) THEN {plain} ELSE {body} END $$"
    )
