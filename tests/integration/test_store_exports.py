"""Exports: what COPY writes is what the csv module would, with an apostrophe before formulas."""

import csv
import io
from datetime import UTC, datetime

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from jobchurn.contract import FORMULA_STARTS, JOB_CHANGE, Kind
from jobchurn.files import without_formula
from jobchurn.store.copying import copy_rows
from jobchurn.store.engine import engine_of
from jobchurn.store.exports import copied, exported_names, shown_cells, typed_cells
from jobchurn.store.tables import tables_of
from store_work import batch_of, record_of

EXAMPLES = ["=1+1", "'", "''", '"', '=","', "-2", "-2+3", "+1e5", "+", "-.5", "-.", "\\.", "NULL"]
characters = st.one_of(
    st.sampled_from("0123456789.eE'\" ,;|aé😀\\\n\t" + FORMULA_STARTS.replace("\r", "")),
    st.characters(exclude_characters="\0\r", exclude_categories=["Cs"]),
)
texts = st.none() | st.sampled_from(EXAMPLES) | st.text(characters, max_size=8)
numbers = st.one_of(
    st.none(),
    st.sampled_from([0.0, -0.0, 1.0, 1e-4, 9.99e-5, 5e-324, 0.1 + 0.2, 999999999999999.0]),
    st.floats(-1, 1),
    st.floats(-1e15, 1e15, exclude_min=True, exclude_max=True),
)
moments = st.datetimes(timezones=st.just(UTC))
cells = {
    Kind.INTEGER: st.none() | st.integers(-(2**63), 2**63 - 1),
    Kind.NUMBER: numbers,
}
rows = st.fixed_dictionaries(
    {
        "id": st.integers(-(2**63), 2**63 - 1),
        "created_at": moments | moments.map(lambda moment: moment.replace(microsecond=0)),
        "source": st.sampled_from(["webapp", "scheduled"]),
        "model_version": st.just("lgbm-0123456789ab"),
        "prediction": st.integers(0, 1),
        "probability": st.floats(0, 1) | st.sampled_from([0.0, 1.0]),
        **{column.name: cells.get(column.kind, texts) for column in JOB_CHANGE.inputs},
    }
)


def written(row):
    """A line as the csv module writes it, cell by cell."""
    line = io.StringIO()
    csv.writer(line, lineterminator="\n").writerow(
        [
            row["id"],
            row["created_at"].isoformat(),
            row["source"],
            row["model_version"],
            *(
                without_formula(value) if isinstance(value := row[c.name], str) else value
                for c in JOB_CHANGE.inputs
            ),
            row["prediction"],
            row["probability"],
        ]
    )
    return line.getvalue().encode()


@pytest.fixture
def engine(database):
    opened = engine_of(database)
    yield opened
    opened.dispose()


@pytest.fixture
def loose(engine):
    """A table of predictions without checks: what an older contract let in may be anything."""
    made = tables_of(JOB_CHANGE).predictions.to_metadata(sa.MetaData(), name="loose")
    with engine.begin() as connection:
        connection.exec_driver_sql("CREATE TABLE loose (LIKE predictions)")
        for name in ("position", "policy_version", "contract"):
            connection.exec_driver_sql(f"ALTER TABLE loose ALTER {name} DROP NOT NULL")
    return made


def test_every_cell_is_written_as_the_csv_module_would(engine, loose):
    names = exported_names(JOB_CHANGE)

    @settings(
        max_examples=40, deadline=None, suppress_health_check=list(HealthCheck), print_blob=False
    )
    @given(st.lists(rows, min_size=1, max_size=40))
    def check(some):
        with engine.begin() as connection:
            connection.exec_driver_sql("TRUNCATE loose")
            copy_rows(connection, loose, {name: [row[name] for row in some] for name in names})
        # In no order: the rows of a table just filled come as they were put in.
        found = b"".join(copied(engine, sa.select(*shown_cells(loose, JOB_CHANGE))))
        assert found == b"".join(map(written, some))

    check()


def test_a_carriage_return_is_kept_and_made_harmless(engine, loose):
    row = dict.fromkeys(exported_names(JOB_CHANGE))
    row |= {"id": 1, "created_at": datetime(2026, 1, 1, tzinfo=UTC), "source": "webapp"}
    row |= {"model_version": "m", "prediction": 1, "probability": 0.5, "city": "\rx"}
    with engine.begin() as connection:
        copy_rows(connection, loose, {name: [value] for name, value in row.items()})
    text = b"".join(copied(engine, sa.select(*shown_cells(loose, JOB_CHANGE)))).decode()
    [line] = csv.reader(io.StringIO(text, newline=""))
    assert line[exported_names(JOB_CHANGE).index("city")] == "'\rx"


def test_blanks_and_empty_texts_stay_apart_for_our_own_programs(engine, loose):
    with engine.begin() as connection:
        connection.exec_driver_sql(
            "INSERT INTO loose (id, created_at, source, model_version, prediction, probability, "
            "city, gender) VALUES (1, '2026-01-01 00:00:00.1Z', 'webapp', 'm', 1, 1, '', NULL)"
        )
    [line] = b"".join(copied(engine, sa.select(*typed_cells(loose, JOB_CHANGE)))).splitlines()
    assert line.startswith(b'1,2026-01-01 00:00:00.1+00,webapp,m,"",,,')


def test_blocks_are_whole_lines_of_at_least_the_size_asked_for(store, engine):
    store.predictions.write(batch_of([record_of()] * 50))
    predictions = tables_of(JOB_CHANGE).predictions
    wanted = sa.select(predictions.c.id, predictions.c.city)
    blocks = list(copied(engine, wanted, block_bytes=100))
    assert len(blocks) > 2
    assert all(block.endswith(b"\n") for block in blocks)
    assert all(len(block) >= 100 for block in blocks[:-1])
    assert b"".join(blocks).count(b"\n") == 50


def test_an_export_holds_what_was_there_when_it_began_the_newest_first(store, engine):
    ids = store.predictions.write(batch_of([record_of()] * 25)).ids
    predictions = tables_of(JOB_CHANGE).predictions
    wanted = sa.select(predictions.c.id).order_by(predictions.c.id.desc())
    blocks = copied(engine, wanted, block_bytes=1)
    found = next(blocks)
    store.predictions.write(batch_of([record_of()] * 5))
    assert list(map(int, (found + b"".join(blocks)).split())) == ids[::-1]


def test_an_export_that_is_left_gives_its_connection_back(store):
    store.predictions.write(batch_of([record_of()] * 5_000))
    for _ in range(40):  # more than there are connections
        blocks = store.predictions.csv()
        next(blocks)
        blocks.close()
