"""Speed and size, measured as ratios to a floor of the same run: ``python -m benchmarks [NAME ...]``.

What belongs here: made-up offers at the design's scales, the measurements, and their printing. Nothing of the product
imports this package; docs/performance.md keeps what was measured.
"""
