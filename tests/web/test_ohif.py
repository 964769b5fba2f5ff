"""OHIF beside the station: how it is served, who may read from elsewhere, and the module in the real OHIF.

On the screen nothing is asked of the module: three bright squares are planted in the images, found again on
the screenshot, and say where each pixel is drawn.
"""

import base64
import hashlib
import re
import subprocess
import sys
from functools import partial

import numpy as np
import pytest
from fastapi.testclient import TestClient
from playwright.sync_api import expect
from scipy import ndimage

from camlucida.errors import StoreError
from camlucida.images.read import read_image
from camlucida.rendering.scale import scale_of
from camlucida.rendering.upsample import to_pixel_grid
from camlucida.settings import settings
from camlucida.store.explanations import load
from camlucida.store.people import access_tokens
from camlucida.store.people.visits import new_token
from camlucida.store.tables import ExplanationRow, FlagRow
from camlucida.web import ohif
from camlucida.web.app import create_app
from chromium import chromium
from ohif_station import SQUARES, centres, once_drawn, screenshot, settle, signed_in_context, watched
from waiting import until

# ---- how OHIF is served ----


@pytest.fixture
def unpacked(tmp_path):
    """A folder like that of the npm package, with the places where it says that it lies at the root."""
    folder = tmp_path / "package" / "dist"
    folder.mkdir(parents=True)
    (folder / "index.html").write_text(
        '<!doctype html><link href="/app.css"><script src="/app-config.js"></script>'
        '<script>window.PUBLIC_URL="/"</script><a href="//elsewhere.example/">x</a>'
    )
    (folder / "app-config.js").write_text("window.config = {}; // the package's own")
    (folder / "app.css").write_text("@font-face { src: url(/font.woff2) }")
    (folder / "app.bundle.0123456789abcdef.js").write_text('__webpack_require__.p = "/"; "/kept"')
    (folder / "font.woff2").write_bytes(b'\x00__webpack_require__.p = "/"')
    (tmp_path / "package" / "secret.txt").write_text("not yours")
    (folder / "way-out.txt").symlink_to(tmp_path / "package" / "secret.txt")
    return folder


@pytest.fixture
def signed_in(station, unpacked):
    return signed_in_client(station, create_app(station.home, ohif_app=unpacked))


def signed_in_client(station, app):
    client = TestClient(app, "http://127.0.0.1:8765", raise_server_exceptions=False)
    client.get("/sign-in", params={"token": new_token(station.home)}, follow_redirects=False)
    return client


@pytest.mark.parametrize("path", ["/ohif", "/ohif/", "/ohif/viewer", "/ohif/app-config.js", "/ohif/app.css"])
def test_ohif_is_shown_to_the_signed_in_only(station, unpacked, path):
    stranger = TestClient(create_app(station.home, ohif_app=unpacked), "http://127.0.0.1:8765")
    assert stranger.get(path).status_code == 401


def test_without_a_folder_there_is_no_ohif(browser):
    assert browser.get("/ohif/").status_code == 404


@pytest.mark.parametrize("path", ["/ohif/", "/ohif/index.html", "/ohif/viewer?StudyInstanceUIDs=1.2"])
def test_its_page_lies_below_our_prefix(signed_in, path):
    page = signed_in.get(path)
    assert page.status_code == 200
    assert 'href="/ohif/app.css"' in page.text
    assert 'src="/ohif/app-config.js"' in page.text
    assert 'window.PUBLIC_URL="/ohif/"' in page.text
    assert 'href="//elsewhere.example/"' in page.text


def test_scripts_and_styles_are_rewritten_and_all_else_is_as_it_came(signed_in, unpacked):
    script = signed_in.get("/ohif/app.bundle.0123456789abcdef.js")
    assert script.text == '__webpack_require__.p = "/ohif/"; "/kept"'
    assert "immutable" in script.headers["cache-control"]
    assert signed_in.get("/ohif/app.css").text == "@font-face { src: url(/ohif/font.woff2) }"
    assert signed_in.get("/ohif/font.woff2").content == (unpacked / "font.woff2").read_bytes()
    again = signed_in.get("/ohif/app.css", headers={"if-none-match": script.headers["etag"]})
    assert again.status_code == 200
    again = signed_in.get("/ohif/app.css", headers={"if-none-match": again.headers["etag"]})
    assert again.status_code == 304
    plain = signed_in.get("/ohif/app.css", headers={"accept-encoding": "identity"})
    assert "content-encoding" not in plain.headers
    assert plain.text.startswith("@font-face")


