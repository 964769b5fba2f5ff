import pytest
from sqlalchemy import text
from sqlalchemy.exc import DatabaseError

from camlucida.errors import StoreError
from camlucida.records import EventKind, Flag, FlagReason, Outcome, Resolution
from camlucida.store import explanations, studies
from camlucida.store.explanations import CurrentModel
from camlucida.store.remarks import flag_queue, flags
from camlucida.store.remarks.flag_queue import Count, Sought
from camlucida.store.tables import EventRow

OLD, NEW = "a" * 64, "b" * 64
CONFIRMED = Resolution(Outcome.CONFIRMED, "The tube is lit up.", who="scientist")


@pytest.fixture
def flagged(home, make_image, make_explanation, tmp_path):
    """Three flags on the maps of two images; a newer version of the model is current."""
    for seed in (1, 2):
        path = tmp_path / f"{seed}.dcm"
        path.write_bytes(bytes([seed]))
        studies.keep(home, [make_image(seed=seed)], [path])
    explanations.set_current_models(home, [CurrentModel(OLD, "chest", "1")])
    with home.database.write() as session:
        for image in explanations.unseen(session, OLD, "grad-cam"):
            explanations.want(session, image.id, OLD, "grad-cam")
    with home.database.read() as session:
        first, second = explanations.waiting(session, OLD)
    for identifier in (first, second):
        explanations.keep(home, identifier, make_explanation())
    explanations.set_current_models(home, [CurrentModel(NEW, "chest", "2")])
    return [
        flags.keep(home, first, Flag("Finding 1", FlagReason.SHORTCUT, who="reader")),
        flags.keep(home, first, Flag("Finding 1", FlagReason.ARTEFACT, who="reader")),
        flags.keep(home, second, Flag("Finding 2", FlagReason.SHORTCUT, who="reader")),
    ]


def found(home, **sought):
    with home.database.read() as session:
        pages = flag_queue.page(session, Sought(**sought))
        assert flag_queue.number_of(session, Sought(**sought)) == len(pages)
        return [one.flag.id for one in pages]


def test_flags_are_found_by_state_model_finding_and_reason(home, flagged):
    one, two, three = flagged
    flag_queue.resolve(home, two, CONFIRMED)
    assert found(home) == [three, two, one]
    assert found(home, states=("open",)) == [three, one]
    assert found(home, states=("confirmed",)) == [two]
    assert found(home, states=("open", "confirmed"), finding="Finding 1") == [two, one]
    assert found(home, reasons=(FlagReason.SHORTCUT,)) == [three, one]
    assert found(home, model="chest") == found(home, model="chest@1") == [three, two, one]
    assert found(home, model="chest@2") == []


def test_pages_follow_each_other_without_a_gap(home, flagged):
    with home.database.read() as session:
        (first,) = flag_queue.page(session, Sought(), most=1)
        others = flag_queue.page(session, Sought(), before=first.flag.id)
    assert [first.flag.id, *(one.flag.id for one in others)] == flagged[::-1]


def test_flags_are_counted_by_model_finding_reason_and_state(home, flagged):
    flag_queue.resolve(home, flagged[1], CONFIRMED)
    with home.database.read() as session:
        assert flag_queue.counts(session) == [
            Count("chest", "1", "Finding 1", "artefact", "confirmed", 1),
            Count("chest", "1", "Finding 1", "shortcut or device", "open", 1),
            Count("chest", "1", "Finding 2", "shortcut or device", "open", 1),
        ]


def test_the_last_resolution_holds_and_the_first_stays(home, flagged):
    flag_queue.resolve(home, flagged[0], CONFIRMED)
    flag_queue.resolve(
        home, flagged[0], Resolution(Outcome.REPAIRED, "Not lit any more.", "chest@2", who="b")
    )
    with home.database.read() as session:
        (queued,) = flag_queue.page(session, Sought(states=("repaired",)))
        said = flag_queue.history(session, flagged[0])
    assert queued.resolution.model.version == "2"
    assert [(row.outcome, row.reason, row.who) for row in said] == [
        ("confirmed", "The tube is lit up.", "scientist"),
        ("repaired", "Not lit any more.", "b"),
    ]


def test_a_resolution_is_told_to_the_trail(home, flagged):
    flag_queue.resolve(home, flagged[0], CONFIRMED)
    with home.database.read() as session:
        (event,) = session.query(EventRow).filter_by(kind=EventKind.RESOLVED)
    assert (event.view, event.who) == ({"flag": flagged[0], "outcome": "confirmed"}, "scientist")
    assert event.explanation_key


@pytest.mark.parametrize(
    "change", ["UPDATE flag_resolutions SET reason = ''", "DELETE FROM flag_resolutions"]
)
def test_the_database_refuses_to_change_a_resolution(home, flagged, change):
    flag_queue.resolve(home, flagged[0], CONFIRMED)
    with pytest.raises(DatabaseError, match="never changed"), home.database.write() as session:
        session.execute(text(change))
    assert found(home, states=("confirmed",)) == flagged[:1]


@pytest.mark.parametrize(
    ("resolution", "said"),
    [
        (Resolution(Outcome.CONFIRMED, " "), "Say why"),
        (Resolution(Outcome.REPAIRED, "so"), "names the model"),
        (Resolution(Outcome.CONFIRMED, "so", "chest@2"), "no other outcome"),
        (Resolution(Outcome.REPAIRED, "so", "chest@3"), "knows no model chest@3"),
        (Resolution(Outcome.REPAIRED, "so", "chest@1"), "itself"),
        (Resolution(Outcome.DUPLICATE, "so"), "names the number"),
        (Resolution(Outcome.DUPLICATE, "so", duplicate_of=1), "of itself"),
        (Resolution(Outcome.DUPLICATE, "so", duplicate_of=3), "another image"),
        (Resolution(Outcome.DUPLICATE, "so", duplicate_of=99), "no flag 99"),
    ],
)
def test_what_does_not_fit_is_refused_in_words(home, flagged, resolution, said):
    with pytest.raises(StoreError, match=said):
        flag_queue.resolve(home, flagged[0], resolution)
    assert found(home, states=("open",)) == flagged[::-1]


def test_duplicates_are_not_chained(home, flagged):
    flag_queue.resolve(home, flagged[1], Resolution(Outcome.DUPLICATE, "the same", duplicate_of=flagged[0]))
    with pytest.raises(StoreError, match=f"of flag {flagged[0]}; name that one"):
        flag_queue.resolve(home, flagged[0], Resolution(Outcome.DUPLICATE, "so", duplicate_of=flagged[1]))
