"""What every benchmark can be told."""

from __future__ import annotations

import argparse


def parser_of(
    what: str | None, *, rounds: int, quick: int | None = None
) -> argparse.ArgumentParser:
    """A parser with ``--rounds``, ``--quick`` and ``--dry``; a benchmark may add its own.

    Args:
        what: the module's docstring.
        rounds: how many there are by default.
        quick: how many where it is to be quick; by default a third, and three at least.
    """
    parser = argparse.ArgumentParser(
        description=what, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=None, help=f"of measuring; {rounds}")
    parser.add_argument(
        "--quick", action="store_true", help="fewer and smaller; prints, and keeps nothing"
    )
    parser.add_argument("--dry", action="store_true", help="print, and keep nothing")
    parser.set_defaults(usual_rounds=rounds, quick_rounds=quick or max(3, rounds // 3))
    return parser


def read(parser: argparse.ArgumentParser) -> argparse.Namespace:
    """What was asked for: ``rounds`` and ``quick`` are set, and ``keep`` for ``results.report``."""
    found = parser.parse_args()
    if found.rounds is None:
        found.rounds = found.quick_rounds if found.quick else found.usual_rounds
    found.keep = not (found.quick or found.dry)
    return found