@pytest.mark.parametrize(
    "path", ["..%2Fsecret.txt", "%2e%2e/secret.txt", "way-out.txt", "/etc/passwd", "missing.js", "a%00b"]
)
def test_nothing_outside_the_folder_is_given(signed_in, path):
    answer = signed_in.get(f"/ohif/{path}")
    assert "not yours" not in answer.text
    assert answer.status_code in {200, 404}
    if answer.status_code == 200:
        assert "PUBLIC_URL" in answer.text  # a route of OHIF's own


def test_the_page_runs_its_own_scripts_only(signed_in):
    page = signed_in.get("/ohif/")
    policy = page.headers["content-security-policy"]
    scripts = re.search(r"script-src ([^;]*)", policy)[1]
    digest = hashlib.sha256(b'window.PUBLIC_URL="/ohif/"').digest()
    assert f"'sha256-{base64.b64encode(digest).decode()}'" in scripts
    assert "unsafe-inline" not in scripts
    assert "http" not in policy  # nothing from elsewhere
    assert page.headers["x-frame-options"] == "DENY"


def test_the_rest_of_the_station_keeps_its_own_policy(signed_in):
    assert signed_in.get("/api/studies").headers["content-security-policy"].startswith("default-src 'self'")


def test_its_configuration_is_ours(signed_in):
    config = signed_in.get("/ohif/app-config.js").text
    assert config.startswith("window.config = {")
    assert '"qidoRoot": "/dicom-web"' in config
    assert '"/camlucida-ohif.js"' in config
    assert "the package's own" not in config


def test_the_module_is_code_that_anybody_may_load(station):
    answer = station.client().get("/camlucida-ohif.js")
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/javascript")
    assert len(answer.content) < 100_000
    assert b"Research software, not a medical device" in answer.content


@pytest.mark.parametrize("missing", ["index.html", "app-config.js"])
def test_another_folder_is_refused_with_the_way_to_get_one(unpacked, missing):
    (unpacked / missing).unlink()
    with pytest.raises(StoreError, match=r"npm pack @ohif/app@3\.13\.2"):
        ohif.app_folder(unpacked)


