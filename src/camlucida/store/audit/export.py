"""The audit trail, or events of it, as files that somebody else checks without this program.

events.jsonl     a line an event, exactly the bytes of which its leaf of the tree is made
checkpoint.txt   the signed root
keys.txt         public keys, the first one first
proofs.jsonl     for a choice of events: a line for each, with the hashes that lead to the root
"""

import base64
import json
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import NamedTuple

from camlucida.store.audit import checkpoints, event_search, events, hash_tree
from camlucida.store.audit.event_search import Search
from camlucida.store.home import Home


class Exported(NamedTuple):
    """What was written."""

    events: int
    size: int  # of the trail


def export(home: Home, folder: Path, search: Search, note: str, told: Callable[[], None]) -> Exported:
    """Write into a folder what was asked for of the events that a checkpoint covers.

    `note` is the text of that checkpoint; `told` is called for each event.
    """
    size = checkpoints.read(note).size
    number = 0
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "checkpoint.txt").write_text(note, encoding="utf-8")
    with home.database.read() as session:
        keys = "".join(f"{key.verifier}\n" for key in checkpoints.keys(session))
        (folder / "keys.txt").write_text(keys, encoding="utf-8")
        known: dict[tuple[int, int], bytes] = {}

        def node(level: int, index: int) -> bytes:
            if (level, index) not in known:
                known[level, index] = events.node(session, level, index)
            return known[level, index]

        (folder / "proofs.jsonl").unlink(missing_ok=True)  # of an earlier export into the same folder
        with ExitStack() as files:
            file = files.enter_context((folder / "events.jsonl").open("wb"))
            proofs = None
            if search != Search():
                proofs = files.enter_context((folder / "proofs.jsonl").open("w", encoding="ascii"))
            for row in event_search.all_of(session, search, size):
                file.write(events.content(row) + b"\n")
                if proofs is not None:
                    hashes = hash_tree.inclusion(row["id"] - 1, size, node)
                    encoded = [base64.b64encode(one).decode() for one in hashes]
                    proofs.write(json.dumps({"id": row["id"], "proof": encoded}) + "\n")
                number += 1
                told()
    return Exported(number, size)
