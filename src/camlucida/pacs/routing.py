"""What is to become of an image that arrived: the first rule of pacs.toml whose conditions hold decides.

A pure function of the rules and of what the image's header says, so that it can be tried out.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any, NamedTuple

from pydicom.datadict import tag_for_keyword

from camlucida.dicom.read import DERIVED_OBJECTS
from camlucida.pacs.configuration import Configuration, Profile, Rule

NO_IMAGE = "It holds no image."
OWN = "camlucida"  # Manufacturer (0008,0070) of what we write
OWN_RESULT = "It is a result of camlucida."
CONDITIONS = {
    "modality": "Modality",
    "body_part": "BodyPartExamined",
    "view": "ViewPosition",
    "manufacturer": "Manufacturer",
    "study_description": "StudyDescription",
    "series_description": "SeriesDescription",
}
"""A rule's conditions and the attributes that they look at; `sender` is who sent it."""


class Results(NamedTuple):
    """Result objects that are wanted: which, and for whom; no destination: they are kept here only."""

    profile: Profile
    destination: str


@dataclass(frozen=True, slots=True)
class Decision:
    """What is to become of an image, and why."""

    rule: str  # the name of the rule that decides; empty: none holds, so everything that can be done is
    models: tuple[str, ...] | None  # names, or None: every registered model that is for such images
    not_for_us: str  # the reason why it is kept and not explained; empty: it is for us
    results: tuple[Results, ...]
    why: str  # a sentence to show to the user: it quotes the header


class Facts(NamedTuple):
    """What rules look at."""

    modality: str
    body_part: str
    view: str
    manufacturer: str
    study_description: str
    series_description: str
    sender: str


def facts(header: Mapping[str, Any], sender: str) -> Facts:
    """What rules look at, of an instance's searched header (DICOM JSON) and its sender."""
    return Facts._make([*(value(header, keyword) for keyword in CONDITIONS.values()), sender])


def not_an_image(sop_class_uid: str, header: Mapping[str, Any]) -> str:
    """Why an instance is no image that a model could look at; empty where it may be one."""
    if value(header, "Manufacturer") == value(header, "ManufacturerModelName") == OWN:
        return OWN_RESULT
    if sop_class_uid in DERIVED_OBJECTS:
        return f"It holds {DERIVED_OBJECTS[sop_class_uid]}, not an image."
    return "" if value(header, "Rows") and value(header, "Columns") else NO_IMAGE


def decide(configuration: Configuration, found: Facts) -> Decision:
    """The first rule whose conditions all hold decides; where none does, all models, and clinical results."""
    passed_over: list[str] = []
    for rule in configuration.rule:
        failing = next(_failing(rule, found), None)
        if failing is None:
            why = f"The rule “{rule.name}” is the first whose conditions hold."
            return _decision(configuration, rule, " ".join([*passed_over, why]))
        passed_over.append(f"Not “{rule.name}”: {failing}.")
    why = "No rule holds, so every model that is for such images is asked."
    return Decision("", None, "", (Results("clinical", ""),), " ".join([*passed_over, why]))


def value(header: Mapping[str, Any], keyword: str) -> str:
    """An attribute of a DICOM JSON header as text; several values are joined as in DICOM, by a backslash."""
    values = header.get(f"{tag_for_keyword(keyword):08X}", {}).get("Value", [])
    return "\\".join(str(one) for one in values if one is not None)


def _decision(configuration: Configuration, rule: Rule, why: str) -> Decision:
    if rule.not_for_us:
        return Decision(rule.name, None, rule.not_for_us, (), why)
    return Decision(rule.name, rule.models, "", tuple(_results(configuration, rule)), why)


def _results(configuration: Configuration, rule: Rule) -> Iterator[Results]:
    if rule.results == "none":
        return
    if not rule.send_to:
        yield Results(rule.results or "clinical", "")
    for name in rule.send_to:
        yield Results(rule.results or configuration.destination[name].profile, name)


def _failing(rule: Rule, found: Facts) -> Iterator[str]:
    """The conditions of a rule that do not hold, in words."""
    for name, has in found._asdict().items():
        accepted: Sequence[str] = getattr(rule, name)
        if accepted and not any(_matches(has, pattern) for pattern in accepted):
            yield f"{name} is “{has}”, not {' or '.join(f'“{pattern}”' for pattern in accepted)}"


def _matches(has: str, pattern: str) -> bool:
    return fnmatchcase(has.casefold(), pattern.casefold().replace("[", "[[]"))
