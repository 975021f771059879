"""The core: frame schemas, change detection, replay. Pure functions; no clock, no I/O, no Dagster."""
