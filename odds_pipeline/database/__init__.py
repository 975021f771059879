"""PostgreSQL: the embedded server, connections, schema and migrations, and everything that reads or writes odds there."""
