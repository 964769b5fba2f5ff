import pytest
from sqlalchemy import select

from camlucida.errors import DamagedBlob
from camlucida.store import explanations, studies
from camlucida.store.explanations import CurrentModel
from camlucida.store.tables import ExplanationRow, FileKind, FileRow, State
from camlucida.store.upkeep import checking
from camlucida.store.upkeep.checking import Fault
from camlucida.store.upkeep.uses import Use

MODEL = "a" * 64


@pytest.fixture
def kept(home, make_image, make_explanation, original):
    studies.keep(home, [make_image()], [original])
    explanations.set_current_models(home, [CurrentModel(MODEL, "made-up", "1")])
    with home.database.write() as session:
        (image,) = explanations.unseen(session, MODEL, "grad-cam")
        explanations.want(session, image.id, MODEL, "grad-cam")
    with home.database.read() as session:
        (identifier,) = explanations.waiting(session, MODEL)
    explanations.keep(home, identifier, make_explanation())
    return home


def faults(home):
    return [one for one in checking.check(home, checking.files_to_check(home)) if one.fault]


def place(home, use):
    (digest,) = [digest for digest, used in checking.files_to_check(home).items() if use in used]
    return home.folder / "blobs" / "sha256" / digest[:2] / digest


def test_each_flipped_or_missing_file_is_found_with_what_it_is_for(kept):
    assert faults(kept) == []
    place(kept, Use.EVIDENCE).unlink()
    pixels = place(kept, Use.PIXELS)
    content = bytearray(pixels.read_bytes())
    content[3] ^= 1
    pixels.write_bytes(content)
    assert {(next(iter(one.uses)), one.fault) for one in faults(kept)} == {
        (Use.EVIDENCE, Fault.MISSING),
        (Use.PIXELS, Fault.DAMAGED),
    }


def test_a_damaged_file_that_no_row_names_is_removed(kept):
    digest = kept.blobs.put(b"left by a crash")
    (kept.folder / "blobs" / "sha256" / digest[:2] / digest).write_bytes(b"left by")
    (found,) = faults(kept)
    assert (found.digest, found.uses) == (digest, frozenset())
    assert checking.mend(kept, found, studies.load)
    assert faults(kept) == []


def test_evidence_is_wanted_again_and_thumbnails_are_forgotten(kept):
    with kept.database.write() as session:
        row = session.scalars(select(ExplanationRow)).one()
        file = {"kind": FileKind.THUMBNAIL, "position": 0, "digest": "c" * 64, "bytes": 1}
        session.add(FileRow(image_id=row.image_id, **file))
    place(kept, Use.EVIDENCE).unlink()
    assert all(checking.mend(kept, one, studies.load) for one in faults(kept))
    assert faults(kept) == []
    with kept.database.read() as session:
        row = session.scalars(select(ExplanationRow)).one()
    assert row.state == State.WANTED


def test_pixels_are_made_again_by_whoever_reads_images_and_originals_cannot_be(kept):
    def cannot(*_):
        raise DamagedBlob

    asked = []
    place(kept, Use.PIXELS).unlink()
    (found,) = faults(kept)
    assert checking.mend(kept, found, lambda _, image: asked.append(image))
    assert len(asked) == 1
    assert not checking.mend(kept, found, cannot)
    kept.blobs.remove(place(kept, Use.ORIGINAL).name)
    (original,) = [one for one in faults(kept) if Use.ORIGINAL in one.uses]
    assert not checking.mend(kept, original, cannot)
