"""``GET /reports/{report_name}``: the HTML report of a run."""

from __future__ import annotations

import errno
import os
import re
import stat
from pathlib import Path
from typing import Annotated

from fastapi import APIRouter
from fastapi import Path as InPath
from starlette.responses import Response

from jobchurn.access import Scope
from jobchurn.api.door import TheDoor
from jobchurn.api.permits import needs
from jobchurn.api.problems import documented
from jobchurn.contract import shown
from jobchurn.errors import NotFound, NotReady

router = APIRouter(tags=["ingestion"])

_NAME = re.compile(r"[0-9A-Za-z][0-9A-Za-z-]{0,99}\.html")

_POLICY = (
    "sandbox; default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; "
    "form-action 'none'; frame-ancestors 'none'"
)
"""A report shows what stood in a file: whatever that was, it runs nothing and loads nothing."""


@router.get(
    "/reports/{report_name}",
    summary="Read a report",
    response_class=Response,
    responses={
        200: {"content": {"text/html": {"schema": {"type": "string"}}}},
        **documented(404, 503),
    },
)
@needs(Scope.READ)
async def get_report(
    report_name: Annotated[
        str,
        InPath(
            description="The run's id and `.html`.",
            json_schema_extra={"pattern": f"^{_NAME.pattern}$"},
        ),
    ],
    door: TheDoor,
) -> Response:
    """The report that checking a file left, under the run's id: `RUN.html`."""
    page = await door.workers.run(_read, door.services.folders.reports, report_name)
    return Response(
        page,
        media_type="text/html; charset=utf-8",
        headers={"Content-Security-Policy": _POLICY, "Accept-Ranges": "none"},
    )


def _read(folder: Path, name: str) -> bytes:
    """The bytes of a report: a regular file of this folder, and nothing that leads out of it."""
    page = _regular(folder / name) if _NAME.fullmatch(name) else None
    if page is None:
        raise NotFound(
            f"There is no report {shown(name)}.", "GET /ingestion-runs names the reports there are."
        )
    return page


def _regular(path: Path) -> bytes | None:
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        if error.errno in (errno.ELOOP, errno.ENXIO):  # a symbolic link, a socket
            return None
        # To a client it is one cure, whatever the machine says: the service cannot read its own.
        raise NotReady(
            f"The report cannot be read: {error.strerror}.",
            "Let the API's user read the folder of reports.",
        ) from error
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            return None
        with os.fdopen(descriptor, "rb", closefd=False) as file:
            return file.read()
    finally:
        os.close(descriptor)
