"""The taxonomy: the catalogue of equivalent markets (``data/``), the mapper that applies it, what it leaves unmapped.

Core: pure apart from reading the project's own data files; no clock, no network, no database.
"""
