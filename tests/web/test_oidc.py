"""Tokens of an OpenID provider that runs here: true ones, and those forged in all the usual ways."""

import base64
import hashlib
import hmac
import json
import threading
import time
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import padding
from cryptography.hazmat.primitives.hashes import SHA256
from fastapi.testclient import TestClient
from joserfc import jwk, jwt
from sqlalchemy import select

from camlucida.errors import NotAnswering, StoreError
from camlucida.settings import Settings
from camlucida.store.home import Home
from camlucida.store.tables import EventRow
from camlucida.web import oidc
from camlucida.web.app import create_app

RSA = jwk.RSAKey.generate_key(2048, {"kid": "one", "use": "sig"})
EC = jwk.ECKey.generate_key("P-256", {"kid": "two"})
OTHER = jwk.RSAKey.generate_key(2048, {"kid": "one"})
LATER = jwk.ECKey.generate_key("P-256", {"kid": "later"})
HERE = {"sec-fetch-site": "same-origin"}


class Issuer:
    """Publishes its configuration and its keys on this machine, and counts who asks."""

    def __init__(self):
        issuer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                issuer.asked.append(self.path)
                said = issuer.pages.get(self.path)
                self.send_response(200 if said else 404)
                self.end_headers()
                self.wfile.write(json.dumps(said).encode())

            def log_message(self, *_):
                pass

        self.asked = []
        self.server = HTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        self.keys = [key.as_dict(private=False) for key in (RSA, EC)]
        self.pages = {
            "/.well-known/openid-configuration": {"issuer": self.url, "jwks_uri": f"{self.url}/keys"},
            "/keys": {"keys": self.keys},
        }
        threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True).start()

    def settings(self, **others):
        return Settings(oidc_issuer=self.url, oidc_audience="camlucida", **others)

    def claims(self, **others):
        moment = int(time.time())
        said = {
            "iss": self.url,
            "aud": ["camlucida", "account"],
            "sub": "4711",
            "preferred_username": "eva",
            "roles": ["reader", "unheard of"],
            "iat": moment,
            "exp": moment + 300,
        }
        return {name: value for name, value in {**said, **others}.items() if value is not None}

    def token(self, key=RSA, header=None, **claims):
        algorithm = "RS256" if isinstance(key, jwk.RSAKey) else "ES256"
        said = {"alg": algorithm, "kid": key.kid, **(header or {})}
        return jwt.encode(said, self.claims(**claims), key, algorithms=[said["alg"]])


@pytest.fixture(scope="module")
def issuer():
    running = Issuer()
    yield running
    running.server.shutdown()
    running.server.server_close()


@pytest.fixture(autouse=True)
def patient(monkeypatch):
    """The issuer is a thread of this process: where the machine stands still, both do."""
    monkeypatch.setattr(oidc, "TIMEOUT", 300.0)


@pytest.fixture(scope="module")
def provider(issuer):
    return oidc.Provider(issuer.settings())


def part(said):
    return base64.urlsafe_b64encode(said if isinstance(said, bytes) else json.dumps(said).encode()).rstrip(
        b"="
    )


def from_now(wait):
    return int(time.time() + wait.total_seconds())


def sealed(header, claims, seal):
    """A token whose third part is what `seal` makes of the first two."""
    message = part(header) + b"." + part(claims)
    return (message + b"." + part(seal(message))).decode()


@pytest.mark.parametrize("key", [RSA, EC], ids=["RSA", "EC"])
def test_a_token_of_the_provider_says_who_and_as_what(issuer, provider, key):
    assert provider.who(issuer.token(key)) == ("oidc:eva", {"reader"})
    assert provider.who(issuer.token(key, {"typ": "at+JWT"}, aud="camlucida", roles="operator auditor")) == (
        "oidc:eva",
        {"operator", "auditor"},
    )
    assert provider.who(issuer.token(key, preferred_username="Eva Lind, Dr.")).name == "oidc:4711"
    assert provider.who(issuer.token(key, roles=None)).roles == set()


@pytest.mark.parametrize(
    "claims",
    [
        {"iss": "https://evil.example"},
        {"iss": None},
        {"aud": "another"},
        {"aud": ["camlucida2"]},
        {"aud": "camlucida2"},
        {"aud": None},
        {"exp": timedelta(seconds=-60)},
        {"exp": None},
        {"exp": "2099-01-01"},
        {"exp": True},
        {"nbf": timedelta(hours=1)},
        {"iat": timedelta(hours=1)},
        {"preferred_username": None, "sub": None},
        {"preferred_username": "station\n", "sub": ""},
    ],
    ids=str,
)
def test_what_is_not_for_us_or_not_for_now_is_refused(issuer, provider, claims):
    # Times are said from now on: a test's name must be the same in every process that collects it.
    said = {
        name: from_now(value) if isinstance(value, timedelta) else value for name, value in claims.items()
    }
    assert provider.who(issuer.token(**said)) is None


