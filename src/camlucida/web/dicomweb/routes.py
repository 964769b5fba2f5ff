"""Everything under /dicom-web."""

from fastapi import APIRouter

from camlucida.web.dicomweb import rendered, retrieve, search, store
from camlucida.web.dicomweb.addresses import PREFIX

router = APIRouter(prefix=PREFIX)
for part in (search, rendered, retrieve, store):
    router.include_router(part.router)
