"""``python -m odds_pipeline.cli``: the same as ``odds-pipeline``."""

from odds_pipeline.cli import app

app()
