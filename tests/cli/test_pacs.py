"""pacs.toml is written, shown, and asked about."""

import tomllib
from contextlib import closing

from pydicom import dcmread

from camlucida.cli.pacs import TEMPLATE
from camlucida.pacs.configuration import Configuration, read_configuration
from camlucida.store import instances
from camlucida.store.home import Home
from camlucida.store.tables import Intent, Origin
from orthanc import HOST, free_port
from storescp import StoreScp


def test_the_file_that_is_written_parses_and_is_not_overwritten(run, tmp_path):
    done = run("pacs", "init", "--home", tmp_path / "home")
    assert done.returncode == 0, done.stderr
    assert read_configuration(tmp_path / "home").listen.port == 11112
    (tmp_path / "home" / "pacs.toml").write_text("[listen]\nport = 1104\n")
    done = run("pacs", "init", "--home", tmp_path / "home")
    assert done.returncode == 1
    assert "is there already" in done.stderr
    assert read_configuration(tmp_path / "home").listen.port == 1104


def test_every_example_in_it_is_right():
    """Each line that begins with # and holds TOML, taken as it is meant."""
    lines = [line.removeprefix("# ") for line in TEMPLATE.splitlines()]
    toml = [line for line in lines if "=" in line.partition("#")[0] or line.startswith("[")]
    found = Configuration.model_validate(tomllib.loads("\n".join(toml)))
    assert set(found.destination) == {"archive", "web"}
    assert [rule.name for rule in found.rule] == ["chest films", "everything else"]
    assert found.listen.peers[0].ae_title == "CT1"


def test_nothing_yet_is_said(run, tmp_path):
    shown = run("pacs", "show", "--home", tmp_path / "home")
    assert shown.returncode == 0, shown.stderr
    assert "Listening: CAMLUCIDA at 127.0.0.1:11112" in shown.stdout
    assert "Destinations: none" in shown.stdout


def test_what_was_received_and_what_waits_for_a_model_is_shown(run, films, tmp_path):
    home = tmp_path / "home"
    with closing(Home.open(home)) as opened:
        taken = instances.take(opened, films / "film-1.dcm", Origin.STORE, "ROOM3")
        with opened.database.write() as session:
            row = instances.find(session, dcmread(films / "film-1.dcm").SOPInstanceUID)
            instances.settle(session, [row], Intent.NOT_FOR_US, "No model knows it.")
    assert taken.kept
    (home / "pacs.toml").write_text(
        '[listen]\npeers = [{ ae_title = "ROOM3" }]\n'
        '[[rule]]\nname = "films"\nmodels = ["mine", "phantom-radiograph"]\n'
    )
    shown = run("pacs", "show", "--home", home)
    assert "May send: ROOM3" in shown.stdout
    assert any(
        line.split()[:3] == ["not", "for", "us"] and "No model knows it." in line and line.split()[-1] == "1"
        for line in shown.stdout.splitlines()
    )
    assert "“mine” is not registered" in shown.stderr
    assert "“phantom-radiograph” is registered when" in shown.stderr


def write(folder, receiver):
    folder.mkdir()
    (folder / "pacs.toml").write_text(
        f'[destination.scp]\nkind = "dimse"\nae_title = "{receiver.ae_title}"\nhost = "{HOST}"\n'
        f"port = {receiver.port}\n"
    )


def test_a_probe_tells_what_is_taken_and_proposes_lines_that_parse(run, tmp_path):
    accepted = {"1.2.840.10008.5.1.4.1.1.7": ["LocalEndianExplicit"]}
    with StoreScp(tmp_path, accepted) as receiver:
        write(tmp_path / "home", receiver)
        done = run("pacs", "probe", "scp", "--home", tmp_path / "home")
        refused = run("pacs", "probe", "scp", "--store-phantom", "--home", tmp_path / "home")
    assert done.returncode == 0, done.stderr
    rows = dict(line.strip().split("  ", 1) for line in done.stdout.splitlines() if "  " in line.strip())
    assert rows["Secondary Capture"].strip() == "explicit"
    assert rows["Comprehensive 3D SR"].strip() == "none"
    assert "reports will be refused" in done.stdout
    proposed = tomllib.loads(done.stdout[done.stdout.index("[destination.scp]") :])
    assert Configuration.model_validate(proposed).destination["scp"].profile == "clinical"
    assert refused.returncode == 1
    assert "The phantom was not stored: STORESCP does not accept" in refused.stdout


def test_a_probe_of_nobody_is_a_sentence(run, tmp_path):
    class Nobody:
        ae_title, port = "NOBODY", free_port()

    write(tmp_path / "home", Nobody)
    done = run("pacs", "probe", "scp", "--home", tmp_path / "home")
    assert done.returncode == 1
    assert "NOBODY at" in done.stderr
    assert "is not reached" in done.stderr


def test_a_file_is_routed_for_a_look_and_nothing_is_kept(run, films, tmp_path):
    home = tmp_path / "home"
    home.mkdir()
    rule = '[[rule]]\nname = "room"\nsender = ["ROOM*"]\nmodels = ["one"]\nresults = "research"\n'
    (home / "pacs.toml").write_text(rule)
    words = ("pacs", "route", films / "film-1.dcm", "--home", home)
    done = run(*words, "--sender", "ROOM3")
    assert "models: one; results: research to this station. The rule “room” is the first" in done.stdout
    other = run(*words)
    assert (
        "every model for such images; results: clinical to this station. Not “room”: sender is"
        in other.stdout
    )
    assert [path.name for path in home.iterdir()] == ["pacs.toml"]
