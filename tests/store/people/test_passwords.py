import pytest

from camlucida.errors import StoreError
from camlucida.store.people import passwords


@pytest.mark.parametrize(
    "password",
    [
        "kite-orbit-fennel",
        "correct horse battery staple",
        "Zebra7 lacht über Mond",
        "x9#Kq2!vR7&m",
    ],
)
def test_words_that_do_not_belong_together_are_taken(password):
    passwords.refuse_weak(password, "eva")


@pytest.mark.parametrize("password", ["", "kite-orbit", "x9#Kq2!vR7&", "k" * 257])
def test_a_length_that_is_none_is_refused_with_the_number(password):
    with pytest.raises(StoreError, match=f"this one has {len(password)}\\."):
        passwords.refuse_weak(password, "eva")


@pytest.mark.parametrize(
    "password",
    [
        "password2026!",
        "P@ssw0rdP@ssw0rd",
        "Welcome-Hospital-1",
        "qwertyuiop123",
        "aaaaaaaaaaaaaaaa",
        "1234567890123",
        "abcdefghijklmnop",
        "RadiologyAdmin2025",
        "1qaz2wsx3edc4rfv",
        "EvaLindqvist-2024",
        "Summer2026Winter2025",
    ],
)
def test_what_everybody_tries_first_is_refused_and_not_quoted(password):
    with pytest.raises(StoreError, match="among the first") as caught:
        passwords.refuse_weak(password, "evalindqvist")
    assert password not in str(caught.value)


def test_what_is_kept_is_argon2id_with_a_salt_and_opens_by_the_password_only():
    kept = passwords.hash_of("kite-orbit-fennel")
    assert kept.startswith("$argon2id$v=19$m=65536,t=3,p=4$")
    assert kept != passwords.hash_of("kite-orbit-fennel")
    assert passwords.is_right("kite-orbit-fennel", kept)
    assert not passwords.is_right("kite-orbit-fennel ", kept)
    assert not passwords.is_right("kite-orbit-fennel", None)


def test_an_unknown_user_costs_the_same_work(monkeypatch):
    """One verification with the same parameters, whoever is asked for: counted, as clocks are busy."""
    hasher = passwords._hasher()
    verified = []
    monkeypatch.setattr(hasher, "verify", lambda _, kept: verified.append(kept.rpartition("p=4$")[0]))
    kept = passwords.hash_of("kite-orbit-fennel")
    for one in (kept, None):
        passwords.is_right("something else", one)
    assert verified[0] == verified[1] != ""
