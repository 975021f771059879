"""The settings of the embedded PostgreSQL, for a laptop with two cores that also runs everything else.

They are written to ``postgresql.conf`` at every start. For a setting of your own use ``ALTER SYSTEM SET ...`` and
restart: PostgreSQL keeps those in the cluster, and they win over this file.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

SERVER_SETTINGS: Mapping[str, str] = {
    # Who may connect: whoever can enter the socket's directory, which is its owner's alone. No TCP port is opened.
    "listen_addresses": "",
    "unix_socket_permissions": "0700",
    "port": "5432",  # only part of the socket's file name
    "max_connections": "100",
    # Memory
    "shared_buffers": "256MB",
    "effective_cache_size": "1GB",
    "work_mem": "32MB",
    "maintenance_work_mem": "128MB",
    # A cycle rewrites the same pages every few minutes, and the first change of a page after a checkpoint logs the
    # whole page: rare checkpoints make the write-ahead log several times smaller.
    "checkpoint_timeout": "30min",
    "max_wal_size": "4GB",
    "min_wal_size": "256MB",
    "wal_compression": "pglz",  # the bundled build has no lz4
    "random_page_cost": "1.1",
    # Two cores belong to the scrape and the diff; just-in-time compilation costs more than short queries take.
    "max_parallel_workers_per_gather": "0",
    "max_parallel_maintenance_workers": "0",
    "jit": "off",
    # Files, not /dev/shm: containers give that 64 MB, and some desktops empty it when a user logs out.
    "dynamic_shared_memory_type": "mmap",
    # Tables that are updated in place stay small when they are cleaned often.
    "autovacuum": "on",
    "autovacuum_vacuum_scale_factor": "0.05",
    "autovacuum_analyze_scale_factor": "0.05",
    "autovacuum_naptime": "30s",
    # Time and log: one file per weekday, each overwritten a week later.
    "timezone": "UTC",
    "log_timezone": "UTC",
    "logging_collector": "on",
    "log_directory": "../log",
    "log_filename": "postgresql-%a.log",
    "log_file_mode": "0640",
    "log_truncate_on_rotation": "on",
    "log_rotation_age": "1d",
    "log_rotation_size": "0",
    "log_line_prefix": "%m [%p] %q%u@%d %a ",
    "log_lock_waits": "on",
    "log_temp_files": "64MB",
}

HOST_BASED_AUTHENTICATION = """\
# Whoever can enter the socket's directory is trusted; nothing else is let in.
local all all trust
"""


def configuration(socket_directory: Path, *, cluster_name: str, overrides: Mapping[str, str]) -> str:
    """The text of ``postgresql.conf``; ``overrides`` take the place of settings above or are added to them."""
    settings = {
        **SERVER_SETTINGS,
        "cluster_name": cluster_name,
        "unix_socket_directories": '"' + str(socket_directory).replace('"', '""') + '"',
        "hba_file": "../pg_hba.conf",
        **overrides,
    }
    lines = ["# Written by odds_pipeline at every start; use ALTER SYSTEM for settings of your own."]
    lines += [f"{name} = '{_escaped(value)}'" for name, value in settings.items()]
    return "\n".join(lines) + "\n"


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace("'", "''")
