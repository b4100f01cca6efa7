"""What Grafana finds at its start beside dashboards and rules: where the data is, whom to tell.

``$NAME`` is the environment's: never ``${NAME}``, which Grafana would expand twice.
"""

from __future__ import annotations

from jobchurn.grafana.query import PLUGIN, SOURCE
from jobchurn.grafana.rules import FOLDER
from jobchurn.grafana.text import Json
from jobchurn.panels import Severity

CONTACT = "jobchurn"
"""The contact point: all channels that there is an address for."""

CHANNELS: dict[str, tuple[str, dict[str, object]]] = {
    "teams": (
        "teams",
        {
            "url": "$GRAFANA_TEAMS_WEBHOOK",
            "title": '{{ template "default.title" . }}',
            "message": '{{ template "default.message" . }}',
        },
    ),
    "email": ("email", {"addresses": "$GRAFANA_EMAIL", "singleEmail": True}),
    "webhook": ("webhook", {"url": "$GRAFANA_WEBHOOK", "httpMethod": "POST"}),
    # Grafana refuses to start with a channel that has no address, and with a policy that has no
    # channel. This address is Grafana's own for telling nobody; before 12.4, which does not know
    # it, a message to it is noted as failed.
    "nobody": ("webhook", {"url": "grafana://noop", "httpMethod": "POST"}),
}
"""Channel → its kind in Grafana and how it is set up. One file each: ``grafana/start.sh`` leaves
out those whose address is empty."""


def data_sources() -> Json:
    """The application's database, read by a role that can only read."""
    return {
        "apiVersion": 1,
        "datasources": [
            {
                "name": SOURCE,
                "uid": SOURCE,
                "type": PLUGIN,
                "access": "proxy",
                "orgId": 1,
                "isDefault": True,
                "editable": False,
                "url": "$GRAFANA_DATABASE_HOST",
                "user": "jobchurn_reader",
                "jsonData": {
                    "database": "$GRAFANA_DATABASE_NAME",
                    "sslmode": "$GRAFANA_DATABASE_SSLMODE",
                    "postgresVersion": 1500,
                    "timescaledb": False,
                    "timeInterval": "1m",
                    "maxOpenConns": 8,
                    "maxIdleConns": 2,
                    "maxIdleConnsAuto": False,
                    "connMaxLifetime": 14_400,
                },
                "secureJsonData": {"password": "$GRAFANA_DATABASE_PASSWORD"},
            }
        ],
    }


def providers() -> Json:
    """Where the dashboards are; none can be changed or deleted but by its file."""
    return {
        "apiVersion": 1,
        "providers": [
            {
                "name": "jobchurn",
                "orgId": 1,
                "folder": FOLDER,
                "type": "file",
                "disableDeletion": True,
                "allowUiUpdates": False,
                "updateIntervalSeconds": 60,
                "options": {"path": "$GRAFANA_DASHBOARDS"},
            }
        ],
    }


def contact_point(channel: str) -> Json:
    """One channel of the contact point; Grafana joins those of one name."""
    kind, settings = CHANNELS[channel]
    return {
        "apiVersion": 1,
        "contactPoints": [
            {
                "orgId": 1,
                "name": CONTACT,
                "receivers": [
                    {
                        "uid": f"jobchurn-{channel}",
                        "type": kind,
                        "settings": dict(settings),
                        "disableResolveMessage": False,
                    }
                ],
            }
        ],
    }


def policies() -> Json:
    """Who is told when: what is critical at once and again each hour; warnings gathered, daily."""
    return {
        "apiVersion": 1,
        "policies": [
            {
                "orgId": 1,
                "receiver": CONTACT,
                "group_by": ["grafana_folder", "alertname"],
                "group_wait": "30s",
                "group_interval": "5m",
                "repeat_interval": "4h",
                "routes": [
                    {
                        "receiver": CONTACT,
                        "object_matchers": [["severity", "=", Severity.CRITICAL.value]],
                        "group_by": ["grafana_folder", "alertname"],
                        "group_wait": "0s",
                        "group_interval": "1m",
                        "repeat_interval": "1h",
                    },
                    {
                        "receiver": CONTACT,
                        "object_matchers": [["severity", "=", Severity.WARNING.value]],
                        "group_by": ["grafana_folder", "severity"],
                        "group_wait": "2m",
                        "group_interval": "10m",
                        "repeat_interval": "1d",
                    },
                ],
            }
        ],
    }
