from pathlib import Path

import pytest
from pydantic import ValidationError

from camlucida.errors import InvalidSetting
from camlucida.settings import Settings, is_loopback, settings

PAGE = (Path(__file__).parent.parent / "docs" / "reference" / "settings.md").read_text("utf-8")
ROWS = {line.split("`")[1]: line for line in PAGE.splitlines() if line.startswith("| `CAMLUCIDA_")}


@pytest.mark.parametrize("name", Settings.model_fields)
def test_every_setting_is_on_the_page_with_its_default_and_its_meaning(name):
    field = Settings.model_fields[name]
    row = ROWS[f"CAMLUCIDA_{name.upper()}"]
    assert str(field.description).rstrip(".") in row
    if name != "home":
        shown = "empty" if str(field.default) in {"", "None"} else f"`{field.default}`"
        assert f"| {shown} |" in row


def test_the_page_names_no_setting_that_is_not_there():
    assert {name.removeprefix("CAMLUCIDA_").lower() for name in ROWS} == set(Settings.model_fields)


def test_a_setting_is_read_from_the_environment(monkeypatch):
    monkeypatch.setenv("CAMLUCIDA_PORT", "9000")
    assert Settings().port == 9000


@pytest.mark.parametrize(
    ("host", "loopback"), [("localhost", True), ("127.8.8.8", True), ("::1", True), ("10.0.0.1", False)]
)
def test_loopback_is_what_only_this_machine_reaches(host, loopback):
    assert is_loopback(host) == loopback


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("BLOBS_URL", "s3://key:a-secret@bucket"),
        ("AUDIT_SYSLOG", "tls://user:a-secret@host:6514"),
        ("OIDC_JWKS_URL", "https://user:a-secret@host/keys"),
    ],
)
def test_a_secret_in_an_address_is_refused_and_not_said(monkeypatch, name, value):
    """Such a setting is told in the audit trail and in errors."""
    monkeypatch.setenv(f"CAMLUCIDA_{name}", value)
    with pytest.raises(ValidationError) as refused:
        Settings()
    assert "a-secret" not in str(refused.value)


@pytest.mark.parametrize(
    ("name", "value", "told"),
    [
        ("PORT", "seven", "integer"),
        ("PORT", "70000", "less than or equal to 65535"),
        ("PUBLIC_URL", "http://a-secret@host", "`https://name` under which a reverse proxy"),
    ],
)
def test_a_setting_that_cannot_be_used_is_a_sentence_with_its_name_and_meaning(
    monkeypatch, name, value, told
):
    monkeypatch.setenv(f"CAMLUCIDA_{name}", value)
    settings.cache_clear()
    with pytest.raises(InvalidSetting, match=f"^CAMLUCIDA_{name} cannot be used") as refused:
        settings()
    assert told in str(refused.value)
    assert "a-secret" not in str(refused.value)
