"""Everything that is made of one storage profile, without asking a database."""

from __future__ import annotations

from odds_pipeline.settings import Settings
from odds_pipeline.storage.drivers import drivers
from odds_pipeline.storage.judged import Judgement
from odds_pipeline.storage.measured import StorageProfile
from odds_pipeline.storage.plan import plan
from odds_pipeline.storage.projection import projection
from odds_pipeline.storage.ranking import opportunities
from odds_pipeline.storage.strategies import strategies


def judge(profile: StorageProfile, settings: Settings) -> Judgement:
    """The drivers, the ranked opportunities, the five strategies, the plan and what lies ahead."""
    chosen = plan(profile, settings)
    return Judgement(
        drivers=drivers(profile),
        opportunities=opportunities(profile, lacks_room=not (chosen.meets_target and chosen.fits_disk)),
        strategies=strategies(profile, chosen),
        plan=chosen,
        projection=projection(profile, settings),
    )
