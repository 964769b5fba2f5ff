"""Files that a command writes: complete, or not there."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def whole(path: Path) -> Iterator[Path]:
    """Gives where to write: what is written there is at `path` afterwards; after an error what was before.

    What is no plain file (/dev/stdout) is written to as it is.
    """
    target = path.resolve()
    if target.exists() and not target.is_file():
        yield path
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.parent, prefix=".unfinished-") as folder:
        unfinished = Path(folder) / target.name
        yield unfinished
        unfinished.replace(target)
