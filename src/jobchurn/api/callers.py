"""Who asks, and what a request may say in whose name.

The scheduled job says of its records that they are the rows of a file, and names its requests by
the file's content. Whoever could say the same would put words into a file's life that are not its
own, and could use up the names under which the job has yet to ask. So both need a scope of their
own, and each key has a space of idempotency keys to itself.
"""

from __future__ import annotations

from collections.abc import Sequence

from starlette.requests import Request
from starlette.types import Scope as RequestScope

from jobchurn.access import KnownKey, Scope
from jobchurn.api.envelope import PredictRequest
from jobchurn.api.records import Reading
from jobchurn.errors import Forbidden
from jobchurn.flow.predict import Asked, Record

CALLER = "caller"
"""The request's state has this where it carries a key: what is known of it."""


def speaks_for_schedule(asked: PredictRequest) -> bool:
    """Whether a request says that it comes from the scheduled job, or what only that one knows."""
    return asked.source == "scheduled" or asked.lineage is not None


def may_say(caller: KnownKey | None, *, scheduled: bool) -> bool:
    """Whether a request may come from the scheduled job, or else from anybody but it.

    Without a key everything may be said: the gate lets nobody come without one but on the loopback,
    where whoever asks can write the files themselves.

    Args:
        caller: what is known of the request's key, if it carries one.
        scheduled: whether the request says that it comes from the scheduled job.
    """
    return caller is None or _wanted(scheduled=scheduled) in caller.scopes


def refuse_foreign(request: Request, asked: PredictRequest) -> None:
    """Refuse a request in the name of somebody whose key it does not carry: see :func:`may_say`.

    Raises:
        Forbidden: the key is not for what the request says.
    """
    caller, scheduled = caller_of(request.scope), speaks_for_schedule(asked)
    if caller is None or may_say(caller, scheduled=scheduled):
        return
    why = (
        "may not say source scheduled, nor lineage"
        if scheduled
        else "is for source scheduled and for lineage alone"
    )
    wanted = _wanted(scheduled=scheduled)
    raise Forbidden(f"The key {caller.name} {why}.", f"Send a key with the scope {wanted}.")


def asked_by(
    request: Request,
    said: PredictRequest,
    reading: Reading[Sequence[Record]],
    key: str | None,
) -> Asked:
    """What a request asks of the flow.

    Args:
        request: who asks.
        said: what it says beside its records.
        reading: its records, as they were read.
        key: the idempotency key that it carries; it is kept as :func:`kept_key` has it.
    """
    lineage = said.lineage
    return Asked(
        records=reading.accepted,
        source=said.source,
        key=kept_key(caller_of(request.scope), key, scheduled=speaks_for_schedule(said)),
        refused=reading.refused,
        run_id=lineage.run if lineage else None,
        file_name=lineage.file if lineage else None,
        first_row=lineage.first_row if lineage else None,
    )


def kept_key(caller: KnownKey | None, key: str | None, *, scheduled: bool) -> str | None:
    """An idempotency key as it is kept: the caller's own, whatever name another makes up.

    The scheduled job's stand as they come, whatever key of the API it has that day: what it began
    with another one, by the command line or without any, it must find again. So do those of
    callers without a key. All others bear the name of the caller's key, which outlives the key
    where it is replaced; a blank parts the two, which is in neither.
    """
    if key is None or caller is None or scheduled:
        return key
    return f"{caller.name} {key}"


def caller_of(request: RequestScope) -> KnownKey | None:
    """What is known of the key that a request carries; ``None`` where it carries none."""
    found: KnownKey | None = request["state"].get(CALLER)
    return found


def _wanted(*, scheduled: bool) -> Scope:
    return Scope.SCHEDULED if scheduled else Scope.PREDICT
