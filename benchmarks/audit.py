"""The audit trail of a busy station: how long it takes to add events, to ask who saw what, and to verify all.

    python benchmarks/audit.py --events 1000000

A tenth of the events is of one busy reader, a study has 100 of 5 readers, and one study has 5,000 of 50.
"""

import argparse
import tempfile
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from statistics import median
from time import perf_counter

from camlucida.records import Event, EventKind
from camlucida.store.audit import checkpoints, event_search, events, hash_tree
from camlucida.store.audit import trail as audit
from camlucida.store.audit.event_search import Search
from camlucida.store.home import Home

START = datetime(2026, 1, 1, tzinfo=UTC)
BATCH = 5000
OF_A_STUDY = 100
BUSIEST = 5000
KINDS = (EventKind.OPENED, *[EventKind.CHANGED] * 7, EventKind.LEFT, EventKind.JUDGED)


def made(number: int) -> Event:
    """An event: of one study for the first ones, then study by study."""
    study = 0 if number < BUSIEST else number // OF_A_STUDY
    kind = KINDS[number % len(KINDS)]
    return Event(
        f"{number:032x}",
        kind,
        START + timedelta(seconds=number),
        f"{study:032x}",
        f"study-{study}",
        f"image-{study}-{number % 3}",
        f"explanation-{study}-{number % 7}",
        {"opacity": "55", "finding": "2", "slice": str(number % 90)},
    )


def who(batch: int) -> str:
    """One reader has done a tenth."""
    return "busy" if batch % 10 == 0 else f"reader-{batch % 50}"


def batches(number: int) -> Iterator[tuple[str, list[Event]]]:
    """The busiest study's events come in small batches, of many readers."""
    edges = [*range(0, min(number, BUSIEST), 100), *range(BUSIEST, number, BATCH), number]
    for place, (first, last) in enumerate(pairwise(edges)):
        yield who(place), [made(one) for one in range(first, last)]


def timed(repeated: int, work: Callable[[], object]) -> float:
    """Median, in milliseconds."""
    seconds = []
    for _ in range(repeated):
        begin = perf_counter()
        work()
        seconds.append(perf_counter() - begin)
    return 1000 * median(seconds)


def main() -> None:
    """Print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--events", type=int, default=1_000_000)
    number = parser.parse_args().events
    with tempfile.TemporaryDirectory() as folder, closing(Home.open(Path(folder) / "home")) as home:
        begin = perf_counter()
        for reader, told in batches(number):
            events.keep(home, told, reader)
        print(f"{number:,} events added in {perf_counter() - begin:.0f} s")
        size = sum(path.stat().st_size for path in Path(folder).rglob("*.sqlite*"))
        print(f"bytes an event on disk                    {size / number:8.0f}")
        ask(home, number)
        begin = perf_counter()
        verdict = audit.verify(home)
        print(
            f"verify all, against {verdict.checkpoints} checkpoints          {perf_counter() - begin:8.1f} s"
        )
        if verdict.faults:
            raise SystemExit(verdict.faults[0].text)


def ask(home: Home, number: int) -> None:
    """Each question as the command asks it."""
    some = f"study-{number // OF_A_STUDY - 1}"
    day = START + timedelta(seconds=number // 2)
    hour = Search(since=day, until=day + timedelta(hours=1))
    with home.database.read() as session:
        questions: dict[str, Callable[[], object]] = {
            "who saw a study of 100 events": lambda: event_search.who_saw(session, some),
            f"who saw a study of {BUSIEST:,} events": lambda: event_search.who_saw(session, "study-0"),
            "the latest 50 of a study": lambda: event_search.latest(session, Search(study=some), 50),
            "the latest 50 of the busiest reader": lambda: event_search.latest(
                session, Search(who="busy"), 50
            ),
            "how many events the busiest reader has": lambda: event_search.count(session, Search(who="busy")),
            "the latest 50 of a kind": lambda: event_search.latest(
                session, Search(kinds=(EventKind.JUDGED,)), 50
            ),
            "the latest 50 of an hour": lambda: event_search.latest(session, hour, 50),
            "an inclusion proof": lambda: hash_tree.inclusion(
                number // 3, number, lambda level, index: events.node(session, level, index)
            ),
        }
        for name, question in questions.items():
            print(f"{name:40} {timed(5, question):8.2f} ms")
    one = [0]

    def add() -> None:
        one[0] += 1
        events.keep(home, [made(number + one[0])], "ann")

    print(f"{'add one event, on the disk':40} {timed(50, add):8.2f} ms")
    print(f"{'sign a checkpoint':40} {timed(5, lambda: checkpoints.make(home)):8.2f} ms")


if __name__ == "__main__":
    main()
