"""Handing out files: by links that we signed, and for routes that have asked who it is."""

from __future__ import annotations

from datetime import timedelta
from mimetypes import guess_type
from typing import Annotated

from fastapi import APIRouter, Query
from fastapi.responses import RedirectResponse, Response, StreamingResponse

from insightdesk.kit import clock
from insightdesk.kit.errors import NotFound, Unavailable
from insightdesk.reports.storage import BadKey, FileMissing, StorageFailed, storage, verify_link
from insightdesk.settings import get_settings

router = APIRouter(tags=["reports"])

_DIRECT_LIFETIME = timedelta(minutes=1)
# A browser saves what it gets here; if it shows it nevertheless, nothing in it runs.
_HEADERS = {
    "Cache-Control": "private, no-store",
    "Content-Security-Policy": "sandbox; default-src 'none'",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}


@router.get("/files/{key:path}", response_class=Response)
async def get_file(
    key: str,
    name: Annotated[str, Query(max_length=200)],
    expires: Annotated[int, Query(ge=0, lt=2**40)],
    signature: Annotated[str, Query(max_length=200)],
) -> Response:
    """A file, for whoever holds a link that we signed, until it expires."""
    secret = get_settings().secret.get_secret_value()
    verify_link(secret, key, name=name, expires=expires, signature=signature, now=clock.now())
    return await send_file(key, name)


async def send_file(key: str, name: str) -> Response:
    """Answer with a file as a download, from its first byte on while the rest is read."""
    files = storage()
    try:
        if get_settings().storage_direct and (url := await files.presign(key, _DIRECT_LIFETIME)):
            return RedirectResponse(url, 303, {"Cache-Control": "no-store", "Referrer-Policy": "no-referrer"})
        found, content = await files.get(key)
    except (BadKey, FileMissing):
        raise NotFound("there is no such file; it may have expired") from None
    except StorageFailed:
        raise Unavailable("the file storage cannot be reached; try again shortly") from None
    headers = {
        **_HEADERS,
        "Content-Disposition": f'attachment; filename="{name}"',
        "Content-Length": str(found.size),
    }
    media_type = guess_type(name)[0] or "application/octet-stream"
    return StreamingResponse(content, media_type=media_type, headers=headers)
