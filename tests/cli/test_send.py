"""Results go to a real PACS, and what came of it is told."""

from camlucida import pipeline
from camlucida.store.home import Home
from camlucida.store.studies import StudyRow
from camlucida.store.tables import DeliveryRow, ExplanationRow, InstanceRow
from orthanc import HOST, free_port


def keys(folder):
    home = Home.open(folder)
    with home.database.read() as session:
        found = [row.key for row in session.query(StudyRow)]
    home.close()
    return found


def configure(folder, orthanc, gone=0):
    (folder / "pacs.toml").write_text(
        f"""
        [destination.archive]
        kind = "dimse"
        ae_title = "ORTHANC"
        host = "{HOST}"
        port = {orthanc.dicom_port}
        [destination.web]
        kind = "dicomweb"
        url = "{orthanc.dicomweb_url}"
        [destination.gone]
        kind = "dimse"
        ae_title = "GONE"
        host = "{HOST}"
        port = {gone or free_port()}
        """
    )


def test_results_and_originals_are_sent_both_ways_and_are_the_same_objects(run, full_home, orthanc):
    configure(full_home, orthanc)
    key = keys(full_home)[0]
    done = run("send", key[:8], "--to", "archive", "--originals", "--home", full_home)
    assert done.returncode == 0, done.stderr + done.stdout
    assert "Comprehensive 3D SR" in done.stdout
    assert "Digital X-Ray" in done.stdout
    assert "sent" in done.stdout
    first = sorted(orthanc.stored())
    assert len(first) >= 2
    done = run("send", key[:8], "--to", "web", "--originals", "--home", full_home)
    assert done.returncode == 0, done.stderr + done.stdout
    assert sorted(orthanc.stored()) == first
    assert "PHANTOM" not in (done.stdout + done.stderr).upper().replace("PHANTOM CHEST", "")


def test_a_dry_run_writes_and_asks_nothing(run, full_home, orthanc):
    configure(full_home, orthanc)
    done = run("send", keys(full_home)[0], "--to", "archive", "--dry-run", "--home", full_home)
    assert done.returncode == 0, done.stderr
    assert "Would be sent to archive" in done.stdout
    assert "SR" in done.stdout
    assert orthanc.stored() == []
    assert "Deliveries: none" in run("pacs", "show", "--home", full_home).stdout


def test_what_cannot_be_sent_waits_and_is_told(run, full_home, orthanc):
    configure(full_home, orthanc)
    done = run("send", keys(full_home)[0], "--to", "gone", "--home", full_home)
    assert done.returncode == 1
    assert "waiting" in done.stdout
    assert "is not reached" in done.stdout
    shown = run("pacs", "show", "--home", full_home)
    assert "waiting" in shown.stdout
    assert "GONE at" in shown.stdout
    assert "to be sent now" in run("pacs", "retry", "--to", "gone", "--home", full_home).stdout


def test_sending_can_be_left_to_the_station(run, full_home, orthanc):
    configure(full_home, orthanc)
    done = run("send", keys(full_home)[0], "--to", "archive", "--no-wait", "--home", full_home)
    assert done.returncode == 0, done.stderr
    assert "the running station sends them" in done.stdout
    assert orthanc.stored() == []


def test_what_a_reader_has_tried_is_sent_where_its_method_is_named(run, full_home, orthanc):
    configure(full_home, orthanc)
    home = Home.open(full_home)
    current = pipeline.current_models(home)
    pipeline.want(home, current, "hirescam")
    assert {outcome.state for outcome in pipeline.explain_wanted(home, current)} == {"done"}

    def sent(*words):
        done = run("send", keys(full_home)[0], "--to", "gone", "--no-wait", *words, "--home", full_home)
        assert done.returncode == 0, done.stderr
        with home.database.read() as session:
            rows = session.query(DeliveryRow).join(InstanceRow)
            return {session.get_one(ExplanationRow, row.instance.explanation_id).method for row in rows}

    assert sent() == {"grad-cam"}
    assert sent("--method", "hirescam") == {"grad-cam", "hirescam"}
    home.close()


def test_an_unknown_study_or_destination_is_a_sentence(run, full_home, orthanc):
    configure(full_home, orthanc)
    done = run("send", "SECRET-ID", "--to", "archive", "--home", full_home)
    assert done.returncode == 1
    assert "SECRET-ID" not in done.stderr
    done = run("send", keys(full_home)[0], "--to", "archiv", "--home", full_home)
    assert "no destination “archiv”; there are: archive, web, gone" in done.stderr
