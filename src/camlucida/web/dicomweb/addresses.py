"""The addresses under which the station says that things can be had."""

from fastapi import Request

from camlucida.settings import settings

PREFIX = "/dicom-web"
LEVELS = ("studies", "series", "instances")


def retrieve_url(request: Request, *uids: str) -> str:
    """Where a study, a series of it or an instance of that can be retrieved (0008,1190).

    Under the name by which the client reached the station, which Protection has checked; under the public
    one where a reverse proxy shows it.
    """
    base = settings().public_url or str(request.base_url).rstrip("/")
    steps = "".join(f"/{level}/{uid}" for level, uid in zip(LEVELS, uids, strict=False))
    return f"{base}{PREFIX}{steps}"
