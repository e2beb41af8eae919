-- What is too much for one transaction is undone a thousand rows at a time. Each batch commits by itself, so foreign keys
-- must hold after each: a row comes back after those that it refers to, and goes before them. The choice of what is undone
-- is the same for all batches: what happens after the plan was made is no part of it, and where it is in the way, a conflict.

CREATE OR REPLACE FUNCTION pgtrack._seen_by(p_snapshot pg_snapshot) RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
  -- Transaction ids of another cluster say nothing here; its history was there before.
  SELECT CASE WHEN p_snapshot IS NULL THEN 'true'
              ELSE format('(s.statement_id < %s OR pg_visible_in_snapshot(s.xid, %L))', e.first_id, p_snapshot) END
  FROM pgtrack._in_epoch(9223372036854775807) e;
END;
COMMENT ON FUNCTION pgtrack._seen_by(pg_snapshot) IS 'The condition for statements that a snapshot sees; null sees all.';

-- Deletes come before updates and those before inserts, as unique values have to be free before they are used again; but
-- what updated rows shall refer to comes back before them, and what they refer to now goes after them. Rows that may
-- refer to each other stay together.
CREATE OR REPLACE FUNCTION pgtrack._batches(p_choice jsonb, p_table regclass, p_size integer, p_on_conflict text)
RETURNS TABLE (batch bigint, rows jsonb, row_count bigint, seen pg_snapshot)
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp SET row_security = on SET quote_all_identifiers = off AS $_batches$
DECLARE
  v_choice  pgtrack._set;
BEGIN
  IF p_size IS NULL OR p_size < 1 THEN
    RAISE EXCEPTION 'a batch must have at least one row' USING ERRCODE = 'invalid_parameter_value';
  END IF;
  v_choice := pgtrack._choice(p_choice, p_table);
  -- Refused before it begins if single rows cannot be named.
  PERFORM pgtrack._changed_rows_sql(t, v_choice, p_keys => '[]') FROM unnest(v_choice.tables) t;
  seen := pg_current_snapshot();
  RETURN QUERY
    WITH RECURSIVE reference AS (
      SELECT f.child, f.parent, f.columns
      FROM (SELECT coalesce(pg_partition_root(c.conrelid), c.conrelid) AS child, coalesce(pg_partition_root(c.confrelid), c.confrelid) AS parent,
                   ARRAY(SELECT a.attname::text FROM pg_attribute a WHERE a.attrelid = c.conrelid AND a.attnum = ANY (c.conkey)) AS columns
            FROM pg_constraint c WHERE c.contype = 'f') f
      WHERE f.child = ANY (v_choice.tables) AND f.parent = ANY (v_choice.tables)
    ), named AS MATERIALIZED (
      SELECT t AS relid, pgtrack._name(t) AS name, ARRAY(SELECT DISTINCT unnest(r.columns) FROM reference r WHERE r.child = t) AS columns
      FROM unnest(v_choice.tables) t
    ), planned AS MATERIALIZED (
      SELECT row_number() OVER () AS position, n.relid, p."table", p.row_pk, p.action,
             CASE p.action WHEN 'update' THEN ARRAY(SELECT c FROM unnest(n.columns) c WHERE p.before -> c IS DISTINCT FROM p.after -> c)
                           ELSE '{}' END AS moved
      FROM pgtrack._plan_set(v_choice, NULL, p_on_conflict) p
      JOIN named n ON n.name = p."table"
    ), reach AS (
      SELECT r.child, r.parent FROM reference r
      UNION SELECT a.child, r.parent FROM reach a JOIN reference r ON r.child = a.parent
    ), updated AS MATERIALIZED (
      SELECT DISTINCT p.relid, p.moved FROM planned p WHERE p.moved <> '{}'
    ), pivot AS (
      SELECT r.parent AS relid FROM reference r JOIN updated u ON u.relid = r.child AND u.moved && r.columns
      UNION SELECT a.parent FROM reference r JOIN updated u ON u.relid = r.child AND u.moved && r.columns JOIN reach a ON a.child = r.parent
    ), ranked AS MATERIALIZED (
      SELECT n.relid, n.relid IN (SELECT v.relid FROM pivot v) AS is_pivot,
             (SELECT count(DISTINCT x) FROM (SELECT n.relid AS x UNION SELECT a.parent FROM reach a WHERE a.child = n.relid) x) AS depth,
             (SELECT min(a.parent) FROM reach a JOIN reach b ON b.child = a.parent AND b.parent = n.relid WHERE a.child = n.relid) AS circle
      FROM named n
    ), ordered AS (
      SELECT p.*, k.phase, CASE WHEN p.action <> 'update' THEN r.circle END AS circle,
             row_number() OVER (ORDER BY k.phase, CASE p.action WHEN 'delete' THEN -r.depth ELSE r.depth END, r.circle, r.relid, p.position DESC) AS number
      FROM planned p JOIN ranked r ON r.relid = p.relid
      CROSS JOIN LATERAL (SELECT CASE p.action WHEN 'delete' THEN CASE WHEN r.is_pivot THEN 4 ELSE 1 END
                                               WHEN 'insert' THEN CASE WHEN r.is_pivot THEN 2 ELSE 5 END
                                               ELSE 3 END AS phase) k
    ), placed AS (
      SELECT o.*, (CASE WHEN o.circle IS NULL THEN o.number ELSE min(o.number) OVER (PARTITION BY o.phase, o.circle) END - 1) / p_size AS place
      FROM ordered o
    ), parts AS (
      SELECT p.place, p."table" AS name, jsonb_agg(p.row_pk ORDER BY p.number) AS keys, count(*) AS n FROM placed p GROUP BY p.place, p."table"
    )
    SELECT row_number() OVER (ORDER BY p.place), jsonb_object_agg(p.name, p.keys), sum(p.n)::bigint, _batches.seen
    FROM parts p GROUP BY p.place ORDER BY p.place;
