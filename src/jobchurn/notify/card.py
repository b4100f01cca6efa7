"""An alert as an Adaptive Card in the message that a Teams Workflows webhook takes.

Text that is not ours (the file's name, and for safety the names of columns and rules) stands only
in ``TextRun`` elements: the schema gives them no Markdown, where ``TextBlock`` and ``Fact`` have
it. Version 1.5 is the newest that Teams shows, and the first with tables.

Sources: https://adaptivecards.io/explorer/ (elements), and Microsoft's "Create incoming webhooks
with Workflows" (the envelope, and the limit of 28 kB).
"""

from __future__ import annotations

from typing import Any

from jobchurn.notify.alert import Alert, Issue
from jobchurn.policy import Criticality

MAX_BYTES = 28_000
"""The largest message that Teams takes is 28 kB; a card of ours stays far below it."""

_COLOURS = {
    Criticality.NONE: "Good",
    Criticality.LOW: "Accent",
    Criticality.MEDIUM: "Warning",
    Criticality.HIGH: "Attention",
}

Element = dict[str, Any]


def card_of(alert: Alert) -> Element:
    """The webhook's message: a card with what is wrong, how much of it, and a link to the report.

    Returns:
        JSON's types; encoded in UTF-8 they are smaller than :data:`MAX_BYTES`, whatever the file
        is called and however many rules it breaks.
    """
    card: Element = {
        "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
        "type": "AdaptiveCard",
        "version": "1.5",
        "fallbackText": alert.headline,
        "msteams": {"width": "Full"},
        "body": _body(alert),
    }
    if alert.link:
        card["actions"] = [
            {"type": "Action.OpenUrl", "title": "Open the report", "url": alert.link}
        ]
    return {
        "type": "message",
        "attachments": [
            {
                "contentType": "application/vnd.microsoft.card.adaptive",
                "contentUrl": None,
                "content": card,
            }
        ],
    }


def _body(alert: Alert) -> list[Element]:
    headline = {
        "type": "TextBlock",
        "text": alert.headline,
        "size": "Large",
        "weight": "Bolder",
        "color": _COLOURS[alert.criticality],
        "style": "heading",
        "wrap": True,
    }
    facts = (
        ("File", alert.shown_file),
        ("Bad rows", alert.share),
        ("Begun", alert.when),
        ("Run", alert.run_id),
    )
    body = [headline, *(_fact(name, value) for name, value in facts)]
    if alert.issues:
        body.append(_table(alert.shown_issues))
    if alert.unlisted:
        body.append({"type": "TextBlock", "text": alert.unlisted, "isSubtle": True, "wrap": True})
    return body


def _fact(name: str, value: str) -> Element:
    """A line of a name and a value. ``FactSet`` would read Markdown in the value."""
    return {
        "type": "RichTextBlock",
        "spacing": "Small",
        "inlines": [
            {"type": "TextRun", "text": f"{name}: ", "weight": "Bolder"},
            {"type": "TextRun", "text": value},
        ],
    }


def _table(issues: tuple[Issue, ...]) -> Element:
    header = _row(("Column", "Rule", "Rows"), weight="Bolder")
    rows = [_row((issue.column or "structure", issue.rule, f"{issue.rows:,}")) for issue in issues]
    return {
        "type": "Table",
        "spacing": "Medium",
        "firstRowAsHeader": True,
        "showGridLines": True,
        "columns": [
            {"type": "TableColumnDefinition", "width": 4},
            {"type": "TableColumnDefinition", "width": 3},
            {
                "type": "TableColumnDefinition",
                "width": 2,
                "horizontalCellContentAlignment": "Right",
            },
        ],
        "rows": [header, *rows],
    }


def _row(cells: tuple[str, ...], **style: str) -> Element:
    return {"type": "TableRow", "cells": [_cell(text, style) for text in cells]}


def _cell(text: str, style: dict[str, str]) -> Element:
    run = {"type": "TextRun", "text": text, **style}
    return {"type": "TableCell", "items": [{"type": "RichTextBlock", "inlines": [run]}]}
