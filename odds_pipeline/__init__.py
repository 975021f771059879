"""A Dagster-orchestrated pipeline for football odds; see docs/architecture.md."""
