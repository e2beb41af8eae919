-- How the changes of a table are caught:
--   statement  one trigger call for each statement, from its transition table: the fastest by far in bulk.
--   tree       the same on a partitioned table, its intermediate partitions and its leaves, all into the root's history.
--   row        one call for each row: where transition tables lack columns (inheritance) or do not exist
--              (rows applied by logical replication, for which the triggers fire ALWAYS).
CREATE OR REPLACE FUNCTION pgtrack._capture_mode(p_table regclass, p_options jsonb) RETURNS text
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $_capture_mode$
BEGIN
  RETURN (
  SELECT CASE
    WHEN (p_options ->> 'replica')::boolean THEN 'row'
    WHEN c.relkind = 'p' THEN 'tree'
    WHEN EXISTS (SELECT FROM pg_catalog.pg_inherits i WHERE i.inhparent = p_table)
      OR EXISTS (SELECT FROM pg_catalog.pg_inherits i WHERE i.inhrelid = p_table) THEN 'row'
    -- Its last child was dropped, of which its own triggers hear nothing.
    WHEN EXISTS (SELECT FROM pg_catalog.pg_trigger t WHERE t.tgrelid = p_table AND t.tgname = '!pgtrack_update' AND t.tgenabled = 'O') THEN 'row'
    ELSE 'statement' END
  FROM pg_catalog.pg_class c WHERE c.oid = p_table);
END
$_capture_mode$;
COMMENT ON FUNCTION pgtrack._capture_mode(regclass, jsonb) IS 'How the changes of a table are caught: by statement, tree or row.';

-- As pg_partition_tree() does it, which locks every partition: whoever asked would wait for a TRUNCATE of one of them. A table
-- that was dropped or detached since the snapshot is left out.
CREATE OR REPLACE FUNCTION pgtrack._members(p_table regclass) RETURNS TABLE (relid regclass, is_leaf boolean)
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $_members$
BEGIN
  relid := p_table;
  is_leaf := (SELECT c.relkind <> 'p' FROM pg_class c WHERE c.oid = p_table);
  IF is_leaf THEN
    RETURN NEXT;
  ELSIF NOT is_leaf THEN
    RETURN QUERY
      WITH RECURSIVE member (relid, is_leaf, path) AS (
        SELECT p_table::oid, false, '{}'::oid[]
        UNION ALL
        SELECT x.relid, x.is_leaf, m.path || x.relid
        FROM member m
        -- OFFSET 0: looked up one by one, by the catalogs' indexes.
        CROSS JOIN LATERAL (
          SELECT c.oid AS relid, c.relkind <> 'p' AS is_leaf FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
          WHERE i.inhparent = m.relid AND NOT i.inhdetachpending AND pg_partition_root(i.inhrelid) IS NOT NULL OFFSET 0) x
        WHERE NOT m.is_leaf)
      SELECT m.relid::regclass, m.is_leaf FROM member m ORDER BY cardinality(m.path), m.path;
  END IF;
END
$_members$;
COMMENT ON FUNCTION pgtrack._members(regclass) IS
  'A table and all its partitions, parents first; those without partitions of their own hold the rows. It locks none of them.';

-- A statement that fires a trigger that changes the same table again is recorded after what it has caused, because
-- its own AFTER trigger comes last. So where a trigger may do that, each statement says when it begins, and whichever
-- of them is recorded first gives numbers to those that began before it.
-- What looks like a call and is none of PostgreSQL's functions may be one of the application's, that does anything.
CREATE OR REPLACE FUNCTION pgtrack._calls_unknown_function(p_source text) RETURNS boolean
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $_calls_unknown_function$
BEGIN
  RETURN (
  SELECT EXISTS (
    SELECT FROM regexp_matches(p_source, $r$([[:alpha:]_][[:alnum:]_$]*)"?\s*\($r$, 'g') m CROSS JOIN LATERAL (SELECT lower(m[1]) AS name) w
    WHERE w.name <> ALL ('{if,elsif,elseif,and,or,not,in,is,any,all,some,values,using,when,then,else,case,return,exists,coalesce,nullif,greatest,least,row,'
                         'array,cast,extract,raise,while,exit,continue,between,like,ilike,xor,decimal,dec,nchar,varying,precision,with,declare,begin}'::text[])
      AND (NOT EXISTS (SELECT FROM pg_proc f WHERE f.proname = w.name AND f.pronamespace = 'pg_catalog'::regnamespace)
           OR EXISTS (SELECT FROM pg_proc f WHERE f.proname = w.name AND f.pronamespace NOT IN ('pg_catalog'::regnamespace, 'information_schema'::regnamespace)))));
END
$_calls_unknown_function$;
COMMENT ON FUNCTION pgtrack._calls_unknown_function(text) IS 'Whether the source of a PL/pgSQL function seems to call a function that is not one of PostgreSQL''s.';

CREATE OR REPLACE FUNCTION pgtrack._has_nesting_trigger(p_table regclass) RETURNS boolean
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $_has_nesting_trigger$
BEGIN
  RETURN (
  SELECT EXISTS (
    SELECT FROM pgtrack._members(p_table) m
    CROSS JOIN LATERAL (SELECT t.tgfoid FROM pg_catalog.pg_trigger t WHERE t.tgrelid = m.relid AND NOT t.tgisinternal OFFSET 0) t
    JOIN pg_catalog.pg_proc p ON p.oid = t.tgfoid AND p.pronamespace <> 'pgtrack_history'::regnamespace
    JOIN pg_catalog.pg_language l ON l.oid = p.prolang
    WHERE l.lanname NOT IN ('plpgsql', 'internal')
       OR p.prosrc ~* $r$\m(insert|update|delete|merge|copy|execute|perform|select|call)\M$r$
       OR pgtrack._calls_unknown_function(p.prosrc)));
END
$_has_nesting_trigger$;
COMMENT ON FUNCTION pgtrack._has_nesting_trigger(regclass) IS 'Whether a trigger of an application may change the table that it is on.';

CREATE OR REPLACE FUNCTION pgtrack._may_nest(p_table regclass) RETURNS boolean
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $_may_nest$
BEGIN
  RETURN (SELECT r.is_written_nested FROM pgtrack.relation r WHERE r.relid = p_table) OR pgtrack._has_nesting_trigger(p_table);
END
$_may_nest$;
COMMENT ON FUNCTION pgtrack._may_nest(regclass) IS 'Whether a trigger of an application may change a table, from whichever table it is on.';

CREATE OR REPLACE FUNCTION pgtrack._may_rewrite_rows(p_table regclass) RETURNS boolean
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $_may_rewrite_rows$
BEGIN
  RETURN (
  -- tgtype: bit 0 row, bit 1 before, bit 4 update (src/include/catalog/pg_trigger.h).
  -- One of ours is left on a former partition until it is followed.
  SELECT EXISTS (SELECT FROM pg_trigger t JOIN pg_proc p ON p.oid = t.tgfoid
                 WHERE t.tgrelid = p_table AND NOT t.tgisinternal AND t.tgtype & 19 = 19
                   AND p.pronamespace <> 'pgtrack_history'::regnamespace));
END
$_may_rewrite_rows$;
COMMENT ON FUNCTION pgtrack._may_rewrite_rows(regclass) IS 'Whether a BEFORE UPDATE trigger can change rows on their way into the table.';
