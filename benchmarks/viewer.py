"""Our viewer beside Cornerstone3D: the same image, page size and Chromium, WebGL by software; the ratios.

A phantom film of 3000 rows, 12 bits stored in 16, and a CT of 512 × 512, at 1440 × 900:

- first image: from opening the page to pixels that can be read, the browser's cache empty;
- median, p95: from a change to pixels that can be read, of 60 changes;
- sustained: a change every frame with the frame limit lifted, compositing included, as in a drag;
- CPU: what all processes of the browser work for such a frame, which depends least on what else runs.

Cornerstone3D comes from npm into a temporary folder and gets stored values without DICOM around them; our
page comes from the station, with everything that it shows. The machine's load is printed: it matters.
"""

import argparse
import functools
import gzip
import http.server
import json
import os
import shutil
import subprocess
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import psutil
from browsing import ARGUMENTS, served
from numpy.typing import NDArray
from playwright.sync_api import Page, StorageState, ViewportSize, sync_playwright

import camlucida
from camlucida import pipeline
from camlucida.examples.phantom.dicom import write_ct, write_radiograph
from camlucida.examples.phantom.radiograph import radiograph
from camlucida.examples.phantom.volume import ct_volume
from camlucida.images.read import read_image
from camlucida.records import Image, SaliencyMap
from camlucida.rendering import colour
from camlucida.rendering.scale import scale_of
from camlucida.store.explanations import load
from camlucida.store.home import Home
from camlucida.store.tables import ExplanationRow, ImageRow

# Cornerstone3D, a bundler, and what it takes for granted of node.
PACKAGES = ("@cornerstonejs/core@5.14.0", "esbuild@0.25.12", "events@3.3.0", "url@0.11.4")
STEPS = 60
SLICES = 40
FILM_STEPS = ("window", "opacity", "toggle")
SIZE: ViewportSize = {"width": 1440, "height": 900}
NO_FRAME_LIMIT = ["--disable-frame-rate-limit", "--disable-gpu-vsync"]

FRAME = "const frame = () => new Promise(requestAnimationFrame);"

# What a page has to be told before it is measured; Cornerstone's says the same of itself.
OURS = """async () => {
  const { reading } = document.querySelector("cl-study");
  const image = document.querySelector("cl-viewport canvas.image").getContext("2d");
  globalThis.bench = {
    map: () => reading.toggleMap(),
    window: step => reading.dragWindow(step % 2 ? 4 : -4, 0),
    opacity: step => reading.change({ opacity: step % 2 ? 40 : 60 }),
    toggle: step => reading.hold(step % 2 === 0),
    load: async () => {
      for (let slice = 0; slice < reading.slices; slice++) await reading.image.pixels.slice(slice);
    },
    slice: step => reading.toSlice(step % reading.slices),
    read: () => image.getImageData(0, 0, 1, 1),
  };
}"""

# From the change, through the frame that draws it, to pixels that can be read: milliseconds, sorted.
SHOWN = f"""async ([what, steps]) => {{
  {FRAME}
  const times = [];
  for (let step = 0; step < steps; step++) {{
    await frame();
    const start = performance.now();
    await bench[what](step);
    await frame();
    bench.read();
    times.push(performance.now() - start);
  }}
  return times.sort((a, b) => a - b);
}}"""

# A change every frame, as fast as frames come: milliseconds a frame.
SUSTAINED = f"""async ([what, steps]) => {{
  {FRAME}
  await frame();
  const start = performance.now();
  for (let step = 0; step < steps; step++) {{
    await bench[what](step);
    await frame();
  }}
  bench.read();
  return (performance.now() - start) / steps;
}}"""

# Ours is there when the slice has come and was drawn in the frame after.
FIRST = f"""async () => {{
  {FRAME}
  for (;;) {{
    const reading = document.querySelector("cl-study")?.reading;
    if (reading?.image?.pixels.ready(reading.slice) && document.querySelector("cl-viewport")) break;
    await frame();
  }}
  await frame();
  document.querySelector("cl-viewport canvas.image").getContext("2d").getImageData(0, 0, 1, 1);
  return performance.now();
}}"""


class Figure(NamedTuple):
    """What one step costs, in milliseconds."""

    median: float
    p95: float
    sustained: float
    cpu: float


class Measured(NamedTuple):
    """One viewer over the film and the CT."""

    first_image: float
    steps: dict[str, Figure]


def main() -> None:
    """Make film and CT, serve them twice, measure, print."""
    options = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    options.add_argument(
        "--ours-alone", action="store_true", help="leave Cornerstone3D out: no npm, no network"
    )
    options.add_argument("--json", type=Path, help="write the figures here, too")
    chosen = options.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        files = write_studies(folder / "files")
        explain(folder / "home", files)
        print(f"{os.cpu_count()} CPUs, load {os.getloadavg()[0]:.1f}; {SIZE['width']} × {SIZE['height']}")
        for study, file in files.items():
            print(f"{study}: {' × '.join(map(str, read_image(file).space))}")
        print(f"viewer.js: {script_size()} bytes, gzip")
        with served(folder / "home") as link:
            origin = link.partition("/sign-in")[0]
            keys = study_keys(folder / "home")
            cookies = signed_in(link)
            ours = measure(lambda page, study: open_ours(page, origin, keys[study]), cookies)
        figures = {"camlucida": ours}
        if not chosen.ours_alone:
            figures["Cornerstone3D"] = measure_theirs(folder, files)
    print(table(figures))
    if chosen.json:
        chosen.json.write_text(json.dumps({name: as_json(one) for name, one in figures.items()}, indent=1))


