"""The simulator as a process of its own: ``python -m odds_pipeline.simulator OPTIONS_JSON CLOCK_OFFSET_SECONDS``.

Started by ``Simulator(own_process=True)``. Prints its URL on a line, then serves until its standard input ends, which
also happens when its owner dies.
"""

from __future__ import annotations

import sys
from datetime import timedelta
from threading import Thread

import msgspec

from odds_pipeline.clock import SystemClock
from odds_pipeline.simulator.server import Options, Server


def main() -> None:
    """Serve as the command line says."""
    options = msgspec.json.decode(sys.argv[1], type=Options)
    server = Server(options, SystemClock(timedelta(seconds=float(sys.argv[2]))))
    print(server.url, flush=True)

    def wait_for_owner() -> None:
        while sys.stdin.buffer.read(4096):
            pass
        server.stop()

    Thread(target=wait_for_owner, daemon=True).start()
    server.run()


if __name__ == "__main__":
    main()
