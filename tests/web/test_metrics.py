import re

import pytest
from prometheus_client.parser import text_string_to_metric_families

from camlucida.records.role import Role
from camlucida.settings import Settings
from camlucida.store import counters, explanations
from camlucida.store.counters import Counter, Stage
from camlucida.store.people import access_tokens
from camlucida.web import metrics as web


def read(client, **headers):
    """Every sample by its name and labels."""
    answer = client.get("/metrics", headers=headers)
    assert answer.status_code == 200, answer.text
    families = text_string_to_metric_families(answer.text)
    return {
        (sample.name, *sorted(sample.labels.items())): sample.value
        for family in families
        for sample in family.samples
    }


def value(samples, name, **labels):
    return samples[f"camlucida_{name}", *sorted(labels.items())]


@pytest.fixture
def here(station, monkeypatch):
    """A program of this machine that has not signed in."""
    monkeypatch.setattr(web, "_on_this_machine", lambda _: True)
    return station.client()


def test_requests_are_timed_by_pattern_and_never_by_address(browser, here, study):
    browser.get(f"/api/studies/{study['key']}")
    browser.get("/nothing/Doe^Jane")
    text = here.get("/metrics").text
    assert study["key"] not in text
    assert "Doe" not in text
    (route,) = re.findall(r'camlucida_request_seconds_count\{.*route="([^"]*studies/\{key\})"', text)
    samples = read(here)
    assert value(samples, "request_seconds_count", method="GET", route=route, status="2xx") >= 1
    assert value(samples, "request_seconds_count", method="GET", route="no route", status="4xx") == 1


def test_a_method_of_nobody_is_no_label_of_its_own(browser, here):
    browser.request("BREW", "/api/about")
    assert 'method="other"' in here.get("/metrics").text
    assert "BREW" not in here.get("/metrics").text


def test_maps_that_were_there_and_maps_that_were_not_are_told_apart(browser, here, study):
    (kept,) = study["images"][0]["explanations"]
    for key in (kept["key"], kept["key"], "0" * 32):
        browser.get(f"/api/explanations/{key}/values")
    samples = read(here)
    assert value(samples, "map_reads_total", outcome="kept") == 2
    assert value(samples, "map_reads_total", outcome="unknown") == 1


def test_stages_outcomes_and_refusals_come_from_the_database(station, here, make_image, put_in):
    with station.home.database.write() as session:
        for seconds in (0.2, 0.4, 100):
            counters.observe(session, [(Stage.SEND, seconds)])
        counters.count(session, Counter.RESTARTS, "worker", 2)
    (waiting,) = put_in(station.home, [make_image(seed=9)])
    explanations.refuse(station.home, waiting, "Doe^Jane is too small.", "UnsuitableImage")
    samples = read(here)
    assert value(samples, "stage_seconds_count", stage="send") == 3
    assert value(samples, "stage_seconds_sum", stage="send") == pytest.approx(100.6)
    for bound, below in (("0.1", 0), ("0.25", 1), ("0.5", 2), ("60.0", 2), ("300.0", 3), ("+Inf", 3)):
        assert value(samples, "stage_seconds_bucket", stage="send", le=bound) == below
    assert value(samples, "explanations_total", state="done") == 1
    assert value(samples, "explanations_total", state="refused") == 1
    assert value(samples, "refusals_total", reason="UnsuitableImage") == 1
    assert value(samples, "restarts_total", process="worker") == 2
    assert "Doe" not in here.get("/metrics").text


def test_queues_are_told_by_lane_with_the_age_of_their_oldest(station, here, make_image, put_in):
    samples = read(here)
    assert value(samples, "queue", lane="precompute") == 0
    assert value(samples, "queue_oldest_seconds", lane="precompute") == 0
    put_in(station.home, [make_image(seed=seed) for seed in (5, 6)])
    with station.home.database.write() as session:
        explanations.want(session, 1, "a" * 64, "layercam")
    samples = read(here)
    assert value(samples, "queue", lane="precompute") == 2
    assert value(samples, "queue", lane="interactive") == 1
    assert 0 < value(samples, "queue_oldest_seconds", lane="precompute") < 60


def test_bytes_disk_readiness_and_the_process_are_told(here):
    samples = read(here)
    assert value(samples, "stored_bytes", kind="evidence") > 0
    assert value(samples, "stored_bytes", kind="pixels") > 0
    assert value(samples, "disk_bytes", kind="free") < value(samples, "disk_bytes", kind="total")
    assert value(samples, "ready", check="database") == 1
    assert samples["process_resident_memory_bytes",] > 1e7


def test_figures_go_on_when_the_database_does_not_answer(station, here, monkeypatch):
    def gone():
        raise OSError("no route to db.hospital")

    monkeypatch.setattr(type(station.home.database), "read", lambda _: gone())
    samples = read(here)
    assert value(samples, "ready", check="database") == 0
    assert not [name for name, *_ in samples if name.startswith("camlucida_queue")]


@pytest.mark.parametrize(
    ("client", "headers", "public_url", "let_in"),
    [
        (("127.0.0.1", 1), {}, "", True),
        (("::1", 1), {"host": "[::1]:1"}, "", True),
        (("10.0.0.9", 1), {}, "", False),  # another machine
        (("127.0.0.1", 1), {}, "https://camlucida.example", False),  # behind a proxy all come from here
        (("127.0.0.1", 1), {"x-forwarded-for": "10.0.0.9"}, "", False),
    ],
)
def test_without_a_token_only_this_machine_itself_reads(
    station, monkeypatch, client, headers, public_url, let_in
):
    monkeypatch.setattr(web, "settings", lambda: Settings(public_url=public_url))
    asking = station.client()
    asking._transport.client = client
    assert asking.get("/metrics", headers=headers).status_code == (200 if let_in else 401)


def test_a_token_reads_from_elsewhere_under_any_name(station):
    token = access_tokens.add(station.home, "prometheus", [Role.AUDITOR])
    reader = access_tokens.add(station.home, "ohif")
    asking = station.client()
    refused = asking.get("/metrics", headers={"host": "server:8765"})
    assert refused.status_code == 421
    assert read(asking, host="server:8765", authorization=f"Bearer {token}")
    reads = asking.get("/metrics", headers={"host": "server:8765", "authorization": f"Bearer {reader}"})
    assert reads.status_code == 403
    wrong = asking.get("/metrics", headers={"host": "server:8765", "authorization": "Bearer no"})
    assert wrong.status_code == 401