def test_serve_refuses_it_before_anything_listens(tmp_path):
    done = subprocess.run(  # noqa: S603 - our own command
        [sys.executable, "-m", "camlucida.cli", "serve", "--home", tmp_path / "home", "--ohif", tmp_path],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert "npm pack" in done.stderr
    assert "Traceback" not in done.stderr


# ---- OHIF of another origin ----

OTHER = "https://ohif.example"


@pytest.fixture
def opened(station, monkeypatch):
    """The station, open to one other origin."""
    monkeypatch.setenv("CAMLUCIDA_OHIF_ORIGINS", OTHER)
    settings.cache_clear()
    yield TestClient(create_app(station.home), "http://127.0.0.1:8765")
    settings.cache_clear()


def preflight(client, origin, path="/api/find"):
    headers = {
        "origin": origin,
        "access-control-request-method": "POST",
        "access-control-request-headers": "authorization,content-type",
    }
    return client.options(path, headers=headers)


@pytest.mark.parametrize("path", ["/api/find", "/dicom-web/studies", "/camlucida-ohif.js"])
def test_the_named_origin_may_read_with_a_token(station, opened, path):
    answer = preflight(opened, OTHER, path)
    assert answer.status_code == 200
    assert answer.headers["access-control-allow-origin"] == OTHER
    assert "access-control-allow-credentials" not in answer.headers  # no cookie from elsewhere
    token = access_tokens.add(station.home, "ohif")
    headers = {"origin": OTHER, "authorization": f"Bearer {token}"}
    answer = opened.get("/api/studies", headers=headers)
    assert answer.status_code == 200
    assert answer.headers["access-control-allow-origin"] == OTHER


@pytest.mark.parametrize(
    "origin", ["https://evil.example", "http://ohif.example", "https://ohif.example.evil.example", "null"]
)
def test_others_are_refused(opened, origin):
    answer = preflight(opened, origin)
    assert answer.status_code == 400
    assert "access-control-allow-origin" not in answer.headers
    assert "access-control-allow-origin" not in opened.get("/api/studies", headers={"origin": origin}).headers


def test_none_is_let_in_by_default_and_the_page_never(station, opened):
    assert "access-control-allow-origin" not in preflight(station.client(), OTHER).headers
    for path in ("/", "/sign-in", "/static/viewer.js"):
        assert "access-control-allow-origin" not in opened.get(path, headers={"origin": OTHER}).headers


def test_the_cookie_does_not_open_the_station_to_the_named_origin(station, opened):
    opened.get("/sign-in", params={"token": new_token(station.home)}, follow_redirects=False)
    answer = opened.post("/api/explanations/x/flags", json={}, headers={"origin": OTHER})
    assert answer.status_code == 403


@pytest.mark.parametrize(
    "setting", ["http://ohif.example", "*", "https://", "https://a.example/path", "https://a/"]
)
def test_what_is_no_https_origin_is_refused(setting):
    with pytest.raises(StoreError, match="CAMLUCIDA_OHIF_ORIGINS"):
        ohif.origins(setting)


def test_several_origins_are_read():
    assert ohif.origins(" https://a.example, https://b.example:8443 ") == [
        "https://a.example",
        "https://b.example:8443",
    ]


# ---- the module in the real OHIF ----


@pytest.fixture(scope="module")
def context(shown):
    with chromium() as started:
        yield signed_in_context(started, shown)


@pytest.fixture(scope="module")
def film(context, shown):
    """OHIF with the film opened: the page, once for all tests, as it takes seconds to start."""
    with watched(context, shown) as page:
        open_study(page, shown, shown.film)
        yield page


def open_study(page, shown, path):
    """Open a study in OHIF; the image as camlucida read it."""
    image = read_image(path)
    page.goto(f"{shown.origin}/ohif/viewer?StudyInstanceUIDs={image.source.study_instance_uid}")
    expect(page.locator("camlucida-panel button.finding").first).to_be_visible()
    return image


def explanation(shown, image):
    with shown.home.database.read() as session:
        kept = [load(shown.home, row.digest) for row in session.query(ExplanationRow)]
    return next(one for one in kept if one.provenance.pixel_digest == image.digest)


def choose(page, finding):
    page.locator("camlucida-panel button.finding").filter(has_text=finding).click()


def command(page, name, **options):
    page.evaluate("([name, options]) => window.commandsManager.runCommand(name, options)", [name, options])


SHOWN_IMAGE = """() => { const { cornerstoneViewportService, viewportGridService } = window.services;
  const id = viewportGridService.getActiveViewportId();
  return cornerstoneViewportService.getCornerstoneViewport(id)?.getCurrentImageId?.() ?? ""; }"""


def shown_slice(page, image):
    """Which slice of a volume the active viewport shows, by what OHIF asked for."""
    address = page.evaluate(SHOWN_IMAGE)
    found = [n for n, uid in enumerate(image.source.sop_instance_uids) if f"/{uid}/" in address]
    assert len(found) == 1, address
    return found[0]


CANVAS = "[data-camlucida=map]"
READ = """canvas => {
  const { width, height } = canvas, box = canvas.getBoundingClientRect();
  const { data } = canvas.getContext("2d").getImageData(0, 0, width, height);
  const alpha = data.filter((_, i) => i % 4 === 3);
  let text = "";
  for (let i = 0; i < alpha.length; i += 32768)
    text += String.fromCharCode(...alpha.subarray(i, i + 32768));
  const shown = getComputedStyle(canvas).display !== "none";
  return { width, height, left: box.left, top: box.top, shown, alpha: btoa(text) };
}"""


def heat(page):
    """What the overlay draws: strength (row, column), 0 to 1, and its left upper corner on the screen."""
    read = page.locator(CANVAS).first.evaluate(READ)
    assert read["shown"]
    alpha = np.frombuffer(base64.b64decode(read["alpha"]), np.uint8).reshape(read["height"], read["width"])
    return alpha / 255, np.array([read["top"], read["left"]])


def pixel_to_screen(page, image):
    """From (row, column, 1) to the screen's (y, x), by the squares as they are drawn: matrix (3, 2)."""
    expect(page.locator(".cornerstone-canvas").first).to_be_visible()
    page.keyboard.press("m")
    expect(page.locator(CANVAS).first).to_be_hidden()
    settle(page)
    box = page.locator(".cornerstone-canvas").first.bounding_box()
    top, left = round(box["y"]), round(box["x"])
    seen = screenshot(page)[top : top + round(box["height"]), left : left + round(box["width"])]
    white = (seen.min(axis=2) > 150) & (np.ptp(seen, axis=2) < 12)
    page.keyboard.press("m")
    expect(page.locator(CANVAS).first).to_be_visible()
    settle(page)
    labels, _ = ndimage.label(white)
    found = []
    for label, area in enumerate(np.bincount(labels.ravel())[1:], start=1):
        rows, columns = np.nonzero(labels == label)
        if area > 60 and area > 0.8 * (np.ptp(rows) + 1) * (np.ptp(columns) + 1):
            found.append((area, rows.mean() + top, columns.mean() + left))
    assert len(found) == len(SQUARES), found
    places = np.array([place for _, *place in sorted(found)])
    known = np.column_stack([centres(image.space[-2:]), np.ones(3)])
    return np.linalg.solve(known, places)


def compare(page, image, evidence, scale):
    """The overlay against the numbers, where OHIF draws each pixel; the hottest place, in pixels."""
    return compare_at(page, pixel_to_screen(page, image), evidence, scale)


def compare_at(page, matrix, evidence, scale):
    """The same, where it is known already where OHIF draws the pixels."""
    strength, corner = heat(page)
    screen = np.moveaxis(np.indices(strength.shape), 0, -1) + corner
    linear, offset = matrix[:2], matrix[2]
    pixels = (screen - offset) @ np.linalg.inv(linear)  # (y, x, (row, column))
    rows, columns = evidence.shape
    inside = ((pixels > 1) & (pixels < np.array([rows, columns]) - 2)).all(axis=-1)
    expected = ndimage.map_coordinates(evidence, np.moveaxis(pixels, -1, 0), order=1, mode="nearest")
    difference = np.abs(strength - np.clip(expected / scale, 0, 1))[inside]
    assert inside.mean() > 0.3
    assert difference.max() < 0.06
    assert difference.mean() < 0.01
    hottest = np.unravel_index(np.argmax(np.where(inside, strength, -1)), strength.shape)
    return pixels[hottest]


def distance(mask, place):
    """Pixels from a place to the nearest pixel of a mask."""
    return np.linalg.norm(np.argwhere(mask) - place, axis=1).min()


@pytest.mark.slow
def test_the_evidence_lies_where_the_lesion_is_drawn_however_the_film_is_turned(film, shown):
    page, image = film, read_image(shown.film)
    kept = explanation(shown, image).saliency_map
    index = kept.findings.index("Pneumothorax")
    evidence, scale = to_pixel_grid(kept.values[index], kept.geometry), scale_of(kept, index)
    cell, mask = max(kept.geometry.cell_size_pixels()), shown.masks["Pneumothorax"]
    expect(page.locator(f"{CANVAS}:visible")).to_have_count(0)  # off until asked for
    choose(page, "Pneumothorax")
    expect(page.locator(CANVAS).first).to_be_visible()
    command(page, "setWindowLevel", windowWidth=400, windowCenter=4000)
    box = page.locator(".cornerstone-canvas").first.bounding_box()
    middle = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2

    def pan():
        page.mouse.move(*middle)
        page.mouse.down(button="middle")
        page.mouse.move(middle[0] + 37, middle[1] - 22, steps=4)
        page.mouse.up(button="middle")

    def moved(last):
        """Where OHIF draws the pixels, once that is elsewhere; how far the evidence is from the lesion."""
        matrix = pixel_to_screen(page, image)
        assert np.abs(matrix - last).max() > 0.1
        return matrix, distance(mask, compare_at(page, matrix, evidence, scale))

    assert distance(mask, once_drawn(page, lambda: compare(page, image, evidence, scale))) <= cell
    last = before = pixel_to_screen(page, image)
    for change in (
        lambda: command(page, "scaleUpViewport"),
        pan,
        lambda: page.keyboard.press("r"),
        lambda: page.keyboard.press("h"),
        lambda: page.set_viewport_size({"width": 1180, "height": 760}),
    ):
        change()
        last, away = once_drawn(page, partial(moved, last))
        assert away <= cell
    assert np.abs(np.diag(last[:2])).max() < 0.05  # turned by 90°, so rows go along x
    assert np.linalg.det(before[:2]) * np.linalg.det(last[:2]) < 0  # and flipped
    page.set_viewport_size({"width": 1280, "height": 800})


@pytest.mark.slow
def test_the_panel_lists_findings_and_says_what_they_are_worth(film, shown):
    page, image = film, read_image(shown.film)
    panel = page.locator("camlucida-panel")
    expect(panel.get_by_text("Research software, not a medical device")).to_be_visible()
    names = [button.inner_text().split("\n")[0] for button in panel.locator("button.finding").all()]
    assert sorted(names) == sorted(explanation(shown, image).saliency_map.findings)
    expect(panel.locator("button.finding.below").first).to_contain_text("below operating point")
    choose(page, "Pneumothorax")
    expect(panel.locator(".chosen")).to_contain_text("Evidence for")
    expect(panel.locator(".legend")).to_contain_text("logits per cell")
    expect(page.locator("[data-camlucida=caption]")).to_contain_text("Pneumothorax · 0 to ≥")
    expect(panel.locator(".by")).to_contain_text("phantom-radiograph")
    opacity = panel.get_by_role("slider", name="Opacity")
    opacity.fill("25")
    assert page.locator(CANVAS).evaluate("canvas => canvas.style.opacity") == "0.25"
    smooth, _ = heat(page)
    panel.get_by_role("button", name="Cells").click()
    cells, _ = heat(page)
    assert len(np.unique(cells)) < len(np.unique(smooth))
    page.keyboard.press("m")
    expect(page.locator(CANVAS)).to_be_hidden()


@pytest.mark.slow
def test_a_flag_is_kept_and_said_to_be(film, shown):
    page = film
    choose(page, "Pneumothorax")
    panel = page.locator("camlucida-panel")
    panel.get_by_role("button", name="Flag this map").click()
    panel.get_by_role("textbox").fill("over the clavicle, mmm")  # and the map's key is a letter here
    expect(page.locator(CANVAS).first).to_be_visible()
    panel.get_by_role("button", name="Wrong place").click()
    expect(panel.get_by_text("Kept. Thank you.")).to_be_visible()
    with shown.home.database.read() as session:
        (flag,) = session.query(FlagRow).all()
    assert (flag.finding, flag.reason, flag.text) == ("Pneumothorax", "wrong place", "over the clavicle, mmm")
    assert flag.view["map"] is True
    assert flag.who == "browser"


@pytest.mark.slow
def test_each_slice_of_a_ct_has_its_own_evidence_and_every_plane_too(context, shown):
    with watched(context, shown) as page:
        look_at_slices(page, shown, open_study(page, shown, shown.ct))


def look_at_slices(page, shown, image):
    kept = explanation(shown, image).saliency_map
    index = kept.findings.index("Nodule")
    evidence, scale = to_pixel_grid(kept.values[index], kept.geometry), scale_of(kept, index)
    choose(page, "Nodule")
    page.locator("camlucida-panel").get_by_role("button", name="Most evidence").click()
    values = kept.values[index]
    cell = np.unravel_index(np.argmax(values), values.shape)
    peak = round(float(kept.geometry.cell_to_pixel([cell])[0, 0]))

    def evidence_is_on_its_slice():
        command(page, "setWindowLevel", windowWidth=200, windowCenter=2900)  # what has just come has its own
        compare(page, image, evidence[shown_slice(page, image)], scale)

    until(lambda: shown_slice(page, image) == peak)
    once_drawn(page, evidence_is_on_its_slice)
    command(page, "nextImage")
    until(lambda: abs(shown_slice(page, image) - peak) == 1)
    once_drawn(page, evidence_is_on_its_slice)
    command(page, "setHangingProtocol", protocolId="mpr")
    expect(page.locator(f"{CANVAS}:visible")).to_have_count(3)
    once_drawn(page, evidence_is_on_its_slice)  # through patient coordinates


@pytest.mark.slow
def test_where_there_is_no_map_the_panel_says_why(context, shown):
    page = context.new_page()  # it does see errors
    answer = {}

    def find(route):
        if "status" in answer:
            route.fulfill(status=answer["status"], json={"detail": "no"})
            return
        if "state" not in answer:
            route.abort()
            return
        found = route.fetch().json()
        for explained in found["images"][0]["explanations"]:
            explained.update(state=answer["state"], reason=answer["reason"])
        route.fulfill(json=found)

    page.route("**/api/find", find)
    uid = read_image(shown.film).source.study_instance_uid
    page.goto(f"{shown.origin}/ohif/viewer?StudyInstanceUIDs={uid}")
    panel = page.locator("camlucida-panel")
    expect(panel.get_by_text("The station does not answer")).to_be_visible()
    answer.update(status=401)
    panel.get_by_role("button", name="Try again").click()
    expect(panel.get_by_text("camlucida serve --new-token")).to_be_visible()
    answer.clear()
    answer.update(state="waiting", reason=None)
    panel.get_by_role("button", name="Try again").click()
    expect(panel.get_by_text("Not explained yet")).to_be_visible()
    answer.update(state="refused", reason="The model takes CR and DX; this image is OT.")
    expect(panel.get_by_text("this image is OT")).to_be_visible()
    expect(page.locator(f"{CANVAS}:visible")).to_have_count(0)
    page.unroute_all(behavior="wait")
    page.close()
