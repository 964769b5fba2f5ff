"""What PostgreSQL does that SQLite cannot: be away, be restarted, quote rows in its errors."""

import random
import secrets
import sys
import threading
from contextlib import closing

import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError

from camlucida.errors import InputError, NotAnswering, StoreError
from camlucida.store import postgresql as store_postgresql
from camlucida.store.database import Database
from camlucida.store.home import Home
from camlucida.store.tables import StudyRow
from postgresql import homes_on


@pytest.fixture
def opened(on_postgresql):
    database = Database(on_postgresql)
    yield database
    database.close()


def study(uid, **fields):
    texts = ("birth_date", "sex", "study_date", "study_time", "description", "accession_number", "patient_id")
    words = {**dict.fromkeys(texts, ""), "patient_name": "", "phantom": False, **fields}
    return StudyRow(key=uid, study_instance_uid=uid, **words)


@pytest.mark.parametrize("url", ["mysql://u:secret@h/d", "secret", "sqlite:///secret"])
def test_an_address_of_something_else_is_a_sentence_without_the_password(url):
    with pytest.raises(StoreError, match="postgresql://user:password@host/name") as told:
        Database(url)
    assert "secret" not in str(told.value)


def test_a_server_that_is_not_there_is_a_sentence_without_the_password(tmp_path):
    with homes_on(f"postgresql://u:secret@/d?host={tmp_path}"), pytest.raises(NotAnswering) as told:
        Home.open(tmp_path / "home")
    assert "CAMLUCIDA_DATABASE_URL" in str(told.value)
    assert "secret" not in str(told.value)


def test_a_text_that_no_index_takes_is_refused_and_not_tried_for_ever(opened):
    words = secrets.token_hex(5000)  # what could be packed would fit
    with pytest.raises(InputError, match="longer than PostgreSQL"), opened.write() as session:
        session.add(study("long", description=words))
    with opened.read() as session:
        assert session.query(StudyRow).count() == 0


@pytest.mark.usefixtures("on_postgresql")
def test_a_restart_in_the_middle_keeps_nothing_half_and_the_next_try_is_right(tmp_path, postgresql):
    def write_while_it_restarts(home, server):
        with home.database.write() as session:
            session.add(study("half"))
            session.flush()
            server.restart()
            session.add(study("other half"))

    def read_while_it_restarts(home, server):
        with home.database.read() as session:
            session.query(StudyRow).count()
            server.restart()
            session.query(StudyRow).count()

    with closing(Home.open(tmp_path / "home")) as home:
        with home.database.write() as session:
            session.add(study("whole"))
        with pytest.raises(NotAnswering, match="nothing half was kept"):
            write_while_it_restarts(home, postgresql)
        with home.database.write() as session:  # the pool has noticed
            assert [row.key for row in session.query(StudyRow)] == ["whole"]
            session.add(study("again"))
        with pytest.raises(NotAnswering):
            read_while_it_restarts(home, postgresql)
        with home.database.read() as session:
            assert session.query(StudyRow).count() == 2


def test_who_waits_too_long_for_another_writer_is_told(opened, monkeypatch):
    monkeypatch.setattr(store_postgresql, "LOCK_SECONDS", 0.05)
    with opened.write() as session:
        session.add(study("1"))
        session.flush()
        with pytest.raises(StoreError, match=r"has been writing for 0\.05 s"), opened.write() as other:
            other.query(StudyRow).count()


def test_a_reader_sees_one_moment(opened):
    with opened.read() as reader:
        assert reader.query(StudyRow).count() == 0
        with opened.write() as session:
            session.add(study("1"))
        assert reader.query(StudyRow).count() == 0


def test_a_writer_sees_what_was_kept_while_it_waited(opened):
    holds, counted = threading.Event(), []

    def count_after():
        holds.wait()
        with opened.write() as session:
            counted.append(session.query(StudyRow).count())

    thread = threading.Thread(target=count_after)
    thread.start()
    with opened.write() as session:
        session.add(study("1"))
        session.flush()
        holds.set()
        thread.join(0.1)
        assert counted == []
    thread.join()
    assert counted == [1]


def test_errors_do_not_quote_the_row(opened):
    """PostgreSQL's own text says "Failing row contains (…, Doe^Jane, …)"."""
    statement = text("INSERT INTO studies (id, key, patient_name) VALUES (1, 'k', :name)")
    with pytest.raises(IntegrityError, match="not-null") as told, opened.write() as session:
        session.execute(statement, {"name": "Doe^Jane"})
    assert "Doe" not in f"{told.value} {told.value.orig} {told.value.__cause__}"


def test_a_nul_in_a_text_or_a_header_is_left_out(opened):
    with opened.write() as session:
        session.add(study("1", patient_name="Doe\0^Jane"))
    with opened.read() as session:
        assert session.query(StudyRow).one().patient_name == "Doe^Jane"
    assert store_postgresql._json({"a\0": ["b\0", r"\u0000"], "c": 1}) == r'{"a": ["b", "\\u0000"], "c": 1}'


def test_names_are_folded_as_python_does(opened):
    """Every letter that has a case, and words of any letters."""
    letters = [chr(n) for n in range(1, sys.maxunicode + 1) if not 0xD800 <= n < 0xE000]
    dice = random.Random(1)  # noqa: S311 - words of nobody
    words = ["".join(dice.choices(letters, k=7)) for _ in range(200)]
    cased = "".join(letter for letter in letters if letter.casefold() != letter)
    words += [cased[at : at + 50] for at in range(0, len(cased), 50)]
    each = "unnest(CAST(:words AS text[])) WITH ORDINALITY AS each(word, place)"
    with opened.read() as session:
        folds = text(f"SELECT casefold(word) FROM {each} ORDER BY place")  # noqa: S608 - ours
        found = session.scalars(folds, {"words": words}).all()
    assert found == [word.casefold() for word in words]
