"""Access tokens of an OpenID provider: this station is a resource server (RFC 6750, RFC 9068, RFC 8725).

A token is taken only if the provider's own key signed it, by an algorithm of that kind of key, for this
station, and now. Keys come from the provider's one address: one that says where its key is, is refused.
"""

import base64
import json
import math
import re
import threading
from collections import OrderedDict
from collections.abc import Mapping
from hashlib import sha256
from time import monotonic, time
from typing import Any
from urllib.parse import urlsplit

import requests
import structlog
from joserfc import jwk, jws
from joserfc.errors import JoseError

from camlucida.errors import NotAnswering, StoreError
from camlucida.records.role import Role
from camlucida.settings import Settings, is_loopback
from camlucida.store.people.visits import Signed

ALGORITHMS = {
    "RSA": frozenset({"RS256", "RS384", "RS512", "PS256", "PS384", "PS512"}),
    "EC": frozenset({"ES256", "ES384", "ES512"}),
}
"""By kind of key, all with a public key: `none` and secrets shared with the provider are not among them."""
SHORTEST_RSA = 2048  # bits
TYPES = frozenset({"jwt", "at+jwt", "application/at+jwt"})
KEYS_ELSEWHERE = frozenset({"jku", "jwk", "x5u", "x5c", "crit", "b64", "zip"})

LONGEST_TOKEN = 16_000
LARGEST_ANSWER = 500_000
MOST_KEYS = 100
MOST_SEEN = 10_000
LEEWAY = 30.0  # seconds between two clocks
FRESH, SOONEST, STALE = 600.0, 30.0, 86_400.0  # seconds: asked again, not asked before, not used any longer
TIMEOUT = 5.0

NAME = re.compile(r"[\w.@+-]{1,64}")

_log = structlog.get_logger()


class Refused(Exception):  # noqa: N818 - it stays in this module
    """A token that is not taken; the text is for the log and holds nothing of it."""


class Provider:
    """The OpenID provider of the settings."""

    def __init__(self, settings: Settings) -> None:
        """Read the settings; nothing is asked of the provider yet.

        Raises
        ------
        StoreError
            The settings cannot be used together.
        """
        self._issuer, self._audience = settings.oidc_issuer, settings.oidc_audience
        if not self._audience:
            raise StoreError(
                "CAMLUCIDA_OIDC_ISSUER is set without CAMLUCIDA_OIDC_AUDIENCE: tokens for others would be "
                "taken; set both."
            )
        self._keys = Keys(settings.oidc_issuer, settings.oidc_jwks_url)
        self._name_claim, self._roles_claim = settings.oidc_name_claim, settings.oidc_roles_claim
        self._roles = role_names(settings.oidc_roles)
        self._seen: OrderedDict[bytes, None] = OrderedDict()
        self._lock = threading.Lock()

    def who(self, token: str) -> Signed | None:
        """Whose token it is, and as what; None if it is not taken.

        Raises
        ------
        NotAnswering
            The provider's keys are needed and cannot be had.
        """
        try:
            return self._signed(self._claims(token))
        except Refused as error:
            _log.info("token refused", reason=str(error))
            return None

    def is_first_sight(self, token: str) -> bool:
        """Whether this process has not seen the token before."""
        digest = sha256(token.encode()).digest()
        with self._lock:
            first = digest not in self._seen
            self._seen[digest] = None
            if len(self._seen) > MOST_SEEN:
                self._seen.popitem(last=False)
        return first

    def _claims(self, token: str) -> dict[str, Any]:
        header = _header(token)
        key = self._keys.find(header["kid"])
        algorithm = header["alg"]
        if key is None:
            raise Refused("no key of the provider has this name")
        if algorithm not in ALGORITHMS.get(key.key_type, ()) or key.get("alg") not in {None, algorithm}:
            raise Refused("the algorithm is not one of this key")
        try:
            signed = jws.deserialize_compact(token, key, algorithms=[algorithm])
            claims = json.loads(signed.payload)
        except (JoseError, ValueError, RecursionError) as error:
            raise Refused(f"the signature or the content is wrong ({type(error).__name__})") from None
        if not isinstance(claims, dict):
            raise Refused("the content is no set of claims")
        self._check(claims)
        return claims

    def _check(self, claims: Mapping[str, Any]) -> None:
        audience = claims.get("aud")
        if claims.get("iss") != self._issuer:
            raise Refused("it is of another issuer")
        if self._audience not in (audience if isinstance(audience, list) else [audience]):
            raise Refused("it is for another audience")
        moment = time()
        if _seconds(claims, "exp", math.nan) <= moment - LEEWAY:
            raise Refused("it has expired")
        if max(_seconds(claims, "nbf", 0.0), _seconds(claims, "iat", 0.0)) > moment + LEEWAY:
            raise Refused("it is not valid yet")

    def _signed(self, claims: Mapping[str, Any]) -> Signed:
        names = (claims.get(self._name_claim), claims.get("sub"))
        name = next((one for one in names if isinstance(one, str) and NAME.fullmatch(one)), None)
        if name is None:
            raise Refused("it has no name")
        said = _within(claims, self._roles_claim)
        words = said.split() if isinstance(said, str) else said if isinstance(said, list) else []
        roles = [self._roles.get(word, ()) for word in words if isinstance(word, str)]
        return Signed(f"oidc:{name}", frozenset().union(*roles))