def measure_theirs(folder: Path, files: dict[str, Path]) -> Measured:
    """Cornerstone3D over the same images and maps."""
    bundle(folder / "page")
    for study, file in files.items():
        image = read_image(file)
        describe(folder / "page" / study, image, kept_map(folder / "home", image))
    with static(folder / "page") as origin:
        return measure(lambda page, study: open_theirs(page, origin, study))


# ---- the studies ----


def write_studies(folder: Path) -> dict[str, Path]:
    """The film and the CT."""
    folder.mkdir()
    write_radiograph(radiograph(7901, ("Effusion",), rows=3000), folder / "film.dcm")
    write_ct(ct_volume(7905, ("Nodule",), slices=SLICES, rows=512), folder / "ct")
    return {"film": folder / "film.dcm", "ct": folder / "ct"}


def explain(home: Path, files: dict[str, Path]) -> None:
    """What `camlucida import` does."""
    with closing(Home.open(home)) as opened:
        for intake in pipeline.take_in(opened, pipeline.find(list(files.values()))):
            if intake.error:
                raise SystemExit(intake.error)
        list(pipeline.register_shipped(opened))
        models = pipeline.current_models(opened)
        pipeline.want(opened, models)
        list(pipeline.explain_wanted(opened, models))


def study_keys(home: Path) -> dict[str, str]:
    """What the address says of film and CT."""
    with closing(Home.open(home)) as opened, opened.database.read() as session:
        return {
            {"DX": "film", "CT": "ct"}[image.modality]: image.study.key for image in session.query(ImageRow)
        }


def kept_map(home: Path, image: Image) -> tuple[SaliencyMap, int]:
    """The map of an image that is kept, and its finding with most evidence."""
    with closing(Home.open(home)) as opened, opened.database.read() as session:
        kept = [load(opened, row.digest) for row in session.query(ExplanationRow) if row.digest]
    found = next(one for one in kept if one.provenance.pixel_digest == image.digest).saliency_map
    return found, int(found.values.reshape(len(found.findings), -1).max(axis=1).argmax())


# ---- the two pages ----


def script_size() -> int:
    """Bytes of our script as a browser gets it."""
    static = Path(camlucida.__file__).parent / "web" / "static"
    return len(gzip.compress((static / "viewer.js").read_bytes(), 9))


def open_ours(page: Page, origin: str, study: str) -> float:
    """Our page of a study; when its image was there, in milliseconds after the page was asked for."""
    page.goto(f"{origin}/#/study/{study}")
    first: float = page.evaluate(FIRST)
    page.evaluate(OURS)
    return first


def signed_in(link: str) -> StorageState:
    """The cookies of a browser that has used the station's link, which is for once."""
    with page_in([]) as page:
        page.goto(link)
        page.wait_for_selector("cl-app")
        return page.context.storage_state()


def open_theirs(page: Page, origin: str, study: str) -> float:
    """Cornerstone3D's."""
    page.goto(f"{origin}/{study}/index.html")
    page.wait_for_function("() => globalThis.bench")
    return float(page.evaluate("() => { bench.read(); return globalThis.first; }"))


def bundle(folder: Path) -> None:
    """Cornerstone3D from npm and its page, in one script."""
    folder.mkdir()
    (folder / "package.json").write_text('{"private": true}')
    npm = ["npm", "install", "--silent", "--no-audit", "--no-fund", *PACKAGES]
    subprocess.run(npm, cwd=folder, check=True)  # noqa: S603 - our own command
    shutil.copy(Path(__file__).with_name("cornerstone.js"), folder / "page.js")
    options = ["--bundle", "--minify", "--format=esm", "--outfile=bundle.js", "--log-level=error"]
    esbuild = ["node_modules/.bin/esbuild", "page.js", *options]
    subprocess.run(esbuild, cwd=folder, check=True)  # noqa: S603 - our own command


