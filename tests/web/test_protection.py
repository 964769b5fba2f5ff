import pytest

from camlucida.web.protection import host_name


@pytest.mark.parametrize(
    "host", ["evil.example", "127.0.0.1.evil.example", "localhost.evil.example:8765", "", "[::1", "a@b"]
)
def test_a_foreign_host_name_is_refused_before_anything_is_done(browser, host):
    answer = browser.get("/api/studies", headers={"host": host})
    assert answer.status_code == 421
    assert "CAMLUCIDA_PUBLIC_URL" in answer.text
    assert "Doe" not in answer.text


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST:1", "127.0.0.1:8765", "[::1]:8765"])
def test_loopback_names_are_taken(browser, host):
    assert browser.get("/api/about", headers={"host": host}).status_code == 200


def test_a_host_header_is_read_as_a_name():
    assert host_name("[::1]:80") == "::1"
    assert host_name("Example:80") == "example"


@pytest.mark.parametrize("path", ["/", "/api/studies", "/static/viewer.js", "/nothing", "/api/images/x"])
def test_every_response_has_the_security_headers(browser, path):
    headers = browser.get(path).headers
    assert headers["content-security-policy"].startswith("default-src 'self'")
    assert "unsafe" not in headers["content-security-policy"]
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["x-frame-options"] == "DENY"
    assert headers["referrer-policy"] == "no-referrer"
    assert headers["cross-origin-resource-policy"] == "same-origin"


def test_what_may_name_a_patient_is_not_kept_by_the_browser(browser, study):
    (image,) = study["images"]
    for path in ("/", "/api/studies", f"/api/studies/{study['key']}", f"/api/images/{image['key']}"):
        assert browser.get(path).headers["cache-control"] == "no-store"
