"""PostgreSQL: the embedded server, connections, the schema, and everything that reads or writes odds there."""
