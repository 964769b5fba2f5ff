"""Users: added, signed in, given roles, disabled; and what of it the audit trail tells."""

import itertools
from datetime import timedelta

import pytest
from sqlalchemy import select, update

from camlucida.errors import MustWait, StoreError
from camlucida.records.role import Role
from camlucida.store.people import access_tokens, passwords, sign_in_tries, users, visits
from camlucida.store.tables import Base, EventRow, SignInTryRow, now

GOOD = "kite-orbit-fennel"


@pytest.fixture(autouse=True)
def cheap_passwords(monkeypatch):
    """argon2 takes a tenth of a second and 64 MiB; what it does is tested in test_passwords."""
    monkeypatch.setattr(passwords, "hash_of", lambda password: f"hash of {password}")
    monkeypatch.setattr(passwords, "is_right", lambda password, kept: kept == f"hash of {password}")


@pytest.fixture(autouse=True)
def hardly_goes_on(monkeypatch):
    """The clock of the tries: who has to wait for a second would have waited, on a slow machine."""
    begun, ticks = now(), itertools.count()
    monkeypatch.setattr(sign_in_tries, "now", lambda: begun + timedelta(milliseconds=next(ticks)))


@pytest.fixture
def eva(home):
    users.add(home, "eva", GOOD, [Role.READER], "cli:root")
    return "eva"


def told(home, kind):
    """Who did what of this kind, in order."""
    with home.database.read() as session:
        rows = session.scalars(select(EventRow).where(EventRow.kind == kind).order_by(EventRow.id))
        return [(row.who, row.view) for row in rows]


def enter(home, name="eva", typed=GOOD, address="192.0.2.7"):
    user = users.sign_in(home, name, typed, address)
    return None if user is None else visits.begin(home, user)


@pytest.mark.usefixtures("eva")
def test_a_user_signs_in_by_the_password_and_has_their_roles(home):
    assert visits.find(home, enter(home)) == ("eva", {Role.READER})
    assert enter(home, typed="kite-orbit-fennel2") is None
    assert enter(home, name="otto") is None
    assert told(home, "signed in") == [("eva", {"by": "password"})]
    assert told(home, "sign-in refused") == [("eva", {"why": "password"}), ("unknown", {"why": "name"})]


@pytest.mark.usefixtures("eva")
def test_roles_are_those_of_this_moment(home):
    cookie = enter(home)
    users.set_roles(home, "eva", [Role.AUDITOR, Role.SCIENTIST], "cli:root")
    assert visits.find(home, cookie) == ("eva", {Role.AUDITOR, Role.SCIENTIST})
    assert told(home, "user changed")[-1] == (
        "cli:root",
        {"user": "eva", "what": "roles", "roles": "scientist auditor"},
    )


@pytest.mark.usefixtures("eva")
def test_who_is_disabled_is_signed_out_everywhere_and_stays_out(home):
    first, second = enter(home), enter(home)
    assert users.set_disabled(home, "eva", disabled=True, by="cli:root") == 2
    assert visits.find(home, first) is None
    assert visits.find(home, second) is None
    assert enter(home) is None
    assert told(home, "sign-in refused")[-1] == ("eva", {"why": "disabled"})
    users.set_disabled(home, "eva", disabled=False, by="cli:root")
    assert visits.find(home, first) is None
    assert visits.find(home, enter(home)).name == "eva"


@pytest.mark.usefixtures("eva")
def test_who_is_disabled_between_password_and_cookie_stays_out(home):
    number = users.sign_in(home, "eva", GOOD, "192.0.2.7")
    users.set_disabled(home, "eva", disabled=True, by="cli:root")
    assert visits.begin(home, number) is None


@pytest.mark.usefixtures("eva")
def test_another_password_ends_the_visits_of_the_old_one(home):
    cookie = enter(home)
    users.set_password(home, "eva", "plum-quartz-wicket", "cli:root")
    assert visits.find(home, cookie) is None
    assert enter(home) is None
    assert enter(home, typed="plum-quartz-wicket")


@pytest.mark.usefixtures("eva")
def test_signing_out_ends_one_browser(home):
    one, other = enter(home), enter(home)
    visits.end(home, one)
    visits.end(home, "nobody's")
    assert visits.find(home, one) is None
    assert visits.find(home, other)
    assert told(home, "signed out") == [("eva", {})]
    assert visits.end_all(home, "cli:root", "eva") == 1
    assert visits.find(home, other) is None


