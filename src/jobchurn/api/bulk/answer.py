"""The answer to a large request, as JSON: written in parts, as its predictions become known."""

from __future__ import annotations

import orjson
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from jobchurn.columnar import Objects, Records, interleaved, numbers
from jobchurn.contract import Contract
from jobchurn.flow.bulk import BulkAnswer, Told


class AnswerWriter:
    """Writes an answer as its parts are told. The bytes are those that a small answer has.

    Args:
        contract: says what an answer shows of a record.
    """

    def __init__(self, contract: Contract) -> None:
        self._names = [column.name for column in contract.inputs]
        self._features: Objects | None = None
        self._predictions: list[bytes] = []
        self._shown: list[bytes] = []

    def tell(self, records: Records, told: Told) -> None:
        """Write the next part."""
        if self._features is None:
            columns = {name: records.columns[name] for name in self._names}
            self._features = Objects(columns, orjson.dumps)
        if not len(told.numbers):
            return
        self._predictions.append(_predictions(told))
        self._shown.append(self._features.of(told.rows))

    def finished(self, answer: BulkAnswer) -> list[bytes]:
        """The whole text, in pieces."""
        rest = {
            "model_version": answer.model_version,
            "n": answer.n,
            "created_at": answer.created_at,
            "refused": answer.refused,
        }
        return [
            b'{"predictions":[',
            *_parted(self._predictions),
            b'],"features":[',
            *_parted(self._shown),
            b"],",
            orjson.dumps(rest)[1:],
        ]


def _predictions(told: Told) -> bytes:
    decided = [b',"prediction":0,"probability":', b',"prediction":1,"probability":']
    return interleaved(
        [
            numbers(told.numbers, orjson.dumps, before=b'{"record":'),
            [decided[decision] for decision in told.decisions.tolist()],
            numbers(told.probabilities, orjson.dumps),
            numbers(told.ids, orjson.dumps, before=b',"id":', after=b"},"),
        ]
    )[:-1]


def _parted(pieces: list[bytes]) -> list[bytes]:
    """Pieces with commas between them."""
    return [part for piece in pieces for part in (b",", piece)][1:]


class PiecesResponse(Response):
    """An answer that is sent in pieces, as it was made: it is nowhere copied into one."""

    media_type = "application/json"

    def __init__(self, pieces: list[bytes], headers: dict[str, str] | None = None) -> None:
        self._pieces = pieces
        length = {"Content-Length": str(sum(map(len, pieces)))}
        super().__init__(headers={**(headers or {}), **length})

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002
        """Send it."""
        await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
        while self._pieces:
            piece = self._pieces.pop(0)
            await send(
                {"type": "http.response.body", "body": piece, "more_body": bool(self._pieces)}
            )
