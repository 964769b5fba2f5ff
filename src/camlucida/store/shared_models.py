"""Models of a station on several machines: each has the files of all, fetched by digest and verified.

On one machine the folder `models/` of the home is all there is. With PostgreSQL, a model that is registered
on one machine is kept as blobs, too, and every other one that works fetches it; one that is retired on one is
retired on all. (Nothing of models is imported here: only files are carried.)
"""

import re
import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from sqlalchemy import select

from camlucida.errors import StoreError
from camlucida.store.home import Home
from camlucida.store.tables import ModelRow

FOLDER = "models"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+-]{0,127}")  # of a model, a version and a file: no way out


class Mine(NamedTuple):
    """A model that is registered on this machine."""

    digest: str
    name: str
    version: str
    folder: Path
    retired: bool


def share(home: Home, mine: Sequence[Mine]) -> list[str]:
    """Give what others lack, and fetch what this machine lacks; digests that others have retired.

    Raises
    ------
    StoreError
        A name in the database is none of a file.
    DamagedBlob
        A file does not have the content that it was kept with.
    """
    with home.database.read() as session:
        rows = session.execute(select(ModelRow.digest, ModelRow.name, ModelRow.version, ModelRow.retired))
        known = {digest: (name, version, retired) for digest, name, version, retired in rows}
        given = set(session.scalars(select(ModelRow.digest).where(ModelRow.files.is_not(None))))
    for one in mine:
        if one.digest not in given or (one.retired and not known[one.digest][2]):
            _give(home, one)
    here = {one.digest for one in mine}
    for digest in given - here:
        _fetch(home, digest, *known[digest][:2])
    return [one.digest for one in mine if not one.retired and known.get(one.digest, ("", "", False))[2]]


def _give(home: Home, one: Mine) -> None:
    files = {path.name: home.blobs.put_file(path) for path in sorted(one.folder.iterdir()) if path.is_file()}
    with home.database.write() as session:
        row = session.get(ModelRow, one.digest)
        if row is None:
            row = ModelRow(digest=one.digest, name=one.name, version=one.version, current=False)
            session.add(row)
        row.files, row.retired = files, one.retired


def _fetch(home: Home, digest: str, name: str, version: str) -> None:
    with home.database.read() as session:
        files = dict(session.get_one(ModelRow, digest).files or {})
    for word in (name, version, *files):
        if not _NAME.fullmatch(word):
            raise StoreError(
                f"A model in the database has a file or version called {word!r}; it is not fetched."
            )
    target = home.folder / FOLDER / name / version
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.parent, prefix=".fetching-") as folder:
        whole = Path(folder) / version
        whole.mkdir()
        for file_name, content in files.items():
            shutil.copyfile(home.blobs.path(content), whole / file_name)
        if not target.exists():  # another process of this machine may have been quicker
            whole.replace(target)
