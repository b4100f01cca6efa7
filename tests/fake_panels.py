"""Made-up dashboards, as ``GET /panels/{dashboard}`` answers them: every kind of panel."""

import math
import re
from datetime import UTC, datetime, timedelta

UNITS = {"s": 1, "m": 60, "h": 3_600, "d": 86_400, "w": 604_800}
TITLES = {
    "ingestion": "Ingestion quality",
    "predictions": "Predictions and drift",
    "service": "Service health",
}
DRIFT = [
    {"value": 0, "word": "quiet", "colour": "good"},
    {"value": 1, "word": "warn", "colour": "warn"},
    {"value": 2, "word": "page", "colour": "bad"},
]
CRITICALITY = [
    {"value": 0, "word": "none", "colour": "good"},
    {"value": 1, "word": "low", "colour": "notice"},
    {"value": 2, "word": "medium", "colour": "warn"},
    {"value": 3, "word": "high", "colour": "bad"},
]
TOO_MUCH = [
    {"at": None, "colour": "good"},
    {"at": 0.2, "colour": "warn"},
    {"at": 0.4, "colour": "bad"},
]
VARIABLES = {
    "predictions": [
        {
            "name": "source",
            "label": "Source",
            "several": True,
            "options": [
                {"value": "webapp", "text": "Web app"},
                {"value": "scheduled", "text": "Scheduled"},
            ],
        },
        {
            "name": "feature",
            "label": "Feature",
            "several": False,
            "options": [
                {"value": "education_level", "text": "Education"},
                {"value": "experience", "text": "Experience"},
            ],
        },
    ]
}


def panel(number, kind, title, columns, rows, **other):
    """A panel, its fields as the API names them."""
    return {
        "id": number,
        "kind": kind,
        "title": title,
        "description": f"What {title.lower()} means, and what to make of it.",
        "unit": "none",
        "units": {},
        "thresholds": [],
        "states": [],
        "links": {},
        "lowest": None,
        "highest": None,
        "width": 12,
        "height": 8,
        "empty": "Put a CSV into the folder raw_data, or run jobchurn ingest FILE.",
        "columns": columns,
        "rows": rows,
        "more": False,
        "error": None,
    } | other


def stat(number, title, value, **other):
    """A panel of one number, or of none."""
    rows = [] if value is None else [[value]]
    return panel(number, "stat", title, ["value"], rows, **({"width": 6, "height": 4} | other))


def wave(start, end, steps, **metrics):
    """Rows of ``time``, ``metric``, ``value``: each metric is a base and a swing around it."""
    first, step = start.timestamp(), (end - start).total_seconds() / steps
    return [
        [first + step * place, name, round(base + swing * math.sin(place / 4 + turn), 6)]
        for place in range(steps)
        for turn, (name, (base, swing)) in enumerate(metrics.items())
    ]


def ingestion(start, end):
    over_time = ["time", "metric", "value"]
    spells = [[t, m, v] for t, m, v in wave(start, end, 40, criticality=(1.5, 1.9))]
    return [
        stat(1, "Rows ingested", 15_327, unit="short"),
        stat(2, "Share of bad rows", 0.231, unit="percentunit", thresholds=TOO_MUCH),
        stat(3, "Time since the last file", 7.5, unit="m"),
        stat(4, "Files of high criticality", 0, unit="short"),
        panel(
            5,
            "stack",
            "Good and bad rows",
            over_time,
            wave(start, end, 60, good=(400, 90), bad=(60, 30)),
            unit="short",
        ),
        panel(
            6,
            "series",
            "Share of bad rows over time",
            over_time,
            wave(start, end, 120, share=(0.18, 0.12)),
            unit="percentunit",
            thresholds=TOO_MUCH,
            lowest=0,
        ),
        panel(
            7,
            "timeline",
            "Criticality over time",
            over_time,
            [[t, m, max(0, min(3, round(v)))] for t, m, v in spells],
            states=CRITICALITY,
            width=24,
            height=4,
        ),
        panel(
            8,
            "bars",
            "Rules broken most",
            ["label", "rows"],
            [["training_hours out of range", 320], ["city missing", 120], ["blank", 12]],
            unit="short",
        ),
        panel(
            9,
            "table",
            "Reasons by column and rule",
            ["column", "blank", "domain", "range"],
            [["training_hours", 3, 0, 320], ["gender", 0, 81, 0], ["city", 120, 0, 0]],
            unit="short",
        ),
        panel(
            10,
            "table",
            "Latest files",
            ["finished", "file", "rows", "bad", "report"],
            [
                [end.isoformat(), f"raw_{n:03d}.csv", 670, n / 20, f"20261124T07{n:02d}00-3f9a2c"]
                for n in range(15)
            ],
            unit="short",
            units={"bad": "percentunit"},
            links={"report": "/reports/{cell}.html"},
            width=24,
        ),
    ]


