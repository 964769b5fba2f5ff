"""Pictures of the trail, against `rendering` and against formulas written again here, slowly."""

import secrets
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from io import BytesIO
from typing import NamedTuple

import numpy as np
import PIL.Image
import pytest
from sqlalchemy import text

from camlucida.errors import InputError, StoreError
from camlucida.records import (
    Event,
    EventKind,
    Explanation,
    Flag,
    FlagReason,
    Image,
    Region,
    VoiLutFunction,
    Window,
)
from camlucida.records.geometry import scaling
from camlucida.rendering import colour
from camlucida.rendering.overlay import overlay
from camlucida.rendering.scale import scale_of
from camlucida.rendering.upsample import to_pixel_grid
from camlucida.rendering.window import display
from camlucida.store import explanations, studies
from camlucida.store.audit import events
from camlucida.store.audit.replay import replay, seen_at
from camlucida.store.explanations import CurrentModel
from camlucida.store.home import Home
from camlucida.store.remarks import flags
from camlucida.store.tables import EventRow, ExplanationRow, ImageRow

MODEL = "a" * 64
START = datetime(2026, 3, 1, 12, tzinfo=UTC) + timedelta(days=3650)  # after whatever a test computes
PHANTOM = "5f7dcdde67a9040130aacb5b81d70d3586a5b45592d9ef12e8adb915b5ee5b51"


class Shown(NamedTuple):
    """A home with one explained image, and a tab that tells what it shows."""

    home: Home
    image: Image
    explanation: Explanation
    row: ExplanationRow
    tab: str

    def tell(self, kind, view, *, tab=None, seconds=None):
        """Keep an event of the tab; its number."""
        with self.home.database.read() as session:
            number = events.count(session) + 1
            image = session.query(ImageRow).one()
            keys = {"study": image.study.key, "image": image.key, "explanation": self.row.key}
        happened = START + timedelta(seconds=number if seconds is None else seconds)
        event = Event(secrets.token_hex(16), kind, happened, tab or self.tab, view=view, **keys)
        events.keep(self.home, [event], "reader")
        return str(number)

    def opened(self, **view):
        return self.tell(EventKind.OPENED, {"digest": self.row.digest, **view})

    def changed(self, **view):
        return self.tell(EventKind.CHANGED, view)

    def picture(self, event, axis=None):
        return replay(self.home, seen_at(self.home, event), axis).rgb

    @property
    def map(self):
        return self.explanation.saliency_map

    def over(self, grey, finding=0, opacity=0.6, colours="inferno", scale=None):
        evidence = to_pixel_grid(self.map.values[finding], self.map.geometry)
        return overlay(grey, evidence, scale or scale_of(self.map, finding), opacity, colours)


def new_tab():
    return secrets.token_hex(16)


def kept(home, folder, image, explanation):
    """Keep an image and its explanation in an empty home."""
    (folder / "original.dcm").write_bytes(b"as it came")
    studies.keep(home, [image], [folder / "original.dcm"])
    explanations.set_current_models(home, [CurrentModel(MODEL, "made-up", "1")])
    with home.database.write() as session:
        (row,) = explanations.unseen(session, MODEL, "grad-cam")
        explanations.want(session, row.id, MODEL, "grad-cam")
    with home.database.read() as session:
        (identifier,) = explanations.waiting(session, MODEL)
    explanations.keep(home, identifier, explanation)
    with home.database.read() as session:
        return Shown(home, image, explanation, session.get_one(ExplanationRow, identifier), new_tab())


@pytest.fixture
def home(tmp_path):
    """SQLite's alone: what differs from database to database is tried by the other tests of this folder."""
    with closing(Home.open(tmp_path / "home")) as opened:
        yield opened


@pytest.fixture
def keep(home, tmp_path):
    """Keeps an image and its explanation in a home of the test's own."""
    return partial(kept, home, tmp_path)


@pytest.fixture
def fresh(keep, make_image, make_explanation):
    """For tests that change what is kept."""
    return keep(make_image(), make_explanation())


@pytest.fixture(scope="module")
def film(tmp_path_factory, make_image, make_explanation):
    folder = tmp_path_factory.mktemp("film")
    with closing(Home.open(folder / "home")) as opened:
        yield kept(opened, folder, make_image(), make_explanation())


