import pytest

from camlucida.evaluation.data.labels import Vocabulary, of_cells, of_words

FINDINGS = ("Pneumonia", "Pleural effusion", "Mass")


def test_what_is_not_in_the_list_is_absent_if_the_data_ever_use_its_word():
    vocabulary = Vocabulary(FINDINGS, {"Effusion": "Pleural effusion"})
    labels, strangers = of_words(
        [["pneumonia", "EFFUSION"], ["No Finding"], ["Hernia"], None, ["Hernia", "Hernia"]], vocabulary
    )
    assert labels == [
        {"Pneumonia": True, "Pleural effusion": True},
        {"Pneumonia": False, "Pleural effusion": False},
        {"Pneumonia": False, "Pleural effusion": False},
        {},
        {"Pneumonia": False, "Pleural effusion": False},
    ]
    assert strangers == {"Hernia": 2}


def test_of_words_that_are_never_used_nothing_is_known():
    labels, strangers = of_words([["cat"], ["normal"]], Vocabulary(FINDINGS))
    assert labels == [{}, {}]
    assert strangers == {"cat": 1}


def test_where_all_are_normal_every_finding_is_absent():
    labels, _ = of_words([["NORMAL"], ["none"]], Vocabulary(FINDINGS))
    assert labels == [dict.fromkeys(FINDINGS, False)] * 2


def test_a_model_may_have_normal_as_a_finding():
    labels, strangers = of_words([["NORMAL"], ["viral"]], Vocabulary(("normal", "viral")))
    assert labels == [{"normal": True, "viral": False}, {"normal": False, "viral": True}]
    assert not strangers


def test_a_word_may_be_said_to_mean_nothing():
    labels, strangers = of_words([["scar"], ["mass"]], Vocabulary(FINDINGS, {"scar": "none"}))
    assert labels == [{"Mass": False}, {"Mass": True}]
    assert not strangers


@pytest.mark.parametrize(
    ("cells", "known", "understood"),
    [
        (["1"], True, True),
        (["0.0"], False, True),
        ([""], None, True),
        (["-1.0"], None, True),
        (["Yes"], True, True),
        (["maybe"], None, False),
        (["0", "1"], True, True),
        (["", "0"], False, True),
        (["0", "maybe"], False, False),
    ],
)
def test_cells_of_a_findings_own_columns(cells, known, understood):
    assert of_cells(cells) == (known, understood)
