import pytest

from camlucida.store import explanations
from camlucida.store.people import access_tokens
from camlucida.store.tables import OpinionRow

OWN = {"sec-fetch-site": "same-origin"}


@pytest.fixture
def address(study):
    return f"/api/explanations/{study['images'][0]['explanations'][0]['key']}/opinions"


def judge(client, address, finding, stance, headers=OWN):
    return client.post(address, json={"finding": finding, "stance": stance}, headers=headers)


def held(client, address, **headers):
    answer = client.get(address, headers=headers).json()["opinions"]
    return [(one["finding"], one["stance"], one["who"], one["own"]) for one in answer]


def test_the_last_opinion_of_a_reader_holds_and_all_are_kept(station, browser, address):
    for stance in ("agree", "disagree"):
        assert judge(browser, address, "Finding 1", stance).status_code == 201
    judge(browser, address, "Finding 2", "agree")
    assert held(browser, address) == [
        ("Finding 1", "disagree", "browser", True),
        ("Finding 2", "agree", "browser", True),
    ]
    judge(browser, address, "Finding 1", "withdrawn")
    assert held(browser, address) == [("Finding 2", "agree", "browser", True)]
    with station.home.database.read() as session:
        assert session.query(OpinionRow).count() == 4


def test_readers_see_each_others_opinions(station, browser, address):
    token = access_tokens.add(station.home, "second reader")
    bearer = {"authorization": f"Bearer {token}"}
    judge(browser, address, "Finding 1", "agree")
    judge(station.client(), address, "Finding 1", "disagree", bearer)
    assert held(station.client(), address, **bearer) == [
        ("Finding 1", "agree", "browser", False),
        ("Finding 1", "disagree", "second reader", True),
    ]


def test_what_cannot_be_judged_is_refused(station, browser, address, make_image, put_in):
    assert judge(browser, address, "Gout", "agree").status_code == 422
    assert judge(browser, address, "Finding 1", "perhaps").status_code == 422
    assert judge(browser, address, "Finding 1", "agree", {}).status_code == 403
    assert judge(station.client(), address, "Finding 1", "agree").status_code == 401
    assert judge(browser, "/api/explanations/none/opinions", "Finding 1", "agree").status_code == 404
    (identifier,) = put_in(station.home, [make_image(seed=4)])
    explanations.refuse(station.home, identifier, "This model takes volumes.")
    row = browser.get("/api/studies").json()["studies"][0]
    (image,) = browser.get(f"/api/studies/{row['key']}").json()["images"]
    refused = f"/api/explanations/{image['explanations'][0]['key']}/opinions"
    assert judge(browser, refused, "Finding 1", "agree").status_code == 409
    assert held(browser, refused) == []