@pytest.fixture(scope="module")
def ct(tmp_path_factory, make_image, make_explanation):
    """6 × 20 × 16 voxels of 4, 1, 1 mm; the map has 3 × 5 × 4 cells."""
    folder = tmp_path_factory.mktemp("ct")
    image = make_image((6, 20, 16), spacing=(4.0, 1.0, 1.0))
    with closing(Home.open(folder / "home")) as opened:
        yield kept(opened, folder, image, make_explanation(native=(3, 5, 4), pixels=(6, 20, 16)))


@pytest.fixture
def shown(film):
    """A new tab of a shared home."""
    return film._replace(tab=new_tab())


@pytest.fixture
def volume(ct):
    return ct._replace(tab=new_tab())


# ---- the view is folded ----


def test_the_view_is_that_of_the_opening_with_the_changes_until_then(shown):
    grey = display(shown.image.values, shown.image)
    opened = shown.opened(opacity="25")
    on = shown.changed(map="1", finding="1")
    other = shown.changed(finding="2", opacity=None, colours="viridis")
    shown.changed(map=None)
    assert (shown.picture(opened) == grey[..., np.newaxis]).all()
    assert (shown.picture(on) == shown.over(grey, 1, 0.25)).all()
    assert (shown.picture(other) == shown.over(grey, 2, 0.6, "viridis")).all()


def test_what_another_tab_does_is_not_seen(shown):
    shown.opened(map="1", finding="0")
    shown.tell(EventKind.OPENED, {"digest": ""}, tab="d" * 32)
    mine = shown.changed(finding="1")
    assert (shown.picture(mine) == shown.over(display(shown.image.values, shown.image), 1)).all()


def test_an_event_is_named_by_its_key_too(shown):
    number = shown.opened()
    with shown.home.database.read() as session:
        key = session.get_one(EventRow, int(number)).key
    assert seen_at(shown.home, key).event.id == int(number)


def test_events_that_arrived_late_are_taken_in_their_own_order_and_it_is_told(shown):
    shown.opened(map="1", finding="0")
    last = shown.tell(EventKind.CHANGED, {"finding": "1"}, seconds=2000)
    shown.tell(EventKind.CHANGED, {"finding": "2", "opacity": "30"}, seconds=1000)
    seen = seen_at(shown.home, last)
    assert (seen.view["finding"], seen.view["opacity"]) == ("1", "30")
    assert "another order" in seen.remarks[0]


# ---- each part of the look ----


@pytest.mark.parametrize(
    ("said", "window"),
    [
        ("1500.25,700.5,LINEAR", Window(1500.25, 700.5)),
        ("1500,700,SIGMOID", Window(1500, 700, VoiLutFunction.SIGMOID)),
        ("0", None),
        ("1", Window(300, 200)),
    ],
)
def test_the_window_is_that_of_the_view_or_of_the_preset(keep, make_image, make_explanation, said, window):
    shown = keep(make_image(windows=(Window(2048, 4096), Window(300, 200))), make_explanation())
    expected = display(shown.image.values, shown.image, window)
    assert (shown.picture(shown.opened(window=said)) == expected[..., np.newaxis]).all()


def test_inverted_is_as_if_the_file_were(shown):
    grey = display(shown.image.values, shown.image)
    assert (shown.picture(shown.opened(inverted="1")) == 255 - grey[..., np.newaxis]).all()


def test_a_ct_has_the_windows_of_readers_behind_its_own(keep, make_image, make_explanation):
    image = make_image(modality="CT", unit="HU", intercept=-1024.0)
    shown = keep(image, make_explanation())
    expected = display(image.values, image, Window(40, 400))
    assert (shown.picture(shown.opened(window="2")) == expected[..., np.newaxis]).all()


def test_the_scale_that_was_told_holds_and_else_the_map_s_own_or_the_fixed_one(shown):
    grey = display(shown.image.values, shown.image)
    told = shown.opened(map="1", finding="0", scale="0.125")
    assert (shown.picture(told) == shown.over(grey, scale=0.125)).all()
    own = shown.opened(map="1", finding="0", ownScale="1")
    assert (shown.picture(own) == shown.over(grey, scale=float(shown.map.values[0].max()))).all()


