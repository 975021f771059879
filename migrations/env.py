"""Alembic's entry point: runs the migrations on the connection that ``odds_pipeline.database.migrate`` hands over.

Offline (``--sql``) it prints the statements for PostgreSQL instead.
"""

from alembic import context

from odds_pipeline.database.migrate import COMPARISON

if context.is_offline_mode():
    context.configure(dialect_name="postgresql", literal_binds=True, **COMPARISON)
else:
    context.configure(connection=context.config.attributes["connection"], **COMPARISON)

with context.begin_transaction():
    context.run_migrations()
