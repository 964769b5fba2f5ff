"""A probe says what a receiver really takes."""

import pytest

from camlucida.errors import NotReached
from camlucida.pacs import probe
from camlucida.pacs.configuration import DicomWeb, Dimse
from camlucida.pacs.verdict import Fate
from orthanc import HOST, free_port
from storescp import StoreScp


def node(receiver):
    port = getattr(receiver, "dicom_port", None) or receiver.port
    return Dimse(kind="dimse", ae_title=receiver.ae_title, host=HOST, port=port)


def uid(name):
    return str(probe.OBJECTS[name][1])


def test_orthanc_takes_everything_both_ways_and_finds_the_phantom(orthanc):
    for destination in (node(orthanc), DicomWeb(kind="dicomweb", url=orthanc.dicomweb_url)):
        assert "answers" in probe.reach(destination)
        verdict, found = probe.store_phantom(destination)
        assert (verdict.fate, found) == (Fate.KEPT, True)
    assert len(orthanc.stored()) == 1  # the same phantom
    table = probe.accepted(node(orthanc))
    assert set(table) == set(probe.OBJECTS)
    assert all({"explicit", "implicit", "JPEG 2000 lossless"} <= set(syntaxes) for syntaxes in table.values())


def test_a_limited_receiver_is_told_as_it_is(tmp_path):
    accepted = {
        uid("SC"): ["LocalEndianExplicit", "JPEGBaseline"],
        uid("CT"): ["LittleEndianImplicit"],
    }
    with StoreScp(tmp_path, accepted) as receiver:
        assert probe.reach(node(receiver)).startswith("It takes our association, and no C-ECHO")
        table = probe.accepted(node(receiver))
        verdict, found = probe.store_phantom(node(receiver))
    assert {name: syntaxes for name, syntaxes in table.items() if syntaxes} == {
        "SC": ["explicit", "JPEG"],
        "CT": ["implicit"],
    }
    assert (verdict.fate, found) == (Fate.NEVER, False)


def test_a_receiver_without_searches_keeps_the_phantom_all_the_same(tmp_path):
    with StoreScp(tmp_path) as receiver:
        verdict, found = probe.store_phantom(node(receiver))
        assert (verdict.fate, found) == (Fate.KEPT, False)
        assert len(receiver.received) == 1


@pytest.mark.parametrize(
    ("taken", "profile", "words"),
    [
        (probe.OBJECTS, "clinical", "It would take `research`, too"),
        (["SC", "SR"], "clinical", "takes Secondary Captures and reports"),
        (["SC", "CT"], "clinical", "reports will be refused"),
        (["SR"], "clinical", "Secondary Captures will be refused"),
        (["SR", "SEG", "PM"], "ohif", "no Secondary Captures"),
        (["CT", "MR"], None, "neither"),
    ],
)
def test_the_advice_follows_from_what_is_taken(taken, profile, words):
    advice = probe.advise(taken)
    assert advice.profile == profile
    assert words in " ".join(advice.reasons)


def test_nobody_there_is_a_sentence():
    with pytest.raises(NotReached, match="is not reached: nobody answers"):
        probe.reach(Dimse(kind="dimse", ae_title="GONE", host=HOST, port=free_port()))
