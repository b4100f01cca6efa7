"""How much of what model and database can do a request of 100,000 records reaches, in every form.

Usage: ``python -m benchmarks.bulk_requests [--quick] [--dry] [--rounds N]``

Figures 5, 5b and 6. The API runs as a process of its own over an embedded PostgreSQL, with a model
that was trained on the built-in data, and is sent the same records as Arrow, CSV, NDJSON and JSON,
each under an idempotency key of its own; the clock stops when the whole answer has arrived. By
turns with it: the trees on the ready matrix of these records, on one thread, as the API has them
run; and a COPY, in binary, of the very rows that a request has stored into the same table, sent as
they came out of the database, and committed. The table is emptied before each, so that all find it
alike. The original's path, begun and ended for each measurement, is sent fewer records: it commits
each by itself.

Every answer is looked at: its probabilities have to be the trees' own, and the rows of the database
those of the request; otherwise this ends with 1 and keeps nothing.
"""

from __future__ import annotations

import csv
import http.client
import io
import json
import secrets
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from functools import partial
from statistics import median
from urllib.parse import urlsplit

import pyarrow as pa

from benchmarks import machine, options
from benchmarks.house import House, new_house, records
from benchmarks.measuring import Spread, by_turns, ratio, seconds_of
from benchmarks.peers.original_path import running_original, train_original
from benchmarks.results import Measurement, report
from jobchurn.contract import Contract, Kind, Value

RECORDS = 100_000
OF_ORIGINAL = 2_000
"""How many records the original is sent: it takes some milliseconds for each."""

ARROW, CSV, NDJSON, JSON = "Arrow", "CSV", "NDJSON", "JSON"
TYPES = {
    ARROW: "application/vnd.apache.arrow.stream",
    CSV: "text/csv",
    NDJSON: "application/x-ndjson",
    JSON: "application/json",
}
MODEL, COPY, ORIGINAL = "the model alone", "COPY alone", "the original"

Records = Sequence[Mapping[str, Value]]


class Bulk:
    """One request's records, and what they have to come to.

    Args:
        house: over which the API runs.
        address: of the API.
        given: the records.
    """

    def __init__(self, house: House, address: str, given: Records) -> None:
        self._house = house
        self._place = urlsplit(address)
        self.bodies = bodies_of(given, house.services.contract)
        self._model = house.services.registry.champion()
        self._matrix = self._model.encoded(given)
        self.expected = self._model.probabilities_of(self._matrix).tolist()
        self._rows = b""

    def predict(self) -> None:
        """Let the trees and the calibration say what they say of all records."""
        found = self._model.probabilities_of(self._matrix)
        if len(found) != len(self.expected):
            raise SystemExit("The model gave another number of probabilities.")

    def ask(self, form: str) -> float:
        """Send all records in a form; the seconds until the answer is here."""
        self.empty()
        headers = {"Content-Type": TYPES[form], "Idempotency-Key": secrets.token_hex(8)}
        connection = http.client.HTTPConnection(str(self._place.hostname), self._place.port or 80)
        begun = time.perf_counter()
        connection.request("POST", "/predict", self.bodies[form], headers)
        answer = connection.getresponse()
        text = answer.read()
        took = time.perf_counter() - begun
        connection.close()
        if answer.status != 200:
            raise SystemExit(f"{form} was answered with {answer.status}: {text[:500]!r}")
        told = json.loads(text)
        if [one["probability"] for one in told["predictions"]] != self.expected:
            raise SystemExit(f"The answer to {form} has other probabilities than the model.")
        if len(told["features"]) != len(self.expected):
            raise SystemExit(f"The answer to {form} shows another number of records.")
        self._check(form)
        return took

    def take_rows(self) -> None:
        """Keep the rows that are stored, as COPY gives them."""
        command = "COPY (SELECT * FROM predictions) TO STDOUT (FORMAT BINARY)"
        with self._house.database() as connection, connection.cursor().copy(command) as copy:
            self._rows = b"".join(bytes(piece) for piece in copy)

    def copy(self) -> float:
        """Send the same rows to the same table; the seconds until they are committed."""
        self.empty()
        with self._house.database() as connection:
            begun = time.perf_counter()
            with connection.cursor().copy("COPY predictions FROM STDIN (FORMAT BINARY)") as copy:
                copy.write(self._rows)
            took = time.perf_counter() - begun
        self._check(COPY)
        return took

    def empty(self) -> None:
        """Remove all predictions."""
        with self._house.database() as connection:
            connection.execute("TRUNCATE predictions, requests")

    def _check(self, side: str) -> None:
        with self._house.database() as connection:
            row = connection.execute(
                "SELECT count(*), count(DISTINCT id), sum(probability) FROM predictions"
            ).fetchone()
        kept = tuple(map(float, map(str, row or ())))
        count = len(self.expected)
        if kept[:2] != (count, count) or abs(kept[2] - sum(self.expected)) > 1e-6:
            raise SystemExit(f"{side} left {kept} in the database, of {count:,} records.")


