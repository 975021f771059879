"""Where Dagster keeps runs, event log and schedules: the database ``dagster`` beside the odds database.

``dagster.yaml`` names this class instead of ``storage: postgres``, whose URL it could only take from an environment
variable. The settings know the URL already, an external server's or the embedded one's, so ``dagster-webserver``,
``dagster-daemon`` and ``dagster definitions validate`` start in a checkout without any preparation.
"""

from collections.abc import Mapping
from typing import Any

from dagster._config import UserConfigSchema
from dagster._serdes import ConfigurableClassData
from dagster_postgres import DagsterPostgresStorage

from odds_pipeline.database.engine import DatabaseUrls
from odds_pipeline.settings import Settings


class PipelinePostgresStorage(DagsterPostgresStorage):
    """dagster-postgres on the server of the settings, which is started if it is the embedded one."""

    @classmethod
    def config_type(cls) -> UserConfigSchema:
        return {}

    @classmethod
    def from_config_value(
        cls, inst_data: ConfigurableClassData | None, config_value: Mapping[str, Any]
    ) -> "PipelinePostgresStorage":
        """Raises what ``DatabaseUrls.from_settings`` does. The URL's scheme names psycopg2, which this needs."""
        return cls(postgres_url=DatabaseUrls.from_settings(Settings()).dagster, inst_data=inst_data)
