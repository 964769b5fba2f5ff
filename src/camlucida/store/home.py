"""The home folder of a station: the database and the kept files, opened together."""

from dataclasses import dataclass
from pathlib import Path

from camlucida.errors import StoreError
from camlucida.store.blobs import Blobs
from camlucida.store.database import Database, upgrade


@dataclass(frozen=True)
class Home:
    """An open home: `camlucida.sqlite` and `blobs/` in one folder."""

    folder: Path
    database: Database
    blobs: Blobs

    @classmethod
    def open(cls, folder: Path) -> "Home":
        """Open a home, made first where there is none; its tables are brought up to date.

        Raises
        ------
        StoreError
            The folder cannot be made or written to, lies on a network file system, or belongs to a newer
            version of camlucida.
        """
        try:
            folder.mkdir(parents=True, exist_ok=True)
            folder.chmod(0o700)  # patient data: for the owner only
            blobs = Blobs(folder / "blobs")
        except OSError as error:
            raise StoreError(
                f"The home folder {folder} cannot be used ({error.strerror}); choose another with --home or "
                "CAMLUCIDA_HOME."
            ) from error
        database = Database(folder / "camlucida.sqlite")
        upgrade(database.engine)
        return cls(folder, database, blobs)

    def close(self) -> None:
        """Close the database."""
        self.database.close()
