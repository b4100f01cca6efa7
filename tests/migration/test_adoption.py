"""The predictions table is given a contract's columns, whatever it held before."""

import dataclasses
from datetime import UTC, datetime

import pytest
import sqlalchemy as sa

from jobchurn.contract import JOB_CHANGE, Contract
from jobchurn.errors import ContractUnusable
from jobchurn.roles import READER
from jobchurn.store import Batch, Store
from jobchurn.store.columns import ID_MARK
from jobchurn.store.engine import engine_of
from toy import TOY


@pytest.fixture
def connection(database):
    engine = engine_of(database)
    with engine.connect() as opened:
        yield opened
    engine.dispose()


def adopted(url, contract):
    store = Store.connect(url, contract)
    store.migrate()
    return store


def changed(contract, name, /, **changes):
    """The contract with one column changed."""
    columns = tuple(
        dataclasses.replace(column, **changes) if column.name == name else column
        for column in contract.columns
    )
    return dataclasses.replace(contract, columns=columns)


def machine(**values):
    record = {"temperature": 20.0, "maker": None, "site": None, "failed": None} | values
    return Batch(
        records=[record],
        probabilities=[0.5],
        decisions=[1],
        source="webapp",
        model_version="lgbm-0",
        policy_version="miss-cost-2",
    )


def checks(connection, name):
    """The column's constraints: name → (definition, whether all rows were held to it)."""
    found = connection.execute(
        sa.text(
            "SELECT conname, pg_get_constraintdef(oid), convalidated FROM pg_constraint "
            "WHERE conrelid = 'predictions'::regclass AND conname LIKE :like"
        ),
        {"like": f"predictions\\_{name}\\_%"},
    )
    return {row[0]: (row[1], row[2]) for row in found}


def test_a_new_level_replaces_the_constraint(database, connection):
    adopted(database, TOY).close()
    wider = changed(TOY, "maker", levels=(*TOY["maker"].levels, "Siemens"))
    store = Store.connect(database, wider)
    assert store.missing() == ["the column maker is not adopted as the contract has it: migrate"]
    store.migrate()
    assert store.missing() == []
    store.predictions.write(machine(maker="Siemens"))
    store.close()
    [(definition, validated)] = checks(connection, "maker").values()
    assert "Siemens" in definition
    assert validated


def test_rows_that_no_longer_fit_stay_and_new_ones_are_held_to_the_new_domain(database, connection):
    store = adopted(database, TOY)
    store.predictions.write(machine(temperature=200.0))
    store.close()
    narrower = adopted(database, changed(TOY, "temperature", maximum=100))
    [(definition, validated)] = checks(connection, "temperature").values()
    assert "(100)" in definition
    assert not validated
    assert narrower.predictions.page()[0][0].record["temperature"] == 200.0
    with pytest.raises(Exception, match="predictions_temperature_range"):
        narrower.predictions.write(machine(temperature=200.0))
    narrower.close()


def test_rows_that_no_longer_fit_are_moved_into_a_month_that_is_made_late(database, connection):
    store = adopted(database, TOY)
    month = f"predictions_{datetime.now(UTC):%Y_%m}"
    connection.execute(sa.text(f"DROP TABLE {month}"))
    connection.commit()
    store.predictions.write(machine(maker=TOY["maker"].levels[0]))
    store.close()
    cheap, _ = others = TOY["maker"].levels[1:]
    narrowed = changed(TOY, "maker", levels=others, spellings={}, examples=())
    narrower = adopted(database, narrowed)
    lying = sa.text("SELECT tableoid::regclass::text FROM predictions")
    assert connection.scalars(lying).all() == [month]
    [(_, validated)] = checks(connection, "maker").values()
    assert not validated
    with pytest.raises(Exception, match="predictions_maker_domain"):
        narrower.predictions.write(machine(maker=TOY["maker"].levels[0]))
    narrower.predictions.write(machine(maker=cheap))
    narrower.close()


