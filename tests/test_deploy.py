"""What deploy/ says is what the station has: commands, settings, metrics, files. No image is fetched."""

import asyncio
import json
import re
import shutil
import subprocess
from importlib import import_module
from pathlib import Path

import pytest
import typer
import yaml
from fastapi.testclient import TestClient
from prometheus_client.parser import text_string_to_metric_families
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware

from camlucida.cli.commands import COMMANDS
from camlucida.settings import Settings
from camlucida.store import counters
from camlucida.web.app import create_app
from conftest import ROOT

DEPLOY = ROOT / "deploy"
PAGE = (ROOT / "docs/how-to/operate-the-station.md").read_text("utf-8")


def read(path):
    return yaml.safe_load(path.read_text("utf-8"))


COMPOSE = read(DEPLOY / "compose.yaml")
SERVICES = COMPOSE["services"]
STATION = [name for name, service in SERVICES.items() if "camlucida" in str(service.get("image"))]
RULES = read(DEPLOY / "prometheus/alerts.yml")["groups"][0]["rules"]
PANELS = json.loads((DEPLOY / "grafana/dashboard.json").read_text("utf-8"))["panels"]
QUERIES = {
    **{rule["alert"]: rule["expr"] for rule in RULES},
    **{
        f"{panel['title']}, {target['refId']}": target["expr"]
        for panel in PANELS
        for target in panel["targets"]
    },
}
UNIT = (DEPLOY / "systemd/camlucida.service").read_text("utf-8")
CONTAINERFILE = (DEPLOY / "Containerfile").read_text("utf-8")
OF_THE_PROXY = {"CAMLUCIDA_NAME"}
OF_PROMQL = {"by", "le", "job", "instance"}


@pytest.fixture(scope="module")
def exposed(new_home, tmp_path_factory):
    """Every metric that a real station shows, with its labels: `camlucida_queue` → {"lane"}."""
    home = new_home(tmp_path_factory.mktemp("home"))
    application = create_app(home)
    application.state.metrics.maps.labels("kept")  # labels appear with the first sample
    application.state.metrics.seconds.labels("/", "GET", "2xx")
    with home.database.write() as session:
        for counter in counters.Counter:
            if counter not in {counters.Counter.BUCKET, counters.Counter.SECONDS}:
                counters.count(session, counter, "one")
    client = TestClient(application, "http://127.0.0.1:8765", client=("127.0.0.1", 1))
    told = client.get("/metrics").text
    home.close()
    return {
        sample.name: set(sample.labels)
        for family in text_string_to_metric_families(told)
        for sample in family.samples
    }


def arguments(line):
    """What is parsed of a `camlucida …` line, as the command line itself would; nothing is run."""
    program, name, *rest = line
    assert program.rpartition("/")[2] == "camlucida"
    command = typer.main.get_command(import_module(f"camlucida.cli.{COMMANDS[name].module}").app)
    return command.make_context(name, list(rest)).params


@pytest.mark.parametrize("name", STATION)
def test_a_service_of_the_station_is_started_by_a_command_that_is_there(name):
    assert arguments(SERVICES[name]["command"])


def test_the_server_of_the_compose_file_leaves_computing_to_workers():
    server, worker = (arguments(SERVICES[name]["command"]) for name in ("server", "worker"))
    assert (server["host"], server["port"], server["work"]) == ("0.0.0.0", 8765, False)  # noqa: S104
    assert worker["queue"] == "interactive,precompute"


def test_the_settings_that_are_named_are_settings_and_take_these_values():
    texts = [CONTAINERFILE, UNIT, (DEPLOY / "systemd/camlucida.env").read_text("utf-8")]
    named = set(re.findall(r"CAMLUCIDA_[A-Z_]+", "".join(texts)))
    given = {key: value for key, value in COMPOSE["x-station"]["environment"].items() if "CAMLUCIDA" in key}
    known = {f"CAMLUCIDA_{name.upper()}" for name in Settings.model_fields}
    assert named | set(given) <= known | OF_THE_PROXY
    values = {
        key.removeprefix("CAMLUCIDA_").lower(): re.sub(r"\$\{.*?\}", "word", value)
        for key, value in given.items()
    }
    assert Settings(**values).public_url == "https://word"


