import pytest

from camlucida.store.people import access_tokens
from camlucida.store.tables import FlagRow
from camlucida.web import flags as web_flags

OWN = {"sec-fetch-site": "same-origin"}
REMARK = {"finding": "Finding 1", "reason": "wrong place", "text": "", "view": {"opacity": 0.6, "map": True}}


@pytest.fixture
def address(study):
    return f"/api/explanations/{study['images'][0]['explanations'][0]['key']}/flags"


def test_a_flag_is_kept_and_read_again(browser, address):
    answer = browser.post(address, json={**REMARK, "text": "  beside the heart\n"}, headers=OWN)
    assert answer.status_code == 201
    assert answer.json()["kept"] is True
    (flag,) = browser.get(address).json()["flags"]
    assert flag.pop("created").endswith("+00:00")
    assert flag == {**REMARK, "text": "beside the heart", "who": "browser", "region": None}


def test_a_region_is_kept_with_the_flag(browser, address):
    region = {"axis": 0, "at": 0, "places": [[10.5, 20.0], [30.0, 20.0], [30.0, 44.5]]}
    assert browser.post(address, json={**REMARK, "region": region}, headers=OWN).status_code == 201
    assert browser.get(address).json()["flags"][0]["region"] == region


@pytest.mark.parametrize(
    "change",
    [
        {"axis": 3},
        {"at": -1},
        {"at": 1},  # an image has one plane
        {"axis": 1, "at": 10**6},
        {"places": [[1, 2], [3, 4]]},
        {"places": [[n, n] for n in range(201)]},
        {"places": [[1, 2, 3]] * 3},
        {"places": [[1, 2], [1e300, 4], [5, 6]]},
        {"note": "Doe"},
    ],
)
def test_what_is_no_region_is_refused(browser, address, change):
    region = {"axis": 0, "at": 0, "places": [[1, 2], [3, 4], [5, 6]], **change}
    answer = browser.post(address, json={**REMARK, "region": region}, headers=OWN)
    assert answer.status_code == 422
    assert "Doe" not in answer.text


def test_a_program_flags_under_the_name_of_its_token(station, address):
    token = access_tokens.add(station.home, "ohif of radiology")
    headers = {"authorization": f"Bearer {token}", "origin": "https://ohif.example"}
    assert station.client().post(address, json=REMARK, headers=headers).status_code == 201
    (flag,) = station.client().get(address, headers=headers).json()["flags"]
    assert flag["who"] == "ohif of radiology"


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site", "origin": "http://127.0.0.1:8765"},
        {"origin": "https://evil.example"},
        {"origin": "http://127.0.0.1:9999"},
        {"origin": "null"},
        {"origin": "http://[::1"},
    ],
)
def test_a_page_of_another_site_cannot_flag_with_the_cookie(station, browser, address, headers):
    answer = browser.post(address, json=REMARK, headers=headers)
    assert answer.status_code == 403
    with station.home.database.read() as session:
        assert session.query(FlagRow).count() == 0


def test_an_old_browser_says_by_origin_that_the_page_is_ours(browser, address):
    answer = browser.post(address, json=REMARK, headers={"origin": "http://127.0.0.1:8765"})
    assert answer.status_code == 201


def test_who_is_not_signed_in_neither_flags_nor_reads_flags(station, address):
    stranger = station.client()
    assert stranger.post(address, json=REMARK, headers=OWN).status_code == 401
    assert stranger.get(address).status_code == 401
    wrong = {"authorization": "Bearer nothing"}
    assert stranger.post(address, json=REMARK, headers=wrong).status_code == 401


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"reason": "ugly"}, "reason"),
        ({"text": "x" * 2001}, "text"),
        ({"finding": ""}, "finding"),
        ({"view": {str(n): n for n in range(web_flags.MOST_VIEW_ENTRIES + 1)}}, "view"),
        ({"view": {"note": "x" * 101}}, "view"),
        ({"view": {"nested": {"too": "deep"}}}, "view"),
        ({"patient": "Doe^Jane"}, "the body"),
    ],
)
def test_what_is_too_long_or_unknown_is_refused_without_being_quoted(browser, address, change, field):
    answer = browser.post(address, json={**REMARK, **change}, headers=OWN)
    assert answer.status_code == 422
    assert field in answer.json()["detail"]
    assert "Doe" not in answer.text
    assert browser.get(address).json()["flags"] == []


@pytest.mark.parametrize("content", [b"", b"{", b"\xff", b"[]", b'{"finding": NaN}'])
def test_a_body_that_is_no_record_is_refused(browser, address, content):
    assert browser.post(address, content=content, headers=OWN).status_code == 422


def test_a_body_that_does_not_end_is_cut_off(browser, address):
    answer = browser.post(address, content=b" " * (web_flags.MOST_BYTES + 1), headers=OWN)
    assert answer.status_code == 413


def test_only_a_map_that_is_there_can_be_flagged(station, browser, address, make_image, put_in):
    assert browser.post(address, json={**REMARK, "finding": "Gout"}, headers=OWN).status_code == 422
    assert browser.post("/api/explanations/none/flags", json=REMARK, headers=OWN).status_code == 404
    put_in(station.home, [make_image(seed=9)])
    keys = [
        explained["key"]
        for row in browser.get("/api/studies").json()["studies"]
        for image in browser.get(f"/api/studies/{row['key']}").json()["images"]
        for explained in image["explanations"]
        if explained["state"] == "waiting"
    ]
    answer = browser.post(f"/api/explanations/{keys[0]}/flags", json=REMARK, headers=OWN)
    assert answer.status_code == 409


def test_other_needs_words_and_control_characters_are_left_out(browser, address):
    assert browser.post(address, json={**REMARK, "reason": "other"}, headers=OWN).status_code == 422
    words = {**REMARK, "reason": "other", "text": "not\x00 \x1b[31mthere\u202e"}
    assert browser.post(address, json=words, headers=OWN).status_code == 201
    assert browser.get(address).json()["flags"][0]["text"] == "not [31mthere"


def test_the_text_is_never_logged(browser, address, caplog, capsys):
    browser.post(address, json={**REMARK, "text": "Mrs Doe"}, headers=OWN)
    assert "Mrs Doe" not in caplog.text
    assert "Mrs Doe" not in "".join(capsys.readouterr())
