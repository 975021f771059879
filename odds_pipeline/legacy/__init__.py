"""Odds of earlier systems: read from their tables, turned into changes, imported into our history."""
