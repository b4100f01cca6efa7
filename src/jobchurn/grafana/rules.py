"""An alert rule, as Grafana is provisioned with it.

Grafana puts the environment's variables into most texts of these files, so that ``$$`` would stand
for ``$`` there; queries and annotations it takes as they are written, ``$values`` as well.
``${RUNBOOK_URL}`` in annotations is filled by ``grafana/start.sh``, as Grafana 12 does not.
"""

from __future__ import annotations

from collections.abc import Iterable

from grafana_foundation_sdk.builders import alerting, expr
from grafana_foundation_sdk.cog.builder import Builder
from grafana_foundation_sdk.cog.variants import Dataquery
from grafana_foundation_sdk.models.alerting import RelativeTimeRange
from grafana_foundation_sdk.models.common import DataSourceRef

from jobchurn.grafana.query import SOURCE, PostgresQuery
from jobchurn.grafana.text import Json, plain
from jobchurn.panels import AlertRule, Unit

FOLDER = "jobchurn"
"""The folder of dashboards and rules."""
GROUP = "jobchurn"
INTERVAL_SECONDS = 60
RUNBOOK = "${RUNBOOK_URL}"
"""Where the runbook's pages are, by the environment."""

OF_THE_FILE = (
    *("uid", "title", "condition", "data", "noDataState", "execErrState"),
    *("for", "labels", "annotations"),
)
"""What the form of a file takes over from that of the API, in the order of the file."""
EXPRESSION = "__expr__"
"""The uid and the kind of what Grafana reckons itself."""


def groups_of(rules: Iterable[AlertRule]) -> Json:
    """The file of rules: one group, judged every minute."""
    return {
        "apiVersion": 1,
        "groups": [
            {
                "orgId": 1,
                "name": GROUP,
                "folder": FOLDER,
                "interval": f"{INTERVAL_SECONDS}s",
                "rules": [rule_of(rule) for rule in sorted(rules, key=lambda rule: rule.name)],
            }
        ],
    }


def rule_of(rule: AlertRule) -> Json:
    """The rule in the form of a file: the SDK's form is that of the API."""
    built = plain(
        alerting.Rule(rule.title)
        .uid(rule.name)
        .condition("C")
        .queries(
            [
                _query("A", rule, _question(rule)),
                _query("B", rule, _latest()),
                _query("C", rule, _above(rule.above)),
            ]
        )
        # A rule always has an answer: without one, or with an error, it is not judged, and that is
        # told by Grafana under a name of its own, as urgently as the rule.
        .no_data_state("NoData")
        .exec_err_state("Error")
        .for_val(f"{rule.pending_seconds}s")
        .labels({"severity": rule.severity})
        .annotations(
            {
                "__dashboardUid__": rule.dashboard,
                "__panelId__": str(rule.panel),
                "description": f"{rule.description} {_now(rule)}",
                "runbook_url": f"{RUNBOOK}/{rule.name}",
                "summary": rule.title,
            }
        )
        .build()
    )
    # The form of the API holds more, and neither of the last three.
    own: Json = {"dashboardUid": rule.dashboard, "panelId": rule.panel, "isPaused": False}
    return {name: built[name] for name in OF_THE_FILE} | own


def _query(name: str, rule: AlertRule, model: Builder[Dataquery]) -> alerting.Query:
    own = isinstance(model, PostgresQuery)
    return (
        alerting.Query(name)
        .datasource_uid(SOURCE if own else EXPRESSION)
        .relative_time_range(RelativeTimeRange(from_val=rule.within_seconds if own else 0, to=0))
        .model(model)
    )


def _question(rule: AlertRule) -> PostgresQuery:
    return PostgresQuery(sql=rule.sql, shape="time_series", name="A")


def _latest() -> expr.TypeReduce:
    return expr.TypeReduce().ref_id("B").datasource(_expression()).expression("A").reducer("last")


def _above(limit: float) -> expr.TypeThreshold:
    evaluator = expr.ExprTypeThresholdConditionsEvaluator().type("gt").params([limit])
    return (
        expr.TypeThreshold()
        .ref_id("C")
        .datasource(_expression())
        .expression("B")
        .conditions([expr.ExprTypeThresholdConditions().evaluator(evaluator)])
    )


def _expression() -> DataSourceRef:
    return DataSourceRef(type_val=EXPRESSION, uid=EXPRESSION)


def _now(rule: AlertRule) -> str:
    """The value that the rule found, and from which on it fires.

    Where a query fails there are no values: a template that asked for one would say 0.
    """
    return (
        '{{ range $name, $found := $values }}{{ if eq $name "B" }}'
        f"Now {_written(rule.unit, '$found.Value')}; above {_limit(rule)} it is told."
        "{{ end }}{{ end }}"
    )


def _written(unit: Unit, value: str) -> str:
    match unit:
        case Unit.SHARE:
            return f"{{{{ humanizePercentage {value} }}}}"
        case Unit.SECONDS:
            return f"{{{{ humanizeDuration {value} }}}}"
        case Unit.MINUTES:
            return f'{{{{ printf "%.0f" {value} }}}} minutes'
        case _:
            return f'{{{{ printf "%.3g" {value} }}}}'


def _limit(rule: AlertRule) -> str:
    match rule.unit:
        case Unit.SHARE:
            return f"{rule.above * 100:.4g}%"
        case Unit.SECONDS:
            return f"{rule.above:.4g} s"
        case Unit.MINUTES:
            return f"{rule.above:.4g} minutes"
        case _:
            return f"{rule.above:.4g}"
