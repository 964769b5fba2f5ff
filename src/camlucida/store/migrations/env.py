"""How Alembic runs here: on the connection that the station hands over, within its transaction."""

from alembic import context

from camlucida.store.tables import Base

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=Base.metadata,
    render_as_batch=True,  # SQLite alters tables by copying them
)
context.run_migrations()