@pytest.mark.parametrize(
    "header",
    [
        {"jku": "https://evil.example/keys"},
        {"x5u": "https://evil.example/certificate"},
        {"jwk": OTHER.as_dict(private=False)},
        {"x5c": ["MIIB"]},
        {"crit": ["exp"], "exp": 1},
        {"kid": "nobody"},
        {"kid": "../../etc/passwd"},
        {"kid": "two"},
        {"typ": "dpop+jwt"},
    ],
    ids=" and ".join,  # not its values: keys are others in each process
)
def test_a_header_that_leads_elsewhere_is_refused(issuer, provider, header):
    said = {"alg": "RS256", "kid": "one", **header}
    token = sealed(said, issuer.claims(), _signed)
    assert provider.who(token) is None


def _signed(message):
    """RSASSA-PKCS1-v1_5 by the provider's true key, whatever the header says."""
    return RSA.private_key.sign(message, padding.PKCS1v15(), SHA256())


def test_the_same_way_of_signing_is_taken_with_an_honest_header(issuer, provider):
    """So that the test above refuses for the header's sake."""
    assert provider.who(sealed({"alg": "RS256", "kid": "one"}, issuer.claims(), _signed)) is not None
    nameless = sealed({"alg": "RS256"}, issuer.claims(), _signed)
    assert provider.who(nameless) is None


@pytest.mark.parametrize("algorithm", ["none", "None", "NONE", "nOnE", "", None, 0, ["RS256"]])
def test_a_token_without_a_signature_is_refused(issuer, provider, algorithm):
    header = {"alg": algorithm, "kid": "one"}
    assert provider.who(sealed(header, issuer.claims(), lambda _: b"")) is None


@pytest.mark.parametrize("form", ["PEM", "DER", "JWK"])
@pytest.mark.parametrize("algorithm", ["HS256", "HS384", "HS512"])
def test_the_public_key_is_no_secret_to_sign_with(issuer, provider, algorithm, form):
    """RS256 to HS256: the best known forgery."""
    encoding = serialization.Encoding.DER if form == "DER" else serialization.Encoding.PEM
    public = RSA.public_key.public_bytes(encoding, serialization.PublicFormat.SubjectPublicKeyInfo)
    secret = json.dumps(RSA.as_dict(private=False)).encode() if form == "JWK" else public
    digest = getattr(hashlib, f"sha{algorithm[2:]}")
    header = {"alg": algorithm, "kid": "one"}
    assert (
        provider.who(sealed(header, issuer.claims(), lambda m: hmac.new(secret, m, digest).digest())) is None
    )


def test_another_key_of_the_same_name_is_refused(issuer, provider):
    assert provider.who(issuer.token(OTHER)) is None


def test_a_changed_byte_or_part_is_refused(issuer, provider):
    head, body, seal = issuer.token().split(".")
    other = issuer.token(roles=["admin"]).split(".")
    for token in (
        f"{head}.{other[1]}.{seal}",
        f"{head}.{body}.",
        f"{head}.{body}.{seal[:-4]}AAAA",
        f"{head}.{body}.{part(bytes(64)).decode()}",
        f"..{seal}",
        "..",
        f"{head}.{body}.{seal}.{seal}",
        f"{head}.{part(b'[1]').decode()}.{seal}",
        "\x00.é.🙂",
        f"{part(b'[' * 5000).decode()}.{body}.{seal}",
    ):
        assert provider.who(token) is None, token[:20]


def test_a_zero_signature_of_ecdsa_is_refused(issuer, provider):
    """CVE-2022-21449: r and s of 0."""
    assert provider.who(sealed({"alg": "ES256", "kid": "two"}, issuer.claims(), lambda _: bytes(64))) is None


def test_an_enormous_token_costs_nothing(issuer, provider):
    token = issuer.token() + "A" * 5_000_000
    began = time.thread_time()  # not of the clock: that measures the neighbours
    assert provider.who(token) is None
    assert time.thread_time() - began < 0.5


def test_made_up_key_names_do_not_have_the_keys_fetched_each_time(issuer, provider, monkeypatch):
    moment = time.monotonic()
    monkeypatch.setattr(oidc, "monotonic", lambda: moment)
    provider.who(issuer.token())
    before = len(issuer.asked)
    for number in range(20):
        provider.who(sealed({"alg": "RS256", "kid": f"made up {number}"}, issuer.claims(), _signed))
    assert len(issuer.asked) - before <= 2


def test_a_new_key_is_found_and_an_old_one_serves_while_the_provider_is_away(issuer, monkeypatch):
    clock = [1000.0]
    monkeypatch.setattr(oidc, "monotonic", lambda: clock[0])
    provider = oidc.Provider(issuer.settings())
    assert provider.who(issuer.token())
    assert provider.who(issuer.token(LATER)) is None
    monkeypatch.setitem(issuer.pages, "/keys", {"keys": [*issuer.keys, LATER.as_dict(private=False)]})
    clock[0] += oidc.SOONEST + 1
    assert provider.who(issuer.token(LATER))
    monkeypatch.setattr(issuer, "pages", {})
    clock[0] += oidc.FRESH + 1
    assert provider.who(issuer.token())
    clock[0] += oidc.STALE + 1
    with pytest.raises(NotAnswering):
        provider.who(issuer.token())


