"""Asset checks: blocking ones for schema and uniqueness, warnings for what a person should look at."""
