"""What a reader chooses of a dashboard's variables: values that are on offer, and no others.

Only what is on offer here is ever written into a query.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping, Sequence

from jobchurn.api.faults import LISTED, Fault, echoed, sentence, unknown_name
from jobchurn.contract import shown
from jobchurn.errors import InvalidRequest
from jobchurn.panels import Dashboard, Variable

PREFIX = "var-"
"""What the parameter of a variable begins with, as in Grafana's addresses."""

_DESCRIBED = 10
"""How many values that are not on offer are told: each is held against all that are, on the event
loop."""

_FIXED = ("from", "to", "panel")
_CURE = "GET /panels/{dashboard} answers with the variables, and the values on offer."


def read_choices(
    dashboard: Dashboard, parameters: Iterable[tuple[str, str]]
) -> dict[str, list[str]]:
    """Variable → the values that a request asks for; without those that it leaves to us.

    Args:
        dashboard: whose variables may be chosen.
        parameters: the request's, each name and value as it came.

    Raises:
        InvalidRequest: a parameter is none of this dashboard's.
    """
    known = {f"{PREFIX}{variable.name}": variable.name for variable in dashboard.variables}
    asked: dict[str, list[str]] = {}
    unknown: dict[str, str] = {}
    for name, value in parameters:
        if name in known:
            asked.setdefault(known[name], []).append(value)
        elif name not in _FIXED and len(unknown) < LISTED:
            unknown.setdefault(name, value)
    if unknown:
        allowed = [*_FIXED, *known]
        raise _refused([_unknown(name, value, allowed) for name, value in unknown.items()])
    return asked


def chosen_of(variable: Variable, options: Sequence[str], asked: Sequence[str] | None) -> list[str]:
    """The chosen values of a variable, in the order of its options.

    Args:
        variable: which.
        options: what it offers.
        asked: the values that the request asks for; ``None`` where it leaves that to us: then all
            where several may be chosen, else the first.

    Raises:
        InvalidRequest: a value is not on offer, or there are several where there may be but one.
    """
    if asked is None:
        return list(options if variable.several else options[:1])
    wanted = dict.fromkeys(asked)
    on_offer = set(options)
    if strange := [value for value in wanted if value not in on_offer]:
        faults = [_not_on_offer(variable, options, value) for value in strange[:_DESCRIBED]]
        raise _refused(faults)
    if len(wanted) > 1 and not variable.several:
        name = f"{PREFIX}{variable.name}"
        raise InvalidRequest(f"Of {name} only one value can be chosen.", f"Send {name} once.")
    return [option for option in options if option in wanted]


def _unknown(name: str, value: str, known: Sequence[str]) -> Fault:
    close = difflib.get_close_matches(name[:100], known, n=1)
    nearest = close[0] if close else None
    return unknown_name(name, value, known=known, nearest=nearest, of="this request")


def _not_on_offer(variable: Variable, options: Sequence[str], value: str) -> Fault:
    close = difflib.get_close_matches(value[:100], options, n=1)
    nearest = close[0] if close else None
    allowed = ", ".join(options[:LISTED]) or "nothing yet: there is no data to choose from"
    meant = f"; did you mean {nearest}?" if nearest else f"; allowed: {allowed}"
    name = f"{PREFIX}{variable.name}"
    return {
        "field": name,
        "value": echoed(value),
        "rule": "option",
        "allowed": allowed,
        "nearest": nearest,
        "message": f"{name} is {shown(value)}{meant}",
    }


def _refused(faults: Sequence[Mapping[str, object]]) -> InvalidRequest:
    return InvalidRequest(sentence(faults[0]["message"]), _CURE, {"errors": list(faults)})
