# pyright: reportMissingImports=false
"""dlt's scd2 merge of one Parquet file after another, in the peers' own environment; ``peers_process.py`` talks to it.

Takes the connection's URL and a folder to work in, and then the path of a file in each line of its input; answers each
with the seconds of ``pipeline.run`` and those that it was computing. Everything that makes dlt faster is given: Arrow
tables read before the clock starts, Parquet loaded by ADBC, and the row's hash worked out beforehand, as a number.
"""

from __future__ import annotations

import json
import os
import sys
import time


def main(url: str, folder: str) -> None:
    os.environ |= {
        "RUNTIME__DLTHUB_TELEMETRY": "false",
        "RUNTIME__LOG_LEVEL": "ERROR",
        "DLT_DATA_DIR": folder,
        "NORMALIZE__PARQUET_NORMALIZER__ADD_DLT_LOAD_ID": "false",
        "NORMALIZE__PARQUET_NORMALIZER__ADD_DLT_ID": "false",
    }
    import dlt
    import pyarrow.parquet as pq

    pipeline = dlt.pipeline(
        "offer",
        pipelines_dir=folder,
        destination=dlt.destinations.postgres(url),
        dataset_name="peer_dlt",
        progress=None,
    )
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)  # what dlt prints is no answer
    for line in sys.stdin:
        offer = dlt.resource(
            [pq.read_table(line.strip())],
            name="offer",
            write_disposition={
                "disposition": "merge",
                "strategy": "scd2",
                "row_version_column_name": "row_hash",
            },
        )
        started, computing = time.perf_counter(), time.process_time()
        pipeline.run(offer, loader_file_format="parquet").raise_on_failed_jobs()
        taken = {"whole": time.perf_counter() - started, "computing": time.process_time() - computing}
        print(json.dumps(taken), file=answers)


if __name__ == "__main__":
    main(*sys.argv[1:])
