"""Keeping Dagster's own tables small without losing what its pages are asked for."""