@pytest.mark.usefixtures("eva")
def test_everybody_and_who_came_by_a_link_can_be_signed_out(home):
    by_link = visits.use_token(home, visits.new_token(home))
    cookie = enter(home)
    assert visits.find(home, by_link) == ("browser", {Role.ADMIN})
    assert visits.end_all(home, "cli:root", "browser") == 1
    assert visits.find(home, cookie)
    assert visits.end_all(home, "cli:root") == 1


@pytest.mark.parametrize(
    "name", ["", "Eva", "e va", "cli:eva", "oidc:eva", "-eva", "browser", "station", "x" * 65]
)
def test_a_name_that_could_be_taken_for_anothers_is_refused(home, name):
    with pytest.raises(StoreError, match="cannot be a user's name"):
        users.add(home, name, GOOD, [Role.READER], "cli:root")


@pytest.mark.usefixtures("eva")
def test_a_name_stands_for_one_user_or_token(home):
    access_tokens.add(home, "ohif")
    for taken, words in (("eva", "already"), ("ohif", "access token")):
        with pytest.raises(StoreError, match=words):
            users.add(home, taken, GOOD, [Role.READER], "cli:root")
    with pytest.raises(StoreError, match="tell them apart"):
        access_tokens.add(home, "eva")


@pytest.mark.usefixtures("eva")
def test_without_a_role_or_a_user_it_is_a_sentence(home):
    with pytest.raises(StoreError, match="at least one role: reader"):
        users.set_roles(home, "eva", [], "cli:root")
    with pytest.raises(StoreError, match="users list"):
        users.set_roles(home, "otto", [Role.READER], "cli:root")


@pytest.mark.usefixtures("eva")
def test_neither_password_nor_what_was_typed_as_a_name_is_kept(home):
    enter(home, name="my-secret-typed-as-a-name", typed="plum-quartz-wicket")
    cookie = enter(home)
    with home.database.read() as session:
        kept = str([session.execute(select(table)).all() for table in Base.metadata.sorted_tables])
    assert "eva" in kept
    for secret in ("my-secret-typed-as-a-name", "plum-quartz-wicket", cookie):
        assert secret not in kept


@pytest.mark.usefixtures("eva")
def test_after_five_wrong_passwords_a_name_waits_longer_and_longer(home):
    for _ in range(5):
        assert enter(home, typed="wrong") is None
    waits = []
    for _ in range(12):
        with pytest.raises(MustWait) as caught:
            enter(home)
        waits.append(caught.value.seconds)
        with home.database.write() as session:  # as if that time had gone by
            session.execute(update(SignInTryRow).values(latest=sign_in_tries.now() - timedelta(minutes=15)))
        assert enter(home, typed="wrong") is None
    assert waits[:4] == [1, 2, 4, 8]
    assert waits == sorted(waits)
    assert waits[-1] == 900


@pytest.mark.usefixtures("eva")
def test_a_name_of_nobody_waits_as_others_do(home):
    for _ in range(5):
        enter(home, name="otto", typed="wrong")
    with pytest.raises(MustWait):
        enter(home, name="otto")
    assert enter(home)


@pytest.mark.usefixtures("eva")
def test_an_address_waits_whatever_names_it_tries_and_another_does_not(home):
    for number in range(25):
        enter(home, name=f"user{number}", address="2001:db8::1")
    with pytest.raises(MustWait):
        enter(home, address="2001:db8::2")  # of the same network
    assert enter(home, address="2001:db8:0:1::1")


@pytest.mark.usefixtures("eva")
def test_one_right_password_does_not_buy_tries_with_other_names(home):
    for number in range(25):
        assert enter(home)
        enter(home, name=f"other{number}")
    with pytest.raises(MustWait):
        enter(home)


def test_tries_at_the_same_moment_are_all_counted(home):
    """Each is counted before its password is looked at: none gets a look by being early."""
    waits = [sign_in_tries.begin(home, "eva", "192.0.2.7") for _ in range(6)]
    assert [bool(wait) for wait in waits] == [False] * 5 + [True]


def test_a_clock_that_is_set_back_makes_nobody_wait_for_ever(home):
    for _ in range(5):
        sign_in_tries.begin(home, "eva", "192.0.2.7")
    with home.database.write() as session:
        session.execute(update(SignInTryRow).values(latest=sign_in_tries.now() + timedelta(days=300)))
    assert sign_in_tries.begin(home, "eva", "192.0.2.7") <= timedelta(minutes=15)
