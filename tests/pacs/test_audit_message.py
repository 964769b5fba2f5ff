# ruff: noqa: S314 - the messages are our own
import base64
from datetime import UTC, datetime
from xml.etree import ElementTree as ET

import pytest

from camlucida.pacs import audit_message
from camlucida.pacs.audit_message import Subject
from camlucida.records import Event, EventKind

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
STUDY = Subject("1.2.826.0.1", "ID-4711")
VIEWS = {
    EventKind.IMPORTED: {"origin": "c-store", "sender": "CT1"},
    EventKind.EXPLAINED: {"state": "done"},
    EventKind.SENT: {"destination": "archive"},
    EventKind.RETRIEVED: {"by": "dicomweb"},
    EventKind.EXPORTED: {"what": "results"},
    EventKind.SETTING_CHANGED: {"name": "port", "value": "1"},
    EventKind.MODEL_CHANGED: {"name": "m", "version": "1"},
}


def told(kind, who="ann", subject=STUDY, **fields):
    view = fields.pop("view", VIEWS.get(kind, {}))
    event = Event("k", kind, NOON, study="s1", view=view, **fields)
    return audit_message.message(7, event, who, subject)


# ---- the schema of PS3.15 A.5.1, as rules ----

CODED = ({"csd-code", "codeSystemName", "originalText"}, {"displayName"})
# The attributes that must be there and that may be, and the elements in their order: name, least, most.
RULES = {
    "AuditMessage": (
        (set(), set()),
        [
            ("EventIdentification", 1, 1),
            ("ActiveParticipant", 1, 99),
            ("AuditSourceIdentification", 1, 1),
            ("ParticipantObjectIdentification", 0, 99),
        ],
    ),
    "EventIdentification": (
        ({"EventDateTime", "EventOutcomeIndicator"}, {"EventActionCode"}),
        [("EventID", 1, 1), ("EventTypeCode", 0, 99), ("EventOutcomeDescription", 0, 1)],
    ),
    "ActiveParticipant": (
        (
            {"UserID", "UserIsRequestor"},
            {"AlternativeUserID", "UserName", "NetworkAccessPointID", "NetworkAccessPointTypeCode"},
        ),
        [("RoleIDCode", 0, 99), ("MediaIdentifier", 0, 1)],
    ),
    "AuditSourceIdentification": (
        ({"AuditSourceID"}, {"AuditEnterpriseSiteID"}),
        [("AuditSourceTypeCode", 0, 99)],
    ),
    "AuditSourceTypeCode": (({"csd-code"}, set()), []),
    "ParticipantObjectIdentification": (
        (
            {"ParticipantObjectID"},
            {
                "ParticipantObjectTypeCode",
                "ParticipantObjectTypeCodeRole",
                "ParticipantObjectDataLifeCycle",
                "ParticipantObjectSensitivity",
            },
        ),
        [
            ("ParticipantObjectIDTypeCode", 1, 1),
            ("ParticipantObjectName", 1, 1),
            ("ParticipantObjectDetail", 0, 99),
            ("ParticipantObjectDescription", 0, 99),
        ],
    ),
    "ParticipantObjectDetail": (({"type", "value"}, set()), []),
    "ParticipantObjectName": ((set(), set()), []),
    **dict.fromkeys(("EventID", "EventTypeCode", "RoleIDCode", "ParticipantObjectIDTypeCode"), (CODED, [])),
}
VALUES = {
    "EventActionCode": set("CRUDE"),
    "EventOutcomeIndicator": {"0", "4", "8", "12"},
    "UserIsRequestor": {"true", "false"},
    "ParticipantObjectTypeCode": set("1234"),
    "ParticipantObjectTypeCodeRole": {str(n) for n in range(1, 27)},
}


