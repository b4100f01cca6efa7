"""Run by Alembic: applies the migrations over the connection that ``store.schema`` hands it."""

from alembic import context

context.configure(connection=context.config.attributes["connection"])
context.run_migrations()
