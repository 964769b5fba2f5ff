"""The worklist: what is found is what slow loops over all that was put in find."""

import random
from contextlib import closing
from dataclasses import asdict
from itertools import product

import pytest
from sqlalchemy import select, text, update

from camlucida.records import Flag, FlagReason
from camlucida.store import worklist
from camlucida.store.remarks import flags
from camlucida.store.tables import (
    ExplanationRow,
    ImageRow,
    ModelRow,
    PredictionRow,
    State,
    StudyRow,
    WorklistChangeRow,
    WorklistFindingRow,
    WorklistRow,
)
from camlucida.store.worklist import Search
from camlucida.store.worklist_upkeep import folded

FINDINGS = ("Effusion", "Nodule", "Mass")
STATES = {State.WANTED: "waiting", State.DONE: "explained", State.FAILED: "failed", State.REFUSED: "refused"}


def study(number, *, name="", patient="", date="", described="", phantom=False):
    words = dict.fromkeys(("birth_date", "sex", "study_time"), "")
    return StudyRow(
        **words,
        key=f"{number:031x}",
        study_instance_uid=f"2.25.{number}",
        patient_name=name,
        patient_id=patient,
        study_date=date,
        description=described,
        accession_number=f"A{number}",
        phantom=phantom,
    )


def image(of, number, modality="DX", said=(), state=State.DONE, model="m"):
    """An image of a study with an explanation, and (finding, probability, operating point)s."""
    predictions = [
        PredictionRow(
            model_digest=model, position=i, name=name, probability=p, operating_point=point, logit=0.0
        )
        for i, (name, p, point) in enumerate(said)
    ]
    made = ImageRow(
        key=f"{of.key}{number}",
        study=of,
        **dict.fromkeys(("identity", "files_digest", "pixel_digest"), f"{of.key}{number}"),
        **dict.fromkeys(("series_instance_uid", "series_description", "view_position"), ""),
        modality=modality,
        header={},
        source={},
        explanations=[
            ExplanationRow(key=f"{of.key}{number}", model_digest=model, method="cam", state=state, digest="d")
        ],
    )
    return made, predictions


def put(session, made, predictions):
    session.add(made)
    session.flush()
    for one in predictions:
        one.image_id = made.id
    session.add_all(predictions)


@pytest.fixture
def many(home):
    """Sixty studies of all kinds, as plain facts, oldest first."""
    dice = random.Random(3)  # noqa: S311 - names of nobody
    facts = []
    with home.database.write() as session:
        session.add_all(ModelRow(digest=one, name=one, version="1", current=True) for one in "mn")
        for number in range(60):
            fact = {
                "name": dice.choice(("Müller^Anna", "Mueller^Ben", "Okafor^Chidi", "")),
                "patient": f"P{dice.randint(0, 20)}",
                "date": dice.choice(("20250101", "20250630", "20260101", "")),
                "described": dice.choice(("Chest PA", "CT thorax", "")),
            }
            row = study(number, **fact)
            modalities = dice.choice((["DX"], ["CT"], ["CT", "PT"], ["CT", "CT"], []))
            state = dice.choice(list(STATES))
            # A tenth without an operating point; the model n has one name in common with m.
            said = [
                (name, round(dice.random(), 1), None if dice.random() < 0.1 else 0.5)
                for name in dice.sample(FINDINGS, dice.randint(0, 3))
            ]
            session.add(row)
            for i, modality in enumerate(modalities):
                put(session, *image(row, i, modality, said if i == 0 else (), state))
            facts.append({**fact, "key": row.key, "modalities": modalities, "state": state, "said": said})
    flagged = [fact for fact in facts if fact["modalities"]][::7]
    for fact in flagged:
        with home.database.read() as session:
            explained = session.scalar(
                select(ExplanationRow.id).where(ExplanationRow.key == f"{fact['key']}0")
            )
        flags.keep(home, explained, Flag("Mass", FlagReason.WRONG_PLACE))
    return [{**fact, "flagged": fact in flagged} for fact in facts]


def said_of(fact, search):
    """The predictions of a study that count for a search."""
    said = fact["said"] if fact["modalities"] else []
    return [one for one in said if search.finding in ("", one[0]) and one[1] >= search.probability]


