"""A message as an Adaptive Card, in the envelope that a Teams Workflows webhook takes.

Text that is not ours (the file's name, and for safety the names of columns and rules) stands only
in ``TextRun`` elements: the schema gives them no Markdown, where ``TextBlock`` and ``Fact`` have
it. Version 1.5 is the newest that Teams shows, and the first with tables.

Sources: https://adaptivecards.io/explorer/ (elements), and Microsoft's "Create incoming webhooks
with Workflows" (the envelope, and the limit of 28 kB).
"""

from __future__ import annotations

from typing import Any

from jobchurn.notify.message import Fact, Message, Table, Tone

MAX_BYTES = 28_000
"""The largest message that Teams takes is 28 kB; a card of ours stays far below it."""

_COLOURS = {
    Tone.GOOD: "Good",
    Tone.NOTICE: "Accent",
    Tone.WARNING: "Warning",
    Tone.URGENT: "Attention",
}

Element = dict[str, Any]


def card_of(message: Message) -> Element:
    """The webhook's message: a card with what is wrong, how much of it, and where to go on.

    Returns:
        JSON's types; encoded in UTF-8 they are smaller than :data:`MAX_BYTES`, whatever the
        message is about.
    """
    card: Element = {
        "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
        "type": "AdaptiveCard",
        "version": "1.5",
        "fallbackText": message.headline,
        "msteams": {"width": "Full"},
        "body": _body(message),
    }
    if message.links:
        card["actions"] = [
            {
                "type": "Action.OpenUrl",
                "title": f"Open the {link.title.lower()}",
                "url": link.address,
            }
            for link in message.links
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


def _body(message: Message) -> list[Element]:
    headline = {
        "type": "TextBlock",
        "text": message.headline,
        "size": "Large",
        "weight": "Bolder",
        "color": _COLOURS[message.tone],
        "style": "heading",
        "wrap": True,
    }
    body = [headline]
    if message.explanation:
        body.append(_paragraph(_run(message.explanation)))
    body += map(_fact, message.facts)
    if message.table is not None:
        body.append(_table(message.table))
    else:
        body += [_paragraph(_run(line)) for line in message.lines]
    if message.unlisted:
        body.append({"type": "TextBlock", "text": message.unlisted, "isSubtle": True, "wrap": True})
    return body


def _fact(fact: Fact) -> Element:
    """A line of a name and a value. ``FactSet`` would read Markdown in the value."""
    return _paragraph(_run(f"{fact.name}: ", weight="Bolder"), _run(fact.value))


def _paragraph(*runs: Element) -> Element:
    return {"type": "RichTextBlock", "spacing": "Small", "inlines": list(runs)}


def _run(text: str, **style: str) -> Element:
    return {"type": "TextRun", "text": text, **style}


def _table(table: Table) -> Element:
    words = len(table.headings) - 1
    return {
        "type": "Table",
        "spacing": "Medium",
        "firstRowAsHeader": True,
        "showGridLines": True,
        "columns": [
            *({"type": "TableColumnDefinition", "width": 4} for _ in range(words)),
            {
                "type": "TableColumnDefinition",
                "width": 2,
                "horizontalCellContentAlignment": "Right",
            },
        ],
        "rows": [_row(table.headings, weight="Bolder"), *map(_row, table.rows)],
    }


def _row(cells: tuple[str, ...], **style: str) -> Element:
    return {"type": "TableRow", "cells": [_cell(_run(text, **style)) for text in cells]}


def _cell(run: Element) -> Element:
    return {"type": "TableCell", "items": [{"type": "RichTextBlock", "inlines": [run]}]}
