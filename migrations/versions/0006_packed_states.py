"""Functions that read packed states; their layout is in docs/data-dictionary.md."""

from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

UNAVAILABLE = """
CREATE FUNCTION odds_is_unavailable(state bytea) RETURNS boolean
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
RETURN (get_byte(state, 0) & 2) <> 0
"""

# Not STRICT: only then does PostgreSQL inline a function of FROM into the query around it.
OUTCOME_ROWS = """
CREATE FUNCTION odds_outcome_rows(state bytea, keys text[], names text[])
RETURNS TABLE ("position" integer, key text, name text, odds numeric, is_active boolean)
LANGUAGE sql IMMUTABLE PARALLEL SAFE
AS $$
SELECT
    packed.n + 1,
    keys[packed.n + 1],
    names[packed.n + 1],
    CASE
        WHEN packed.wide AND packed.value & 1073741823 > 0 THEN trim_scale((packed.value & 1073741823) * 0.001)
        WHEN NOT packed.wide AND packed.value & 16383 > 0 THEN trim_scale((packed.value & 16383) * 0.01)
    END,
    packed.value >> (CASE WHEN packed.wide THEN 30 ELSE 14 END) = 0
FROM (
    SELECT
        n,
        get_byte(state, 0) & 1 = 1 AS wide,
        CASE
            WHEN get_byte(state, 0) & 1 = 1 THEN
                (get_byte(state, 4 * n + 1)::bigint << 24) | (get_byte(state, 4 * n + 2) << 16)
                | (get_byte(state, 4 * n + 3) << 8) | get_byte(state, 4 * n + 4)
            ELSE (get_byte(state, 2 * n + 1) << 8) | get_byte(state, 2 * n + 2)
        END AS value
    FROM generate_series(
        0, (length(state) - 1) / (CASE WHEN get_byte(state, 0) & 1 = 1 THEN 4 ELSE 2 END) - 1
    ) AS n
) AS packed
WHERE packed.value >> (CASE WHEN packed.wide THEN 30 ELSE 14 END) < 2
$$
"""

OUTCOMES = """
CREATE FUNCTION odds_outcomes(state bytea, keys text[], names text[]) RETURNS jsonb
LANGUAGE sql IMMUTABLE PARALLEL SAFE
AS $$
SELECT coalesce(
    jsonb_agg(
        jsonb_build_object('key', key, 'name', name, 'odds', odds, 'is_active', is_active) ORDER BY "position"
    ),
    '[]'
)
FROM odds_outcome_rows(state, keys, names)
$$
"""


def upgrade() -> None:

    op.execute(UNAVAILABLE)
    op.execute(OUTCOME_ROWS)
    op.execute(OUTCOMES)


def downgrade() -> None:
    op.execute("DROP FUNCTION odds_outcomes(bytea, text[], text[])")
    op.execute("DROP FUNCTION odds_outcome_rows(bytea, text[], text[])")
    op.execute("DROP FUNCTION odds_is_unavailable(bytea)")