def describe(folder: Path, image: Image, kept: tuple[SaliencyMap, int]) -> None:
    """Write what Cornerstone3D's page asks for: slices and a map as they are, and what they are."""
    folder.mkdir()
    rows, columns = image.space[-2:]
    planes = image.values.reshape(-1, rows, columns)
    described = {}
    for index, plane in enumerate(planes):
        (folder / f"{index}.raw").write_bytes(np.ascontiguousarray(plane).tobytes())
        described[f"raw:{index}.raw"] = as_image(plane, (1.0, 1.0), index, image.slope, image.intercept)
    saliency_map, finding = kept
    values = saliency_map.values[finding]
    native = np.ascontiguousarray(values.reshape(-1, *values.shape[-2:])[0], np.float32)
    (folder / "map.raw").write_bytes(native.tobytes())
    spacing = (rows / native.shape[0], columns / native.shape[1])
    table = colour.table("inferno") / 255
    content = {
        "images": {**described, "raw:map.raw": as_image(native, spacing, 0, 1, 0)},
        "stack": list(described),
        "window": {"center": image.windows[0].center, "width": image.windows[0].width},
        "map": {
            "imageId": "raw:map.raw",
            "scale": scale_of(saliency_map, finding),
            "colours": [[i / 255, *map(float, table[i])] for i in range(256)],
        },
    }
    (folder / "described.json").write_text(json.dumps(content))
    style = f"margin: 0; width: {SIZE['width']}px; height: {SIZE['height']}px"
    script = '<script type="module" src="../bundle.js"></script>'
    (folder / "index.html").write_text(
        f'<!doctype html><body style="margin: 0"><div id="viewport" style="{style}"></div>{script}'
    )


def as_image(
    plane: NDArray[Any], spacing: tuple[float, float], position: int, slope: float, intercept: float
) -> dict[str, Any]:
    """One image (rows, columns) for Cornerstone3D; the map's corner lies on that of the image."""
    return {
        "rows": plane.shape[0],
        "columns": plane.shape[1],
        "spacing": spacing,
        "position": [(spacing[1] - 1) / 2, (spacing[0] - 1) / 2, position],
        "dtype": plane.dtype.name,
        "low": float(plane.min()),
        "high": float(plane.max()),
        "slope": slope,
        "intercept": intercept,
    }


@contextmanager
def static(folder: Path) -> Iterator[str]:
    """A folder over HTTP."""

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name
            pass

    handler = functools.partial(Quiet, directory=folder)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


# ---- measuring ----


def measure(opens: Callable[[Page, str], float], cookies: StorageState | None = None) -> Measured:
    """The film and the CT of one viewer, each in a fresh browser."""
    with page_in([], cookies) as page:
        first = opens(page, "film")
        page.evaluate("() => bench.map()")
        shown = {step: _shown(page, step) for step in FILM_STEPS}
    with page_in(NO_FRAME_LIMIT, cookies) as page:
        opens(page, "film")
        page.evaluate("() => bench.map()")
        sustained = {step: _sustained(page, step) for step in FILM_STEPS}
    with page_in([], cookies) as page:
        opens(page, "ct")
        page.evaluate("() => bench.load()")
        shown["slice"] = _shown(page, "slice")
    with page_in(NO_FRAME_LIMIT, cookies) as page:
        opens(page, "ct")
        page.evaluate("() => bench.load()")
        sustained["slice"] = _sustained(page, "slice")
    return Measured(first, {name: Figure(*shown[name], *sustained[name]) for name in shown})


@contextmanager
def page_in(arguments: list[str], cookies: StorageState | None = None) -> Iterator[Page]:
    """A page in a browser of its own."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=shutil.which("chromium"), args=[*ARGUMENTS, *arguments]
        )
        page = browser.new_page(viewport=SIZE, storage_state=cookies)
        page.set_default_timeout(120_000)
        yield page
        browser.close()


def _shown(page: Page, what: str) -> tuple[float, float]:
    times: list[float] = page.evaluate(SHOWN, [what, STEPS])
    return times[len(times) // 2], times[round(0.95 * (len(times) - 1))]


def _sustained(page: Page, what: str) -> tuple[float, float]:
    page.evaluate(SUSTAINED, [what, 5])
    before = _cpu_seconds()
    wall = float(page.evaluate(SUSTAINED, [what, STEPS]))
    return wall, 1000 * (_cpu_seconds() - before) / STEPS


def _cpu_seconds() -> float:
    """What this process's Chromium has worked so far."""
    programs = [one for one in psutil.Process().children(recursive=True) if "chrom" in one.name()]
    return sum(sum(one.cpu_times()[:2]) for one in programs)


# ---- what is printed ----


def table(figures: dict[str, Measured]) -> str:
    """A row a figure, a column a viewer, and how many times faster the first is than the last."""
    names = list(figures)
    lines = [f"{'milliseconds':28}" + "".join(f"{name:>16}" for name in names) + f"{'ratio':>10}"]
    ours = figures[names[0]]
    lines.append(_row("first image", [one.first_image for one in figures.values()]))
    for step in ours.steps:
        lines += [
            _row(f"{step}, {kind}", [getattr(one.steps[step], kind) for one in figures.values()])
            for kind in Figure._fields
        ]
    return "\n".join(lines)


def _row(name: str, values: list[float]) -> str:
    ratio = f"{values[-1] / values[0]:9.1f}×" if len(values) > 1 else ""
    return f"{name:28}" + "".join(f"{value:16.1f}" for value in values) + ratio


def as_json(measured: Measured) -> dict[str, Any]:
    """The figures by name."""
    steps = {name: figure._asdict() for name, figure in measured.steps.items()}
    return {"first_image": measured.first_image, **steps}


if __name__ == "__main__":
    main()
