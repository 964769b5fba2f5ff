"""What is known of a DICOM instance from its header."""

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class InstanceHeader:
    """Who an instance is, and what is searched of it; the pixel data has not been looked at.

    `attributes` is DICOM JSON (PS3.18 F.2) of the attributes in `camlucida.dicom.header.SEARCHED`: it holds
    the patient. `content_offset` is where in the file the data set begins, behind the file meta group.
    """

    sop_class_uid: str
    sop_instance_uid: str
    study_instance_uid: str
    series_instance_uid: str
    transfer_syntax_uid: str
    attributes: dict[str, Any]
    content_offset: int
