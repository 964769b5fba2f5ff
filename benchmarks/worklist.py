"""How fast the worklist answers over 100,000 studies, asked as the page asks.

`python benchmarks/worklist.py` fills a home in a temporary folder with generated studies of 18 findings each
(`--home FOLDER` keeps it for the next time), starts `camlucida serve` over it and prints milliseconds of the
clock, HTTP included; then how long one more study takes to be written.
"""

import argparse
import json
import random
import signal
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from sqlalchemy import func, insert, select
from station import Browser, milliseconds, start

from camlucida.store.home import Home
from camlucida.store.keys import new_key
from camlucida.store.tables import ExplanationRow, ImageRow, ModelRow, PredictionRow, State, StudyRow

FINDINGS = 18
AT_ONCE = 5000
MODEL = "f" * 64
FAMILIES = ("Müller", "Schmidt", "Rossi", "García", "Nowak", "Jensen", "Dubois", "Okafor", "Tanaka", "Haddad")
GIVEN = ("Anna", "Ben", "Clara", "David", "Elif", "Farid", "Greta", "Hugo", "Ines", "Jonas", "Karl", "Lena")
SEARCHES: dict[str, dict[str, Any]] = {
    "newest": {},
    "by patient": {"sort": "patient", "descending": False},
    "by strongest finding": {"sort": "findings"},
    "from the middle": {"sort": "date", "skip": 50_000},
    "a word": {"text": "müll"},
    "two words of few": {"text": "okafor 004217"},
    "no such word": {"text": "nobody"},
    "finding ≥ 50 %": {"finding": "Finding 7", "probability": 0.5, "sort": "findings"},
    "finding ≥ 90 %, by patient": {"finding": "Finding 7", "probability": 0.9, "sort": "patient"},
    "finding ≥ 50 %, CT, a year": {
        "finding": "Finding 7",
        "probability": 0.5,
        "modality": "CT",
        "first_date": "20240101",
        "last_date": "20241231",
    },
    "a finding, two words": {"finding": "Finding 7", "text": "muller gre"},
    "a finding, by patient": {"finding": "Finding 7", "sort": "patient"},
    "reported, by date": {"reported": True, "sort": "date"},
    "flagged": {"flagged": True},
    "waiting": {"state": "waiting"},
}


def rows(numbers: range, dice: random.Random) -> Iterator[tuple[type, dict[str, Any]]]:
    """A study with one image, one explanation and what a model says of its findings."""
    for number in numbers:
        words = dict.fromkeys(("birth_date", "sex", "study_time", "accession_number"), "")
        name = f"{dice.choice(FAMILIES)}^{dice.choice(GIVEN)}"
        date = f"{dice.randint(2016, 2026)}{dice.randint(1, 12):02}{dice.randint(1, 28):02}"
        modality = dice.choice(("DX", "DX", "CR", "CT", "MR"))
        patient = {"patient_name": name, "patient_id": f"P-{number:06}", "study_date": date}
        described = {"description": f"Chest {dice.randint(1, 40)}", "phantom": True}
        uid = {"study_instance_uid": f"2.25.{number}"}
        yield StudyRow, {"id": number, "key": new_key(), **words, **uid, **patient, **described}
        digests = dict.fromkeys(("identity", "files_digest", "pixel_digest"), f"{number:064x}")
        said = dict.fromkeys(("series_instance_uid", "series_description", "view_position"), "")
        kept = {"header": {"space": [3000, 2500], "notes": ["x" * 800]}, "source": {}}
        image = {
            "id": number,
            "study_id": number,
            "key": new_key(),
            "modality": modality,
            "frame_number": None,
        }
        yield ImageRow, {**image, **digests, **said, **kept}
        waits = dice.random() < 0.01
        state = State.WANTED if waits else State.DONE
        explained = {"model_digest": MODEL, "method": "grad-cam", "state": state}
        yield ExplanationRow, {"key": new_key(), "image_id": number, **explained}
        for position in range(0 if waits else FINDINGS):
            probability = dice.betavariate(0.4, 2)
            finding = {"position": position, "name": f"Finding {position}", "operating_point": 0.5}
            said_of = {"image_id": number, "model_digest": MODEL, "logit": 0.0, "probability": probability}
            yield PredictionRow, {**finding, **said_of}


def fill(home: Home, studies: int) -> None:
    """Put studies in, a few thousand a transaction."""
    dice = random.Random(5)  # noqa: S311 - names of nobody
    with home.database.write() as session:
        session.merge(ModelRow(digest=MODEL, name="generated", version="1", current=True))
    for first in range(1, studies + 1, AT_ONCE):
        tables: dict[type, list[dict[str, Any]]] = {}
        for table, row in rows(range(first, min(first + AT_ONCE, studies + 1)), dice):
            tables.setdefault(table, []).append(row)
        with home.database.write() as session:
            for table, several in tables.items():
                session.execute(insert(table), several)


def one_more(home: Home, times: int) -> str:
    """How long the transaction of one more study takes."""
    dice = random.Random(6)  # noqa: S311
    with home.database.read() as session:
        numbers = iter(range((session.scalar(select(func.max(StudyRow.id))) or 0) + 1, 10**9))

    def add() -> None:
        number = next(numbers)
        with home.database.write() as session:
            for table, row in rows(range(number, number + 1), dice):
                session.execute(insert(table), [row])

    return milliseconds(add, times)


def measure(browser: Browser, times: int) -> None:
    """Print what each search takes, and a page in the middle of its list."""
    print(f"{'choices':<30}", milliseconds(lambda: browser.get("/api/studies/choices"), times))
    for name, search in SEARCHES.items():
        answer = json.loads(browser.post("/api/studies/search", search))
        taken = milliseconds(lambda: browser.post("/api/studies/search", search), times)  # noqa: B023 - called here
        print(f"{name:<30} {taken}   {answer['total']} found")
        if len(answer["studies"]) == 100:
            following = {**search, "after": answer["studies"][-1]["key"], "skip": 0}
            taken = milliseconds(lambda: browser.post("/api/studies/search", following), times)  # noqa: B023
            print(f"{'  its second page':<30} {taken}")


def main() -> None:
    """Fill and measure."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--home", type=Path)
    parser.add_argument("--studies", type=int, default=100_000)
    parser.add_argument("--times", type=int, default=30)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        home = Home.open(given.home or Path(folder))
        with home.database.read() as session:
            kept = session.scalar(select(func.count()).select_from(StudyRow)) or 0
        if kept < given.studies:
            began = time.perf_counter()
            fill(home, given.studies)
            print(f"{given.studies} studies written in {time.perf_counter() - began:.0f} s")
        serving, link = start(home.folder)
        try:
            measure(Browser(link), given.times)
        finally:
            serving.send_signal(signal.SIGINT)
            serving.wait()
        print(f"{'one more study':<30}", one_more(home, given.times))
        home.close()


if __name__ == "__main__":
    main()
