"""The three bookmakers on loopback: their protocols, a world of matches behind them, and faults on request.

``Simulator`` runs it; ``Fault`` and ``FaultKind`` say what shall go wrong. docs/simulator.md is its manual.
"""

from odds_pipeline.simulator.captures import CapturesError
from odds_pipeline.simulator.faults import Fault, FaultKind
from odds_pipeline.simulator.latency import Latency
from odds_pipeline.simulator.simulator import Simulator, SimulatorFailed

__all__ = ["CapturesError", "Fault", "FaultKind", "Latency", "Simulator", "SimulatorFailed"]