END
$_batches$;
COMMENT ON FUNCTION pgtrack._batches(jsonb, regclass, integer, text) IS 'Does the work of plan_batches().';

CREATE OR REPLACE FUNCTION pgtrack.plan_batches(choice jsonb, size integer DEFAULT 1000, on_conflict text DEFAULT 'error')
RETURNS TABLE (batch bigint, rows jsonb, row_count bigint, seen pg_snapshot)
LANGUAGE sql STABLE
BEGIN ATOMIC
  SELECT b.* FROM pgtrack._batches(choice, CASE WHEN choice ? 'table' THEN pgtrack._table(choice ->> 'table', choice ->> 'schema') END, size, on_conflict) b;
END;
COMMENT ON FUNCTION pgtrack.plan_batches(jsonb, integer, text) IS
  'Splits an undo into batches, in the order in which foreign keys let each commit by itself. choice has the arguments of the verb: '
  '{"xid": 1}, {"xids": [1, 2]}, {"statement_ids": [1, 2]}, {"table": "shop.orders", "point": "a tag"}, {"schema": "shop", "point": "a tag"}, '
  'or those of undo_where(). undo_batch() takes each, with the same on_conflict. Rows of tables that refer to themselves or to each other in a circle come back, and go, in one batch.';

CREATE OR REPLACE FUNCTION pgtrack._undo_batch(p_choice jsonb, p_table regclass, p_rows jsonb, p_seen pg_snapshot, p_on_conflict text, p_message text)
RETURNS TABLE ("table" text, inserted bigint, updated bigint, deleted bigint, skipped bigint)
-- To compile takes longer than a batch.
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp SET row_security = on SET quote_all_identifiers = off SET jit = off AS $_undo_batch$
DECLARE
  v_choice  pgtrack._set;
  v_table   record;
  v_tables  regclass[] := '{}';
  v_rows    jsonb := '{}';
  v_key     jsonb;
  v_call    text;
  v_arguments  jsonb;
