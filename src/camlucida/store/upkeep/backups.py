"""Backups of a store: a folder that each backup adds to, from which a home can be made again.

    DIR/blobs/sha256/ab/…           kept files of all backups, once
    DIR/2026-11-22T150000Z/         one backup: manifest.json, written last; camlucida.sqlite; files.txt,
                                    digests and bytes of its kept files; home/, the rest of the home

The database of PostgreSQL is copied into a file of SQLite: a backup can be restored into either. It holds
patients' names and images, and the key of the audit trail: keep it as you keep the store.
"""

import json
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

from sqlalchemy import delete

from camlucida.errors import StoreError
from camlucida.records import EventKind, ViewState
from camlucida.settings import settings
from camlucida.store.audit import events
from camlucida.store.blobs import Blobs, digest_of_file
from camlucida.store.database import Database, upgrade
from camlucida.store.home import FILE, Home, open_blobs
from camlucida.store.tables import TokenRow, VisitRow
from camlucida.store.upkeep import copying, uses
from camlucida.version import __version__

MANIFEST = "manifest.json"
FILES = "files.txt"
PARTIAL = ".partial"
FORMAT = 1
REST = "home"
NOT_OF_THE_REST = frozenset({"blobs", "serving.json", "waiting"})  # the last: pipes of running workers

Tell = Callable[[int, int], None]
"""Called with (bytes done, of how many)."""


class Backup(NamedTuple):
    """A backup that is whole."""

    folder: Path
    created: str
    version: str
    files: dict[str, int]  # bytes of the kept files, by digest
    lost: tuple[str, ...] = ()  # digests of those that were missing or damaged already, and are not in it


def back_up(home: Home, target: Path, who: str, tell: Tell = lambda *_: None) -> Backup:
    """Add a backup of the store, while it is in use: the rows of one moment, and all files they name.

    One damaged file must not leave the others without a backup: it is told in `lost`.

    Raises
    ------
    StoreError
        The folder cannot be written to, or the store cannot be read.
    """
    started = datetime.now(UTC)
    folder = target / f"{started:%Y-%m-%dT%H%M%SZ}"
    partial = folder.with_name(folder.name + PARTIAL)
    try:
        target.mkdir(mode=0o700, parents=True, exist_ok=True)
        for left in target.glob(f"*{PARTIAL}"):  # by one that was stopped; its kept files stay
            shutil.rmtree(left)
        partial.mkdir(mode=0o700)
        database = partial / FILE
        _snapshot(home.database, database)
        files = _named(home, database)
        lost = _copy_kept(home.blobs, Blobs(target / "blobs"), files, tell)
        _copy_rest(home.folder, partial / REST)
        (partial / FILES).write_text("".join(f"{digest} {size}\n" for digest, size in files.items()))
        manifest = {
            "format": FORMAT,
            "version": __version__,
            "created": started.isoformat(timespec="seconds"),
            "lost": lost,
            "files": {str(path.relative_to(partial)): digest_of_file(path) for path in _files(partial)},
        }
        _write_durably(partial / MANIFEST, json.dumps(manifest, indent=1))
        partial.rename(folder)
    except OSError as error:
        raise StoreError(
            f"The backup in {target} cannot be written ({error.strerror or type(error).__name__})."
        ) from error
    with home.database.write() as session:
        view: ViewState = {"files": len(files), "bytes": sum(files.values()), "lost": len(lost)}
        events.note(session, EventKind.BACKED_UP, who, view)
    return Backup(folder, str(manifest["created"]), __version__, files, tuple(lost))


def _copy_kept(source: Blobs, target: Blobs, files: dict[str, int], tell: Tell) -> list[str]:
    """Copy the kept files; those that are lost are taken out of `files`."""
    lost: list[str] = []
    _all(copying.copy_files(source, target, files, lost), sum(files.values()), tell)
    for digest in lost:
        del files[digest]
    return lost


def find(folder: Path) -> Backup:
    """The backup in this folder, or the newest one that was added to it; its own files are checked.

    Raises
    ------
    StoreError
        There is none that is whole.
    """
    found = [folder] if (folder / MANIFEST).is_file() else sorted(folder.glob(f"*/{MANIFEST}"))[-1:]
    if not found:
        raise StoreError(f"There is no whole backup in {folder}; a folder with {MANIFEST} is one.")
    place = found[0] if found[0].is_dir() else found[0].parent
    try:
        manifest = json.loads((place / MANIFEST).read_text("utf-8"))
        if manifest["format"] != FORMAT:
            raise StoreError(f"{place} was written by a newer version of camlucida; update camlucida.")
        wrong = [name for name, digest in manifest["files"].items() if digest_of_file(place / name) != digest]
        lines = [line.split() for line in (place / FILES).read_text("utf-8").splitlines()]
        files = {digest: int(size) for digest, size in lines}
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise StoreError(
            f"The backup {place} is damaged ({type(error).__name__}); use another one."
        ) from error
    if wrong:
        raise StoreError(f"The backup {place} is damaged ({wrong[0]}); use another one.")
    return Backup(place, manifest["created"], manifest["version"], files, tuple(manifest.get("lost", ())))