def matches(fact, search):
    """Whether a study is wanted, slowly and plainly."""
    number = int(fact["key"], 16)
    words = folded(" ".join([fact["name"], fact["patient"], f"A{number}", fact["described"]]))
    state = STATES[fact["state"]] if fact["modalities"] else "refused"
    said = said_of(fact, search)
    asked_of_findings = search.finding or search.probability > 0
    return (
        all(word in words for word in folded(search.text).split())
        and (bool(said) or not asked_of_findings)
        and (not search.reported or any(p >= point for _, p, point in said if point is not None))
        and (not search.flagged or fact["flagged"])
        and (not search.first_date or fact["date"] >= search.first_date)
        and (not search.last_date or "" < fact["date"] <= search.last_date)
        and search.state in ("", state)
        and (not search.modality or search.modality in fact["modalities"])
    )


def place(fact, search):
    """What a study is sorted by, and then the order of arrival."""
    said = [one for one in fact["said"] if search.finding in ("", one[0])] if fact["modalities"] else []
    column = {
        "arrival": 0,
        "patient": folded(fact["name"]),
        "date": fact["date"],
        "description": folded(fact["described"]),
        "modality": "/".join(dict.fromkeys(fact["modalities"])),
        "images": len(fact["modalities"]),
        "findings": max((p for _, p, _ in said), default=-1),
        "state": STATES[fact["state"]] if fact["modalities"] else "refused",
    }[search.sort]
    return column, int(fact["key"], 16)


def expected(facts, search):
    found = [fact for fact in facts if matches(fact, search)]
    return [
        fact["key"] for fact in sorted(found, key=lambda fact: place(fact, search), reverse=search.descending)
    ]


SEARCHES = [
    Search(),
    Search(text="MULLER"),
    Search(text="chest p1"),
    Search(text="a17"),
    Search(text="100%_"),
    Search(finding="Mass"),
    Search(finding="Mass", text="chest", reported=True),
    Search(finding="Mass", probability=0.5, reported=True),
    Search(finding="Nodule", probability=0.3, modality="CT", first_date="20250601"),
    Search(finding="None of these"),
    Search(probability=0.8),
    Search(reported=True),
    Search(flagged=True),
    Search(first_date="20250101", last_date="20250630"),
    Search(last_date="20250630"),
    Search(modality="PT"),
    Search(modality="T"),
    *(Search(state=state) for state in worklist.STATES),
]


@pytest.mark.parametrize("many_studies", [1, 10_000])
@pytest.mark.parametrize("sort", ["arrival", *worklist.SORTED_BY])
def test_every_search_in_every_order_finds_what_a_loop_finds_page_by_page(
    home, many, sort, many_studies, monkeypatch
):
    monkeypatch.setattr(worklist, "MANY", many_studies)
    with home.database.read() as session:
        searches = SEARCHES if home.database.path or sort == "arrival" else SEARCHES[::7]  # it takes longer
        for search, descending in product(searches, (True, False)):
            wanted = Search(**{**asdict(search), "sort": sort, "descending": descending})
            found, after = [], None
            while lines := worklist.page(session, wanted, after=after, limit=7):
                found += [line.study["key"] for line in lines]
                after = lines[-1].study["id"]
            assert found == expected(many, wanted)
            assert worklist.total(session, wanted) == len(found)
            middle = [line.study["key"] for line in worklist.page(session, wanted, skip=3, limit=4)]
            assert middle == found[3:7]


def test_a_line_shows_the_most_probable_findings_and_first_the_one_that_is_sought(home):
    said = [("Effusion", 0.9, 0.5), ("Nodule", 0.2, 0.5), ("Mass", 0.7, None), ("Fracture", 0.8, 0.9)]
    with home.database.write() as session:
        session.add(ModelRow(digest="m", name="model", version="1", current=True))
        put(session, *image(study(1), 0, "DX", said))
    with home.database.read() as session:
        (line,) = worklist.page(session, Search(), findings=3)
        (sought,) = worklist.page(session, Search(finding="Nodule"), findings=2)
    assert [row["name"] for row in line.findings] == ["Effusion", "Fracture", "Mass"]
    assert [row["reported"] for row in line.findings] == [True, False, False]
    assert [row["name"] for row in sought.findings] == ["Nodule", "Effusion"]


