"""The tables and the only queries. SQLAlchemy, Alembic and psycopg live here and nowhere else."""

from jobchurn.store.admission import Standing
from jobchurn.store.alert_states import AlertState, AlertStates, NewAlert
from jobchurn.store.alerts import Alert, Alerts
from jobchurn.store.arrivals import Arrivals, Claim
from jobchurn.store.database import Store
from jobchurn.store.drift import Drift, Window
from jobchurn.store.engine import account_of
from jobchurn.store.job_runs import JobRuns
from jobchurn.store.models import Models, RegisteredModel
from jobchurn.store.panels import Frame, Panels
from jobchurn.store.predictions import GoodFile, PredictedFile, Prediction, Predictions
from jobchurn.store.redactions import Redaction, Redactions
from jobchurn.store.request_log import LogEntry, RequestLog
from jobchurn.store.requests import Batch, Stored
from jobchurn.store.retention import Retention
from jobchurn.store.runs import Issue, Run, Runs

__all__ = [
    "Alert",
    "AlertState",
    "AlertStates",
    "Alerts",
    "Arrivals",
    "Batch",
    "Claim",
    "Drift",
    "Frame",
    "GoodFile",
    "Issue",
    "JobRuns",
    "LogEntry",
    "Models",
    "NewAlert",
    "Panels",
    "PredictedFile",
    "Prediction",
    "Predictions",
    "Redaction",
    "Redactions",
    "RegisteredModel",
    "RequestLog",
    "Retention",
    "Run",
    "Runs",
    "Standing",
    "Store",
    "Stored",
    "Window",
    "account_of",
]
