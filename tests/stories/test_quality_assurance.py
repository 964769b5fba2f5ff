"""Quality assurance asks: is what is shown what was kept, by whom, and does it survive?

The same story on SQLite with a folder, and on PostgreSQL with an S3-compatible store. A modality's gateway
sends by STOW-RS; a reader signs in with a password, looks at a map and flags it; a kept map is damaged behind
the station's back; a scientist resolves the flag; a new version of the model comes. At last the auditor
verifies the trail, draws again what the reader saw, and finds the one row that was changed.
"""

import hashlib
import os
import re
import secrets
import shutil
import signal
import subprocess
import sys
import threading
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path

import httpx2
import numpy as np
import obstore
import pytest
from obstore.store import LocalStore
from safetensors.numpy import load_file, save_file
from sqlalchemy import NullPool, create_engine, text
from typer.testing import CliRunner, Result

from camlucida.cli.commands import app
from camlucida.examples.phantom.dicom import write_radiograph
from camlucida.examples.phantom.radiograph import radiograph
from camlucida.models.registry import Registry, shipped_models
from camlucida.settings import settings
from camlucida.store.home import Home
from waiting import until

PASSWORD = "a long film about a short shadow"  # noqa: S105 - of nobody
BOUNDARY = "film"
OWN = {"sec-fetch-site": "same-origin"}


class Place:
    """Where a station keeps what it keeps, and how somebody gets at it behind its back."""

    def __init__(self, folder: Path, database_url: str = "", bucket=None) -> None:
        self.home, self.database_url, self._bucket = folder / "home", database_url, bucket

    @property
    def _engine(self):
        url = self.database_url.replace("postgresql://", "postgresql+psycopg://")
        return create_engine(url or f"sqlite:///{self.home / 'camlucida.sqlite'}", poolclass=NullPool)

    def ask(self, question: str, **values) -> list[tuple]:
        with closing(self._engine.connect()) as connection:
            return [tuple(row) for row in connection.execute(text(question), values)]

    def damage(self, digest: str) -> None:
        """Another content under the name of a kept file."""
        place = f"sha256/{digest[:2]}/{digest}"
        store = self._bucket or LocalStore(self.home / "blobs")
        obstore.put(store, place, b"not what was kept")

    def forge(self, event: int) -> None:
        """What an administrator of the database could do: say that somebody else did it."""
        triggers = {
            "": ("DROP TRIGGER events_refuse_update",),
            "postgresql": ("ALTER TABLE events DISABLE TRIGGER ALL",),
        }
        with self._engine.begin() as connection:
            for statement in triggers[self.database_url.partition(":")[0]]:
                connection.execute(text(statement))
            connection.execute(text("UPDATE events SET who = 'nobody' WHERE id = :event"), {"event": event})


@pytest.fixture(params=["SQLite and a folder", "PostgreSQL and S3"])
def place(request, tmp_path, monkeypatch):
    if request.param == "SQLite and a folder":
        return Place(tmp_path)
    url, s3 = request.getfixturevalue("on_postgresql"), request.getfixturevalue("s3")
    monkeypatch.setenv("CAMLUCIDA_BLOBS_URL", "s3://kept-files/quality")
    settings.cache_clear()
    return Place(tmp_path, url, s3.raw("quality"))


def camlucida(*words: object, typed: str = "") -> Result:
    """A command, in this process."""
    return CliRunner().invoke(app, [str(word) for word in words], input=typed, env={"COLUMNS": "200"})


def said(*words: object, typed: str = "") -> str:
    done = camlucida(*words, typed=typed)
    assert done.exit_code == 0, done.output
    return done.stdout


@contextmanager
def station(home: Path):
    """`camlucida serve` as a process; the address at which it answers."""
    command = [sys.executable, "-m", "camlucida.cli", "serve", "--home", home, "--port", "0", "--no-dicom"]
    process = subprocess.Popen(  # noqa: S603 - our own command
        [str(word) for word in command],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )
    lines: list[str] = []
    reader = threading.Thread(target=lambda: lines.extend(process.stdout), daemon=True)
    reader.start()
    try:
        yield until(
            lambda: re.search(r"Open (http://[^/\s]+)", "".join(lines)), said=lambda: str(lines)
        ).group(1)
        process.send_signal(signal.SIGTERM)
        assert process.wait(120) == 0, lines
        assert "Doe" not in "".join(lines)
    finally:
        process.kill()
        process.wait()
        reader.join(10)
        process.stdout.close()


def browser(address: str, name: str) -> httpx2.Client:
    """Somebody who has signed in by name and password."""
    client = httpx2.Client(base_url=address, timeout=60, headers=OWN)
    answer = client.post("/sign-in", data={"name": name, "password": PASSWORD})
    assert (answer.status_code, answer.headers["location"]) == (303, "/")
    return client


def stow(address: str, token: str, film: Path) -> None:
    content = b"--film\r\nContent-Type: application/dicom\r\n\r\n" + film.read_bytes() + b"\r\n--film--\r\n"
    kind = f'multipart/related; type="application/dicom"; boundary={BOUNDARY}'
    headers = {"Content-Type": kind, "Authorization": f"Bearer {token}"}
    answer = httpx2.post(f"{address}/dicom-web/studies", content=content, headers=headers, timeout=60)
    assert answer.status_code == 200, answer.text


def explained(reader: httpx2.Client) -> dict:
    """The explanation of the only image, once it is there."""

    def done():
        studies = reader.get("/api/studies").json()["studies"]
        images = reader.get(f"/api/studies/{studies[0]['key']}").json()["images"] if studies else []
        found = [one for image in images for one in image["explanations"] if one["state"] == "explained"]
        return [{"study": studies[0]["key"], "image": images[0]["key"], **one} for one in found]

    return until(done, seconds=300)[0]


