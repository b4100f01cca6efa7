"""A query to PostgreSQL as Grafana's data source of that kind takes it.

The SDK knows no such query: it is written here, in the shape of the SDK's own.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, Self, get_args

from grafana_foundation_sdk.cog.builder import Builder
from grafana_foundation_sdk.cog.runtime import DataqueryConfig, register_dataquery_variant
from grafana_foundation_sdk.cog.variants import Dataquery
from grafana_foundation_sdk.models.common import DataSourceRef

PLUGIN = "grafana-postgresql-datasource"
"""The kind of data source."""
SOURCE = "jobchurn"
"""The uid of ours, and its name."""

Format = Literal["table", "time_series"]


def source() -> DataSourceRef:
    """What names our data source in a panel, a variable or a rule."""
    return DataSourceRef(type_val=PLUGIN, uid=SOURCE)


@dataclass(frozen=True, slots=True, kw_only=True)
class PostgresQuery(Dataquery, Builder["PostgresQuery"]):
    """A query to our data source.

    Attributes:
        sql: with Grafana's macros and variables, as it was written.
        shape: a table as it is, or series over time, cut by the column ``metric``.
        name: tells it from the other queries of its panel or rule.
    """

    sql: str
    shape: Format
    name: str = "A"

    def build(self) -> Self:
        """Itself: there is nothing to be made up for."""
        return self

    def to_json(self) -> dict[str, object]:
        """As Grafana stores it."""
        return {
            "datasource": source(),
            "editorMode": "code",
            "format": self.shape,
            "rawQuery": True,
            "rawSql": self.sql,
            "refId": self.name,
        }

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> PostgresQuery:
        """From what :meth:`to_json` makes.

        Raises:
            ValueError: there is anything else in it.
        """
        query = cls(sql=data["rawSql"], shape=data["format"], name=data["refId"])
        known = query.to_json() | {"datasource": source().to_json()}
        strange = {key for key in data | known if data.get(key) != known.get(key)}
        if query.shape not in get_args(Format):
            strange.add("format")
        if strange:
            raise ValueError(f"not a query of ours: {', '.join(sorted(strange))}")
        return query


def make_known() -> None:
    """Let the SDK decode queries of this kind; once is enough, and twice does no harm."""
    register_dataquery_variant(DataqueryConfig(PLUGIN, PostgresQuery.from_json))
