"""The tables and the only queries. SQLAlchemy, Alembic and psycopg live here and nowhere else."""

from jobchurn.store.alerts import Alert, Alerts
from jobchurn.store.arrivals import Arrivals, Claim
from jobchurn.store.database import Store
from jobchurn.store.models import Models, RegisteredModel
from jobchurn.store.predictions import GoodFile, PredictedFile, Prediction, Predictions
from jobchurn.store.requests import Batch, Stored
from jobchurn.store.runs import Issue, Run, Runs

__all__ = [
    "Alert",
    "Alerts",
    "Arrivals",
    "Batch",
    "Claim",
    "GoodFile",
    "Issue",
    "Models",
    "PredictedFile",
    "Prediction",
    "Predictions",
    "RegisteredModel",
    "Run",
    "Runs",
    "Store",
    "Stored",
]
