"""Foreseen failures: each says what is wrong and what cures it.

A class's first docstring line is its title; ``status`` is the HTTP status that the API answers
with, ``exit_code`` what the command line ends with. Doors translate these and nothing else:
whatever is not a :class:`JobchurnError` is a fault of ours and is shown as one.
"""

from __future__ import annotations

import errno
import re
from collections.abc import Mapping
from typing import Any, ClassVar


class JobchurnError(Exception):
    """A foreseen failure.

    Attributes:
        message: what is wrong, in one sentence.
        cure: what to do about it, in one sentence; may be empty only where the message says it.
        details: further facts, made of JSON's types.
    """

    status: ClassVar[int] = 500
    exit_code: ClassVar[int] = 1

    def __init__(
        self, message: str, cure: str = "", details: Mapping[str, Any] | None = None
    ) -> None:
        super().__init__(f"{message} {cure}".strip())
        self.message = message
        self.cure = cure
        self.details = dict(details or {})

    @property
    def title(self) -> str:
        """The kind of failure, in a few words."""
        return (type(self).__doc__ or "").strip().splitlines()[0].rstrip(".")

    @property
    def slug(self) -> str:
        """The kind of failure, as an identifier: the last part of a problem's type."""
        return re.sub(r"(?<!^)(?=[A-Z])", "-", type(self).__name__).lower()


class InvalidSettings(JobchurnError):
    """A setting cannot be used."""

    exit_code = 2


class InvalidRequest(JobchurnError):
    """The request cannot be understood."""

    status = 422
    exit_code = 2


class InvalidRecords(InvalidRequest):
    """Records break the contract."""


class IdempotencyConflict(InvalidRequest):
    """The idempotency key was used for another request."""


class TooLarge(InvalidRequest):
    """The request is larger than is taken at once."""

    status = 413


class UnsupportedMediaType(InvalidRequest):
    """The body is not in a form that is taken."""

    status = 415


class TooSlow(InvalidRequest):
    """The body did not arrive in time."""

    status = 408


class NotFound(JobchurnError):
    """There is no such thing."""

    status = 404
    exit_code = 2


class Unauthenticated(JobchurnError):
    """The request carries no key that is valid here."""

    status = 401
    exit_code = 3


class Forbidden(JobchurnError):
    """The key is not for this."""

    status = 403
    exit_code = 3


class LinkRefused(JobchurnError):
    """The link opens nothing, or nothing any more."""

    status = 403
    exit_code = 3


class TooManyRequests(JobchurnError):
    """The key has used up its requests for now."""

    status = 429
    exit_code = 3


class Overloaded(JobchurnError):
    """More is asked than can be served at once."""

    status = 503
    exit_code = 3


class NotReady(JobchurnError):
    """The service is not ready."""

    status = 503
    exit_code = 3


class NotInstalled(JobchurnError):
    """A part that this needs is not installed."""

    status = 501
    exit_code = 3


class NoChampion(JobchurnError):
    """No model is in charge yet."""

    status = 503
    exit_code = 3


class DatabaseUnreachable(JobchurnError):
    """The database does not answer."""

    status = 503
    exit_code = 3


class DatabaseLocked(DatabaseUnreachable):
    """Another one holds what this needs in the database."""


class DatabaseOutdated(JobchurnError):
    """The database's tables are not those of this version."""

    status = 503
    exit_code = 3


class ReaderMissing(JobchurnError):
    """The database has no role that can only read."""

    status = 503
    exit_code = 3


class QueryRefused(JobchurnError):
    """The database refuses a query."""


class ServiceUnreachable(JobchurnError):
    """A service does not answer."""

    status = 503
    exit_code = 3


class PostgresMissing(JobchurnError):
    """No PostgreSQL was found on this machine."""

    exit_code = 3


class PostgresMismatch(JobchurnError):
    """The database's files were made by another PostgreSQL."""

    exit_code = 3


class ContractMismatch(JobchurnError):
    """Two sides follow different contracts."""

    status = 503
    exit_code = 4


class ContractUnusable(JobchurnError):
    """The contract cannot be stored."""

    exit_code = 4


class ModelCorrupt(JobchurnError):
    """A model's files are not those that were registered."""

    status = 503
    exit_code = 4


class BaselineUnusable(JobchurnError):
    """A model's card lacks what drift is measured against."""

    exit_code = 4


class DataUnusable(JobchurnError):
    """A data set cannot be used for this."""

    exit_code = 4


class LeaseLost(JobchurnError):
    """Another worker has taken this work over."""

    exit_code = 5


class StackFailed(JobchurnError):
    """A service of the stack did not come up."""

    exit_code = 6


class PlaceRefused(JobchurnError):
    """The machine refuses a place to a file."""

    exit_code = 4


REFUSALS = {
    *(errno.EACCES, errno.EPERM, errno.EROFS),
    *(errno.ENOSPC, errno.EDQUOT),
    *(errno.ENOTDIR, errno.EISDIR, errno.EEXIST, errno.ENAMETOOLONG, errno.ELOOP),
    *(errno.ENOENT, errno.ENXIO, errno.EIO),  # below /proc no folder can be made, say
}
"""What a machine answers where a file cannot lie in a place, however right the program is."""

FULL = {errno.ENOSPC, errno.EDQUOT}
"""What it answers where a disk is full, or somebody's share of it."""


def refusal_of(error: OSError) -> PlaceRefused | None:
    """A machine's refusal as the foreseen failure that it is; ``None`` for any other failure."""
    if error.errno not in REFUSALS:
        return None
    # Where a file was to be moved, the second place is the one that it was to come to.
    places = [str(name) for name in (error.filename, error.filename2) if name]
    where = f"{' → '.join(places)}: " if places else ""
    return PlaceRefused(
        f"{where}{error.strerror}.", "Choose another place, or see to room and permission there."
    )