def test_cells_are_constant_and_at_their_place(shown):
    geometry = shown.map.geometry
    evidence = np.zeros(shown.image.space, np.float32)
    for row, column in np.ndindex(evidence.shape):
        cell = np.floor(geometry.pixel_to_cell([[row, column]])[0] + 0.5).astype(int)
        evidence[row, column] = shown.map.values[0][tuple(cell)]
    grey = display(shown.image.values, shown.image)
    expected = overlay(grey, evidence, scale_of(shown.map, 0), 0.6, "coolwarm")
    assert (
        shown.picture(shown.opened(map="1", finding="0", cells="1", colours="coolwarm")) == expected
    ).all()


def test_contours_run_where_evidence_crosses_a_level(shown):
    scale = 4 * float(shown.map.values[0].max()) / 3  # the highest level is just reached
    plain = shown.picture(shown.opened(map="1", finding="0", scale=str(scale)))
    lined = shown.picture(shown.opened(map="1", finding="0", scale=str(scale), contours="1"))
    evidence = to_pixel_grid(shown.map.values[0], shown.map.geometry)
    around = np.zeros(evidence.shape, bool)
    for share in (0.25, 0.5, 0.75):
        reached = np.pad(evidence >= share * scale, 3)
        near = [np.roll(reached, (i, j), (0, 1))[3:-3, 3:-3] for i in range(-2, 3) for j in range(-2, 3)]
        around |= np.any(near, axis=0) & ~np.all(near, axis=0)
    light = (lined == (0xF4, 0xF0, 0xE6)).all(axis=2)
    assert 0.02 < light.mean() < 0.3
    assert around[light].all()
    assert (plain == lined)[~around].all()


def test_held_space_hides_the_map(shown):
    shown.opened(map="1", finding="0")
    held = shown.changed(held="1")
    assert (shown.picture(held) == display(shown.image.values, shown.image)[..., np.newaxis]).all()


def test_a_map_that_had_not_come_yet_is_not_drawn(shown):
    opened = shown.opened(digest="", map="1", finding="0")
    assert (shown.picture(opened) == display(shown.image.values, shown.image)[..., np.newaxis]).all()
    arrived = shown.changed(digest=shown.row.digest)
    assert (shown.picture(arrived) == shown.over(display(shown.image.values, shown.image))).all()


def test_what_lies_over_the_picture_is_told_and_not_drawn(shown):
    event = shown.opened(marks="2")
    assert "measured or marked" in replay(shown.home, seen_at(shown.home, event)).origin["Remarks"]


# ---- volumes ----


def test_the_slice_is_that_of_the_view_and_the_middle_one_without(volume):
    whole = to_pixel_grid(volume.map.values[0], volume.map.geometry)
    for view, at in (({}, 3), ({"slice": "1"}, 1)):
        grey = display(volume.image.values[at], volume.image)
        expected = overlay(grey, whole[at], scale_of(volume.map, 0))
        assert (volume.picture(volume.opened(map="1", finding="0", **view)) == expected).all()


@pytest.mark.parametrize("axis", [1, 2])
def test_a_plane_that_was_seen_alone_is_cut_across(volume, axis):
    view = {"layout": "planes", "alone": str(axis), "row": "7", "column": "5"}
    at = {1: 7, 2: 5}[axis]
    whole = to_pixel_grid(volume.map.values[0], volume.map.geometry)
    grey = display(volume.image.values.take(at, axis), volume.image)
    expected = overlay(grey, whole.take(at, axis), scale_of(volume.map, 0))
    event = volume.opened(map="1", finding="0", **view)
    assert (volume.picture(event) == expected).all()
    assert (volume.picture(volume.opened(map="1", finding="0", row="7", column="5"), axis) == expected).all()


