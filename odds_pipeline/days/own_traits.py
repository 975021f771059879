"""What a table has that a copy of it lacks: an owner, a tablespace, options, indexes, triggers, publications, words.

The rows, the columns with their types and the rights on the whole table are not looked at: whoever copies takes them
along.
"""

from __future__ import annotations

import psycopg

_TRAITS = r"""
    WITH whole AS (
        SELECT oid AS table_id, * FROM pg_class WHERE oid IN (%(table)s::regclass, %(copy)s::regclass)
    ), part AS (
        SELECT table_id, oid AS part_id FROM whole
        UNION ALL SELECT table_id, reltoastrelid FROM whole
        UNION ALL SELECT table_id, indexrelid FROM whole JOIN pg_index ON indrelid = table_id
    ), trait (table_id, words) AS (
        SELECT table_id, 'the owner ' || relowner::regrole FROM whole
        UNION ALL
        SELECT table_id, format(
            'the tablespace %%s', coalesce((SELECT spcname FROM pg_tablespace WHERE oid = reltablespace), 'by default')
        )
        FROM part JOIN pg_class ON oid = part_id
        UNION ALL
        SELECT table_id, 'the option ' || CASE relkind WHEN 't' THEN 'toast.' WHEN 'i' THEN 'index.' ELSE '' END || word
        FROM part JOIN pg_class ON oid = part_id CROSS JOIN unnest(reloptions) AS word
        UNION ALL
        SELECT table_id, 'the access method ' || amname FROM whole JOIN pg_am ON pg_am.oid = relam
        UNION ALL
        SELECT table_id, words FROM whole CROSS JOIN LATERAL (
            VALUES (relpersistence <> 'p', 'that it is not logged'), (relreplident <> 'd', 'its replica identity'),
                   (relrowsecurity OR relforcerowsecurity, 'row security')
        ) AS mark (is_set, words)
        WHERE is_set
        UNION ALL
        SELECT table_id, 'the index ' || indexrelid::regclass FROM whole JOIN pg_index ON indrelid = table_id
        WHERE NOT EXISTS (SELECT FROM pg_inherits WHERE inhrelid = indexrelid)
        UNION ALL
        SELECT table_id, 'the constraint ' || conname FROM whole JOIN pg_constraint ON conrelid = table_id
        WHERE contype IN ('c', 'f') AND coninhcount = 0
        UNION ALL
        SELECT table_id, 'the trigger ' || tgname FROM whole JOIN pg_trigger ON tgrelid = table_id
        WHERE tgparentid = 0 AND NOT tgisinternal
        UNION ALL
        SELECT table_id, 'the rule ' || rulename FROM whole JOIN pg_rewrite ON ev_class = table_id
        UNION ALL
        SELECT table_id, 'the policy ' || polname FROM whole JOIN pg_policy ON polrelid = table_id
        UNION ALL
        SELECT table_id, 'the statistics ' || stxname FROM whole JOIN pg_statistic_ext ON stxrelid = table_id
        UNION ALL
        SELECT table_id, 'the publication ' || pubname
        FROM whole JOIN pg_publication_rel ON prrelid = table_id JOIN pg_publication ON pg_publication.oid = prpubid
        UNION ALL
        SELECT table_id, 'a security label of ' || provider
        FROM whole JOIN pg_seclabel ON objoid = table_id AND classoid = 'pg_class'::regclass
        UNION ALL
        SELECT table_id, 'the comment ' || quote_literal(description)
        FROM whole JOIN pg_description ON objoid = table_id AND classoid = 'pg_class'::regclass AND objsubid = 0
        WHERE description !~ %(known_comment)s
        UNION ALL
        SELECT table_id, words || attname FROM whole JOIN pg_attribute ON attrelid = table_id CROSS JOIN LATERAL (
            VALUES (true, format('the storage "%%s" of ', attstorage)),
                   (attcompression <> '', format('the compression "%%s" of ', attcompression)),
                   (attstattarget >= 0, format('the statistics target %%s of ', attstattarget)),
                   (attoptions IS NOT NULL, format('the options %%s of ', attoptions)),
                   (attacl IS NOT NULL, 'rights on the column '),
                   (col_description(table_id, attnum) IS NOT NULL, 'a comment on the column ')
        ) AS mark (is_set, words)
        WHERE is_set AND attnum > 0 AND NOT attisdropped
    )
    SELECT words FROM trait WHERE table_id = %(table)s::regclass
    EXCEPT SELECT words FROM trait WHERE table_id = %(copy)s::regclass ORDER BY words
"""


def own_traits(connection: psycopg.Connection, table: str, copy: str, *, known_comment: str) -> list[str]:
    """What ``table`` has and its ``copy`` lacks, each in a few words; nothing when the copy can take its place.

    ``known_comment``: a pattern of the comments on the table that need not be kept. Indexes and constraints that come
    from the table of which ``table`` is a partition do not count; nor does whatever refers to it, such as a view.
    """
    parameters = {"table": table, "copy": copy, "known_comment": known_comment}
    return [words for (words,) in connection.execute(_TRAITS, parameters)]
