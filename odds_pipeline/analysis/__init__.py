"""The questions that can be asked of the odds: each a function of a source that returns polars frames."""
