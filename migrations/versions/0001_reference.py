"""Reference tables, with football and the three bookmakers in them."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "bookmakers",
        sa.Column("id", sa.Integer(), sa.Identity(always=False), nullable=False),
        sa.Column("slug", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("is_active", sa.Boolean(), server_default=sa.text("true"), nullable=False),
        sa.Column("base_url", sa.Text(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("last_discovery_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("updated_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_bookmakers")),
        sa.UniqueConstraint("slug", name=op.f("uq_bookmakers_slug")),
    )
    op.create_table(
        "sports",
        sa.Column("id", sa.Integer(), sa.Identity(always=False), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("slug", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_sports")),
        sa.UniqueConstraint("name", name=op.f("uq_sports_name")),
        sa.UniqueConstraint("slug", name=op.f("uq_sports_slug")),
    )
    op.create_table(
        "tournaments",
        sa.Column("id", sa.Integer(), sa.Identity(always=False), nullable=False),
        sa.Column("sport_id", sa.Integer(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("country", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["sport_id"], ["sports.id"], name=op.f("fk_tournaments_sport_id_sports")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_tournaments")),
        sa.UniqueConstraint("sport_id", "name", "country", name=op.f("uq_tournaments_sport_id_name_country")),
    )
    op.create_table(
        "events",
        sa.Column("id", sa.Integer(), sa.Identity(always=False), nullable=False),
        sa.Column("tournament_id", sa.Integer(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("home_team", sa.Text(), nullable=False),
        sa.Column("away_team", sa.Text(), nullable=False),
        sa.Column("kickoff", sa.DateTime(timezone=True), nullable=True),
        sa.Column("sportradar_id", sa.Text(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.ForeignKeyConstraint(
            ["tournament_id"], ["tournaments.id"], name=op.f("fk_events_tournament_id_tournaments")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_events")),
        sa.UniqueConstraint("sportradar_id", name=op.f("uq_events_sportradar_id")),
    )
    op.create_index(op.f("ix_events_kickoff"), "events", ["kickoff"], unique=False)
    op.create_index(op.f("ix_events_tournament_id"), "events", ["tournament_id"], unique=False)
    op.create_table(
        "event_bookmakers",
        sa.Column("id", sa.Integer(), sa.Identity(always=False), nullable=False),
        sa.Column("event_id", sa.Integer(), nullable=False),
        sa.Column("bookmaker_id", sa.Integer(), nullable=False),
        sa.Column("external_event_id", sa.Text(), nullable=False),
        sa.Column("sportradar_id", sa.Text(), nullable=True),
        sa.Column("kickoff", sa.DateTime(timezone=True), nullable=True),
        sa.Column("home_team", sa.Text(), nullable=False),
        sa.Column("away_team", sa.Text(), nullable=False),
        sa.Column("tournament_id", sa.Integer(), nullable=False),
        sa.Column("event_url", sa.Text(), nullable=True),
        sa.Column("is_primary", sa.Boolean(), server_default=sa.text("true"), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        postgresql.ExcludeConstraint(
            (sa.column("event_id"), "="),
            (sa.column("bookmaker_id"), "="),
            where=sa.text("is_primary"),
            deferrable=True,
            initially="DEFERRED",
            using="btree",
            name="ex_event_bookmakers_one_primary",
        ),
        sa.ForeignKeyConstraint(
            ["bookmaker_id"], ["bookmakers.id"], name=op.f("fk_event_bookmakers_bookmaker_id_bookmakers")
        ),
        sa.ForeignKeyConstraint(["event_id"], ["events.id"], name=op.f("fk_event_bookmakers_event_id_events")),
        sa.ForeignKeyConstraint(
            ["tournament_id"], ["tournaments.id"], name=op.f("fk_event_bookmakers_tournament_id_tournaments")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_event_bookmakers")),
        sa.UniqueConstraint(
            "bookmaker_id", "external_event_id", name=op.f("uq_event_bookmakers_bookmaker_id_external_event_id")
        ),
    )
    op.create_index(op.f("ix_event_bookmakers_event_id"), "event_bookmakers", ["event_id"], unique=False)
    op.create_index(op.f("ix_event_bookmakers_sportradar_id"), "event_bookmakers", ["sportradar_id"], unique=False)
    op.create_index(op.f("ix_event_bookmakers_tournament_id"), "event_bookmakers", ["tournament_id"], unique=False)
    op.create_table(
        "listing_state",
        sa.Column("event_bookmaker_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("last_answer_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("last_confirmed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("missing_since", sa.DateTime(timezone=True), nullable=True),
        sa.Column("unlisted_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("failed_answers", sa.SmallInteger(), server_default=sa.text("0"), nullable=False),
        sa.ForeignKeyConstraint(
            ["event_bookmaker_id"],
            ["event_bookmakers.id"],
            name=op.f("fk_listing_state_event_bookmaker_id_event_bookmakers"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("event_bookmaker_id", name=op.f("pk_listing_state")),
        postgresql_with={"fillfactor": 50},
    )

    op.bulk_insert(
        sa.table("sports", sa.column("name", sa.Text), sa.column("slug", sa.Text)),
        [{"name": "Football", "slug": "football"}],
    )
    op.bulk_insert(
        sa.table("bookmakers", sa.column("slug", sa.Text), sa.column("name", sa.Text), sa.column("base_url", sa.Text)),
        [
            {"slug": "betpawa", "name": "betPawa", "base_url": "https://www.betpawa.ng"},
            {"slug": "sportybet", "name": "SportyBet", "base_url": "https://www.sportybet.com"},
            {"slug": "bet9ja", "name": "Bet9ja", "base_url": "https://sports.bet9ja.com"},
        ],
    )


def downgrade() -> None:
    op.drop_table("listing_state")
    op.drop_table("event_bookmakers")
    op.drop_table("events")
    op.drop_table("tournaments")
    op.drop_table("sports")
    op.drop_table("bookmakers")
