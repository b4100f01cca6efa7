"""The original's path of a prediction, made anew from what is known of it.

A random forest of 200 trees with balanced classes lies on disk as a pickle of some 200 MB; every
request reads it anew, builds a data frame, predicts, and inserts its records one by one with a
commit each. ``original.py train CSV`` writes the forest to ORIGINAL_MODEL, ``original.py serve``
answers on API_PORT and keeps in DATABASE_URL.
"""

from __future__ import annotations

import os
import sys
from typing import Any

import joblib
import pandas as pd
import sqlalchemy as sa
import uvicorn
from fastapi import FastAPI
from pydantic import BaseModel
from sklearn.compose import make_column_transformer
from sklearn.ensemble import RandomForestClassifier
from sklearn.impute import SimpleImputer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder

from jobchurn.contract import JOB_CHANGE

TREES = 200
PATH = "/predict"

_INPUTS = [column.name for column in JOB_CHANGE.inputs]
_NUMBERS = [column.name for column in JOB_CHANGE.inputs if column.is_numeric]
_TEXTS = [column.name for column in JOB_CHANGE.inputs if not column.is_numeric]

_TABLE = sa.Table(
    "original_predictions",
    sa.MetaData(),
    sa.Column("id", sa.BigInteger, primary_key=True),
    sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.func.now()),
    sa.Column("source", sa.Text),
    sa.Column("features", sa.JSON),
    sa.Column("prediction", sa.Integer),
    sa.Column("probability", sa.Float),
)


class Body(BaseModel):
    """What is posted."""

    records: list[dict[str, Any]]
    source: str = "webapp"


def train(training: str, target: str) -> None:
    """Fit the forest on a file of the contract's columns, and write it."""
    # Only the empty cell is blank: some readers take "None" and the like for blanks too.
    frame = pd.read_csv(training, keep_default_na=False, na_values=[""], dtype=str)
    numbers = frame[_NUMBERS].astype(float)
    prepared = make_column_transformer(
        (SimpleImputer(strategy="median"), _NUMBERS),
        (
            make_pipeline(
                SimpleImputer(strategy="most_frequent"), OneHotEncoder(handle_unknown="ignore")
            ),
            _TEXTS,
        ),
    )
    forest = RandomForestClassifier(TREES, class_weight="balanced", random_state=0)
    model = make_pipeline(prepared, forest)
    outcome = frame[JOB_CHANGE.outcome.name].astype(float).astype(int)
    model.fit(pd.concat([numbers, frame[_TEXTS]], axis=1), outcome)
    joblib.dump(model, target)


def create_app(model: str, database: str) -> FastAPI:
    """The application."""
    # As many connections as FastAPI has threads, so that none waits for another's.
    engine = sa.create_engine(database, pool_size=40)
    _TABLE.create(engine, checkfirst=True)
    app = FastAPI()

    @app.get("/ready")
    def ready() -> str:
        return "yes"

    @app.post(PATH)
    def predict(body: Body) -> dict[str, Any]:
        forest = joblib.load(model)
        frame = pd.DataFrame(body.records, columns=_INPUTS)
        probabilities = forest.predict_proba(frame.replace({None: float("nan")}))[:, 1].tolist()
        predictions = [
            {"prediction": int(probability >= 0.5), "probability": probability}
            for probability in probabilities
        ]
        for record, predicted in zip(body.records, predictions, strict=True):
            with engine.begin() as connection:
                connection.execute(
                    sa.insert(_TABLE).values(source=body.source, features=record, **predicted)
                )
        return {"predictions": predictions}

    return app


def main(action: str, training: str = "") -> None:
    """Train, or serve."""
    model = os.environ["ORIGINAL_MODEL"]
    if action == "train":
        train(training, model)
        return
    url = sa.make_url(os.environ["DATABASE_URL"]).set(drivername="postgresql+psycopg")
    app = create_app(model, url.render_as_string(hide_password=False))
    uvicorn.run(app, port=int(os.environ["API_PORT"]), log_level="warning")


if __name__ == "__main__":
    main(*sys.argv[1:])
