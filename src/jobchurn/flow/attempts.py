"""Attempts: a file that ends its workers is refused unread, so that it cannot do so for ever.

Only what may be the file's doing is counted: a worker that is killed, or that meets what nobody
has foreseen. A disk without room or a database that is away would meet any other file, too.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from contextlib import suppress
from typing import Concatenate, ParamSpec, TypeVar

from jobchurn.errors import JobchurnError, LeaseLost
from jobchurn.flow.services import Services
from jobchurn.store.arrivals import Claim
from jobchurn.verdict import Reason, StructureRule

T = TypeVar("T")
P = ParamSpec("P")


def are_used_up(services: Services, claim: Claim) -> bool:
    """Whether as many workers as may have ended over the file, and this one is not to read it."""
    return claim.attempts > services.settings.attempts


def refusal_of(claim: Claim) -> Reason:
    """Why such a file is refused as a whole."""
    return Reason(
        None,
        None,
        StructureRule.ATTEMPTS,
        "",
        f"{claim.attempts - 1} workers have ended over it, so no further one has read it. Look "
        "into the logs of that time, and send it again, perhaps in parts.",
    )


def blameless(
    step: Callable[Concatenate[Services, Claim, P], T],
) -> Callable[Concatenate[Services, Claim, P], T]:
    """The step, its foreseen failures not held against the file; nor is who interrupts it."""

    @functools.wraps(step)
    def tried(services: Services, claim: Claim, /, *args: P.args, **kwargs: P.kwargs) -> T:
        try:
            return step(services, claim, *args, **kwargs)
        except LeaseLost:
            raise  # it is another worker's by now, and so is the count
        except (JobchurnError, OSError, KeyboardInterrupt):
            with suppress(JobchurnError):  # the failure itself is what people should hear of
                services.store.arrivals.forgive(claim)
            raise

    return tried
