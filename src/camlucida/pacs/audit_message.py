"""Events of the audit trail as DICOM audit messages (PS3.15 A.5), for the hospital's audit repository.

What a repository asks about is told: who has opened, brought in, sent or taken away studies, signed in, and
changed users, settings and models. Each change of a view is not: the trail itself has those.
"""

import base64
import re
import socket
from collections.abc import Iterator, Mapping
from typing import NamedTuple
from xml.etree.ElementTree import Element, SubElement, tostring

from camlucida.records import Event, EventKind
from camlucida.store.audit.events import STATION

NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
SENT_HERE = frozenset({"c-store", "stow-rs", "fetched"})
AUDIT_TRAIL = "audit trail"  # what an export of it says


class Code(NamedTuple):
    """A code of DICOM's own scheme."""

    value: str
    meaning: str


APPLICATION_ACTIVITY = Code("110100", "Application Activity")
AUDIT_LOG_USED = Code("110101", "Audit Log Used")
ACCESSED = Code("110103", "DICOM Instances Accessed")
TRANSFERRED = Code("110104", "DICOM Instances Transferred")
DELETED = Code("110105", "DICOM Study Deleted")
EXPORT = Code("110106", "Export")
IMPORT = Code("110107", "Import")
SECURITY_ALERT = Code("110113", "Security Alert")
USER_AUTHENTICATION = Code("110114", "User Authentication")
START = Code("110120", "Application Start")
STOP = Code("110121", "Application Stop")
LOGIN = Code("110122", "Login")
LOGOUT = Code("110123", "Logout")
SOFTWARE_CONFIGURATION = Code("110131", "Software Configuration")
USER_SECURITY = Code("110137", "User Security Attributes Changed")
APPLICATION = Code("110150", "Application")
DESTINATION = Code("110152", "Destination Role ID")
SOURCE = Code("110153", "Source Role ID")
STUDY_UID = Code("110180", "Study Instance UID")
PATIENT_NUMBER = "2"  # RFC 3881 5.5.4
URI = "12"


class What(NamedTuple):
    """How an event is told: its kind, action (C, R, U, D, E), type, and outcome (0: success)."""

    event: Code
    action: str
    type: Code | None = None
    outcome: str = "0"


WHAT: Mapping[EventKind, What] = {
    EventKind.OPENED: What(ACCESSED, "R"),
    EventKind.FLAGGED: What(ACCESSED, "U"),
    EventKind.JUDGED: What(ACCESSED, "U"),
    EventKind.RESOLVED: What(ACCESSED, "U"),
    EventKind.EXPLAINED: What(ACCESSED, "R"),
    EventKind.IMPORTED: What(IMPORT, "C"),
    EventKind.RESTORED: What(IMPORT, "C"),
    EventKind.EXPORTED: What(EXPORT, "R"),
    EventKind.BACKED_UP: What(EXPORT, "R"),
    EventKind.SENT: What(TRANSFERRED, "R"),
    EventKind.RETRIEVED: What(TRANSFERRED, "R"),
    EventKind.PRUNED: What(DELETED, "D"),
    EventKind.SIGNED_IN: What(USER_AUTHENTICATION, "E", LOGIN),
    EventKind.SIGNED_OUT: What(USER_AUTHENTICATION, "E", LOGOUT),
    EventKind.SIGN_IN_REFUSED: What(USER_AUTHENTICATION, "E", LOGIN, "4"),
    EventKind.USER_CHANGED: What(SECURITY_ALERT, "E", USER_SECURITY),
    EventKind.TOKEN_CHANGED: What(SECURITY_ALERT, "E", USER_SECURITY),
    EventKind.SETTING_CHANGED: What(SECURITY_ALERT, "E", SOFTWARE_CONFIGURATION),
    EventKind.MODEL_CHANGED: What(SECURITY_ALERT, "E", SOFTWARE_CONFIGURATION),
}


class Subject(NamedTuple):
    """The study of an event, as it is kept now."""

    study_instance_uid: str
    patient_id: str = ""  # "": is not told


def message(number: int, event: Event, who: str, subject: Subject | None) -> bytes | None:
    """An event as XML, in UTF-8; None: it is not told. `number` is its place in the trail.

    Parameters
    ----------
    number
        The event's number, which the message has as a detail.
    event, who
        What happened, and who did it.
    subject
        The study, if it has one that is still kept.
    """
    what = _what(event)
    if what is None:
        return None
    root = _root(what, event.happened.isoformat(timespec="milliseconds"))
    for participant in _participants(event, who):
        _participant(root, *participant)
    _source(root)
    if what.event is AUDIT_LOG_USED:
        _object(root, "camlucida:audit", ("2", "13"), URI, "Security Audit Log", number)
    elif subject is not None:
        _object(root, subject.study_instance_uid, ("2", "3"), STUDY_UID, event.study, number)
        if subject.patient_id:
            _object(root, subject.patient_id, ("1", "1"), PATIENT_NUMBER, "", number)
    elif event.kind in {EventKind.SETTING_CHANGED, EventKind.MODEL_CHANGED}:
        name = str(event.view.get("name", ""))
        _object(root, name, ("2", "13"), URI, name, number)
    return _written(root)