def check(backup: Backup, tell: Tell = lambda *_: None) -> list[str]:
    """Read all kept files of a backup; the digests of those that are missing or damaged."""
    blobs = Blobs(backup.folder.parent / "blobs")
    wrong: list[str] = []

    def read() -> Iterator[int]:
        for digest, size in backup.files.items():
            if not blobs.intact(digest):
                wrong.append(digest)
            yield size

    _all(read(), sum(backup.files.values()), tell)
    return wrong


def restore(backup: Backup, folder: Path, who: str, tell: Tell = lambda *_: None) -> Home:
    """Make a home of a backup where there is none, with its database and files where the settings say.

    The database comes last: one that is stopped is no store yet, and is started again.

    Raises
    ------
    DamagedBlob
        A kept file of the backup is missing or damaged.
    StoreError
        There is a store already, or it cannot be written to.
    """
    refuse_a_store(folder)
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        blobs = open_blobs(folder / "blobs", settings().blobs_url)
        source = Blobs(backup.folder.parent / "blobs")
        _all(copying.copy_files(source, blobs, backup.files), sum(backup.files.values()), tell)
        if (backup.folder / REST).is_dir():
            shutil.copytree(backup.folder / REST, folder, dirs_exist_ok=True)
        copy = folder / f"{FILE}{PARTIAL}"
        shutil.copyfile(backup.folder / FILE, copy)
        copy.chmod(0o600)
        _put_rows(copy, folder)
    except OSError as error:
        raise StoreError(
            f"The home folder {folder} cannot be written to ({error.strerror or type(error).__name__})."
        ) from error
    home = Home.open(folder)
    with home.database.write() as session:
        # Who was signed out since, or whose link was used, must not be let in by a copy of then.
        session.execute(delete(VisitRow))
        session.execute(delete(TokenRow))
        view: ViewState = {"created": backup.created, "files": len(backup.files)}
        events.note(session, EventKind.RESTORED, who, view)
    return home


def refuse_a_store(folder: Path) -> None:
    """Say so where a restored store would come upon another one.

    Raises
    ------
    StoreError
        There are rows where the settings say, or a database lies in the folder.
    """
    url = settings().database_url.get_secret_value()
    if not url and (folder / FILE).exists():
        raise StoreError(f"There is a store in {folder} already; restore into an empty folder with --home.")
    if url:
        with closing(Home.open(folder)) as home, home.database.read() as session:
            copying.refuse_unless_empty(session)


def _put_rows(copy: Path, folder: Path) -> None:
    """Bring the rows to where the settings say, all or none."""
    url = settings().database_url.get_secret_value()
    if not url:
        copy.rename(folder / FILE)
        return
    source, target = Database(copy), Database(url)
    with closing(source), closing(target):
        upgrade(source.engine)  # a backup of an older version
        copying.copy_rows(source, target)
    for path in folder.glob(f"{copy.name}*"):
        path.unlink()


def _snapshot(database: Database, path: Path) -> None:
    """The rows of one moment, in a file of SQLite."""
    if database.path is not None:
        copying.copy_sqlite(database.path, path)
    else:
        copy = Database(path)
        with closing(copy):
            upgrade(copy.engine)
            copying.copy_rows(database, copy)
    path.chmod(0o600)


def _named(home: Home, path: Path) -> dict[str, int]:
    """Bytes of the kept files that the rows of a snapshot name; of those remembered, if they are kept."""
    kept = dict(home.blobs.sizes())
    snapshot = Database(path)
    with closing(snapshot), snapshot.read() as session:
        named = {digest for digest, _ in uses.named(session)}
        named |= {digest for digest, _ in uses.remembered(session)} & kept.keys()
    return {digest: kept.get(digest, 0) for digest in sorted(named)}


def _copy_rest(folder: Path, target: Path) -> None:
    """Models, pacs.toml, keys: what is neither database nor kept files, nor of running processes."""
    target.mkdir(mode=0o700)
    for path in folder.iterdir():
        if path.name in NOT_OF_THE_REST or path.name.startswith(FILE) or path.suffix in {".lock", PARTIAL}:
            continue
        if path.is_dir():
            shutil.copytree(path, target / path.name)
        elif path.is_file():
            shutil.copy2(path, target / path.name)


def _files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file())


def _write_durably(path: Path, text: str) -> None:
    with path.open("w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())


def _all(sizes: Iterator[int], total: int, tell: Tell) -> None:
    done = 0
    for size in sizes:
        done += size
        tell(done, total)