def test_of_several_images_and_models_the_most_probable_prediction_counts(home):
    with home.database.write() as session:
        session.add_all(ModelRow(digest=one, name=one, version="1", current=True) for one in "mn")
        row = study(1)
        put(session, *image(row, 0, said=[("Mass", 0.2, 0.1)]))
        put(session, *image(row, 1, said=[("Mass", 0.6, 0.7)], model="n"))
    with home.database.read() as session:
        (mass,) = session.scalars(select(WorklistFindingRow))
        assert (mass.probability, mass.model, mass.operating_point) == (0.6, "n", 0.7)
        assert mass.reported  # by m, from 0.1 on
        assert session.scalars(select(WorklistRow)).one().images == 2


@pytest.mark.usefixtures("many")
def test_choices_are_what_there_is(home):
    with home.database.read() as session:
        assert worklist.choices(session) == {
            "findings": ["Effusion", "Mass", "Nodule"],
            "modalities": ["CT", "DX", "PT"],
        }


def test_an_empty_store_has_no_choices(home):
    with home.database.read() as session:
        assert worklist.choices(session) == {"findings": [], "modalities": []}
        assert worklist.page(session, Search()) == []


def line(home):
    with home.database.read() as session:
        assert session.scalars(select(WorklistChangeRow)).all() == []
        return session.scalars(select(WorklistRow)).one()


def test_the_line_follows_what_changes_whoever_changes_it(home):
    with home.database.write() as session:
        session.add(ModelRow(digest="m", name="model", version="1", current=True))
        put(session, *image(study(1, name="Roe^Jane"), 0, said=[("Mass", 0.8, 0.5)], state=State.WANTED))
    assert (line(home).state, line(home).patient, line(home).reported) == ("waiting", "roe jane", True)

    def change(statement):
        with home.database.write() as session:
            session.execute(statement)

    change(update(ExplanationRow).values(state=State.DONE))
    assert line(home).state == "explained"
    change(update(StudyRow).values(patient_name="Doe^Jane"))
    assert line(home).patient == "doe jane"
    change(update(ModelRow).values(current=False))
    assert (line(home).state, line(home).strongest, line(home).reported) == ("refused", -1, False)
    change(update(ModelRow).values(current=True))
    assert line(home).strongest == 0.8
    change(update(ImageRow).values(superseded=True))
    assert (line(home).images, line(home).strongest) == (0, -1)


def test_what_a_foreign_program_changed_is_caught_up_with_at_the_next_start(home):
    with home.database.write() as session:
        session.add(study(1, name="Roe^Jane"))
    with home.database.engine.begin() as connection:
        connection.execute(text("UPDATE studies SET patient_name = 'Doe^Jane'"))
    home.close()
    with closing(type(home).open(home.folder)) as again:
        assert line(again).patient == "doe jane"


def test_later_migrations_keep_the_triggers(home):
    """SQLite alters a table by copying it, and the copy has no triggers: such a migration makes them anew."""
    with home.database.engine.connect() as connection:
        triggers = {
            "sqlite": "SELECT name FROM sqlite_master WHERE type = 'trigger'",
            "postgresql": "SELECT tgname FROM pg_trigger WHERE NOT tgisinternal",
        }
        found = connection.execute(text(triggers[connection.dialect.name])).scalars()
        assert {name for name in found if name.startswith("worklist_")} == {
            f"worklist_{name}"
            for name in (
                *("studies_added", "studies_changed", "images_added", "images_changed"),
                *("explanations_added", "explanations_changed", "predictions_added", "predictions_removed"),
                *("flags_added", "models_changed"),
            )
        }


@pytest.mark.parametrize(
    ("words", "as_searched"),
    [
        ("Müller^Anna=ミュラー", "muller anna ミュラー"),
        ("STRASSE  ß", "strasse ss"),
        ("É^è^", "e e"),
        ("", ""),
    ],
)
def test_words_are_searched_without_case_accents_and_separators(words, as_searched):
    assert folded(words) == folded(as_searched)