def test_a_key_that_was_withdrawn_opens_nothing(issuer, monkeypatch):
    clock = [1000.0]
    monkeypatch.setattr(oidc, "monotonic", lambda: clock[0])
    provider = oidc.Provider(issuer.settings())
    assert provider.who(issuer.token())
    monkeypatch.setitem(issuer.pages, "/keys", {"keys": issuer.keys[1:]})
    clock[0] += oidc.FRESH + 1
    assert provider.who(issuer.token()) is None
    assert provider.who(issuer.token(EC))


@pytest.mark.parametrize(
    "keys",
    [
        [{"kty": "oct", "kid": "one", "k": "c2VjcmV0"}],
        [{**RSA.as_dict(private=False), "use": "enc"}],
        [{**RSA.as_dict(private=False), "alg": "RS512"}],
        [{"kty": "RSA", "kid": "one", "n": "AQAB", "e": "AQAB"}],
        ["one", None, {}, {"kty": "RSA", "kid": "one"}],
        "one",
    ],
)
def test_keys_that_are_not_for_this_are_not_used(issuer, monkeypatch, keys):
    monkeypatch.setitem(issuer.pages, "/keys", {"keys": keys})
    assert oidc.Provider(issuer.settings()).who(issuer.token()) is None


def test_a_configuration_of_another_issuer_is_not_believed(issuer, monkeypatch):
    page = {"issuer": "https://evil.example", "jwks_uri": f"{issuer.url}/keys"}
    monkeypatch.setitem(issuer.pages, "/.well-known/openid-configuration", page)
    with pytest.raises(NotAnswering):
        oidc.Provider(issuer.settings()).who(issuer.token())
    named = oidc.Provider(issuer.settings(oidc_jwks_url=f"{issuer.url}/keys"))
    assert named.who(issuer.token())


def test_roles_are_found_deep_and_translated(issuer):
    provider = oidc.Provider(
        issuer.settings(
            oidc_roles_claim="realm_access.roles", oidc_roles="rad-docs=reader, it=operator admin"
        )
    )
    assert provider.who(issuer.token(realm_access={"roles": ["it"]})).roles == {"operator", "admin"}
    assert provider.who(issuer.token(realm_access={"roles": ["rad-docs", "x"]})).roles == {"reader"}
    for told in ({"roles": ["admin"]}, {"roles": [["it"]]}, "it", {}):  # our own names mean nothing now
        assert provider.who(issuer.token(realm_access=told)).roles == set()


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"oidc_issuer": "https://id.example"}, "OIDC_AUDIENCE"),
        ({"oidc_issuer": "http://id.example", "oidc_audience": "camlucida"}, "not encrypted"),
        (
            {"oidc_issuer": "https://id.example", "oidc_audience": "c", "oidc_jwks_url": "http://a/k"},
            "not encrypted",
        ),
        ({"oidc_issuer": "https://id.example", "oidc_audience": "c", "oidc_roles": "it=root"}, "auditor"),
    ],
)
def test_settings_that_would_let_others_in_are_refused_with_the_cure(settings, words):
    with pytest.raises(StoreError, match=words):
        oidc.Provider(Settings(**settings))


@pytest.fixture(scope="module")
def station(issuer, tmp_path_factory):
    """A station that takes tokens of the provider."""
    home = Home.open(tmp_path_factory.mktemp("oidc"))
    app = create_app(home)
    app.state.provider = oidc.Provider(issuer.settings())
    yield TestClient(app, "http://127.0.0.1:8765", raise_server_exceptions=False), home
    home.close()


def bearer(token, **headers):
    return {"authorization": f"Bearer {token}", **headers}


def test_a_token_opens_the_station_and_is_noted_once(issuer, station):
    client, home = station
    token = issuer.token(preferred_username="otto")
    for _ in range(3):
        assert client.get("/api/studies", headers=bearer(token)).status_code == 200
    assert client.get("/api/me", headers=bearer(token)).json()["name"] == "oidc:otto"
    assert client.post("/api/jobs/again", headers=bearer(token)).status_code == 403
    assert client.get("/api/studies", headers=bearer(issuer.token(OTHER))).status_code == 401
    with home.database.read() as session:
        kept = [(row.kind, row.who, row.view) for row in session.scalars(select(EventRow))]
    assert kept.count(("signed in", "oidc:otto", {"by": "provider"})) == 1
    assert ("sign-in refused", "unknown", {"why": "token"}) in kept
    assert token not in str(kept)


def test_a_proxy_that_adds_the_token_does_not_open_the_station_to_other_pages(issuer, station):
    client, _ = station
    token = issuer.token(roles=["operator"])
    wanted = {"what": "results"}
    for headers, status in (
        ({}, 202),  # a program
        (HERE, 202),
        ({"sec-fetch-site": "cross-site", "origin": "https://evil.example"}, 403),
        ({"origin": "https://evil.example"}, 403),
    ):
        answer = client.post("/api/jobs/again", json=wanted, headers=bearer(token, **headers))
        assert answer.status_code == status, headers
