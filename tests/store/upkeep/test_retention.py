import hashlib
import os
import time
from datetime import timedelta

import pytest
from sqlalchemy import select

from camlucida.dicom.read import read_dicom
from camlucida.errors import StoreError
from camlucida.examples.phantom.dicom import write_radiograph
from camlucida.examples.phantom.radiograph import radiograph
from camlucida.records import EventKind
from camlucida.store import explanations, instances, studies
from camlucida.store.audit import events
from camlucida.store.explanations import CurrentModel
from camlucida.store.tables import (
    EventRow,
    ExplanationRow,
    FileKind,
    FileRow,
    FlagRow,
    ImageRow,
    InstanceRow,
    Intent,
    Origin,
    State,
    now,
)
from camlucida.store.upkeep import checking, retention
from camlucida.store.upkeep.retention import Rules, prune

MODEL = "a" * 64
LATER = timedelta(days=100)
ON_ONE = pytest.mark.parametrize("home", ["sqlite"], indirect=True)


@pytest.fixture
def kept(home, tmp_path, make_explanation):
    """A home with one explained film of a real DICOM file, and a file that no row names."""
    path = tmp_path / "film.dcm"
    write_radiograph(radiograph(1, rows=64), path)
    studies.keep(home, read_dicom([path]), [path])
    instances.take(home, path, Origin.IMPORTED, intent=Intent.TAKEN)
    explanations.set_current_models(home, [CurrentModel(MODEL, "made-up", "1")])
    with home.database.write() as session:
        (image,) = explanations.unseen(session, MODEL, "grad-cam")
        explanations.want(session, image.id, MODEL, "grad-cam")
    with home.database.read() as session:
        (identifier,) = explanations.waiting(session, MODEL)
    explanations.keep(home, identifier, make_explanation())
    home.blobs.put(b"left by a crash")
    return home


def pruned(home, do=True, **rules):
    return prune(home, Rules(**rules), "cli:test", do=do, moment=now() + LATER)


def kinds(home):
    """What the kept files are for."""
    return {next(iter(used), None) for used in checking.files_to_check(home).values()}


def seen(home):
    with home.database.write() as session:
        row = session.scalars(select(ExplanationRow)).one()
        names = {"study": row.image.study.key, "image": row.image.key, "explanation": row.key}
        events.note(session, EventKind.OPENED, "browser", {"digest": row.digest}, **names)


def flag(home):
    with home.database.write() as session:
        row = session.scalars(select(ExplanationRow)).one()
        said = {"finding": "Finding 0", "reason": "other", "text": "", "view": {}, "who": "browser"}
        session.add(FlagRow(explanation_id=row.id, digest=row.digest, **said))


def test_without_rules_only_what_no_row_names_goes_and_only_after_a_day(kept):
    assert prune(kept, Rules(), "cli:test", do=True).files == 0
    assert pruned(kept) == ((), 1, len(b"left by a crash"))
    assert kinds(kept) == {"original", "pixels", "evidence"}


@ON_ONE
def test_a_dry_run_says_what_would_go_and_nothing_goes(kept):
    before = dict(kept.blobs.sizes())
    asked = pruned(kept, do=False, evidence_days=30, originals_days=30)
    assert dict(kept.blobs.sizes()) == before
    with kept.database.read() as session:
        assert session.scalars(select(ExplanationRow.state)).one() == State.DONE
        assert not session.scalars(select(EventRow).where(EventRow.kind == EventKind.PRUNED)).all()
    assert pruned(kept, evidence_days=30, originals_days=30) == asked
    assert sum(before.values()) - sum(dict(kept.blobs.sizes()).values()) == asked.bytes


def test_maps_of_replaced_models_go_and_their_rows_say_so(kept):
    assert pruned(kept, replaced_models_days=30).rules == (("replaced_models_days", 0),)
    explanations.set_current_models(kept, [CurrentModel("b" * 64, "made-up", "2")])
    assert pruned(kept, replaced_models_days=101).rules == (("replaced_models_days", 0),)
    assert pruned(kept, replaced_models_days=30).rules == (("replaced_models_days", 1),)
    with kept.database.read() as session:
        row = session.scalars(select(ExplanationRow)).one()
        assert (row.state, row.reason, row.digest) == (State.REFUSED, retention.REMOVED, None)
        pruned_events = select(EventRow).where(EventRow.kind == EventKind.PRUNED).order_by(EventRow.id)
        *_, last = session.scalars(pruned_events)
    assert last.view["replaced_models_days"] == 1
    assert "evidence" not in kinds(kept)


@pytest.mark.parametrize(("remark", "said"), [(seen, "also_seen"), (flag, "also_flagged")])
def test_what_a_flag_or_an_event_names_stays_unless_it_is_said(kept, remark, said):
    rules = {"evidence_days": 30, "pixels_days": 30}
    remark(kept)
    assert {number for _, number in pruned(kept, **rules, originals_days=30).rules} == {0}
    assert {number for _, number in pruned(kept, **rules, **{said: True}).rules} == {1}


def test_a_map_that_was_seen_and_is_made_anew_since_stays(kept, make_explanation):
    seen(kept)
    with kept.database.write() as session:
        old = session.scalars(select(ExplanationRow)).one()
        digest, identifier = old.digest, old.id
        explanations.want_again(session, [identifier])
    explanations.keep(kept, identifier, make_explanation(seed=1))
    pruned(kept)
    assert kept.blobs.intact(digest)
    pruned(kept, also_seen=True)
    assert not kept.blobs.intact(digest)


def test_pixels_that_were_dropped_are_made_again_when_they_are_asked_for(kept):
    pruned(kept, pixels_days=30)
    assert "pixels" not in kinds(kept)
    assert not [one for one in checking.check(kept, checking.files_to_check(kept)) if one.fault]
    with kept.database.read() as session:
        image = session.scalars(select(ImageRow)).one()
        assert studies.load(kept, image).digest == image.pixel_digest
    assert "pixels" in kinds(kept)


def test_originals_go_while_pixels_stay_and_never_both(kept):
    pruned(kept, pixels_days=30, originals_days=30)
    assert kinds(kept) == {"original", "evidence"}
    with kept.database.read() as session:
        studies.load(kept, session.scalars(select(ImageRow)).one())
    pruned(kept, originals_days=30)
    assert kinds(kept) == {"pixels", "evidence"}
    with kept.database.read() as session:
        assert not session.scalars(select(InstanceRow)).all()
        assert not session.scalars(select(FileRow).where(FileRow.kind == FileKind.ORIGINAL)).all()
        assert studies.load(kept, session.scalars(select(ImageRow)).one())


@ON_ONE
def test_what_is_put_again_in_the_meantime_is_not_removed(kept):
    digest = hashlib.sha256(b"left by a crash").hexdigest()
    path = kept.folder / "blobs" / "sha256" / digest[:2] / digest
    long_ago = time.time() - 1_000_000
    os.utime(path, (long_ago, long_ago))
    kept.blobs.put(b"left by a crash")
    assert prune(kept, Rules(), "cli:test", do=True).files == 0
    assert kept.blobs.intact(digest)


@pytest.mark.parametrize(
    ("text", "said"),
    [("evidence_days = 0", "evidence_days"), ("evidence = 3", "evidence"), ("x = ", "not TOML")],
)
def test_a_rule_that_says_something_impossible_is_a_sentence(tmp_path, text, said):
    (tmp_path / "retention.toml").write_text(text)
    with pytest.raises(StoreError, match=said):
        retention.read_rules(tmp_path)
