"""The files' text: the same for the same objects, whatever builds them."""

from __future__ import annotations

import json
from typing import Any

import yaml
from grafana_foundation_sdk.cog.encoder import JSONEncoder

HEAD = "# Written by `jobchurn dashboards build`; change the sources and build it anew.\n"

Json = dict[str, Any]


def plain(built: object) -> Json:
    """What the SDK built, made of JSON's types alone."""
    made = json.loads(json.dumps(built, cls=JSONEncoder))
    if not isinstance(made, dict):
        raise TypeError(f"a {type(built).__name__} is no object of JSON")
    return made


def json_of(built: object) -> str:
    """A dashboard's file: keys in order of the alphabet, lists as they are."""
    shown = _unhidden(plain(built))
    return json.dumps(shown, indent=2, sort_keys=True, ensure_ascii=False) + "\n"


def yaml_of(content: Json) -> str:
    """A provisioning file: keys in the order in which they were written."""
    return HEAD + yaml.dump(
        content, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=1_000
    )


def _unhidden(value: Any) -> Any:
    """Without the SDK's wish to hide every link and mark in a menu, which cannot be put off."""
    if isinstance(value, dict):
        return {
            key: _unhidden(item)
            for key, item in value.items()
            if (key, item) != ("placement", "inControlsMenu")
        }
    return [_unhidden(item) for item in value] if isinstance(value, list) else value


class _Dumper(yaml.SafeDumper):
    """Writes texts of several lines as blocks, and nothing as a reference to something else."""

    def ignore_aliases(self, _data: object) -> bool:
        return True


def _text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    style = "|" if "\n" in text else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


_Dumper.add_representer(str, _text)
