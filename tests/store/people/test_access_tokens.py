from datetime import timedelta

import pytest
from sqlalchemy import select, update

from camlucida.errors import StoreError
from camlucida.records.role import Role
from camlucida.store.people import access_tokens
from camlucida.store.tables import AccessTokenRow, now


def test_a_token_says_who_asks_and_what_is_allowed(home):
    reads = access_tokens.add(home, "ohif")
    stores = access_tokens.add(home, "pacs", [Role.OPERATOR, Role.READER])
    assert access_tokens.find(home, reads) == ("ohif", {Role.READER})
    assert access_tokens.find(home, stores) == ("pacs", {Role.READER, Role.OPERATOR})
    assert [row.name for row in access_tokens.all_tokens(home)] == ["ohif", "pacs"]


@pytest.mark.parametrize("token", ["", "wrong", "é" * 50, "ohif"])
def test_anything_else_opens_nothing(home, token):
    access_tokens.add(home, "ohif")
    assert access_tokens.find(home, token) is None


def test_an_expired_and_a_revoked_token_open_nothing(home):
    expired, revoked = access_tokens.add(home, "old", days=1), access_tokens.add(home, "gone")
    with home.database.write() as session:
        row = session.scalar(select(AccessTokenRow).where(AccessTokenRow.name == "old"))
        assert timedelta(hours=23) < row.expires - now() <= timedelta(days=1)
        row.expires = now()
    access_tokens.revoke(home, "gone")
    assert access_tokens.find(home, expired) is None
    assert access_tokens.find(home, revoked) is None


def test_it_is_said_when_a_token_was_last_used_with_a_write_a_minute(home):
    token = access_tokens.add(home, "ohif")
    access_tokens.find(home, token)
    first = access_tokens.all_tokens(home)[0].used
    assert first is not None
    access_tokens.find(home, token)
    assert access_tokens.all_tokens(home)[0].used == first
    with home.database.write() as session:
        session.execute(update(AccessTokenRow).values(used=now() - timedelta(minutes=2)))
    access_tokens.find(home, token)
    assert access_tokens.all_tokens(home)[0].used > first


def test_the_token_cannot_be_read_from_the_database(sqlite_home):
    token = access_tokens.add(sqlite_home, "ohif")
    sqlite_home.database.close()
    content = b"".join(path.read_bytes() for path in sqlite_home.folder.glob("camlucida.sqlite*"))
    assert b"ohif" in content
    assert token.encode() not in content


@pytest.mark.parametrize("name", ["", " ", "a\nb", " ohif", "x" * 65])
def test_a_name_that_is_none_is_refused(home, name):
    with pytest.raises(StoreError, match="printable"):
        access_tokens.add(home, name)


def test_a_name_stands_for_one_token(home):
    access_tokens.add(home, "ohif")
    with pytest.raises(StoreError, match="already"):
        access_tokens.add(home, "ohif")
    access_tokens.revoke(home, "ohif")
    access_tokens.add(home, "ohif")


def test_revoking_what_is_not_there_is_a_sentence(home):
    with pytest.raises(StoreError, match="tokens list"):
        access_tokens.revoke(home, "ohif")