def test_who_asks_by_the_proxy_of_the_compose_file_is_whom_it_names():
    """Otherwise tries to sign in are counted for the proxy: for everybody together."""
    environment = SERVICES["server"]["environment"]
    assert environment.items() > COMPOSE["x-station"]["environment"].items()
    asking = []

    async def application(scope, *_):
        asking.append(scope["client"][0])

    proxied = ProxyHeadersMiddleware(application, environment["FORWARDED_ALLOW_IPS"])
    scope = {"type": "http", "client": ("172.18.0.7", 1), "headers": [(b"x-forwarded-for", b"10.1.2.3")]}
    asyncio.run(proxied(scope, None, None))
    assert asking == ["10.1.2.3"]


def test_services_wait_for_and_mount_what_is_there():
    for name, service in SERVICES.items():
        assert set(service.get("depends_on", ())) <= set(SERVICES), name
        for volume in service.get("volumes", ()):
            source = volume.partition(":")[0]
            there = (DEPLOY / source).exists() if source.startswith(".") else source in COMPOSE["volumes"]
            assert there, volume


def test_every_image_is_pinned_and_no_secret_stands_in_the_file():
    images = [service["image"] for service in SERVICES.values()]
    assert not [image for image in images if image.endswith(":latest") and "localhost/" not in image]
    assert all(":" in image.rpartition("/")[2] for image in images)
    wanted = set(re.findall(r"\$\{(\w+)", (DEPLOY / "compose.yaml").read_text("utf-8")))
    assert wanted == set(re.findall(r"^(\w+)=", (DEPLOY / "example.env").read_text("utf-8"), re.MULTILINE))


def test_proxy_and_prometheus_ask_the_server_where_it_listens():
    port = arguments(SERVICES["server"]["command"])["port"]
    assert f"reverse_proxy server:{port}" in (DEPLOY / "caddy/Caddyfile").read_text("utf-8")
    scraped = read(DEPLOY / "prometheus/prometheus.yml")["scrape_configs"]
    assert scraped[0]["static_configs"][0]["targets"] == [f"server:{port}"]


@pytest.mark.parametrize("name", QUERIES)
def test_a_query_names_metrics_and_labels_that_the_station_has(exposed, name):
    text = re.sub(r'"[^"]*"', "", QUERIES[name])
    metrics = set(re.findall(r"\b(?:camlucida|process)_\w+", text))
    assert metrics or text.startswith("up{")
    assert metrics <= set(exposed), metrics - set(exposed)
    chosen = re.findall(r"(\w+)=", " ".join(re.findall(r"\{([^}]*)\}", text)))
    grouped = [word for group in re.findall(r"by \(([^)]*)\)", text) for word in group.split(", ")]
    labels = {*chosen, *grouped}
    assert labels - OF_PROMQL <= set().union(*(exposed[metric] for metric in metrics))


def test_every_alert_has_its_paragraph_on_the_page():
    assert not [rule["alert"] for rule in RULES if f"**{rule['alert']}**" not in PAGE]


def test_the_unit_starts_a_command_that_is_there_and_systemd_understands_it(tmp_path):
    line = re.search(r"^ExecStart=(.*)$", UNIT, re.MULTILINE)[1].split()
    assert arguments(line)["work"]
    if (analyze := shutil.which("systemd-analyze")) is None:
        pytest.skip("systemd-analyze is not there")
    unit = tmp_path / "camlucida.service"
    unit.write_text(UNIT.replace(line[0], shutil.which("true")), "utf-8")
    told = subprocess.run([analyze, "verify", str(unit)], capture_output=True, text=True, check=False)  # noqa: S603
    assert "camlucida.service" not in told.stderr
    assert told.returncode == 0


def test_grafana_reads_what_prometheus_has_scraped():
    provisioning = DEPLOY / "grafana/provisioning"
    (source,) = yaml.safe_load((provisioning / "datasources/prometheus.yml").read_text("utf-8"))[
        "datasources"
    ]
    assert source["url"] == "http://prometheus:9090"
    assert {target["datasource"]["uid"] for panel in PANELS for target in panel["targets"]} == {source["uid"]}
    (provider,) = read(provisioning / "dashboards/camlucida.yml")["providers"]
    mounted = " ".join(SERVICES["grafana"]["volumes"])
    assert f"{provider['options']['path']}/{Path('camlucida.json')}" in mounted
