"""Everything under /dicom-web: for signed-in browsers and access tokens."""

from fastapi import APIRouter, Depends

from camlucida.web import access
from camlucida.web.dicomweb import rendered, retrieve, search, store
from camlucida.web.dicomweb.addresses import PREFIX

router = APIRouter(prefix=PREFIX, dependencies=[Depends(access.must_read)])
for part in (search, rendered, retrieve, store):
    router.include_router(part.router)
