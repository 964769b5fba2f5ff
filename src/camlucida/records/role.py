"""What somebody is to the station; what each may do is the table in `web/rights.py`."""

from enum import StrEnum


class Role(StrEnum):
    """A person or a program may have several."""

    READER = "reader"  # looks at studies and maps, flags, agrees, asks for explanations
    SCIENTIST = "scientist"  # resolves flags and takes them away as masks
    AUDITOR = "auditor"  # reads the audit trail, and changes nothing
    OPERATOR = "operator"  # stores studies, sees to the work and its failures
    ADMIN = "admin"  # everything, users and tokens among it
