"""No market twice in a pack; the places that markets had before, so that days are rebuilt as ``remap`` left them."""

import sqlalchemy as sa
from alembic import op

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None

# (Without percent signs: a script that is made of the migrations doubles them.)
PACK = """
CREATE OR REPLACE FUNCTION odds_pack(market_ids integer[], states bytea[], run_ids integer[] DEFAULT NULL)
RETURNS bytea
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE
AS $$
DECLARE
    pack bytea;
    market_twice integer;
BEGIN
    SELECT int2send((count(*)::smallint - CASE WHEN min(run_id) <> max(run_id) THEN 32768 ELSE 0 END)::smallint)
        || string_agg(int4send(market_id), '' ORDER BY market_id)
        || string_agg(int2send(length(state)::smallint), '' ORDER BY market_id)
        || string_agg(state, '' ORDER BY market_id)
        || CASE WHEN min(run_id) <> max(run_id) THEN string_agg(int4send(run_id), '' ORDER BY market_id) ELSE '' END,
        min(market_id) FILTER (WHERE is_again)
    INTO pack, market_twice
    FROM (
        SELECT market_id, state, run_id, market_id = lag(market_id) OVER (ORDER BY market_id) AS is_again
        FROM unnest(market_ids, states, run_ids) AS given (market_id, state, run_id)
    ) AS change;
    IF market_twice IS NOT NULL THEN
        RAISE EXCEPTION USING ERRCODE = 'data_exception',
            MESSAGE = 'two changes of market ' || market_twice || ' in one answer: a pack takes one';
    END IF;
    RETURN pack;
END
$$
"""

PACK_BEFORE = """
CREATE OR REPLACE FUNCTION odds_pack(market_ids integer[], states bytea[], run_ids integer[] DEFAULT NULL)
RETURNS bytea
LANGUAGE sql IMMUTABLE PARALLEL SAFE
AS $$
    SELECT int2send((count(*)::smallint - CASE WHEN min(run_id) <> max(run_id) THEN 32768 ELSE 0 END)::smallint)
        || string_agg(int4send(market_id), '' ORDER BY market_id)
        || string_agg(int2send(length(state)::smallint), '' ORDER BY market_id)
        || string_agg(state, '' ORDER BY market_id)
        || CASE WHEN min(run_id) <> max(run_id) THEN string_agg(int4send(run_id), '' ORDER BY market_id) ELSE '' END
    FROM unnest(market_ids, states, run_ids) AS change (market_id, state, run_id)
$$
"""


def upgrade() -> None:
    op.execute(PACK)
    op.create_table(
        "former_places",
        sa.Column("until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("id", sa.Integer(), sa.Identity(always=False), nullable=False),
        sa.Column("market_id", sa.Integer(), nullable=False),
        sa.Column("betpawa_market_id", sa.Text(), nullable=False),
        sa.Column("line", sa.Numeric(precision=10, scale=3), nullable=True),
        sa.ForeignKeyConstraint(
            ["market_id"], ["markets.id"], name=op.f("fk_former_places_market_id_markets"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_former_places")),
        sa.UniqueConstraint(
            "market_id",
            "betpawa_market_id",
            "line",
            name=op.f("uq_former_places_market_id_betpawa_market_id_line"),
            postgresql_nulls_not_distinct=True,
        ),
    )


def downgrade() -> None:
    op.drop_table("former_places")
    op.execute(PACK_BEFORE)
