import threading
import time
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError

from camlucida.errors import StoreError
from camlucida.store import database
from camlucida.store.database import Database
from camlucida.store.home import Home
from camlucida.store.sqlite import refuse_network_file_system
from camlucida.store.tables import Base, ImageRow, StudyRow, TokenRow

MADE = {
    "sqlite": "SELECT type, name FROM sqlite_master",
    "postgresql": "SELECT 'table', tablename FROM pg_tables WHERE schemaname = 'public' UNION "
    "SELECT 'index', indexname FROM pg_indexes WHERE schemaname = 'public' UNION "
    "SELECT 'sequence', sequencename FROM pg_sequences WHERE schemaname = 'public' UNION "
    "SELECT 'trigger', tgname FROM pg_trigger WHERE NOT tgisinternal UNION "
    "SELECT 'function', proname FROM pg_proc WHERE pronamespace = 'public'::regnamespace",
}
"""All that there is in a database, by kind and name."""


def study(**fields):
    words = dict.fromkeys(
        [
            "study_instance_uid",
            "patient_name",
            "patient_id",
            "birth_date",
            "sex",
            "study_date",
            "study_time",
            "description",
            "accession_number",
        ],
        "",
    )
    return StudyRow(**{**words, "key": "k", "phantom": False, **fields})


def test_the_migrations_make_the_tables_that_the_code_speaks_of(home):
    with home.database.engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, Base.metadata) == []


def test_every_migration_can_be_taken_back_and_made_again(home):
    def made():
        with home.database.engine.connect() as connection:
            return {tuple(row) for row in connection.execute(text(MADE[connection.dialect.name]))}

    before = made()
    assert ("trigger", "events_refuse_delete") in before
    config = Config()
    config.set_main_option("script_location", str(Path(database.__file__).parent / "migrations"))
    with database.writing(home.database.engine).begin() as connection:
        config.attributes["connection"] = connection
        command.downgrade(config, "base")
    assert {name for kind, name in made() if kind != "index"} == {"alembic_version"}
    database.upgrade(home.database.engine)
    assert made() == before


def test_the_pragmas_are_set_on_every_connection(tmp_path):
    engine = Database(tmp_path / "camlucida.sqlite").engine
    with engine.connect() as one, engine.connect() as two:
        for connection in (one, two):
            values = [
                connection.execute(text(f"PRAGMA {name}")).scalar()
                for name in ("journal_mode", "busy_timeout", "foreign_keys")
            ]
            assert values == ["wal", 30000, 1]


def test_foreign_keys_are_enforced(home):
    with pytest.raises(IntegrityError), home.database.write() as session:
        session.add(
            ImageRow(
                key="k",
                study_id=99,
                identity="i",
                files_digest="f",
                pixel_digest="p",
                modality="",
                series_instance_uid="",
                series_description="",
                view_position="",
                header={},
                source={},
            )
        )


def test_moments_come_back_in_utc_whatever_their_zone(home):
    tokyo = datetime(2026, 1, 1, 8, tzinfo=timezone(timedelta(hours=9)))
    with home.database.write() as session:
        session.add(TokenRow(sha256="t", expires=tokyo))
    with home.database.read() as session:
        assert session.get_one(TokenRow, "t").expires == datetime(2025, 12, 31, 23, tzinfo=UTC)
        assert session.get_one(TokenRow, "t").expires.tzinfo is UTC


def test_a_moment_without_zone_is_refused(home):
    naive = datetime(2026, 1, 1)  # noqa: DTZ001 - that is the point
    with pytest.raises(Exception, match="has no time zone"), home.database.write() as session:
        session.add(TokenRow(sha256="t", expires=naive))


def test_an_error_in_a_write_keeps_nothing(home):
    def half() -> None:
        with home.database.write() as session:
            session.add(study(study_instance_uid="1"))
            session.flush()
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        half()
    with home.database.read() as session:
        assert session.query(StudyRow).count() == 0


def test_errors_do_not_quote_the_patient(home):
    with home.database.write() as session:
        session.add(study(study_instance_uid="1"))
    with pytest.raises(IntegrityError) as caught, home.database.write() as session:
        session.add(study(study_instance_uid="1", patient_name="Doe^Jane"))
    assert "Doe" not in str(caught.value)


def test_writers_wait_for_each_other_although_they_read_first(home):
    """Two deferred transactions that read before they write would fail at once with SQLITE_BUSY."""
    with home.database.write() as session:
        session.add(study(study_instance_uid="1", description="0"))

    def add_one() -> None:
        for _ in range(20):
            with home.database.write() as session:
                row = session.query(StudyRow).one()
                time.sleep(0.001)
                row.description = str(int(row.description) + 1)

    threads = [threading.Thread(target=add_one) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with home.database.read() as session:
        assert session.query(StudyRow).one().description == "80"


def test_a_reader_is_not_kept_waiting_by_a_writer(home):
    with home.database.write() as session:
        session.add(study(study_instance_uid="1"))
        session.flush()
        with home.database.read() as reader:
            assert reader.query(StudyRow).count() == 0


@pytest.mark.parametrize("kind", ["nfs4", "cifs"])
def test_a_network_file_system_is_refused(tmp_path, kind):
    mounts = tmp_path / "mounts"
    mounts.write_text(f"/dev/sda / ext4 rw 0 0\nserver:/x {tmp_path} {kind} rw 0 0\n")
    with pytest.raises(StoreError, match=f"network file system \\({kind}\\).*--home"):
        refuse_network_file_system(tmp_path / "home", mounts)


def test_a_local_disk_below_a_network_file_system_is_taken(tmp_path):
    mounts = tmp_path / "mounts"
    mounts.write_text(f"server:/x / nfs rw 0 0\n/dev/sda {tmp_path} ext4 rw 0 0\n")
    refuse_network_file_system(tmp_path / "home", mounts)


def test_a_database_of_a_newer_version_is_left_alone(tmp_path):
    home = Home.open(tmp_path)
    with home.database.write() as session:
        session.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    home.close()
    with pytest.raises(StoreError, match="newer version of camlucida"):
        Home.open(tmp_path)


def test_processes_that_start_together_make_the_tables_once(tmp_path):
    errors = []

    def open_home() -> None:
        try:
            Home.open(tmp_path).close()
        except Exception as error:  # noqa: BLE001 - whatever it is, the test shall show it
            errors.append(error)

    threads = [threading.Thread(target=open_home) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
