"""History packed by answer: one row holds all changes that an answer of a bookmaker made (docs/data-dictionary.md)."""

from alembic import op

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None

# A loop over a copy that is not compressed: a set-based body reads, and where it is large decompresses, the whole pack
# for every number in it.
CHANGES = """
CREATE FUNCTION odds_changes(changes bytea, pack_run_id integer DEFAULT NULL)
RETURNS TABLE (market_id integer, state bytea, run_id integer)
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE COST 10 ROWS 8
AS $$
DECLARE
    pack CONSTANT bytea := changes || ''::bytea;
    number CONSTANT integer := ((get_byte(pack, 0) & 127) << 8) + get_byte(pack, 1);
    is_mixed CONSTANT boolean := get_byte(pack, 0) >= 128;
    id_at integer := 2;
    length_at integer := 2 + 4 * number;
    state_at integer := 3 + 6 * number;
    run_at integer := length(pack) - 4 * number;
    size integer;
BEGIN
    run_id := pack_run_id;
    WHILE id_at < 2 + 4 * number LOOP
        size := (get_byte(pack, length_at) << 8) + get_byte(pack, length_at + 1);
        market_id := (get_byte(pack, id_at) << 24) + (get_byte(pack, id_at + 1) << 16)
            + (get_byte(pack, id_at + 2) << 8) + get_byte(pack, id_at + 3);
        state := substr(pack, state_at, size);
        IF is_mixed THEN
            run_id := (get_byte(pack, run_at) << 24) + (get_byte(pack, run_at + 1) << 16)
                + (get_byte(pack, run_at + 2) << 8) + get_byte(pack, run_at + 3);
            run_at := run_at + 4;
        END IF;
        RETURN NEXT;
        id_at := id_at + 4;
        length_at := length_at + 2;
        state_at := state_at + size;
    END LOOP;
END
$$
"""

PACK = """
CREATE FUNCTION odds_pack(market_ids integer[], states bytea[], run_ids integer[] DEFAULT NULL) RETURNS bytea
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

COUNT = """
CREATE FUNCTION odds_count(changes bytea) RETURNS integer
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
AS 'SELECT ((get_byte(changes, 0) & 127) << 8) + get_byte(changes, 1)'
"""

# The slice keeps a long value that is compressed from being read as a whole.
IS_MIXED = """
CREATE FUNCTION odds_is_mixed(changes bytea) RETURNS boolean
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
AS 'SELECT get_byte(substring(changes FROM 1 FOR 1), 0) >= 128'
"""

PACKED_TABLE = """
CREATE TABLE odds_history_remade (
    captured_at timestamptz NOT NULL,
    event_bookmaker_id integer NOT NULL,
    run_id integer NOT NULL,
    changes bytea NOT NULL,
    CONSTRAINT pk_odds_history_remade PRIMARY KEY (event_bookmaker_id, captured_at)
) PARTITION BY RANGE (captured_at)
"""

PLAIN_TABLE = """
CREATE TABLE odds_history_remade (
    captured_at timestamptz NOT NULL,
    market_id integer NOT NULL,
    run_id integer NOT NULL,
    state bytea NOT NULL,
    CONSTRAINT pk_odds_history_remade PRIMARY KEY (market_id, captured_at)
) PARTITION BY RANGE (captured_at)
"""

# Rows of markets that are no longer there stay too: under a number that is no bookmaker event's, one for each of them.
# Rows of one moment that bear several runs, which only imports and repairs leave, keep them: such a pack is mixed.
PACKED_ROWS = """
SELECT row.captured_at, coalesce(market.event_bookmaker_id, -row.market_id), max(row.run_id),
       odds_pack(array_agg(row.market_id), array_agg(row.state), array_agg(row.run_id))
FROM (day) AS row LEFT JOIN markets AS market ON market.id = row.market_id
GROUP BY 1, 2 ORDER BY 2, 1
"""

PLAIN_ROWS = """
SELECT row.captured_at, change.market_id, change.run_id, change.state
FROM (day) AS row CROSS JOIN LATERAL odds_changes(row.changes, row.run_id) AS change
ORDER BY 1
"""

# All in one transaction: the files of partitions that are dropped stay until it is committed. So at the peak the disk
# holds history twice, plain and packed: about 1.5 times what it takes plain, beside WAL. (Without percent signs: a
# script that is made of the migrations doubles them.)
REMAKE = """
DO $remake$
DECLARE
    day record;
BEGIN
    FOR day IN
        SELECT partition.relname AS name, pg_get_expr(partition.relpartbound, partition.oid) AS bounds,
               link.inhdetachpending AS is_detaching
        FROM pg_inherits AS link JOIN pg_class AS partition ON partition.oid = link.inhrelid
        WHERE link.inhparent = 'odds_history'::regclass ORDER BY 1
    LOOP
        IF day.is_detaching THEN
            RAISE EXCEPTION USING MESSAGE = day.name || ' was detached half way: end that with ALTER TABLE '
                || 'odds_history DETACH PARTITION ' || day.name || ' FINALIZE; then attach it again, or drop it if the '
                || 'archive has its day';
        END IF;
        CREATE TABLE remade_day (LIKE odds_history_remade INCLUDING DEFAULTS INCLUDING CONSTRAINTS INCLUDING STORAGE);
        EXECUTE replace($rows$INSERT INTO remade_day {rows}$rows$, '(day)', quote_ident(day.name));
        EXECUTE 'DROP TABLE ' || quote_ident(day.name);
        EXECUTE 'ALTER TABLE remade_day RENAME TO ' || quote_ident(day.name);
        EXECUTE 'ALTER TABLE odds_history_remade ATTACH PARTITION ' || quote_ident(day.name) || ' ' || day.bounds;
    END LOOP;
