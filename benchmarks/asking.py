"""How long a reader waits for a map that was not computed yet: from asking to the map in the store.

`python benchmarks/asking.py` has `camlucida work` idle beside it, and asks for maps by HiResCAM of phantom
radiographs of 512 px, one after the other: milliseconds of the clock. The first loads the network.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from sqlalchemy import select

from camlucida import pipeline
from camlucida.examples.phantom.dicom import write_radiograph
from camlucida.examples.phantom.radiograph import radiograph
from camlucida.jobs.queue import wake
from camlucida.models.registry import Registry, shipped_models
from camlucida.store import explanations
from camlucida.store.home import Home
from camlucida.store.tables import ExplanationRow, ImageRow, State

LOOK = 0.002  # seconds


def main() -> None:
    """Print the waits."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--films", type=int, default=20)
    films = parser.parse_args().films
    with tempfile.TemporaryDirectory() as folder:
        first, *others = waits(Path(folder), films)
    print(f"first (loads torch and the network)  {first * 1000:6.0f} ms")
    print(f"median of {len(others)} others                  {np.median(others) * 1000:6.0f} ms")
    print(f"95th percentile                      {np.percentile(others, 95) * 1000:6.0f} ms")
    print(f"load of this machine meanwhile       {os.getloadavg()[0]:6.1f} on {os.cpu_count()} cores")


def waits(folder: Path, films: int) -> list[float]:
    """Seconds for each film, in their order."""
    for number in range(films):
        write_radiograph(radiograph(number, rows=512), folder / f"{number}.dcm")
    home = Home.open(folder / "home")
    model = Registry(home.folder).add(shipped_models()["phantom-radiograph"])
    list(pipeline.take_in(home, pipeline.find([folder / f"{number}.dcm" for number in range(films)])))
    pipeline.current_models(home)
    words = ["-m", "camlucida.cli", "work", "--home", str(home.folder)]
    station = subprocess.Popen([sys.executable, *words], stderr=subprocess.DEVNULL)  # noqa: S603 - our own command
    time.sleep(15)  # until it waits
    with home.database.read() as session:
        images = session.scalars(select(ImageRow.id)).all()
    found = [_wait(home, image, model.digest) for image in images]
    station.terminate()
    station.wait()
    home.close()
    return found


def _wait(home: Home, image: int, model_digest: str) -> float:
    begun = time.perf_counter()
    with home.database.write() as session:
        explanations.want(session, image, model_digest, "hirescam", asked=True)
    wake(home)
    while True:
        with home.database.read() as session:
            state = session.scalar(select(ExplanationRow.state).where(ExplanationRow.image_id == image))
        if state == State.DONE:
            return time.perf_counter() - begun
        time.sleep(LOOK)


if __name__ == "__main__":
    main()
