"""Records as bodies of every form in which POST /predict takes them."""

import csv
import io
import json

import pyarrow as pa

from jobchurn.api.body import JSON
from jobchurn.api.bulk.forms import ARROW, CSV, NDJSON
from jobchurn.contract import JOB_CHANGE, Kind

TYPES = {Kind.INTEGER: pa.int64(), Kind.NUMBER: pa.float64()}


def as_json(records, **wishes):
    return json.dumps({"records": records, **wishes}).encode()


def as_ndjson(records):
    return "".join(json.dumps(record) + "\n" for record in records).encode()


def as_csv(records, contract=JOB_CHANGE):
    text = io.StringIO()
    names = list(contract.by_name)
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(names)
    for record in records:
        writer.writerow([contract[name].write(record.get(name)) for name in names])
    return text.getvalue().encode()


def as_arrow(records, contract=JOB_CHANGE, *, rows=7, coded=True):
    """An Arrow stream in small batches; texts are dictionary-encoded unless ``coded`` is false."""
    table = pa.table(
        {
            name: column_of(column, [record.get(name) for record in records], coded)
            for name, column in contract.by_name.items()
        }
    )
    return stream_of(table, rows)


def column_of(column, values, coded):
    array = pa.array(values, TYPES.get(column.kind, pa.string()))
    return array.dictionary_encode() if coded and not column.is_numeric else array


def stream_of(table, rows=None, **options):
    sink = io.BytesIO()
    writing = pa.ipc.IpcWriteOptions(unify_dictionaries=True, **options)
    with pa.ipc.new_stream(sink, table.schema, options=writing) as writer:
        writer.write_table(table, rows)
    return sink.getvalue()


BODIES = {JSON: as_json, NDJSON: as_ndjson, CSV: as_csv, ARROW: as_arrow}


def send(client, form, body, key=None, **wishes):
    """Send a body of a form; wishes go where the form has room for them."""
    headers = {"Content-Type": form} | ({"Idempotency-Key": key} if key else {})
    return client.post("/predict", content=body, headers=headers, params=wishes)


def ask(client, form, records, key=None, **wishes):
    """Ask for the predictions of records, sent in a form."""
    if form == JSON:
        return send(client, form, as_json(records, **wishes), key)
    wishes = {
        name: str(value).lower() if value in (True, False) else value
        for name, value in wishes.items()
    }
    lineage = wishes.pop("lineage", {})
    return send(client, form, BODIES[form](records), key, **wishes, **lineage)