END
$remake$
"""

PUT_IN_PLACE = (
    "DROP TABLE odds_history",
    "ALTER TABLE odds_history_remade RENAME TO odds_history",
    "ALTER INDEX pk_odds_history_remade RENAME TO pk_odds_history",
    "CREATE INDEX ix_odds_history_captured_at ON odds_history USING brin (captured_at) WITH (autosummarize = on)",
    "ANALYZE odds_history",
)

EACH_CHANGE = """
CREATE VIEW odds_history_changes AS
SELECT history.event_bookmaker_id, change.market_id, history.captured_at, change.run_id, change.state
FROM odds_history AS history CROSS JOIN LATERAL odds_changes(history.changes, history.run_id) AS change
"""

# Who may read what is made anew may read it afterwards too, and who may read the table the view of its changes.
GRANTED = """
CREATE TEMPORARY TABLE granted_before ON COMMIT DROP AS
SELECT relation.relname AS name, granted.privilege_type AS privilege, granted.is_grantable,
       CASE granted.grantee WHEN 0 THEN 'PUBLIC' ELSE granted.grantee::regrole::text END AS grantee
FROM pg_class AS relation CROSS JOIN aclexplode(relation.relacl) AS granted
WHERE granted.grantee <> relation.relowner
  AND (relation.oid IN ('odds_history'::regclass, 'market_odds_history'::regclass)
       OR relation.oid IN (SELECT inhrelid FROM pg_inherits WHERE inhparent = 'odds_history'::regclass))
"""

GRANT_AGAIN = """
DO $grant$
DECLARE
    granted record;
BEGIN
    FOR granted IN
        SELECT * FROM granted_before
        UNION ALL
        SELECT 'odds_history_changes', privilege, is_grantable, grantee FROM granted_before
        WHERE name = 'odds_history' AND to_regclass('odds_history_changes') IS NOT NULL
    LOOP
        EXECUTE 'GRANT ' || granted.privilege || ' ON ' || quote_ident(granted.name) || ' TO ' || granted.grantee
            || CASE WHEN granted.is_grantable THEN ' WITH GRANT OPTION' ELSE '' END;
    END LOOP;
    DROP TABLE granted_before;
END
$grant$
"""

COLUMNS = """
    listing.event_id,
    bookmaker.slug AS bookmaker_slug,
    market_type.betpawa_market_id,
    market.line,
    odds_outcomes(history.state, outcome_set.keys, outcome_set.names) AS outcomes,
    CASE WHEN odds_is_unavailable(history.state) THEN history.captured_at END AS unavailable_at,
    history.captured_at,
    history.run_id,
    label.name AS betpawa_market_name,
    market.id AS market_id,
    listing.external_event_id,
    NOT EXISTS (
        SELECT FROM untrusted_spans AS span
        WHERE span.market_id = history.market_id
          AND history.captured_at >= span.since AND history.captured_at < span.until
    ) AS is_trusted
"""

RELATIONS = """
FROM event_bookmakers AS listing
JOIN bookmakers AS bookmaker ON bookmaker.id = listing.bookmaker_id
JOIN markets AS market ON market.event_bookmaker_id = listing.id
JOIN market_types AS market_type ON market_type.id = market.market_type_id
JOIN {history}
LEFT JOIN outcome_sets AS outcome_set ON outcome_set.id = market.outcome_set_id
LEFT JOIN market_labels AS label ON label.id = market.label_id
WHERE listing.is_primary
"""

# The bookmaker event's number leads to its packs, whatever of a market was asked for.
OF_PACKS = RELATIONS.format(
    history="odds_history_changes AS history"
    " ON history.event_bookmaker_id = market.event_bookmaker_id AND history.market_id = market.id"
)
OF_ROWS = RELATIONS.format(history="odds_history AS history ON history.market_id = market.id")


def upgrade() -> None:
    op.execute(CHANGES)
    op.execute(PACK)
    op.execute(COUNT)
    op.execute(IS_MIXED)
    op.execute(GRANTED)
    op.execute("DROP VIEW market_odds_history")
    op.execute(PACKED_TABLE)
    op.execute(REMAKE.replace("{rows}", PACKED_ROWS))
    for statement in PUT_IN_PLACE:
        op.execute(statement)
    op.execute(EACH_CHANGE)
    op.execute(f"CREATE VIEW market_odds_history AS SELECT {COLUMNS} {OF_PACKS}")
    op.execute(GRANT_AGAIN)


def downgrade() -> None:
    op.execute(GRANTED)
    op.execute("DROP VIEW market_odds_history")
    op.execute("DROP VIEW odds_history_changes")
    op.execute(PLAIN_TABLE)
    op.execute(REMAKE.replace("{rows}", PLAIN_ROWS))
    for statement in PUT_IN_PLACE:
        op.execute(statement)
    op.execute(f"CREATE VIEW market_odds_history AS SELECT {COLUMNS} {OF_ROWS}")
    op.execute(GRANT_AGAIN)
    op.execute("DROP FUNCTION odds_is_mixed(bytea)")
    op.execute("DROP FUNCTION odds_count(bytea)")
    op.execute("DROP FUNCTION odds_pack(integer[], bytea[], integer[])")
    op.execute("DROP FUNCTION odds_changes(bytea, integer)")
