"""Good records as an Arrow table, in which one column is another; and how the API reads it."""

import pyarrow as pa

from bulk_bodies import as_arrow
from jobchurn.api.bulk import arrow
from jobchurn.api.records import Reader
from jobchurn.contract import JOB_CHANGE
from small_model import random_records

READER = Reader(JOB_CHANGE)
RECORDS = random_records(JOB_CHANGE, 30)
MOST = 1_000
[HOURS] = [c.name for c in JOB_CHANGE.features if c.kind == "integer"]
[INDEX] = [c.name for c in JOB_CHANGE.features if c.kind == "number"]
CITY = next(c.name for c in JOB_CHANGE.features if c.kind == "text")
ORDER = next(c.name for c in JOB_CHANGE.features if "5" in c.levels)


def read(body):
    return arrow.submitted(body, READER, JOB_CHANGE, MOST).reading(JOB_CHANGE)


def table_with(name, array):
    """Thirty good records, with this in the place of a column."""
    whole = pa.ipc.open_stream(as_arrow(RECORDS)).read_all()
    place = whole.schema.get_field_index(name)
    return whole.set_column(place, name, array)
