"""The API with one route more, which validates as ``/predict`` does and answers constant bytes.

``python -m benchmarks.constant_route`` serves it as ``python -m jobchurn.api`` serves the API. It
goes the same way as an ordinary prediction: what is between the two routes is the price of
predicting and keeping. The variable BENCHMARK_ANSWER names the file of what is answered.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from fastapi import APIRouter, FastAPI
from starlette.responses import Response
from starlette.types import Scope as Connection

from jobchurn.access import Scope
from jobchurn.api import create_app, serve
from jobchurn.api.few import read_few
from jobchurn.api.permits import needs
from jobchurn.api.straight import Told
from jobchurn.flow.services import Services

PATH = "/constant"

router = APIRouter()


@router.post(PATH)
@needs(Scope.PREDICT)
async def refused() -> Response:
    """Only for the gate: what is not answered straight away has no place in the benchmark."""
    return Response("The request is out of the ordinary.", status_code=500)


def with_constant_route(services: Services) -> FastAPI:
    """The API's application, and the route."""
    app = create_app(services)
    answer = Told(Path(os.environ["BENCHMARK_ANSWER"]).read_bytes(), replayed=False)
    door = app.state.door

    async def constant(scope: Connection, body: bytes, key: str | None) -> Told | None:
        asked = read_few(door, scope, body, key)
        if asked is None:
            return None
        scope["state"]["records"] = len(asked.records)
        return answer

    app.router.routes.extend(router.routes)
    app.state.straight[PATH] = constant
    return app


if __name__ == "__main__":
    serve.create_app = with_constant_route  # type: ignore[attr-defined]
    sys.exit(serve.main())
