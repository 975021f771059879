"""The first generation's snapshot tables, as the source of an import."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

# odds_snapshots is partitioned, so its key includes captured_at and no foreign key can refer to its id alone.
# Once per statement, not per row: an import of millions of rows is one anti-join.
REQUIRE_SNAPSHOT = """
CREATE FUNCTION market_odds_require_snapshot() RETURNS trigger
LANGUAGE plpgsql
AS $$
DECLARE
    orphan bigint;
BEGIN
    SELECT written.snapshot_id INTO orphan
    FROM written
    WHERE NOT EXISTS (SELECT FROM odds_snapshots WHERE odds_snapshots.id = written.snapshot_id)
    LIMIT 1;
    IF FOUND THEN
        RAISE foreign_key_violation USING
            MESSAGE = format('market_odds.snapshot_id %s is not in odds_snapshots', orphan),
            TABLE = 'market_odds';
    END IF;
    RETURN NULL;
END
$$
"""


def upgrade() -> None:
    op.create_table(
        "market_odds",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("snapshot_id", sa.BigInteger(), nullable=False),
        sa.Column("betpawa_market_id", sa.Text(), nullable=False),
        sa.Column("betpawa_market_name", sa.Text(), nullable=False),
        sa.Column("line", sa.Numeric(precision=10, scale=3), nullable=True),
        sa.Column("handicap_type", sa.Text(), nullable=True),
        sa.Column("handicap_home", sa.Numeric(precision=10, scale=3), nullable=True),
        sa.Column("handicap_away", sa.Numeric(precision=10, scale=3), nullable=True),
        sa.Column("outcomes", postgresql.JSONB(), nullable=False),
        sa.Column("market_groups", postgresql.JSONB(), nullable=True),
        sa.Column("unavailable_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_market_odds")),
    )
    op.create_index(op.f("ix_market_odds_betpawa_market_id"), "market_odds", ["betpawa_market_id"], unique=False)
    op.create_index(op.f("ix_market_odds_snapshot_id"), "market_odds", ["snapshot_id"], unique=False)
    op.create_table(
        "competitor_tournaments",
        sa.Column("id", sa.Integer(), sa.Identity(always=False), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("sport_id", sa.Integer(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("country_raw", sa.Text(), nullable=True),
        sa.Column("country_iso", sa.Text(), nullable=True),
        sa.Column("external_id", sa.Text(), nullable=False),
        sa.Column("sportradar_id", sa.Text(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("deleted_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["sport_id"], ["sports.id"], name=op.f("fk_competitor_tournaments_sport_id_sports")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_competitor_tournaments")),
        sa.UniqueConstraint("source", "external_id", name=op.f("uq_competitor_tournaments_source_external_id")),
    )
    op.create_index(op.f("ix_competitor_tournaments_sport_id"), "competitor_tournaments", ["sport_id"], unique=False)
    op.create_index(
        op.f("ix_competitor_tournaments_sportradar_id"), "competitor_tournaments", ["sportradar_id"], unique=False
    )
    op.create_table(
        "competitor_events",
        sa.Column("id", sa.Integer(), sa.Identity(always=False), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("tournament_id", sa.Integer(), nullable=False),
        sa.Column("betpawa_event_id", sa.Integer(), nullable=True),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("home_team", sa.Text(), nullable=False),
        sa.Column("away_team", sa.Text(), nullable=False),
        sa.Column("kickoff", sa.DateTime(timezone=True), nullable=False),
        sa.Column("external_id", sa.Text(), nullable=False),
        sa.Column("sportradar_id", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("deleted_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["betpawa_event_id"],
            ["events.id"],
            name=op.f("fk_competitor_events_betpawa_event_id_events"),
            ondelete="SET NULL",
        ),
        sa.ForeignKeyConstraint(
            ["tournament_id"],
            ["competitor_tournaments.id"],
            name=op.f("fk_competitor_events_tournament_id_competitor_tournaments"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_competitor_events")),
        sa.UniqueConstraint("source", "external_id", name=op.f("uq_competitor_events_source_external_id")),
    )
    op.create_index(
        op.f("ix_competitor_events_betpawa_event_id"), "competitor_events", ["betpawa_event_id"], unique=False
    )
    op.create_index(op.f("ix_competitor_events_kickoff"), "competitor_events", ["kickoff"], unique=False)
    op.create_index(op.f("ix_competitor_events_source"), "competitor_events", ["source"], unique=False)
    op.create_index(op.f("ix_competitor_events_sportradar_id"), "competitor_events", ["sportradar_id"], unique=False)
    op.create_index(op.f("ix_competitor_events_tournament_id"), "competitor_events", ["tournament_id"], unique=False)
    op.create_table(
        "odds_snapshots",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("event_id", sa.Integer(), nullable=False),
        sa.Column("bookmaker_id", sa.Integer(), nullable=False),
        sa.Column("captured_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("scrape_run_id", sa.Integer(), nullable=True),
        sa.Column("last_confirmed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("raw_response", postgresql.JSONB(), nullable=True),
        sa.ForeignKeyConstraint(
            ["bookmaker_id"], ["bookmakers.id"], name=op.f("fk_odds_snapshots_bookmaker_id_bookmakers")
        ),
        sa.ForeignKeyConstraint(["event_id"], ["events.id"], name=op.f("fk_odds_snapshots_event_id_events")),
        sa.ForeignKeyConstraint(
            ["scrape_run_id"],
            ["scrape_runs.id"],
            name=op.f("fk_odds_snapshots_scrape_run_id_scrape_runs"),
            ondelete="SET NULL",
        ),
        sa.PrimaryKeyConstraint("id", "captured_at", name=op.f("pk_odds_snapshots")),
        postgresql_partition_by="RANGE (captured_at)",
    )
    op.create_index(op.f("ix_odds_snapshots_bookmaker_id"), "odds_snapshots", ["bookmaker_id"], unique=False)
    op.create_index(
        op.f("ix_odds_snapshots_captured_at"), "odds_snapshots", ["captured_at"], unique=False, postgresql_using="brin"
    )
    op.create_index(op.f("ix_odds_snapshots_event_id"), "odds_snapshots", ["event_id"], unique=False)
    op.create_index(
        "ix_odds_snapshots_event_id_captured_at",
        "odds_snapshots",
        ["event_id", sa.literal_column("captured_at DESC")],
        unique=False,
    )
    op.create_index(op.f("ix_odds_snapshots_scrape_run_id"), "odds_snapshots", ["scrape_run_id"], unique=False)
    op.create_table(
        "competitor_odds_snapshots",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("competitor_event_id", sa.Integer(), nullable=False),
        sa.Column("captured_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("scrape_run_id", sa.Integer(), nullable=True),
        sa.Column("last_confirmed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("raw_response", postgresql.JSONB(), nullable=True),
        sa.ForeignKeyConstraint(
            ["competitor_event_id"], ["competitor_events.id"], name="fk_competitor_odds_snapshots_competitor_event_id"
        ),
        sa.ForeignKeyConstraint(
            ["scrape_run_id"],
            ["scrape_runs.id"],
            name=op.f("fk_competitor_odds_snapshots_scrape_run_id_scrape_runs"),
            ondelete="SET NULL",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_competitor_odds_snapshots")),
    )
    op.create_index(
        op.f("ix_competitor_odds_snapshots_captured_at"), "competitor_odds_snapshots", ["captured_at"], unique=False
    )
    op.create_index(
        op.f("ix_competitor_odds_snapshots_competitor_event_id"),
        "competitor_odds_snapshots",
        ["competitor_event_id"],
        unique=False,
    )
    op.create_index(
        op.f("ix_competitor_odds_snapshots_scrape_run_id"), "competitor_odds_snapshots", ["scrape_run_id"], unique=False
    )
    op.create_table(
        "competitor_market_odds",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("snapshot_id", sa.BigInteger(), nullable=False),
        sa.Column("betpawa_market_id", sa.Text(), nullable=False),
        sa.Column("betpawa_market_name", sa.Text(), nullable=False),
        sa.Column("line", sa.Numeric(precision=10, scale=3), nullable=True),
        sa.Column("handicap_type", sa.Text(), nullable=True),
        sa.Column("handicap_home", sa.Numeric(precision=10, scale=3), nullable=True),
        sa.Column("handicap_away", sa.Numeric(precision=10, scale=3), nullable=True),
        sa.Column("outcomes", postgresql.JSONB(), nullable=False),
        sa.Column("market_groups", postgresql.JSONB(), nullable=True),
        sa.Column("unavailable_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["snapshot_id"],
            ["competitor_odds_snapshots.id"],
            name=op.f("fk_competitor_market_odds_snapshot_id_competitor_odds_snapshots"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_competitor_market_odds")),
    )
    op.create_index(
        op.f("ix_competitor_market_odds_betpawa_market_id"),
        "competitor_market_odds",
        ["betpawa_market_id"],
        unique=False,
    )
    op.create_index(
        op.f("ix_competitor_market_odds_snapshot_id"), "competitor_market_odds", ["snapshot_id"], unique=False
    )

    for year, month in ((2026, month) for month in range(1, 13)):
        following = (year, month + 1) if month < 12 else (year + 1, 1)
        op.execute(
            f"CREATE TABLE odds_snapshots_{year}{month:02} PARTITION OF odds_snapshots FOR VALUES "
            f"FROM ('{year}-{month:02}-01 00:00+00') TO ('{following[0]}-{following[1]:02}-01 00:00+00')"
        )
    op.execute(REQUIRE_SNAPSHOT)
    for event in ("INSERT", "UPDATE"):
        op.execute(
            f"CREATE TRIGGER market_odds_require_snapshot_{event.lower()} AFTER {event} ON market_odds "
            "REFERENCING NEW TABLE AS written "
            "FOR EACH STATEMENT EXECUTE FUNCTION market_odds_require_snapshot()"
        )


def downgrade() -> None:
    op.drop_table("competitor_market_odds")
    op.drop_table("competitor_odds_snapshots")
    op.drop_table("odds_snapshots")
    op.drop_table("competitor_events")
    op.drop_table("competitor_tournaments")
    op.drop_table("market_odds")
    op.execute("DROP FUNCTION market_odds_require_snapshot()")