@pytest.mark.parametrize("colours", ["inferno", "coolwarm"])
def test_a_slab_shows_the_strongest_evidence_within_it(volume, colours):
    """Against a brute-force search over many depths, linear between the planes of cells."""
    reach, at = 10 / 2 / 4.0, 2
    native = volume.map.values[0].astype(np.float64)
    found = np.zeros((20, 16))
    for depth in np.linspace(max(at - reach, -0.5), min(at + reach, 5.5), 2001):
        cell = np.clip((depth + 0.5) / 2 - 0.5, 0, 2)
        low = min(1, int(cell))
        plane = native[low] * (1 - cell + low) + native[low + 1] * (cell - low)
        flat = volume.map.geometry
        whole = to_pixel_grid(
            plane[np.newaxis].astype(np.float32),
            replace(
                flat,
                native_shape=(1, 5, 4),
                pixel_shape=(1, 20, 16),
                native_to_pixel=scaling((1, 4, 4), (0, 1.5, 1.5)),
            ),
        )[0]
        stronger = np.abs(whole) > np.abs(found) if colour.kind(colours) == "diverging" else whole > found
        found = np.where(stronger, whole, found)
    grey = display(volume.image.values[at], volume.image)
    expected = overlay(grey, found, scale_of(volume.map, 0), 0.6, colours).astype(int)
    seen = volume.picture(volume.opened(map="1", finding="0", slice="2", slab="10", colours=colours))
    assert np.abs(seen - expected).max() <= 1


# ---- other maps ----


def test_a_difference_is_drawn_of_the_two_maps_that_are_named(fresh, make_explanation):
    other = make_explanation(seed=7)
    explanations.keep(fresh.home, fresh.row.id, other)
    with fresh.home.database.read() as session:
        digest = session.get_one(ExplanationRow, fresh.row.id).digest
    event = fresh.opened(map="1", finding="1", difference="1", other_digest=digest)
    values = fresh.map.values[1] - other.saliency_map.values[1]
    grey = display(fresh.image.values, fresh.image)
    expected = overlay(
        grey, to_pixel_grid(values, fresh.map.geometry), scale_of(fresh.map, 1), 0.6, "coolwarm"
    )
    assert np.abs(fresh.picture(event).astype(int) - expected).max() <= 1


def test_the_map_of_then_is_shown_after_it_was_made_anew(fresh, make_explanation):
    event = fresh.opened(map="1", finding="0")
    before = fresh.picture(event)
    explanations.keep(fresh.home, fresh.row.id, make_explanation(seed=9))
    assert (fresh.picture(event) == before).all()


def test_a_map_that_was_pruned_is_refused_in_words(fresh):
    event = fresh.opened(map="1", finding="0")
    fresh.home.blobs.path(fresh.row.digest).unlink()
    with pytest.raises(StoreError, match=f"{fresh.row.digest}.*is no longer kept.*no picture"):
        fresh.picture(event)


def test_an_old_event_takes_the_map_only_if_it_was_not_made_anew_since(fresh):
    old = fresh.tell(EventKind.OPENED, {"map": "1", "finding": "0"})
    expected = fresh.over(display(fresh.image.values, fresh.image))
    assert (fresh.picture(old) == expected).all()
    before = fresh.tell(EventKind.OPENED, {"map": "1", "finding": "0"}, tab="e" * 32, seconds=-(10**9))
    with pytest.raises(StoreError, match=r"older viewer.*made anew"):
        fresh.picture(before)


def test_a_flag_s_picture_is_that_of_its_own_view(fresh):
    outline = Region(0, 0, ((1.0, 1.0), (1.0, 9.0), (9.0, 9.0)))
    view = {"viewer": "camlucida", "map": "1", "finding": "1", "opacity": "40"}
    flags.keep(
        fresh.home, fresh.row.id, Flag("Finding 1", FlagReason.SHORTCUT, "", view, "r", region=outline)
    )
    expected = fresh.over(display(fresh.image.values, fresh.image), 1, 0.4)
    with fresh.home.database.read() as session:
        flagged = str(events.count(session))
    assert (fresh.picture(flagged) == expected).all()


# ---- refusals ----


@pytest.mark.parametrize("name", ["9999", "9" * 12, "f" * 32, "1' OR 1", "9" * 400])
def test_an_event_that_is_none_is_refused(shown, name):
    shown.opened()
    with pytest.raises(StoreError, match="no such event"):
        seen_at(shown.home, name)


