"""The home folder of a station: the database and the kept files, opened together."""

from dataclasses import dataclass
from pathlib import Path

from sqlalchemy.exc import DatabaseError

from camlucida.errors import StoreError
from camlucida.settings import settings
from camlucida.store.blobs import Blobs
from camlucida.store.database import Database, not_written, upgrade

FILE = "camlucida.sqlite"


@dataclass(frozen=True)
class Home:
    """An open home: a folder with `camlucida.sqlite` and `blobs/`, unless the settings place them elsewhere.

    What belongs to one machine (models, pacs.toml, locks, parts of files) always lies in the folder.
    """

    folder: Path
    database: Database
    blobs: Blobs

    @classmethod
    def open(cls, folder: Path, *, embedded: bool = False) -> "Home":
        """Open a home, made first where there is none; its tables are brought up to date.

        Its database and kept files are where the settings say; `embedded`: in the folder, whatever they say.

        Raises
        ------
        StoreError
            The folder cannot be made or written to, lies on a network file system, or belongs to a newer
            version of camlucida; or PostgreSQL cannot be reached.
        MissingExtra
            PostgreSQL needs an extra that is not installed.
        """
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            blobs = open_blobs(folder / "blobs", "" if embedded else settings().blobs_url)
        except OSError as error:
            raise StoreError(
                f"The home folder {folder} cannot be used ({error.strerror}); choose another with --home or "
                "CAMLUCIDA_HOME."
            ) from error
        url = "" if embedded else settings().database_url.get_secret_value()
        return cls(folder, open_url(url) if url else _open_file(folder / FILE), blobs)

    @staticmethod
    def is_there(folder: Path) -> bool:
        """Whether a station has been opened here before; a PostgreSQL database that is named counts."""
        return bool(settings().database_url.get_secret_value()) or (folder / FILE).is_file()

    def close(self) -> None:
        """Close the database."""
        self.database.close()


def open_blobs(folder: Path, url: str) -> Blobs:
    """Kept files in the folder, or at an `s3://` address with the folder for what is being written."""
    if not url:
        return Blobs(folder)
    from camlucida.store.bucket import Bucket  # noqa: PLC0415 - only where it is set

    return Bucket(folder, url)


def _open_file(path: Path) -> Database:
    database = Database(path)
    try:
        upgrade(database.engine)
    except DatabaseError as error:
        raise StoreError(
            f"The database {path} cannot be opened ({error.orig}); put back a copy of it, or choose another "
            "folder with --home."
        ) from error
    path.chmod(0o600)  # patients' names: for the owner only; SQLite's files beside it follow
    return database


def open_url(url: str) -> Database:
    """The PostgreSQL database at this address, with the newest tables.

    Raises
    ------
    StoreError
        The address is none, or nobody answers there.
    """
    database = Database(url)
    try:
        upgrade(database.engine)
    except DatabaseError as error:
        database.close()
        raise not_written(error) from error
    return database
