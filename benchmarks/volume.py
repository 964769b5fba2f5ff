"""Whether a large CT stays usable in the viewer: 512 × 512 × 300 in software WebGL, with its map.

Prints the seconds until the first slice and until all slices are in the browser, milliseconds from a step to
pixels that can be read back (slices, the place where three planes meet, window, slab of evidence), and what
the browser's processes take in memory. The machine's load is printed: it is most of the story.
"""

import argparse
import os
import re
import shutil
import tempfile
from contextlib import closing
from dataclasses import replace
from importlib.resources import as_file, files
from pathlib import Path

import numpy as np
from browsing import ARGUMENTS, served
from playwright.sync_api import Browser, Page, sync_playwright

from camlucida import pipeline
from camlucida.examples.phantom.dicom import write_ct
from camlucida.examples.phantom.volume import Volume, ct_volume
from camlucida.models.registry import Registry
from camlucida.store.home import Home

STEPS = 40
MODEL = "phantom-ct-nodule"

# One step, the frame that draws it, and a read from every canvas that waits for the pixels.
MEASURE = """async ([step, steps]) => {
  const reading = document.querySelector("cl-viewport").reading;
  const take = new Function("reading", "i", step);
  const canvases = [...document.querySelectorAll("cl-viewport canvas:not([hidden])")];
  const frame = () => new Promise(requestAnimationFrame);
  const times = [];
  for (let i = 0; i < steps; i++) {
    await frame();
    const start = performance.now();
    take(reading, i);
    await frame();
    for (const canvas of canvases) {
      const gl = canvas.getContext("webgl2");
      gl.readPixels(0, 0, 1, 1, gl.RGBA, gl.UNSIGNED_BYTE, new Uint8Array(4));
    }
    times.push(performance.now() - start);
  }
  return times.sort((a, b) => a - b);
}"""
HERE = "document.querySelector('cl-viewport').reading.image.pixels.here"
SINGLE = {
    "next slice": "reading.toSlice(reading.slice + 1)",
    "window drag": "reading.dragWindow(i % 2 ? 4 : -3, 1)",
}
PLANES = {
    "next slice, three planes": SINGLE["next slice"],
    "where they meet": "reading.change({row: 200 + i, column: 300 - i}); reading.toSlice(100 + i)",
    "window drag, three planes": SINGLE["window drag"],
    "the same with a slab of 40 mm": "reading.change({slab: 40}); reading.dragWindow(i % 2 ? 4 : -3, 1)",
    "slab of 40 mm, where they meet": "reading.change({row: 200 + i, column: 300 - i})",
}


def main() -> None:
    """Make the volume, explain it, serve it, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--slices", type=int, default=300)
    parser.add_argument("--rows", type=int, default=512)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        print(f"{given.rows} × {given.rows} × {given.slices}, {os.cpu_count()} CPUs", flush=True)
        _make(Path(folder), given.slices, given.rows)
        with served(Path(folder) / "home") as link, sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=ARGUMENTS)
            _measure(browser, link, given.slices)
            browser.close()


def _make(folder: Path, slices: int, rows: int) -> None:
    write_ct(_large(slices, rows), folder / "ct")
    with (
        closing(Home.open(folder / "home")) as home,
        as_file(files("camlucida.examples.models") / MODEL) as model,
    ):
        Registry(home.folder).add(model)
        for intake in pipeline.take_in(home, pipeline.find([folder / "ct"])):
            if intake.error:
                raise SystemExit(intake.error)
        models = pipeline.current_models(home)
        pipeline.want(home, models)
        for outcome in pipeline.explain_wanted(home, models):
            print(f"explained: {outcome.state}")
    shutil.rmtree(folder / "ct")


def _large(slices: int, rows: int) -> Volume:
    """A phantom of a quarter of the size with each voxel repeated, and noise as that of a CT."""
    small = ct_volume(7905, ("Nodule",), slices=slices // 4, rows=rows // 4)
    values = np.kron(small.values, np.ones((4, 4, 4), np.int16))
    noise = np.random.default_rng(7905).integers(-20, 21, values.shape, np.int16)
    along, down, across = small.spacing
    return replace(small, values=values + noise, spacing=(along / 4, down / 4, across / 4))


def _measure(browser: Browser, link: str, slices: int) -> None:
    page = browser.new_page(viewport={"width": 1440, "height": 900})
    page.goto(link)
    page.locator("tbody a").first.wait_for()
    print(f"load {os.getloadavg()[0]:.1f}; worklist: {_megabytes(browser)}")
    page.evaluate("() => { window.begun = performance.now(); }")
    page.locator("tbody a").first.click()
    page.wait_for_function("() => document.querySelector('cl-viewport')?.readPixels()")
    print(f"first slice after {_since(page):.1f} s; {_megabytes(browser)}")
    page.locator("cl-findings button").first.click()
    _steps(page, SINGLE)
    page.evaluate("() => { window.begun = performance.now(); }")
    page.keyboard.press("p")
    page.wait_for_function(f"() => {HERE} === {slices}", timeout=300_000)
    print(f"all slices after {_since(page):.1f} s; {_megabytes(browser)}")
    _steps(page, PLANES)
    print(f"at the end: {_megabytes(browser)}; load {os.getloadavg()[0]:.1f}")


def _steps(page: Page, steps: dict[str, str]) -> None:
    for name, step in steps.items():
        page.wait_for_timeout(500)
        times: list[float] = page.evaluate(MEASURE, [step, STEPS])
        print(f"{name}: median {_at(times, 0.5)} ms, p95 {_at(times, 0.95)} ms", flush=True)


def _since(page: Page) -> float:
    return float(page.evaluate("() => performance.now() - window.begun")) / 1000


def _at(times: list[float], share: float) -> int:
    return round(times[int(share * (len(times) - 1))])


def _megabytes(browser: Browser) -> str:
    """Resident memory of the processes that draw the page."""
    session = browser.new_browser_cdp_session()
    processes = session.send("SystemInfo.getProcessInfo")["processInfo"]
    session.detach()
    found: dict[str, int] = {}
    for process in processes:
        status = Path(f"/proc/{process['id']}/status")
        resident = re.search(r"VmRSS:\s+(\d+)", status.read_text()) if status.exists() else None
        if resident and process["type"] in {"renderer", "GPU"}:
            found[process["type"]] = found.get(process["type"], 0) + int(resident[1]) // 1024
    return ", ".join(f"{kind} {size} MB" for kind, size in found.items())


if __name__ == "__main__":
    main()