def test_a_text_that_becomes_a_category_loses_the_rules_of_a_text(database, connection):
    adopted(database, TOY).close()
    assert set(checks(connection, "site")) == {
        "predictions_site_characters",
        "predictions_site_length",
    }
    connection.rollback()
    closed = changed(TOY, "site", kind=TOY["maker"].kind, levels=("Hall 3",))
    adopted(database, closed).close()
    assert set(checks(connection, "site")) == {"predictions_site_domain"}


def test_a_description_alone_changes_no_constraint(database, connection):
    adopted(database, TOY).close()
    before = checks(connection, "maker")
    connection.rollback()
    adopted(database, changed(TOY, "maker", meaning="The manufacturer.")).close()
    assert checks(connection, "maker") == before
    described = sa.inspect(connection).get_columns("predictions")
    [comment] = [c["comment"] for c in described if c["name"] == "maker"]
    assert comment.startswith("The manufacturer. Allowed: O'Neill & Söhne, ")


def test_an_id_is_marked_whichever_contract_looks(database, connection):
    adopted(database, TOY).close()
    described = sa.inspect(connection).get_columns("predictions")
    marked = [c["name"] for c in described if (c["comment"] or "").endswith(ID_MARK)]
    assert marked == [JOB_CHANGE.id.name]
    named = "SELECT has_column_privilege(:role, 'predictions', :name, 'SELECT')"
    asked = {"role": READER, "name": JOB_CHANGE.id.name}
    assert connection.scalar(sa.text(named), asked) is False
    assert connection.scalar(sa.text(named), asked | {"name": TOY.columns[0].name}) is True


def test_a_mark_that_came_later_leaves_the_checks_as_they_are(database, connection):
    before = checks(connection, JOB_CHANGE.id.name)
    name = JOB_CHANGE.id.name
    comment = next(
        c["comment"] for c in sa.inspect(connection).get_columns("predictions") if c["name"] == name
    )
    former = comment.removesuffix(ID_MARK) + "]"
    connection.execute(sa.text(f"COMMENT ON COLUMN predictions.{name} IS '{former}'"))
    oid = "SELECT oid FROM pg_constraint WHERE conrelid = 'predictions'::regclass ORDER BY 1"
    constraints = connection.scalars(sa.text(oid)).all()
    connection.commit()
    adopted(database, JOB_CHANGE).close()
    assert connection.scalars(sa.text(oid)).all() == constraints
    assert checks(connection, name) == before


def test_no_column_is_ever_dropped(database, connection):
    adopted(database, TOY).close()
    shorter = Contract(
        name=TOY.name,
        subject=TOY.subject,
        positive=TOY.positive,
        negative=TOY.negative,
        columns=tuple(column for column in TOY.columns if column.name != "site"),
    )
    adopted(database, shorter).close()
    names = {column["name"] for column in sa.inspect(connection).get_columns("predictions")}
    assert {column.name for column in (*TOY.columns, *JOB_CHANGE.columns)} <= names


def test_a_column_of_another_type_is_refused_and_nothing_is_changed(database):
    adopted(database, TOY).close()
    other = changed(TOY, "temperature", kind=TOY["failed"].kind)
    other = changed(other, "maker", levels=("Siemens",), spellings={})
    store = Store.connect(database, other)
    with pytest.raises(ContractUnusable, match="temperature as DOUBLE"):
        store.migrate()
    store.close()
    unchanged = Store.connect(database, TOY)
    assert unchanged.missing() == []
    unchanged.close()


@pytest.mark.parametrize("name", ["source", "probability", "id", "xmin"])
def test_a_name_that_the_table_has_for_itself_is_refused(name):
    with pytest.raises(ContractUnusable, match=f"by the name {name}"):
        Store.connect("postgresql://localhost/none", changed(TOY, "site", name=name))


def test_a_name_that_is_too_long_for_the_database_is_refused():
    with pytest.raises(ContractUnusable, match="at most 40 bytes"):
        Store.connect("postgresql://localhost/none", changed(TOY, "site", name="s" * 60))


def test_integers_beyond_the_database_are_refused():
    with pytest.raises(ContractUnusable, match="larger than the database's"):
        Store.connect("postgresql://localhost/none", changed(TOY, "failed", maximum=2**70))