def test_an_event_without_a_picture_is_refused(home):
    with home.database.write() as session:
        events.note(session, EventKind.SIGNED_IN, "reader")
    with pytest.raises(StoreError, match="shows no picture"):
        seen_at(home, "1")


def test_without_an_opening_or_with_lost_events_the_view_is_not_known(shown):
    alone = shown.changed(map="1")
    with pytest.raises(StoreError, match="how the study was opened"):
        seen_at(shown.home, alone)
    shown.opened()
    shown.tell(EventKind.LOST, {"events": "3"})
    after = shown.changed(map="1", finding="0")
    with pytest.raises(StoreError, match="lost some"):
        seen_at(shown.home, after)


def test_a_changed_event_is_refused(fresh):
    opened = fresh.opened(map="1", finding="0")
    after = fresh.changed(opacity="30")
    with fresh.home.database.write() as session:
        if session.get_bind().dialect.name == "sqlite":
            session.execute(text("DROP TRIGGER events_refuse_update"))
        else:
            session.execute(text("ALTER TABLE events DISABLE TRIGGER events_refuse_update"))
        session.execute(text("UPDATE events SET who = 'somebody else' WHERE id = :id"), {"id": opened})
    with pytest.raises(StoreError, match=f"Event {opened} was changed"):
        seen_at(fresh.home, after)


@pytest.mark.parametrize(
    "view",
    [
        {"window": "1,2"},
        {"window": "nothing"},
        {"colours": "rainbow of mine"},
        {"slice": "-1"},
        {"opacity": "much"},
        {"finding": "1.5"},
        {"window": "100,0.5,LINEAR"},
        {"window": "-9"},
        {"window": "nan,inf,LINEAR"},
        {"slice": "inf"},
        {"opacity": "-1e9"},
        {"map": "1", "finding": "0", "scale": "nan"},
        {"layout": "planes", "alone": "3"},
    ],
)
def test_a_view_that_no_viewer_writes_is_refused(shown, view):
    with pytest.raises(InputError):
        shown.picture(shown.opened(**view))


@pytest.mark.parametrize("digest", ["../../etc/passwd", "A" * 64, 17])
def test_a_digest_that_is_none_opens_no_file(shown, digest):
    with pytest.raises(StoreError, match="no SHA-256"):
        shown.picture(shown.opened(digest=digest, map="1"))


def test_a_finding_that_the_map_has_not_is_refused(shown):
    with pytest.raises(StoreError, match="no such finding"):
        shown.picture(shown.opened(map="1", finding="7"))


# ---- the file ----


def test_the_same_event_gives_the_same_bytes_and_says_where_it_is_from(shown):
    event = shown.opened(map="1", finding="0")
    first, second = (replay(shown.home, seen_at(shown.home, event)).png() for _ in range(2))
    assert first == second
    picture = PIL.Image.open(BytesIO(first))
    assert picture.text["Explanation SHA-256"] == shown.row.digest
    assert picture.text["Event"].startswith(f"{event} ")
    assert "Doe" not in str(picture.text)
    assert "reader" not in str(picture.text)
    assert (np.asarray(picture) == shown.picture(event)).all()


def test_the_picture_of_a_phantom_is_the_same_on_every_machine(keep, make_image, make_explanation):
    """Integer greys and a map of whole sixteenths: nothing is left to a machine's rounding."""
    image = make_image((40, 48), windows=(Window(2048, 4096, VoiLutFunction.LINEAR_EXACT),))
    image = replace(image, values=(np.arange(40 * 48).reshape(40, 48) * 2 % 4096).astype(np.uint16))
    explanation = make_explanation(findings=1, native=(5, 6), pixels=(40, 48))
    values = (np.arange(30).reshape(1, 5, 6) % 7 - 2).astype(np.float32) / 16
    explanation = replace(explanation, saliency_map=replace(explanation.saliency_map, values=values))
    shown = keep(image, explanation)
    event = shown.opened(map="1", finding="0", scale="0.25", colours="coolwarm", contours="1")
    assert replay(shown.home, seen_at(shown.home, event)).origin["Picture SHA-256"] == PHANTOM