BEGIN
  v_choice := pgtrack._choice(p_choice, p_table);
  IF jsonb_typeof(p_rows) IS DISTINCT FROM 'object' THEN
    RAISE EXCEPTION 'it is not clear which rows to undo: %', coalesce(left(p_rows::text, 100), 'null') USING
      ERRCODE = 'invalid_parameter_value',
      HINT = 'Name the tables, each with the keys of its rows: {"shop.orders": [{"id": 1}, {"id": 2}]}, as plan_batches() does.';
  END IF;
  FOR v_table IN SELECT r.key AS name, to_regclass(r.key) AS relid, r.value AS keys FROM jsonb_each(p_rows) r LOOP
    IF NOT coalesce(v_table.relid = ANY (v_choice.tables), false) THEN
      RAISE EXCEPTION '% has no rows in %', v_choice.label, v_table.name USING
        ERRCODE = 'undefined_table',
        DETAIL = format('Its tables are %s.', (SELECT string_agg(pgtrack._name(t), ', ') FROM unnest(v_choice.tables) t)),
        HINT = 'Tables are named with their schema.';
    END IF;
    SELECT k INTO v_key FROM jsonb_path_query(v_table.keys, 'strict $[*]') k
    WHERE NOT k ?& (SELECT r.key_columns::text[] FROM pgtrack.relation r WHERE r.relid = v_table.relid) LIMIT 1;
    IF FOUND THEN
      RAISE EXCEPTION '% is no key of %', v_key, v_table.name USING
        ERRCODE = 'invalid_parameter_value',
        DETAIL = format('Its key is (%s).', (SELECT array_to_string(r.key_columns, ', ') FROM pgtrack.relation r WHERE r.relid = v_table.relid));
    END IF;
    v_tables := v_tables || v_table.relid;
    v_rows := v_rows || jsonb_build_object(pgtrack._name(v_table.relid), v_table.keys);
  END LOOP;
  v_choice.tables := v_tables;
  v_choice.condition := format('(%s) AND %s', v_choice.condition, pgtrack._seen_by(p_seen));
  SELECT p_choice || jsonb_build_object('on_conflict', p_on_conflict, 'rows', coalesce(jsonb_object_agg(r.key, jsonb_array_length(r.value)), '{}'))
  INTO v_arguments FROM jsonb_each(v_rows) r;
  v_call := pgtrack._begin_call(v_arguments, p_message, v_choice.reverts);
  IF v_tables <> '{}' THEN
    RETURN QUERY SELECT u.* FROM pgtrack._undo_set(v_choice, p_on_conflict, p_message, p_rows => v_rows, p_call => v_call) u;
  END IF;
  PERFORM pgtrack._end_call(v_call);
END
$_undo_batch$;
COMMENT ON FUNCTION pgtrack._undo_batch(jsonb, regclass, jsonb, pg_snapshot, text, text) IS 'Does the work of undo_batch().';

CREATE OR REPLACE FUNCTION pgtrack.undo_batch(choice jsonb, rows jsonb, seen pg_snapshot DEFAULT NULL, on_conflict text DEFAULT 'error',
                                              message text DEFAULT NULL)
RETURNS TABLE ("table" text, inserted bigint, updated bigint, deleted bigint, skipped bigint)
LANGUAGE sql VOLATILE
BEGIN ATOMIC
  SELECT pgtrack._note_path();
  SELECT u.* FROM pgtrack._undo_batch(choice, CASE WHEN choice ? 'table' THEN pgtrack._table(choice ->> 'table', choice ->> 'schema') END,
                                      rows, seen, on_conflict, message) u;
END;
COMMENT ON FUNCTION pgtrack.undo_batch(jsonb, jsonb, pg_snapshot, text, text) IS
  'Undoes some rows of a choice, as plan_batches() names them: {"shop.orders": [{"id": 1}, {"id": 2}]}. What seen does not see is not '
  'undone; rows that it changed are conflicts, also where a table is reverted to a point. Done twice, it changes nothing the second time.';