def main() -> None:
    """Measure, check, and report."""
    asked = options.read(options.parser_of(__doc__, rounds=9))
    with new_house() as house, ExitStack() as stack:
        given = records(house, RECORDS // 5 if asked.quick else RECORDS)
        address = stack.enter_context(house.api())
        bulk = Bulk(house, address, given)
        bulk.ask(JSON)
        bulk.take_rows()
        sides: dict[str, Callable[[], float]] = {form: partial(bulk.ask, form) for form in TYPES}
        sides |= {MODEL: seconds_of(bulk.predict), COPY: bulk.copy}
        times = by_turns(sides, rounds=asked.rounds)
        bulk.empty()
        train_original(house)
        few = given[:OF_ORIGINAL]
        against = by_turns(
            {
                JSON: lambda: len(given) / bulk.ask(JSON),
                ORIGINAL: lambda: len(few) / _original(house, few),
            },
            rounds=max(3, asked.rounds // 3),
            warm_up=0,
        )
        versions = machine.versions("lightgbm", "orjson", "pyarrow", "psycopg", "numpy")
        versions["PostgreSQL"] = house.postgres_version
    for measurement in (*_bounds(times, len(given), versions), _old(against, versions)):
        report(measurement, keep=asked.keep)


def bodies_of(given: Records, contract: Contract) -> dict[str, bytes]:
    """The records as bodies, by form."""
    lines = [json.dumps(record, separators=(",", ":"), ensure_ascii=False) for record in given]
    names = list(given[0])
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(names)
    writer.writerows([contract[n].write(record[n]) for n in names] for record in given)
    return {
        ARROW: _stream(given, contract),
        CSV: text.getvalue().encode(),
        NDJSON: "".join(f"{line}\n" for line in lines).encode(),
        JSON: f'{{"records":[{",".join(lines)}]}}'.encode(),
    }


def _stream(given: Records, contract: Contract) -> bytes:
    """An Arrow stream, its texts dictionary-encoded, as data frames hold categories."""
    types = {Kind.INTEGER: pa.int64(), Kind.NUMBER: pa.float64()}
    columns = {}
    for name in given[0]:
        array = pa.array([record[name] for record in given], types.get(contract[name].kind))
        columns[name] = array if contract[name].is_numeric else array.dictionary_encode()
    table = pa.table(columns)
    sink = io.BytesIO()
    with pa.ipc.new_stream(sink, table.schema) as stream:
        stream.write_table(table)
    return sink.getvalue()


def _original(house: House, few: Records) -> float:
    """The seconds that the original takes for some records."""
    body = json.dumps({"records": few})
    with running_original(house) as address:
        place = urlsplit(address)
        connection = http.client.HTTPConnection(str(place.hostname), place.port or 80)
        begun = time.perf_counter()
        connection.request("POST", place.path, body, {"Content-Type": TYPES[JSON]})
        answer = connection.getresponse()
        told = json.loads(answer.read())
        took = time.perf_counter() - begun
        connection.close()
    if answer.status != 200 or len(told["predictions"]) != len(few):
        raise SystemExit(f"The original answered with {answer.status}.")
    return took


def _bounds(
    times: Mapping[str, Sequence[float]], count: int, versions: Mapping[str, str]
) -> list[Measurement]:
    slower = [max(pair) for pair in zip(times[MODEL], times[COPY], strict=True)]
    shares = {form: ratio(slower, times[form]) for form in TYPES}
    rates = {name: f"{count / median(found):,.0f}/s" for name, found in times.items()}
    rounds = len(slower)
    best = max(shares, key=lambda form: shares[form].median)
    told = ", ".join(f"{form} {share.median:.2f}" for form, share in shares.items())
    slow = COPY if median(times[COPY]) > median(times[MODEL]) else MODEL
    remarks = (
        f"The slower is {slow}. All forms: {told}.",
        "; ".join(
            f"{form} ÷ the model alone {ratio(times[MODEL], times[form]).median:.2f}, "
            f"÷ COPY alone {ratio(times[COPY], times[form]).median:.2f}"
            for form in (best, JSON)
        )
        + ".",
    )
    return [
        Measurement("5", shares[best], rounds, rates, versions, remarks),
        Measurement("5b", shares[JSON], rounds, rates, versions, remarks[:1]),
    ]


def _old(rates: Mapping[str, Sequence[float]], versions: Mapping[str, str]) -> Measurement:
    return Measurement(
        "6",
        ratio(rates[JSON], rates[ORIGINAL]),
        len(rates[JSON]),
        {name: f"{Spread.of(found).median:,.0f}/s" for name, found in rates.items()},
        versions,
        (f"The original is sent {OF_ORIGINAL:,} records at once.",),
    )


if __name__ == "__main__":
    main()
