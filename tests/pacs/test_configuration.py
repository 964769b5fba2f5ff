import pytest
from structlog.testing import capture_logs

from camlucida.errors import InvalidConfiguration
from camlucida.pacs.configuration import (
    FILE,
    LARGEST,
    Configuration,
    ConfigurationFile,
    read_configuration,
)

WHOLE = """
[listen]
ae_title = "HEAT"
host = "127.0.0.1"
port = 4242
peers = [{ ae_title = "MODALITY", address = "127.0.0.1" }]
quiet_seconds = 2.5

[destination.pacs]
kind = "dimse"
ae_title = "PACS"
host = "10.0.0.1"
port = 104

[destination.archive]
kind = "dicomweb"
url = "https://archive.example/dicom-web"
token_variable = "ARCHIVE_TOKEN"
profile = "research"

[[rule]]
name = "hands"
body_part = ["HAND", "WRIST"]
not_for_us = "No model here knows hands."

[[rule]]
name = "chest"
modality = ["DX", "CR"]
models = ["phantom-radiograph"]
send_to = ["pacs", "archive"]
"""


@pytest.fixture
def write(tmp_path):
    def write_it(content: str | bytes):
        (tmp_path / FILE).write_bytes(content if isinstance(content, bytes) else content.encode())
        return tmp_path

    return write_it


def test_without_a_file_there_are_defaults_on_loopback(tmp_path):
    found = read_configuration(tmp_path)
    assert found == Configuration()
    assert (found.listen.ae_title, found.listen.host, found.listen.port) == ("CAMLUCIDA", "127.0.0.1", 11112)


def test_everything_is_read(write):
    found = read_configuration(write(WHOLE))
    assert found.listen.peers[0].ae_title == "MODALITY"
    assert found.destination["archive"].profile == "research"
    assert [rule.name for rule in found.rule] == ["hands", "chest"]
    assert found.rule[1].send_to == ("pacs", "archive")


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("[listen\n", "is not TOML"),
        (b"\xff\xfe", "is not TOML"),
        ("[listen]\nprot = 1\n", "listen.prot: there is no such word"),
        ("[listen]\nport = 70000\n", "listen.port"),
        ('[listen]\nae_title = "LONGER THAN SIXTEEN"\n', "listen.ae_title"),
        ('[listen]\nae_title = "A\\\\B"\n', "listen.ae_title"),
        ('[destination.a]\nkind = "fax"\n', "destination.a"),
        ('[destination.a]\nkind = "dicomweb"\nurl = "https://user:secret@host/"\n', "destination.a"),
        ('[[rule]]\nname = "a"\nmodality = "DX"\n', "rule.0.modality"),
        ('[[rule]]\nname = "a"\nsend_to = ["nowhere"]\n', "“nowhere”, which is no destination"),
        ('[[rule]]\nname = "a"\n[[rule]]\nname = "a"\n', "more than one rule is called “a”"),
        ('[[rule]]\nname = "a"\nnot_for_us = "x"\nmodels = ["y"]\n', "not for us has no models"),
        ('[[rule]]\nname = "a"\nnot_for_us = "x"\nresults = "clinical"\n', "not for us has no models"),
        ("#" * (LARGEST + 1), "more than"),
    ],
)
def test_what_cannot_be_is_a_sentence_that_names_the_place(write, content, words):
    with pytest.raises(InvalidConfiguration) as raised:
        read_configuration(write(content))
    assert words in str(raised.value)
    assert "secret" not in str(raised.value)


def test_no_results_cannot_be_sent(write):
    rule = '[destination.a]\nkind = "dicomweb"\nurl = "http://h/"\n[[rule]]\nname = "a"\nresults = "none"\n'
    assert read_configuration(write(rule)).rule[0].results == "none"
    with pytest.raises(InvalidConfiguration, match="leaves nothing to send"):
        read_configuration(write(rule + 'send_to = ["a"]\n'))


def test_a_changed_file_is_read_again(write):
    followed = ConfigurationFile(write(""))
    assert followed.current() == Configuration()
    write(WHOLE)
    assert followed.current().listen.ae_title == "HEAT"
    (write("") / FILE).unlink()
    assert followed.current() == Configuration()


def test_a_file_that_becomes_invalid_changes_nothing_and_is_told_once(write):
    followed = ConfigurationFile(write(WHOLE))
    write("[listen")
    with capture_logs() as logged:
        assert followed.current().listen.ae_title == "HEAT"
        assert followed.current().listen.ae_title == "HEAT"
    assert [line["log_level"] for line in logged] == ["error"]
    write(WHOLE.replace("HEAT", "MAPS"))
    assert followed.current().listen.ae_title == "MAPS"


def test_what_is_no_file_is_told(write):
    folder = write(WHOLE)
    (folder / FILE).unlink()
    (folder / FILE).mkdir()
    with pytest.raises(InvalidConfiguration, match="cannot be read"):
        read_configuration(folder)
