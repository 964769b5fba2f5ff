"""How long the viewer takes to show a large radiograph and to follow a window drag, in software WebGL.

A phantom film of 3000 rows, 12 bits stored in 16, at 1440 × 900; the median and the 95th percentile of 60
steps from the pointer's event to pixels that can be read back. The machine's load is printed: it is most of
the story.
"""

import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from playwright.sync_api import sync_playwright

from camlucida import pipeline
from camlucida.examples.phantom.dicom import write_radiograph
from camlucida.examples.phantom.radiograph import radiograph
from camlucida.store.home import Home

ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--use-gl=angle",
    "--use-angle=swiftshader",
    "--enable-unsafe-swiftshader",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
STEPS = 60

# One step: the change that a drag makes, the frame that draws it, and a read that waits for the pixels.
MEASURE = """async steps => {
  const viewport = document.querySelector("cl-viewport");
  const gl = viewport.querySelector("canvas.image").getContext("webgl2");
  const frame = () => new Promise(requestAnimationFrame);
  const times = [];
  for (let step = 0; step < steps; step++) {
    await frame();
    const start = performance.now();
    viewport.reading.dragWindow(step % 2 ? 4 : -3, 1);
    await frame();
    gl.readPixels(0, 0, 1, 1, gl.RGBA, gl.UNSIGNED_BYTE, new Uint8Array(4));
    times.push(performance.now() - start);
  }
  return times.sort((a, b) => a - b);
}"""


def main() -> None:
    """Make the film, serve it, measure, print."""
    with tempfile.TemporaryDirectory() as folder:
        film = Path(folder) / "film.dcm"
        made = radiograph(7901, ("Effusion",), rows=3000)
        write_radiograph(made, film)
        with closing(Home.open(Path(folder) / "home")) as home:
            for intake in pipeline.take_in(home, pipeline.find([film])):
                if intake.error:
                    raise SystemExit(intake.error)
        rows, columns = made.values.shape
        print(f"{rows} × {columns}, {os.cpu_count()} CPUs, load {os.getloadavg()[0]:.1f}")
        with _served(Path(folder) / "home") as link:
            _measure(link)


def _measure(link: str) -> None:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=ARGUMENTS)
        page = browser.new_page(viewport={"width": 1440, "height": 900})
        page.goto(link)
        page.locator("tbody a").first.click()
        page.wait_for_function("() => document.querySelector('cl-viewport')?.readPixels()")
        for view, key in (("fitted", "f"), ("at 1:1", "o")):
            page.keyboard.press(key)
            page.wait_for_timeout(500)
            times: list[float] = page.evaluate(MEASURE, STEPS)
            print(f"window drag, {view}: median {_at(times, 0.5)} ms, p95 {_at(times, 0.95)} ms")
        browser.close()


def _at(times: list[float], share: float) -> int:
    return round(times[int(share * (len(times) - 1))])


@contextmanager
def _served(home: Path) -> Iterator[str]:
    command = [sys.executable, "-m", "camlucida.cli", "serve", "--home", str(home), "--port", "0"]
    environment = {**os.environ, "COLUMNS": "400", "PYTHONUNBUFFERED": "1"}
    with subprocess.Popen(  # noqa: S603 - our own command
        command, stdout=subprocess.PIPE, text=True, env=environment
    ) as process:
        try:
            found = (re.search(r"http\S+/sign-in\?token=\S+", line) for line in process.stdout or ())
            yield next(link[0] for link in found if link)
        finally:
            process.terminate()


if __name__ == "__main__":
    main()
