"""The settings in the audit trail: what has changed since the last start."""

import hashlib
from collections.abc import Mapping
from pathlib import Path

from pydantic import SecretStr
from sqlalchemy import select
from sqlalchemy.orm import Session

from camlucida.records import EventKind
from camlucida.settings import Settings
from camlucida.store.audit import events
from camlucida.store.home import Home
from camlucida.store.tables import EventRow

FILES = ("pacs.toml", "retention.toml")
LEFT_OUT = frozenset({"home"})  # the folder of this very trail
MOST_CHARACTERS = 300
SECRET = "secret"  # noqa: S105 - said in its place


def tell(home: Home, settings: Settings, who: str) -> int:
    """Note each setting that is not as it was at the last start, or not the default; how many.

    Of a file its SHA-256 is noted, of a secret only that there is one.
    """
    with home.database.write() as session:
        before = _told(session)
        changed = [
            (name, value)
            for name, value in _now(home.folder, settings).items()
            if value != before.get(name, _default(name))
        ]
        for name, value in changed:
            events.note(session, EventKind.SETTING_CHANGED, who, {"name": name, "value": value})
    return len(changed)


def _told(session: Session) -> dict[str, str]:
    rows = session.scalars(
        select(EventRow.view).where(EventRow.kind == EventKind.SETTING_CHANGED).order_by(EventRow.id)
    )
    return {str(view.get("name")): str(view.get("value")) for view in rows}


def _now(folder: Path, settings: Settings) -> Mapping[str, str]:
    values = {name: _said(getattr(settings, name)) for name in Settings.model_fields if name not in LEFT_OUT}
    return values | {name: _digest(folder / name) for name in FILES}


def _default(name: str) -> str:
    field = Settings.model_fields.get(name)
    return _said(field.get_default(call_default_factory=True)) if field else ""


def _said(value: object) -> str:
    if isinstance(value, SecretStr):
        return SECRET if value.get_secret_value() else ""
    return "" if value is None else str(value)[:MOST_CHARACTERS]


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else ""
