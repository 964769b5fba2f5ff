"""Who may do what: one right for each route, and the rights of each role.

A route that is not in the table is refused to everybody. `access.must_have_right` keeps both tables, before
any route is entered.
"""

from collections.abc import Iterable, Mapping
from enum import StrEnum

from camlucida.records.role import Role


class Right(StrEnum):
    """What a route lets somebody do."""

    ANYBODY = "be there, signed in or not"  # nothing that is kept is shown
    SIGN_IN = "sign in"  # anybody, and not too often
    ENTER = "be signed in"  # nothing of a patient is shown
    READ = "look at studies and maps"
    RECORD = "have kept what was looked at"
    REMARK = "flag maps and agree with findings"
    ASK = "ask for explanations"
    RESOLVE = "resolve flags and take them away"
    STORE = "store studies"
    WORK = "try again and cancel what the station does"
    WATCH = "read the station's figures"


CHANGING = frozenset({Right.RECORD, Right.REMARK, Right.ASK, Right.RESOLVE, Right.STORE, Right.WORK})
"""What changes something is taken from the station's own pages, or with a token, only."""

ROLES: Mapping[Role, frozenset[Right]] = {
    Role.READER: frozenset({Right.READ, Right.RECORD, Right.REMARK, Right.ASK}),
    Role.SCIENTIST: frozenset({Right.READ, Right.RECORD, Right.REMARK, Right.ASK, Right.RESOLVE}),
    Role.AUDITOR: frozenset({Right.READ, Right.RECORD, Right.WATCH}),
    Role.OPERATOR: frozenset({Right.STORE, Right.WORK, Right.WATCH}),
    Role.ADMIN: frozenset(Right),
}
"""Beside `ANYBODY`, `SIGN_IN`, and `ENTER`, which whoever is signed in has. `RECORD` goes with `READ`: who
looks is recorded."""

_INSTANCE = "/dicom-web/studies/{study}/series/{series}/instances/{instance}"

ROUTES: Mapping[str, Right] = {
    # Signing in, and what is the same for everybody
    "GET /sign-in": Right.SIGN_IN,
    "POST /sign-in": Right.SIGN_IN,
    "POST /sign-out": Right.ENTER,
    "GET /camlucida-ohif.js": Right.ANYBODY,
    # How the station is: figures without patients
    "GET /healthz": Right.ANYBODY,
    "GET /readyz": Right.ANYBODY,
    "GET /metrics": Right.ANYBODY,  # of this machine; others are asked for `WATCH` by it
    # Pages: what they show, they ask for below
    "GET /": Right.ENTER,
    "GET /ohif": Right.ENTER,
    "GET /ohif/{path:path}": Right.ENTER,
    "GET /api/about": Right.ENTER,
    "GET /api/me": Right.ENTER,
    # Studies and their evidence
    "GET /api/studies": Right.READ,
    "GET /api/studies/choices": Right.READ,
    "POST /api/studies/search": Right.READ,
    "GET /api/studies/{key}": Right.READ,
    "GET /api/studies/{key}/same-patient": Right.READ,
    "GET /api/images/{key}": Right.READ,
    "GET /api/images/{key}/pixels": Right.READ,
    "GET /api/images/{key}/thumbnail": Right.READ,
    "GET /api/images/{key}/methods": Right.READ,
    "GET /api/explanations/{key}": Right.READ,
    "GET /api/explanations/{key}/values": Right.READ,
    "GET /api/explanations/{key}/priors": Right.READ,
    "POST /api/find": Right.READ,
    "GET /api/models": Right.READ,
    "GET /api/sheet": Right.READ,
    "POST /api/sheet": Right.READ,
    # What readers do
    "POST /api/events": Right.RECORD,
    "GET /api/explanations/{key}/flags": Right.READ,
    "POST /api/explanations/{key}/flags": Right.REMARK,
    "GET /api/explanations/{key}/opinions": Right.READ,
    "POST /api/explanations/{key}/opinions": Right.REMARK,
    "GET /api/flags": Right.READ,
    "GET /api/flags/counts": Right.READ,
    "GET /api/flags/{number}/picture": Right.READ,
    "GET /api/flags/{number}/resolutions": Right.READ,
    "POST /api/flags/{number}/resolutions": Right.RESOLVE,
    "POST /api/images/{key}/explanations": Right.ASK,
    "POST /api/explanations/{key}/again": Right.ASK,
    "POST /api/explanations/{key}/cancel": Right.ASK,
    # The work of the station
    "GET /api/jobs": Right.ENTER,
    "GET /api/status": Right.ENTER,
    "POST /api/jobs/again": Right.WORK,
    "POST /api/jobs/{key}/cancel": Right.WORK,
    # DICOMweb
    "GET /dicom-web/studies": Right.READ,
    "GET /dicom-web/series": Right.READ,
    "GET /dicom-web/instances": Right.READ,
    "GET /dicom-web/studies/{study}/series": Right.READ,
    "GET /dicom-web/studies/{study}/instances": Right.READ,
    "GET /dicom-web/studies/{study}/series/{series}/instances": Right.READ,
    "GET /dicom-web/studies/{study}": Right.READ,
    "GET /dicom-web/studies/{study}/series/{series}": Right.READ,
    f"GET {_INSTANCE}": Right.READ,
    "GET /dicom-web/studies/{study}/metadata": Right.READ,
    "GET /dicom-web/studies/{study}/series/{series}/metadata": Right.READ,
    f"GET {_INSTANCE}/metadata": Right.READ,
    f"GET {_INSTANCE}/bulkdata/{{place:path}}": Right.READ,
    f"GET {_INSTANCE}/frames/{{numbers}}": Right.READ,
    f"GET {_INSTANCE}/frames/{{number}}/rendered": Right.READ,
    f"GET {_INSTANCE}/frames/{{number}}/thumbnail": Right.READ,
    f"GET {_INSTANCE}/rendered": Right.READ,
    f"GET {_INSTANCE}/thumbnail": Right.READ,
    "GET /dicom-web/studies/{study}/series/{series}/thumbnail": Right.READ,
    "GET /dicom-web/studies/{study}/thumbnail": Right.READ,
    "POST /dicom-web/studies": Right.STORE,
    "POST /dicom-web/studies/{study}": Right.STORE,
}
"""`METHOD /pattern`, as the application has it; `web/static`, the viewer's code, is anybody's."""


def of_route(method: str, pattern: str) -> Right | None:
    """The right that a route asks for; None: it is not in the table."""
    return ROUTES.get(f"{method} {pattern}")


def of_roles(roles: Iterable[Role]) -> frozenset[Right]:
    """What somebody with these roles, who is signed in, may do."""
    return frozenset({Right.ANYBODY, Right.SIGN_IN, Right.ENTER}).union(*(ROLES[role] for role in roles))


def roles_with(right: Right) -> list[Role]:
    """The roles that have a right, as they stand in the table."""
    return [role for role, rights in ROLES.items() if right in rights]
