"""Markets, the words they share, and their current odds."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "market_labels",
        sa.Column("id", sa.Integer(), sa.Identity(always=False), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("handicap_type", sa.Text(), nullable=True),
        sa.Column("market_groups", postgresql.JSONB(), nullable=False),
        sa.Column("digest", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_market_labels")),
        sa.UniqueConstraint("digest", name=op.f("uq_market_labels_digest")),
    )
    op.create_table(
        "market_sources",
        sa.Column("id", sa.Integer(), sa.Identity(always=False), nullable=False),
        sa.Column("source_market_id", sa.Text(), nullable=True),
        sa.Column("source_specifier", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_market_sources")),
        sa.UniqueConstraint(
            "source_market_id",
            "source_specifier",
            name=op.f("uq_market_sources_source_market_id_source_specifier"),
            postgresql_nulls_not_distinct=True,
        ),
    )
    op.create_table(
        "market_types",
        sa.Column("id", sa.Integer(), sa.Identity(always=False), nullable=False),
        sa.Column("betpawa_market_id", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_market_types")),
        sa.UniqueConstraint("betpawa_market_id", name=op.f("uq_market_types_betpawa_market_id")),
    )
    op.create_table(
        "outcome_sets",
        sa.Column("id", sa.Integer(), sa.Identity(always=False), nullable=False),
        sa.Column("digest", sa.BigInteger(), nullable=False),
        sa.Column("keys", postgresql.ARRAY(sa.Text()), nullable=False),
        sa.Column("names", postgresql.ARRAY(sa.Text()), nullable=False),
        sa.CheckConstraint("cardinality(keys) = cardinality(names)", name=op.f("ck_outcome_sets_keys_have_names")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_outcome_sets")),
        sa.UniqueConstraint("digest", name=op.f("uq_outcome_sets_digest")),
    )
    op.create_table(
        "markets",
        sa.Column("id", sa.Integer(), sa.Identity(always=False), nullable=False),
        sa.Column("event_bookmaker_id", sa.Integer(), nullable=False),
        sa.Column("market_type_id", sa.Integer(), nullable=False),
        sa.Column("label_id", sa.Integer(), nullable=False),
        sa.Column("source_id", sa.Integer(), nullable=False),
        sa.Column("outcome_set_id", sa.Integer(), nullable=False),
        sa.Column("label_fingerprint", sa.BigInteger(), nullable=False),
        sa.Column("line", sa.Numeric(precision=10, scale=3), nullable=True),
        sa.Column("handicap_home", sa.Numeric(precision=10, scale=3), nullable=True),
        sa.Column("handicap_away", sa.Numeric(precision=10, scale=3), nullable=True),
        sa.ForeignKeyConstraint(
            ["event_bookmaker_id"], ["event_bookmakers.id"], name=op.f("fk_markets_event_bookmaker_id_event_bookmakers")
        ),
        sa.ForeignKeyConstraint(["label_id"], ["market_labels.id"], name=op.f("fk_markets_label_id_market_labels")),
        sa.ForeignKeyConstraint(
            ["market_type_id"], ["market_types.id"], name=op.f("fk_markets_market_type_id_market_types")
        ),
        sa.ForeignKeyConstraint(
            ["outcome_set_id"], ["outcome_sets.id"], name=op.f("fk_markets_outcome_set_id_outcome_sets")
        ),
        sa.ForeignKeyConstraint(["source_id"], ["market_sources.id"], name=op.f("fk_markets_source_id_market_sources")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_markets")),
        sa.UniqueConstraint(
            "event_bookmaker_id",
            "market_type_id",
            "line",
            name=op.f("uq_markets_event_bookmaker_id_market_type_id_line"),
            postgresql_nulls_not_distinct=True,
        ),
    )
    op.create_index(op.f("ix_markets_label_id"), "markets", ["label_id"], unique=False)
    op.create_index(op.f("ix_markets_market_type_id"), "markets", ["market_type_id"], unique=False)
    op.create_index(op.f("ix_markets_outcome_set_id"), "markets", ["outcome_set_id"], unique=False)
    op.create_index(op.f("ix_markets_source_id"), "markets", ["source_id"], unique=False)
    op.create_table(
        "current_odds",
        sa.Column("fingerprint", sa.BigInteger(), nullable=False),
        sa.Column("captured_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("last_seen_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("unavailable_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("market_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("run_id", sa.Integer(), nullable=False),
        sa.Column("state", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(["market_id"], ["markets.id"], name=op.f("fk_current_odds_market_id_markets")),
        sa.PrimaryKeyConstraint("market_id", name=op.f("pk_current_odds")),
        postgresql_with={"fillfactor": 90},
    )


def downgrade() -> None:
    op.drop_table("current_odds")
    op.drop_table("markets")
    op.drop_table("outcome_sets")
    op.drop_table("market_types")
    op.drop_table("market_sources")
    op.drop_table("market_labels")