def predictions(start, end):
    over_time = ["time", "metric", "value"]
    features = ["education_level", "experience", "training_hours", "city", "company_size"]
    swings = {name: (0.7, 0.4 + place / 3) for place, name in enumerate(features)}
    tenths = [f"{step / 10:.1f}–{(step + 1) / 10:.1f}" for step in range(10)]
    return [
        panel(
            1,
            "stack",
            "Predictions by source",
            over_time,
            wave(start, end, 60, webapp=(20, 9), scheduled=(500, 90)),
            unit="short",
        ),
        panel(
            2,
            "series",
            "Share of positive predictions",
            over_time,
            wave(start, end, 90, serving=(0.27, 0.05), training=(0.249, 0)),
            unit="percentunit",
            lowest=0,
        ),
        panel(
            3,
            "bars",
            "Probabilities, serving and training",
            ["label", "serving", "training"],
            [[label, 0.3 / (n + 1), 0.28 / (n + 1)] for n, label in enumerate(tenths)],
            unit="percentunit",
        ),
        panel(
            4,
            "timeline",
            "Drift decisions",
            over_time,
            [[t, m, max(0, min(2, round(v)))] for t, m, v in wave(start, end, 20, **swings)],
            states=DRIFT,
        ),
        panel(
            5,
            "bars",
            "Chosen feature, serving and training",
            ["label", "serving", "training"],
            [
                ["Graduate", 0.6, 0.61],
                ["Masters", 0.2, 0.23],
                ["High School", 0.1, 0.1],
                ["Phd", 0.02, 0.02],
                ["Primary School", 0.02, 0.02],
                [None, 0.06, 0.02],
            ],
            unit="percentunit",
        ),
        panel(
            6,
            "series",
            "Size of the shift",
            over_time,
            wave(start, end, 20, **{f"feature {n}": (0.02 * n, 0.01) for n in range(1, 13)}),
            thresholds=[{"at": None, "colour": "good"}, {"at": 0.2, "colour": "warn"}],
        ),
    ]


def service(start, end):
    over_time = ["time", "metric", "value"]
    return [
        stat(1, "Requests", 12_345, unit="short"),
        stat(2, "Slowest twentieth", 0.1204, unit="s"),
        stat(3, "Database", 48_123_904, unit="bytes"),
        stat(4, "Answers that failed", None, unit="percentunit", thresholds=TOO_MUCH),
        panel(
            5,
            "series",
            "Latency",
            over_time,
            wave(start, end, 200, p50=(0.004, 0.001), p95=(0.02, 0.005), p99=(0.12, 0.07)),
            unit="s",
            lowest=0,
        ),
        panel(
            6,
            "stack",
            "Requests by status",
            over_time,
            wave(start, end, 60, **{"2xx": (40, 12), "4xx": (4, 2), "5xx": (1, 1)}),
            unit="cps",
        ),
        panel(7, "series", "Queue", over_time, [], unit="short"),
        panel(
            8,
            "table",
            "Runs of jobs",
            over_time,
            [],
            error="The database did not answer within 5 s.",
        ),
        rules(),
    ]


def rules(firing=()):
    """The panel that lists the alert rules, as they were asked a minute ago."""
    now = datetime.now(UTC)
    since, asked = (now - timedelta(hours=2)).isoformat(), (now - timedelta(minutes=1)).isoformat()
    rows = [
        [name, "firing" if name in firing else "ok", 0.0, since, asked, None]
        for name in ("bad-rows", "drift", "errors")
    ]
    columns = ["rule", "state", "value", "since", "last asked", "error"]
    return panel(20, "table", "Alert rules", columns, rows)


PANELS = {"ingestion": ingestion, "predictions": predictions, "service": service}


def dashboards():
    """What ``GET /panels`` answers."""
    return {
        "dashboards": [
            {"name": name, "title": title, "description": f"{title}, at a glance."}
            for name, title in TITLES.items()
        ]
    }


def dashboard(name, asked, now):
    """What ``GET /panels/{dashboard}`` answers; a text instead where it refuses."""
    end = moment(asked.get("to", ["now"])[0], now)
    start = moment(asked.get("from", ["now-6h"])[0], now)
    variables = []
    for variable in VARIABLES.get(name, []):
        values = [option["value"] for option in variable["options"]]
        default = values if variable["several"] else values[:1]
        chosen = asked.pop(f"var-{variable['name']}", default)
        if not set(chosen) <= set(values):
            return f"var-{variable['name']} is {chosen[0]!r}"
        variables.append(variable | {"chosen": chosen})
    if strange := [key for key in asked if key.startswith("var-")]:
        return f"{strange[0]} is no parameter of this request."
    wanted = {int(number) for number in asked.get("panel", [])}
    return {
        "dashboard": {
            "name": name,
            "title": TITLES[name],
            "description": f"{TITLES[name]}, at a glance.",
            "hours": 6,
            "refresh_seconds": 30,
        },
        "from": start.isoformat(),
        "to": end.isoformat(),
        "interval_seconds": max(60, round((end - start).total_seconds() / 60)),
        "variables": variables,
        "annotations": [
            {
                "time": (start + (end - start) / 3).isoformat(),
                "name": "Model",
                "text": "lgbm-0123456789ab is in charge",
            }
        ],
        "panels": [p for p in PANELS[name](start, end) if not wanted or p["id"] in wanted],
    }


def moment(text, now):
    """The moment that a text names."""
    if text == "now":
        return now
    if match := re.fullmatch(r"now-(\d+)([smhdw])", text):
        return now - timedelta(seconds=int(match[1]) * UNITS[match[2]])
    return datetime.fromisoformat(text).astimezone(UTC)