def look(reader: httpx2.Client, shown: dict, digest: str) -> None:
    """Tell what a browser tells: the study was opened, then the map came over it."""
    tab, moment = secrets.token_hex(16), datetime.now(UTC).isoformat()
    what = {"tab": tab, "study": shown["study"], "image": shown["image"], "explanation": shown["key"]}
    views = [("opened", {"viewer": "camlucida", "digest": digest}), ("changed", {"map": "1", "finding": "0"})]
    events = [
        {"key": secrets.token_hex(16), "kind": kind, "happened": moment, "view": view, **what}
        for kind, view in views
    ]
    assert reader.post("/api/events", json={"events": events}).json() == {"kept": 2}


def renew(home: Path, folder: Path) -> None:
    """A new version of the model: its last layer has learnt a little more."""
    shutil.copytree(shipped_models()["phantom-radiograph"], folder)
    card = folder / "model.toml"
    card.write_text(re.sub(r'(?m)^version = ".*"', 'version = "99.0"', card.read_text("utf-8")), "utf-8")
    (file,) = folder.glob("*.safetensors")
    weights = load_file(file)
    weights["head.bias"] = weights["head.bias"] + np.float32(0.125)
    save_file(weights, file)
    Registry(home).add(folder)


@pytest.mark.slow
def test_what_is_shown_is_what_was_kept_by_whom_and_it_survives(place, tmp_path):
    film = tmp_path / "film.dcm"
    write_radiograph(radiograph(7102, ("Effusion",), rows=200), film)
    home = ["--home", place.home]
    Registry(place.home).add(shipped_models()["phantom-radiograph"])
    for name, role in (("eva", "reader"), ("sam", "scientist")):
        said("users", "add", name, role, *home, typed=f"{PASSWORD}\n")
    token = said("tokens", "add", "gateway", "--role", "operator", *home).split()[0]
    (place.home / "pacs.toml").write_text("[listen]\nquiet_seconds = 0.2\n", "utf-8")

    with (
        station(place.home) as address,
        closing(browser(address, "eva")) as eva,
        closing(browser(address, "sam")) as sam,
    ):
        stow(address, token, film)
        shown = explained(eva)
        ((digest,),) = place.ask("SELECT digest FROM explanations")
        values = eva.get(f"/api/explanations/{shown['key']}/values").content
        look(eva, shown, digest)
        flag = {"finding": "Effusion", "reason": "wrong place", "view": {}}
        assert eva.post(f"/api/explanations/{shown['key']}/flags", json=flag).status_code == 201

        place.damage(digest)
        assert eva.get(f"/api/explanations/{shown['key']}/values").content != values
        assert explained(eva)["key"] == shown["key"]  # computed anew, by itself
        until(lambda: eva.get(f"/api/explanations/{shown['key']}/values").content == values)
        look(eva, shown, *place.ask("SELECT digest FROM explanations")[0])

        (open_flag,) = sam.get("/api/flags", params={"state": "open"}).json()["flags"]
        outcome = {"outcome": "confirmed", "reason": "The evidence lies on the tag."}
        place_of_flag = f"/api/flags/{open_flag['number']}/resolutions"
        assert eva.post(place_of_flag, json=outcome).status_code == 403  # a reader resolves nothing
        assert sam.post(place_of_flag, json=outcome).status_code == 201

        renew(place.home, tmp_path / "renewed")
        until(lambda: place.ask("SELECT 1 FROM models WHERE version = '99.0' AND current"))
        said("import", *home)
        study = eva.get(f"/api/studies/{shown['study']}").json()
        (image,) = study["images"]
        assert [one["model_version"] for one in image["explanations"]] == ["99.0"]
        assert [(one["key"], one["replaced_by"]) for one in image["past"]] == [(shown["key"], "99.0")]

    assert "what its hash says" in said("audit", "verify", *home)
    ((lost,), (seen,)) = place.ask("SELECT id FROM events WHERE kind = 'changed' AND who = 'eva' ORDER BY id")
    damaged = camlucida("audit", "replay", lost, "--out", tmp_path / "lost.png", *home)
    assert "no longer kept" in damaged.output
    pictures = [tmp_path / "first.png", tmp_path / "again.png"]
    for picture in pictures:
        said("audit", "replay", seen, "--out", picture, *home)
    first, again = (hashlib.sha256(picture.read_bytes()).digest() for picture in pictures)
    assert first == again

    assert f"{digest} damaged" in camlucida("store", "verify", *home).stdout
    assert f"{digest[:12]}…" in camlucida("store", "backup", tmp_path / "backup", *home).output
    assert "0 wrong" in said("store", "restore", tmp_path / "backup", "--dry-run")
    place.forge(seen)
    forged = camlucida("audit", "verify", *home)
    assert forged.exit_code == 1
    assert re.search(rf"\b{seen}\b", forged.stdout)
    refused = camlucida("audit", "replay", seen, "--out", tmp_path / "forged.png", *home)
    assert refused.exit_code == 1
    assert not (tmp_path / "forged.png").exists()


def test_the_settings_decide_where_it_is_kept(place):
    with closing(Home.open(place.home)) as opened:
        digest = opened.blobs.put(b"kept")
        assert opened.database.engine.dialect.name == ("postgresql" if place.database_url else "sqlite")
    assert (place.home / "blobs" / "sha256" / digest[:2] / digest).is_file() is not bool(place.database_url)