def check(element):
    (needed, allowed), children = RULES[element.tag]
    assert needed <= set(element.attrib) <= needed | allowed, element.tag
    for name, value in element.attrib.items():
        assert value in VALUES.get(name, {value}), (element.tag, name, value)
        assert value, (element.tag, name)
    names = [child.tag for child in element]
    order = [name for name, _, _ in children]
    assert names == sorted(names, key=order.index)
    for name, least, most in children:
        assert least <= names.count(name) <= most, (element.tag, name)
    for child in element:
        check(child)


@pytest.mark.parametrize("kind", audit_message.WHAT)
@pytest.mark.parametrize("who", ["ann", "station"])
def test_each_message_keeps_the_schema_s_rules(kind, who):
    check(ET.fromstring(told(kind, who)))
    without = told(kind, who, subject=None)
    check(ET.fromstring(without))


def test_the_start_and_the_end_are_told():
    for start, code in ((True, "110120"), (False, "110121")):
        root = ET.fromstring(audit_message.activity("2026-01-01T12:00:00.000+00:00", start=start))
        check(root)
        assert root.find("EventIdentification/EventID").get("csd-code") == "110100"
        assert root.find("EventIdentification/EventTypeCode").get("csd-code") == code


@pytest.mark.parametrize(
    ("kind", "view", "code", "action", "outcome"),
    [
        (EventKind.OPENED, {}, "110103", "R", "0"),
        (EventKind.IMPORTED, {"origin": "imported"}, "110107", "C", "0"),
        (EventKind.IMPORTED, {"origin": "stow-rs"}, "110104", "C", "0"),
        (EventKind.SENT, {"destination": "archive"}, "110104", "R", "0"),
        (EventKind.RETRIEVED, {"by": "dicomweb"}, "110104", "R", "0"),
        (EventKind.EXPORTED, {"what": "results"}, "110106", "R", "0"),
        (EventKind.EXPORTED, {"what": "audit trail"}, "110101", "R", "0"),
        (EventKind.PRUNED, {}, "110105", "D", "0"),
        (EventKind.SIGNED_IN, {}, "110114", "E", "0"),
        (EventKind.SIGN_IN_REFUSED, {}, "110114", "E", "4"),
        (EventKind.USER_CHANGED, {}, "110113", "E", "0"),
    ],
)
def test_the_codes_are_those_of_the_standard(kind, view, code, action, outcome):
    identification = ET.fromstring(told(kind, view=view)).find("EventIdentification")
    assert identification.find("EventID").get("csd-code") == code
    assert identification.get("EventActionCode") == action
    assert identification.get("EventOutcomeIndicator") == outcome
    assert identification.get("EventDateTime") == "2026-01-01T12:00:00.000+00:00"


def test_who_opened_which_study_is_told_with_the_event_s_number():
    root = ET.fromstring(told(EventKind.OPENED))
    user, station = root.findall("ActiveParticipant")
    assert (user.get("UserID"), user.get("UserIsRequestor")) == ("ann", "true")
    assert (station.get("UserID"), station.get("UserIsRequestor")) == ("station", "false")
    study, patient = root.findall("ParticipantObjectIdentification")
    assert study.get("ParticipantObjectID") == "1.2.826.0.1"
    assert base64.b64decode(study.find("ParticipantObjectDetail").get("value")) == b"7"
    assert patient.get("ParticipantObjectID") == "ID-4711"


def test_a_patient_who_is_not_to_be_told_is_not():
    assert b"4711" not in told(EventKind.OPENED, subject=Subject("1.2.826.0.1"))


@pytest.mark.parametrize(
    ("kind", "view"),
    [(EventKind.CHANGED, {}), (EventKind.LEFT, {}), (EventKind.EXPLAINED, {"state": "failed"})],
)
def test_what_a_repository_does_not_ask_for_stays_in_the_trail(kind, view):
    assert told(kind, view=view) is None


def test_what_xml_cannot_say_is_replaced():
    assert "a\N{REPLACEMENT CHARACTER}<b>" in [
        one.get("UserID") for one in ET.fromstring(told(EventKind.OPENED, "a\x00<b>"))
    ]
