import pytest

from camlucida.store import explanations, studies
from camlucida.store.explanations import CurrentModel
from camlucida.store.upkeep import sizes

MODEL = "a" * 64
LIMIT = 200_000  # bytes of evidence kept for a radiograph with 18 findings


def keep_one(home, make_image, original, explanation):
    studies.keep(home, [make_image()], [original])
    explanations.set_current_models(home, [CurrentModel(MODEL, "made-up", "1")])
    with home.database.write() as session:
        (image,) = explanations.unseen(session, MODEL, "grad-cam")
        explanations.want(session, image.id, MODEL, "grad-cam")
    with home.database.read() as session:
        (identifier,) = explanations.waiting(session, MODEL)
    explanations.keep(home, identifier, explanation)


@pytest.mark.parametrize("native", [(16, 16), (32, 32)])
def test_a_radiograph_with_18_findings_keeps_less_than_200_kb(
    home, make_image, make_explanation, original, native
):
    keep_one(home, make_image, original, make_explanation(findings=18, native=native))
    (study,) = sizes.of_studies(home)
    floats = 18 * native[0] * native[1] * 4
    assert floats * 0.8 < study.evidence < LIMIT  # random mantissas cannot be compressed away
    assert study.explanations == 1


def test_kinds_add_up_to_what_lies_in_the_folder(home, make_image, make_explanation, original):
    keep_one(home, make_image, original, make_explanation())
    home.blobs.put(b"left by a crash")
    kinds = sizes.of_home(home)
    assert kinds.originals == len(b"as it came")
    assert kinds.unused == len(b"left by a crash")
    on_disk = sum(path.stat().st_size for path in home.folder.rglob("*") if path.is_file())
    assert sum(kinds) == on_disk + (0 if home.database.path else home.database.size())


def test_a_file_of_several_frames_counts_once(home, make_image, original):
    source = make_image(seed=1).source
    studies.keep(home, [make_image(seed=1), make_image(seed=2, source=source)], [original])
    (study,) = sizes.of_studies(home)
    assert (study.images, study.originals) == (2, len(b"as it came"))
    assert study.evidence == 0
