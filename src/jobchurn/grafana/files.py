"""All of Grafana's files, and what is wrong with files that were found."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import PurePosixPath

import yaml
from grafana_foundation_sdk.cog.plugins import register_default_plugins
from grafana_foundation_sdk.models.dashboard import Dashboard as Decoded
from pydantic import ValidationError

from jobchurn import panels
from jobchurn.contract import Contract
from jobchurn.grafana import provisioning, query, schema
from jobchurn.grafana.dashboards import dashboard_of
from jobchurn.grafana.rules import groups_of
from jobchurn.grafana.text import json_of, plain, yaml_of
from jobchurn.panels import AlertRule, Dashboard

FORMS: dict[str, type[schema.Closed]] = {
    "datasources": schema.Sources,
    "dashboards": schema.Providers,
    "alerting": schema.Alerting,
}
"""Folder of ``provisioning`` → what its files may hold."""
FOLDERS = ("dashboards", *(f"provisioning/{folder}" for folder in FORMS))
"""The folders that hold our files and no others."""


def files_of(contract: Contract) -> dict[str, str]:
    """Each file of Grafana, by its path below the folder ``grafana``."""
    return built_of(panels.dashboards_of(contract), panels.rules_of(contract))


def built_of(dashboards: tuple[Dashboard, ...], rules: tuple[AlertRule, ...]) -> dict[str, str]:
    """As :func:`files_of`, of these dashboards and rules."""
    boards = {f"{board.name}.json": json_of(dashboard_of(board)) for board in dashboards}
    files = {
        "datasources/jobchurn.yaml": provisioning.data_sources(),
        "dashboards/jobchurn.yaml": provisioning.providers(),
        "alerting/rules.yaml": groups_of(rules),
        "alerting/policies.yaml": provisioning.policies(),
    } | {
        f"alerting/channel-{channel}.yaml": provisioning.contact_point(channel)
        for channel in provisioning.CHANNELS
    }
    return {f"dashboards/{name}": text for name, text in sorted(boards.items())} | {
        f"provisioning/{name}": yaml_of(content) for name, content in sorted(files.items())
    }


def differences(found: Mapping[str, str], built: Mapping[str, str]) -> list[str]:
    """What sets the files that were found apart from those that are built, a line each."""
    return [
        f"{path}: {word}"
        for path in sorted(found.keys() | built.keys())
        if (word := _difference(found.get(path), built.get(path)))
    ] + [fault for path, text in sorted(found.items()) for fault in faults_of(path, text)]


def _difference(found: str | None, built: str | None) -> str:
    if found is None:
        return "missing"
    if built is None:
        return "not one of ours"
    return "" if found == built else "stale"


def faults_of(path: str, text: str) -> Iterator[str]:
    """What Grafana would pass over, or could not read, in a file; nothing where it is well."""
    try:
        if path.endswith(".json"):
            faults = list(losses(text))
        else:
            FORMS[PurePosixPath(path).parent.name].model_validate(yaml.safe_load(text))
            faults = []
    except ValidationError as error:
        faults = [
            f"{'.'.join(map(str, fault['loc'])) or 'all of it'}: {fault['msg']}"
            for fault in error.errors()
        ]
    except (ValueError, KeyError, TypeError, AttributeError, yaml.YAMLError) as error:
        faults = [f"not to be read: {type(error).__name__}: {error}"]
    yield from (f"{path}: {fault}" for fault in faults)


def losses(text: str) -> Iterator[str]:
    """What of a dashboard's file does not survive a reading by Grafana's SDK, key by key.

    Raises:
        ValueError, KeyError, TypeError, AttributeError: the SDK cannot read it at all.
    """
    register_default_plugins()
    query.make_known()
    before = json.loads(text)
    if not isinstance(before, dict):
        raise TypeError("it is no object of JSON")
    yield from _lost(before, plain(Decoded.from_json(before)), "")


def _lost(before: object, after: object, place: str) -> Iterator[str]:
    if isinstance(before, dict) and isinstance(after, dict):
        for key, value in before.items():
            way = f"{place}.{key}".lstrip(".")
            if key in after:
                yield from _lost(value, after[key], way)
            else:
                yield f"{way}: unknown to Grafana"
    elif isinstance(before, list) and isinstance(after, list) and len(before) == len(after):
        for index, (one, other) in enumerate(zip(before, after, strict=True)):
            yield from _lost(one, other, f"{place}[{index}]")
    elif before != after:
        yield f"{place}: {before!r} is read as {after!r}"
