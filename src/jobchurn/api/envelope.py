"""What stands around the records of a request: its door, its wishes, where the records are from."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from jobchurn.api.body import VALUES_PER_RECORD, parse
from jobchurn.api.faults import faults_of, sentence
from jobchurn.errors import InvalidRequest, TooLarge
from jobchurn.flow.predict import Source

_MOST_FIELDS = 50
_FEWEST_VALUES = 10_000  # so that a strange body is told what is strange about it
_CURE = 'Send {"records": [{…}, …]}, and beside it no other fields than the documented ones.'

_STRICT = ConfigDict(extra="forbid", strict=True, frozen=True)


def _whole(value: object) -> object:
    return int(value) if isinstance(value, float) and value.is_integer() else value


Whole = Annotated[int, BeforeValidator(_whole)]
"""An integer as JSON Schema has it, which knows no difference between 7 and 7.0."""


class Lineage(BaseModel):
    """The rows of a good file that the records are."""

    model_config = _STRICT

    run: str = Field(
        max_length=64,
        pattern=r"^[0-9A-Za-z-]+$",
        description="The run of ingestion that routed the file.",
        examples=["20261124T073000-3f9a2c"],
    )
    file: str = Field(
        min_length=1,
        max_length=4096,
        pattern=r"^[^\x00]+$",
        description="The file's name.",
        examples=["raw_007.csv"],
    )
    first_row: Whole = Field(
        ge=1,
        le=2**53,
        description="The row in which the first record stands; the header is not counted.",
        examples=[1],
    )


class PredictRequest(BaseModel):
    """Records to predict."""

    model_config = _STRICT

    records: list[Any] = Field(description="The records; none is allowed, and answers with none.")
    source: Source = Field(
        "webapp",
        description="Which door asks; a key that says scheduled needs the scope scheduled.",
    )
    partial: bool = Field(
        False,
        description="Whether the good records are predicted where others are refused; "
        "else one bad record refuses the whole request.",
    )
    lineage: Annotated[
        Lineage | None,
        Field(
            description="Where the records come from, if from a good file; a key that says so "
            "needs the scope scheduled."
        ),
    ] = None


_NAMES = [*PredictRequest.model_fields, *(f"lineage.{name}" for name in Lineage.model_fields)]


def read_request(body: bytes, *, most_records: int) -> PredictRequest:
    """The request that a body holds; its records are not looked at yet.

    Raises:
        InvalidRequest: the body is no JSON, or no request.
        TooLarge: it holds more records, or more values, than are taken at once.
    """
    content = parse(body, most_values=most_values_of(most_records))
    for part in (content, content.get("lineage") if isinstance(content, dict) else None):
        if isinstance(part, dict) and len(part) > _MOST_FIELDS:
            raise InvalidRequest(f"The body has an object of {len(part):,} fields.", _CURE)
    try:
        request = PredictRequest.model_validate(content)
    except ValidationError as error:
        faults = faults_of(error.errors(include_url=False), _NAMES, "the body")
        raise InvalidRequest(sentence(faults[0]["message"]), _CURE, {"errors": faults}) from None
    refuse_many(len(request.records), most_records)
    return request


def most_values_of(most_records: int) -> int:
    """How many values the body of a request may hold."""
    return _FEWEST_VALUES + most_records * VALUES_PER_RECORD


def refuse_many(records: int, most_records: int) -> None:
    """Refuse more records than are taken at once.

    Raises:
        TooLarge: there are more.
    """
    if records > most_records:
        raise TooLarge(
            f"The request holds {records:,} records; at most {most_records:,} are taken at once.",
            "Send them in several requests.",
            {"limit": most_records},
        )
