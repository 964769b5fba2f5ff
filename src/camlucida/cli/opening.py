"""The store that a command looks into: one that is there, never made by looking."""

from pathlib import Path

from camlucida.errors import StoreError
from camlucida.settings import settings
from camlucida.store.home import Home


def open_store(home: Path | None) -> Home:
    """The store of a home folder, by default that of the settings.

    Raises
    ------
    StoreError
        There is none: a wrong folder would otherwise become an empty store.
    """
    folder = home or settings().home
    if not Home.is_there(folder):
        raise StoreError(
            f"There is no store in {folder}; `camlucida import` makes one; --home names another."
        )
    return Home.open(folder)
