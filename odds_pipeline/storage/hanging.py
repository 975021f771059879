"""What hangs on a table or a column by PostgreSQL's own record: queries over ids of tables, the id in front."""

from __future__ import annotations

DEPENDENTS = """
    SELECT attribute.attrelid::bigint, attribute.attname,
           array_agg(DISTINCT coalesce(view.oid::regclass::text,
                                       pg_describe_object(depend.classid, depend.objid, depend.objsubid)))
    FROM pg_depend AS depend
    JOIN pg_attribute AS attribute ON attribute.attrelid = depend.refobjid AND attribute.attnum = depend.refobjsubid
    LEFT JOIN pg_rewrite AS rule ON depend.classid = 'pg_rewrite'::regclass AND rule.oid = depend.objid
    LEFT JOIN pg_class AS view ON view.oid = rule.ev_class
    LEFT JOIN pg_attrdef AS reckoned ON depend.classid = 'pg_attrdef'::regclass AND reckoned.oid = depend.objid
    LEFT JOIN pg_constraint AS required ON depend.classid = 'pg_constraint'::regclass AND required.oid = depend.objid
    WHERE depend.refclassid = 'pg_class'::regclass AND depend.refobjid = ANY(%s::oid[]) AND depend.refobjsubid > 0
      AND (reckoned.oid IS NULL OR (reckoned.adrelid, reckoned.adnum) <> (attribute.attrelid, attribute.attnum))
      AND coalesce(required.contype IN ('c', 'f', 'x'), true)
      AND depend.classid IN ('pg_rewrite'::regclass, 'pg_attrdef'::regclass, 'pg_constraint'::regclass,
                             'pg_policy'::regclass, 'pg_trigger'::regclass)
    GROUP BY attribute.attrelid, attribute.attname
"""
"""Table, column, and what of these hangs on it: neither its own default or NOT NULL, nor an index."""

CASCADES = """
    WITH RECURSIVE deleting AS (
        SELECT confrelid, conrelid FROM pg_constraint WHERE contype = 'f' AND confdeltype = 'c' AND conparentid = 0
    ), gone AS (
        SELECT confrelid AS root, conrelid AS oid FROM deleting WHERE confrelid = ANY(%s::oid[])
        UNION
        SELECT gone.root, deleting.conrelid FROM gone JOIN deleting ON deleting.confrelid = gone.oid
    )
    SELECT gone.root::bigint, concat_ws('.', nullif(namespace.nspname, 'public'), class.relname)
    FROM gone JOIN pg_class AS class ON class.oid = gone.oid
    JOIN pg_namespace AS namespace ON namespace.oid = class.relnamespace
    WHERE gone.oid <> gone.root
    ORDER BY 1, 2
"""
"""Table, and each table of which rows are deleted with its own, at any remove."""
