"""What FastAPI does by itself: a pydantic body of the contract's fields, and a constant answer.

``python -m benchmarks.plain_route`` serves it on API_PORT, with uvicorn as it comes. The variable
BENCHMARK_ANSWER names the file of what is answered.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated, Any, Literal

import uvicorn
from fastapi import FastAPI
from pydantic import BaseModel, Field, create_model
from starlette.responses import Response

from jobchurn.contract import JOB_CHANGE, Column, Kind

PATH = "/constant"


def create_app(answer: bytes) -> FastAPI:
    """The application: ``/ready``, and the route."""
    app = FastAPI()
    body = _body()

    @app.get("/ready")
    async def ready() -> str:
        return "yes"

    async def constant(request: Any) -> Response:  # noqa: ARG001
        return Response(answer, media_type="application/json")

    constant.__annotations__["request"] = body
    app.post(PATH)(constant)
    return app


def _body() -> type[BaseModel]:
    fields: dict[str, Any] = {
        column.name: (_type_of(column), ...) if column.required else (_type_of(column) | None, None)
        for column in JOB_CHANGE.inputs
    }
    record = create_model("Record", **fields)
    listed: Any = list[record]
    return create_model("Body", records=(listed, ...))


def _type_of(column: Column) -> Any:
    match column.kind:
        case Kind.INTEGER | Kind.NUMBER:
            kind = int if column.kind is Kind.INTEGER else float
            return Annotated[kind, Field(ge=column.minimum, le=column.maximum)]
        case Kind.TEXT:
            return Annotated[str, Field(max_length=column.max_length)]
        case Kind.CATEGORY | Kind.ORDERED:
            return Literal[tuple(column.levels)]


if __name__ == "__main__":
    uvicorn.run(
        create_app(Path(os.environ["BENCHMARK_ANSWER"]).read_bytes()),
        port=int(os.environ["API_PORT"]),
        access_log=False,
        log_level="warning",
    )
