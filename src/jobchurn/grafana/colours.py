"""Grafana's colours: the same as in the web app, where they are shown to be told apart.

Grafana's own palette takes no heed of colour-blind eyes, so that lines and bars whose names say
something have a colour of their own here.
"""

from __future__ import annotations

from jobchurn.panels import Colour

BLUE, ORANGE, GREY, GREEN, RED = "#3a86c8", "#d9771e", "#8894a0", "#17aa69", "#bf262e"

TINTS = {
    Colour.GOOD: GREEN,
    Colour.NOTICE: BLUE,
    Colour.WARN: ORANGE,
    Colour.BAD: RED,
    Colour.PLAIN: GREY,
}

NAMED = {
    "^(bad|medium|4xx)$": ORANGE,
    "^(good|low|pending|3xx)$": BLUE,
    "^(high|failed|5xx)$": RED,
    "^(none|success|delivered|2xx)$": GREEN,
    "^(quiet|skipped|training|hold-out|objective|expected)$": GREY,
}
"""What the name of a line or bar is like → its colour, as what it says wants it."""

ORDERED = {
    "^(effect|files|happened|mean|predictions|p50|rows|bad rows|serving|webapp)$": BLUE,
    "^(most|p95|psi|scheduled)$": ORANGE,
    "^p99$": GREEN,
}
"""Names that say nothing by themselves → the colour of their place among those of their panels."""
