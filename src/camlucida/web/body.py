"""A request's JSON body, bounded, as a record; what is wrong with it is said without quoting it."""

from collections.abc import Awaitable, Callable
from typing import TypeVar

from fastapi import HTTPException, Request
from pydantic import BaseModel, ValidationError

Record = TypeVar("Record", bound=BaseModel)


def bounded(record: type[Record], most: int) -> Callable[[Request], Awaitable[Record]]:
    """A dependency that gives the body as `record`: 413 beyond `most` bytes, 422 where a field is wrong."""

    async def read(request: Request) -> Record:
        content = bytearray()
        async for chunk in request.stream():
            content += chunk
            if len(content) > most:
                raise HTTPException(413, f"This request is larger than {most} bytes.")
        return _checked(record, bytes(content))

    return read


def _checked(record: type[Record], content: bytes) -> Record:
    try:
        return record.model_validate_json(content)
    except ValidationError as error:
        known = set(record.model_fields)
        # A field of another name is the sender's word and is not said again.
        places = {str(one["loc"][0]) if one["loc"] else "the body" for one in error.errors()}
        named = sorted(place if place in known else "the body" for place in places)
        raise HTTPException(422, f"This request cannot be read: {', '.join(dict.fromkeys(named))}.") from None