def activity(happened: str, *, start: bool) -> bytes:
    """Application Activity (A.5.3.1): the telling of the trail has begun, or ends."""
    root = _root(What(APPLICATION_ACTIVITY, "E", START if start else STOP), happened)
    _participant(root, STATION, False, APPLICATION)
    _source(root)
    return _written(root)


def _what(event: Event) -> What | None:
    what = WHAT.get(event.kind)
    if event.kind is EventKind.EXPORTED and event.view.get("what") == AUDIT_TRAIL:
        return What(AUDIT_LOG_USED, "R")
    if event.kind is EventKind.IMPORTED and event.view.get("origin") in SENT_HERE:
        return What(TRANSFERRED, "C")
    if event.kind is EventKind.EXPLAINED and event.view.get("state") != "done":
        return None
    if event.kind is EventKind.PRUNED and not event.study:  # no study of its own: the rule of retention ran
        return What(SECURITY_ALERT, "E", SOFTWARE_CONFIGURATION)
    return what


def _participants(event: Event, who: str) -> Iterator[tuple[str, bool, Code | None]]:
    """User, whether it was his wish, and role."""
    if who == STATION:
        yield STATION, True, _role(event)
    else:
        yield who, True, DESTINATION if event.kind is EventKind.RETRIEVED else None
        yield STATION, False, _role(event)
    if event.kind is EventKind.SENT:
        yield str(event.view.get("destination", "")), False, DESTINATION
    elif event.kind is EventKind.EXPORTED:
        yield "files", False, DESTINATION
    elif event.kind is EventKind.IMPORTED:
        yield str(event.view.get("sender") or event.view.get("origin", "")), False, SOURCE


def _role(event: Event) -> Code:
    """What the station is in it."""
    if event.kind in {EventKind.SENT, EventKind.RETRIEVED, EventKind.EXPORTED}:
        return SOURCE
    return DESTINATION if event.kind is EventKind.IMPORTED else APPLICATION


def _root(what: What, happened: str) -> Element:
    root = Element("AuditMessage")
    identification = SubElement(
        root,
        "EventIdentification",
        EventActionCode=what.action,
        EventDateTime=happened,
        EventOutcomeIndicator=what.outcome,
    )
    _code(identification, "EventID", what.event)
    if what.type is not None:
        _code(identification, "EventTypeCode", what.type)
    return root


def _participant(root: Element, user: str, requestor: bool, role: Code | None) -> None:
    named = {"UserID": _text(user), "UserIsRequestor": "true" if requestor else "false"}
    participant = SubElement(root, "ActiveParticipant", named)
    if role is not None:
        _code(participant, "RoleIDCode", role)


def _source(root: Element) -> None:
    source = SubElement(root, "AuditSourceIdentification", AuditSourceID=f"camlucida@{socket.gethostname()}")
    SubElement(source, "AuditSourceTypeCode", {"csd-code": "4"})  # an application server process


def _object(
    root: Element, identifier: str, kind: tuple[str, str], type_code: Code | str, name: str, number: int
) -> None:
    """An object that has a part: `kind` is its type and its role."""
    thing = SubElement(
        root,
        "ParticipantObjectIdentification",
        ParticipantObjectID=_text(identifier),
        ParticipantObjectTypeCode=kind[0],
        ParticipantObjectTypeCodeRole=kind[1],
    )
    if isinstance(type_code, Code):
        _code(thing, "ParticipantObjectIDTypeCode", type_code)
    else:
        meaning = {PATIENT_NUMBER: "Patient Number", URI: "URI"}[type_code]
        _coded(thing, "ParticipantObjectIDTypeCode", type_code, "RFC-3881", meaning)
    SubElement(thing, "ParticipantObjectName").text = _text(name)
    value = base64.b64encode(str(number).encode()).decode()
    SubElement(thing, "ParticipantObjectDetail", type="event of the trail", value=value)


def _code(parent: Element, name: str, code: Code) -> None:
    _coded(parent, name, code.value, "DCM", code.meaning)


def _coded(parent: Element, name: str, value: str, scheme: str, meaning: str) -> None:
    SubElement(parent, name, {"csd-code": value, "codeSystemName": scheme, "originalText": meaning})


def _text(text: str) -> str:
    """What XML takes of it."""
    return NOT_XML.sub("\N{REPLACEMENT CHARACTER}", text)


def _written(root: Element) -> bytes:
    content: bytes = tostring(root, "utf-8")
    return b'<?xml version="1.0" encoding="UTF-8"?>' + content
