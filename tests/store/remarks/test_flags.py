import pytest

from camlucida.errors import StoreError
from camlucida.records import Flag, FlagReason
from camlucida.store import explanations, studies
from camlucida.store.explanations import CurrentModel
from camlucida.store.remarks import flags
from camlucida.store.tables import ExplanationRow, FlagRow

MODEL = "a" * 64


@pytest.fixture
def wanted(home, make_image, original):
    """The id of an explanation that is wanted."""
    studies.keep(home, [make_image()], [original])
    explanations.set_current_models(home, [CurrentModel(MODEL, "made-up", "1")])
    with home.database.write() as session:
        (image,) = explanations.unseen(session, MODEL, "grad-cam")
        explanations.want(session, image.id, MODEL, "grad-cam")
    with home.database.read() as session:
        return session.query(ExplanationRow).one().id


@pytest.fixture
def explained(home, wanted, make_explanation):
    """The id of an explanation that is kept."""
    explanations.keep(home, wanted, make_explanation())
    return wanted


def test_a_flag_comes_back_as_it_was_said(home, explained):
    said = Flag(
        "Finding 1",
        FlagReason.WRONG_SIDE,
        "It is on the left.",
        {"opacity": 0.5, "map": True, "slice": None},
        "reader",
    )
    flags.keep(home, explained, said)
    flags.keep(home, explained, Flag("Finding 2", FlagReason.ARTEFACT))
    first, second = flags.of_explanation(home, explained)
    assert first.created is not None
    assert (first.finding, first.reason, first.text, first.view, first.who) == (
        said.finding,
        said.reason,
        said.text,
        said.view,
        said.who,
    )
    assert second.reason is FlagReason.ARTEFACT
    assert second.text == ""


def test_a_flag_names_the_map_that_was_looked_at(home, explained, make_explanation):
    flags.keep(home, explained, Flag("Finding 1", FlagReason.INCOHERENT))
    with home.database.read() as session:
        looked_at = session.get_one(ExplanationRow, explained).digest
    explanations.keep(home, explained, make_explanation(seed=5))  # computed anew
    with home.database.read() as session:
        assert session.query(FlagRow).one().digest == looked_at
        assert session.get_one(ExplanationRow, explained).digest != looked_at


def test_what_is_not_computed_cannot_be_flagged(home, wanted):
    with pytest.raises(StoreError, match="has not been computed"):
        flags.keep(home, wanted, Flag("Finding 1", FlagReason.OTHER, "nothing there"))


def test_neither_text_nor_view_stand_in_what_is_printed_of_a_flag():
    assert "Doe" not in repr(Flag("Nodule", FlagReason.OTHER, "Mrs Doe", {"note": "Doe"}))
