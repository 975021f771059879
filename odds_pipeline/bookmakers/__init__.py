"""One module for each bookmaker: how to ask it (HTTP) and how to read its answers (pure parser)."""