class Keys:
    """The provider's public keys by name: fetched when needed, kept, and fetched again."""

    def __init__(self, issuer: str, url: str) -> None:
        self._issuer, self._url = issuer, url
        for address in filter(None, (issuer, url)):
            must_be_private(address)
        self._keys: dict[str, jwk.RSAKey | jwk.ECKey] = {}
        self._fetched = self._tried = -math.inf
        self._lock = threading.Lock()

    def find(self, name: str) -> jwk.RSAKey | jwk.ECKey | None:
        """The key of this name; None if the provider has none.

        An unknown name has the keys fetched once more, at most every 30 s, so that a new key is known soon
        and made-up names cost nothing. With the provider away, known keys are used for a day.
        """
        age = monotonic() - self._fetched
        if age > FRESH or name not in self._keys:
            self._refresh()
        if monotonic() - self._fetched > STALE:
            raise NotAnswering("The OpenID provider's keys cannot be had; sign in again when it answers.")
        return self._keys.get(name)

    def _refresh(self) -> None:
        """Fetch them, unless that was done or tried just now; who is second waits for the first."""
        with self._lock:
            if monotonic() - self._tried < SOONEST:
                return
            self._tried = monotonic()
            try:
                self._keys = _usable(_fetch(self._url or self._discovered()))
                self._fetched = monotonic()
            except (requests.RequestException, ValueError, RecursionError) as error:
                _log.warning("the OpenID provider's keys cannot be had", reason=type(error).__name__)

    def _discovered(self) -> str:
        """Where the keys are (OpenID Connect Discovery 1.0, section 4)."""
        said = _fetch(f"{self._issuer.rstrip('/')}/.well-known/openid-configuration")
        if said.get("issuer") != self._issuer or not isinstance(said.get("jwks_uri"), str):
            raise ValueError("The provider's configuration is of another issuer, or names no keys.")
        must_be_private(said["jwks_uri"])
        return str(said["jwks_uri"])


def must_be_private(address: str) -> None:
    """Refuse keys that somebody on the way could exchange.

    Raises
    ------
    StoreError
        It is neither https nor on this machine.
    """
    parts = urlsplit(address)
    if parts.scheme != "https" and not is_loopback(parts.hostname or ""):
        raise StoreError(f"{parts.scheme}://{parts.netloc} is not encrypted; an OpenID provider has https.")


def role_names(setting: str) -> dict[str, frozenset[Role]]:
    """What each of the provider's roles is here; by default they are called as ours.

    Raises
    ------
    StoreError
        The setting names no role of ours.
    """
    if not setting:
        return {role.value: frozenset({role}) for role in Role}
    pairs = [pair.partition("=") for pair in setting.split(",")]
    try:
        return {theirs.strip(): frozenset(map(Role, ours.split())) for theirs, _, ours in pairs}
    except ValueError as error:
        raise StoreError(f"CAMLUCIDA_OIDC_ROLES: {error}; roles are {', '.join(Role)}.") from None


def _header(token: str) -> dict[str, str]:
    """The protected header, if it says what it has to and nothing that leads elsewhere."""
    if len(token) > LONGEST_TOKEN:
        raise Refused("it is too long")
    try:
        first = token.partition(".")[0]
        header = json.loads(base64.urlsafe_b64decode(first + "=" * (-len(first) % 4)))
    except (ValueError, RecursionError):
        raise Refused("its header cannot be read") from None
    if not isinstance(header, dict) or KEYS_ELSEWHERE & header.keys():
        raise Refused("its header says where its key is, or what we do not know")
    if not any(header.get("alg") == one for known in ALGORITHMS.values() for one in known):
        raise Refused("its algorithm is not taken")
    if not isinstance(header.get("kid"), str) or str(header.get("typ", "jwt")).casefold() not in TYPES:
        raise Refused("it names no key, or is no access token")
    return header


def _seconds(claims: Mapping[str, Any], name: str, otherwise: float) -> float:
    """A moment, in seconds since 1970."""
    value = claims.get(name, otherwise)
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise Refused(f"its {name} is no moment")
    return float(value)


def _within(claims: Mapping[str, Any], path: str) -> object:
    """A claim by its name, or by the names of those around it with dots between."""
    found: Any = claims
    for name in [path] if path in claims else path.split("."):
        found = found.get(name) if isinstance(found, dict) else None
    return found


def _usable(said: Mapping[str, Any]) -> dict[str, jwk.RSAKey | jwk.ECKey]:
    """The keys for signatures among those that a provider tells; others are let be."""
    told = said.get("keys")
    found: dict[str, jwk.RSAKey | jwk.ECKey] = {}
    for one in told[:MOST_KEYS] if isinstance(told, list) else ():
        try:
            if one.get("use", "sig") == "sig":
                found.setdefault(str(one["kid"]), _key(one))
        except (JoseError, AttributeError, KeyError, TypeError, ValueError):
            continue
    return found


def _key(said: Mapping[str, Any]) -> jwk.RSAKey | jwk.ECKey:
    if said["kty"] == "EC":
        return jwk.ECKey.import_key(dict(said))
    if said["kty"] != "RSA":
        raise ValueError("A key that is neither RSA nor of an elliptic curve.")
    key = jwk.RSAKey.import_key(dict(said))
    if key.public_key.key_size < SHORTEST_RSA:
        raise ValueError(f"An RSA key of less than {SHORTEST_RSA} bits.")
    return key


def _fetch(url: str) -> dict[str, Any]:
    """A bounded JSON object; no redirection is followed."""
    with requests.get(url, timeout=TIMEOUT, stream=True, allow_redirects=False) as answer:
        if answer.status_code != requests.codes.ok:
            raise ValueError("The provider does not answer with what was asked for.")
        content = answer.raw.read(LARGEST_ANSWER + 1, decode_content=True)
    if len(content) > LARGEST_ANSWER:
        raise ValueError("The provider's answer is too large.")
    said = json.loads(content)
    if not isinstance(said, dict):
        raise ValueError("The provider's answer is no object.")  # noqa: TRY004 - what came is wrong, not a type
    return said
