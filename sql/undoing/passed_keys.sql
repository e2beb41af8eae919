-- Where keys cross, rows change places under them: what is recorded then says what was under each key, and not which row went
-- where. The undo knows that. So what it has recorded becomes what it means: first the rows that went, then those that have got
-- another key, then those that came. The history of a row, and the next undo, follow the row.
CREATE OR REPLACE FUNCTION pgtrack._passed_sql(p_shape pgtrack.relation_shape) RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
  SELECT format($$
    own AS MATERIALIZED (
      SELECT o.*, count(*) OVER (PARTITION BY o.key) > 1 AS is_changed_again
      FROM (SELECT h.ctid AS handle, s.statement_id, s.operation, %s AS key
            FROM %s h JOIN pgtrack.statement s ON s.relation_id = %s AND s.statement_id = h.pgtrack_statement_id
            WHERE h.pgtrack_statement_id > $1 AND s.xid = pg_current_xact_id()) o
    ), passed AS MATERIALIZED (
      SELECT 'D' AS meaning, o.*, NULL::jsonb AS new_key, NULL::tid AS new_handle, NULL::bigint AS new_id, NULL::"char" AS new_operation
      FROM unnest($2) AS x (key) JOIN own o ON o.key = x.key
      UNION ALL
      SELECT 'U', o.handle, o.statement_id, o.operation, o.key, o.is_changed_again, n.key, n.handle, n.statement_id, n.operation
      FROM unnest($3, $4) AS x (key, new_key) JOIN own o ON o.key = x.key JOIN own n ON n.key = x.new_key
      UNION ALL
      SELECT 'I', o.*, NULL, NULL, NULL, NULL FROM unnest($5) AS x (key) JOIN own o ON o.key = x.key
    ), rest AS MATERIALIZED (
      SELECT o.* FROM own o WHERE o.operation = 'U' AND NOT EXISTS (SELECT FROM passed p WHERE p.handle = o.handle AND p.meaning <> 'I')
    ), gone AS (
      SELECT p.key, p.operation = 'U' AS is_updated FROM passed p WHERE p.meaning <> 'I'
    ), come AS (
      SELECT coalesce(p.new_key, p.key) AS key, coalesce(p.new_operation, p.operation) = 'U' AS is_updated FROM passed p WHERE p.meaning <> 'D'
    )$$, pgtrack._row_key_sql(p_shape, p_shape.key_json), p_shape.history, p_shape.relation_id);
END;
COMMENT ON FUNCTION pgtrack._passed_sql(pgtrack.relation_shape) IS
  'The query parts for what an undo in which rows change places has recorded of them, each with what it means: D for a row that goes, U for one '
  'that gets a new key, I for one that comes where another was.';

CREATE OR REPLACE FUNCTION pgtrack._may_move_rows(p_relation integer) RETURNS boolean
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $_may_move_rows$
DECLARE
  v_role  name := CASE current_setting('role') WHEN 'none' THEN session_user ELSE current_setting('role') END;
BEGIN
  RETURN (
  SELECT bool_and(has_table_privilege(v_role, r.relid, 'INSERT') AND has_table_privilege(v_role, r.relid, 'DELETE')
                  AND has_column_privilege(v_role, r.relid, k.column_name, 'UPDATE'))
  FROM pgtrack.relation r CROSS JOIN LATERAL pgtrack._key_parts(r.relation_id) k WHERE r.relation_id = p_relation);
END
$_may_move_rows$;
COMMENT ON FUNCTION pgtrack._may_move_rows(integer) IS 'Whether the session''s role may change the keys of a table, delete rows and insert them.';

CREATE OR REPLACE FUNCTION pgtrack._record_once_more(p_relation integer, p_like bigint, p_id bigint, p_operation "char", p_rows bigint) RETURNS void
LANGUAGE sql VOLATILE SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
  INSERT INTO pgtrack.statement
  SELECT (jsonb_populate_record(s, jsonb_build_object('statement_id', p_id, 'operation', p_operation, 'row_count', p_rows))).*
  FROM pgtrack.statement s WHERE s.relation_id = p_relation AND s.statement_id = p_like AND p_rows > 0;
END;
COMMENT ON FUNCTION pgtrack._record_once_more(integer, bigint, bigint, "char", bigint) IS
  'Adds the record of a statement like another, unless it is about no row.';

-- Under a key that was updated one row has gone and another come, and under no other key both. All updates become one, as keys
-- pass from row to row at once. What cannot be told so is told as it was recorded: where triggers have changed rows once more, or
-- as somebody else.
CREATE OR REPLACE FUNCTION pgtrack._tell_of_moves(p_passed pgtrack._passed_keys) RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp SET jit = off SET enable_nestloop = off AS $_tell_of_moves$
DECLARE
  v_shape    pgtrack.relation_shape;
  v_columns  text;
  v_rows     record;
  v_ids      bigint[];
BEGIN
  SELECT * INTO STRICT v_shape FROM pgtrack.relation_shape s WHERE s.relation_id = p_passed.relation_id;
  EXECUTE format($$
    WITH %s
    SELECT array_agg(p.handle) FILTER (WHERE p.meaning = 'D') AS deleted,
           array_agg(p.handle) FILTER (WHERE p.meaning = 'U') || ARRAY(SELECT r.handle FROM rest r) AS updated,
           array_agg(p.handle) FILTER (WHERE p.meaning = 'I' AND p.operation = 'U') AS inserted,
           array_agg(p.handle) FILTER (WHERE p.meaning = 'I' AND p.operation = 'I') AS inserted_before,
           array_agg(p.new_handle) FILTER (WHERE p.new_operation = 'I') AS moved_to,
           array_agg(p.key) FILTER (WHERE p.meaning = 'U') AS old_keys, array_agg(p.new_key) FILTER (WHERE p.meaning = 'U') AS new_keys,
           array_agg(p.statement_id) FILTER (WHERE p.meaning <> 'I' OR p.operation = 'I') || array_agg(p.new_id) FILTER (WHERE p.new_operation = 'I')
           || ARRAY(SELECT r.statement_id FROM rest r) AS ids,
           count(*) = $6 AND NOT EXISTS (SELECT FROM own o WHERE o.is_changed_again)
           AND (SELECT count(DISTINCT to_jsonb(s) - '{statement_id,snapshot,at,operation,row_count}'::text[]) FROM pgtrack.statement s
                WHERE s.relation_id = %s AND s.statement_id IN (SELECT o.statement_id FROM own o)) = 1
           AND NOT bool_or(p.operation = CASE p.meaning WHEN 'I' THEN 'D' ELSE 'I' END OR p.new_operation IS NOT DISTINCT FROM 'D')
           AND NOT EXISTS (SELECT FROM gone g FULL JOIN come c USING (key) WHERE (g.key IS NOT NULL AND c.key IS NOT NULL)
                           <> (coalesce(g.is_updated, false) OR coalesce(c.is_updated, false)))
           AND (SELECT count(DISTINCT g.key) = count(*) FROM gone g) AND (SELECT count(DISTINCT c.key) = count(*) FROM come c) AS can_be_told
    FROM passed p$$, pgtrack._passed_sql(v_shape), p_passed.relation_id)
  INTO v_rows USING p_passed.since_id, p_passed.deleted_keys, p_passed.old_keys, p_passed.new_keys, p_passed.inserted_keys,
    coalesce(cardinality(p_passed.deleted_keys), 0) + coalesce(cardinality(p_passed.old_keys), 0) + coalesce(cardinality(p_passed.inserted_keys), 0);
  IF v_rows.can_be_told IS NOT TRUE OR NOT pgtrack._may_move_rows(p_passed.relation_id) THEN
    RETURN;
  END IF;
  v_ids := ARRAY(SELECT nextval('pgtrack.statement_id_seq') FROM generate_series(1, 3));
  SELECT string_agg(quote_ident(k.history_column), ', ') INTO v_columns FROM pgtrack._key_parts(p_passed.relation_id) k;
  EXECUTE format('INSERT INTO %1$s (pgtrack_statement_id, %2$s) SELECT $1, %2$s FROM %1$s WHERE ctid = ANY ($2)', v_shape.history, v_columns)
  USING v_ids[3], v_rows.inserted;
  EXECUTE format('DELETE FROM %s WHERE ctid = ANY ($1)', v_shape.history) USING v_rows.moved_to;
  EXECUTE format('UPDATE %s SET pgtrack_statement_id = $1 WHERE ctid = ANY ($2)', v_shape.history) USING v_ids[1], v_rows.deleted;
  EXECUTE format('UPDATE %s SET pgtrack_statement_id = $1 WHERE ctid = ANY ($2)', v_shape.history) USING v_ids[2], v_rows.updated;
  EXECUTE format('UPDATE %s SET pgtrack_statement_id = $1 WHERE ctid = ANY ($2)', v_shape.history) USING v_ids[3], v_rows.inserted_before;
  UPDATE pgtrack.key_change c SET statement_id = v_ids[2]
  WHERE c.xid = pg_current_xact_id() AND c.relation_id = p_passed.relation_id AND c.change_id > p_passed.since_id;
  INSERT INTO pgtrack.key_change (change_id, xid, relation_id, old_key, new_key, statement_id)
  SELECT nextval('pgtrack.statement_id_seq'), pg_current_xact_id(), p_passed.relation_id, x.old_key, x.new_key, v_ids[2]
  FROM unnest(v_rows.old_keys, v_rows.new_keys) AS x (old_key, new_key);
  PERFORM pgtrack._record_once_more(p_passed.relation_id, v_rows.ids[1], v_ids[1], 'D', cardinality(v_rows.deleted)),
          pgtrack._record_once_more(p_passed.relation_id, v_rows.ids[1], v_ids[2], 'U', cardinality(v_rows.updated)),
          pgtrack._record_once_more(p_passed.relation_id, v_rows.ids[1], v_ids[3], 'I',
                                    coalesce(cardinality(v_rows.inserted), 0) + coalesce(cardinality(v_rows.inserted_before), 0));
  UPDATE pgtrack.statement s SET row_count = s.row_count - x.count
  FROM (SELECT i AS id, count(*) AS count FROM unnest(v_rows.ids) i GROUP BY i) x
  WHERE s.relation_id = p_passed.relation_id AND s.statement_id = x.id;
  DELETE FROM pgtrack.statement s WHERE s.relation_id = p_passed.relation_id AND s.statement_id = ANY (v_rows.ids) AND s.row_count = 0;
END
$_tell_of_moves$;
COMMENT ON FUNCTION pgtrack._tell_of_moves(pgtrack._passed_keys) IS
  'Records an undo in which rows have changed places under their keys as deletions, key changes and insertions of rows.';

-- A row is the same that was deleted when it comes back to the key under which it was deleted, and also when it comes back to
-- one that it had before. The insertion is recorded under that key, so the row goes there right before it; or as another comes
-- to the key that it leaves.
CREATE OR REPLACE FUNCTION pgtrack._tell_of_returns(p_passed pgtrack._passed_keys) RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp SET jit = off AS $_tell_of_returns$
DECLARE
  v_shape  pgtrack.relation_shape;
BEGIN
  SELECT * INTO STRICT v_shape FROM pgtrack.relation_shape s WHERE s.relation_id = p_passed.relation_id;
  EXECUTE format($$
    INSERT INTO pgtrack.key_change (change_id, xid, relation_id, old_key, new_key, statement_id)
    SELECT nextval('pgtrack.statement_id_seq'), pg_current_xact_id(), %1$s, p.row_key, x.new_key, coalesce(a.statement_id, i.statement_id - 1)
    FROM unnest($2, $3, $4) AS x (old_key, new_key, since_id)
    CROSS JOIN LATERAL pgtrack._path(%1$s, x.new_key, x.since_id, (SELECT pgtrack._spellings(%1$s)), false) p
    CROSS JOIN LATERAL (
      SELECT s.statement_id FROM jsonb_to_record(x.new_key) AS k(%2$s) JOIN %3$s h ON %4$s
      JOIN pgtrack.statement s ON s.relation_id = %1$s AND s.statement_id = h.pgtrack_statement_id
      WHERE h.pgtrack_statement_id > $1 AND s.xid = pg_current_xact_id() AND s.operation = 'I' ORDER BY h.pgtrack_statement_id DESC LIMIT 1) i
    LEFT JOIN LATERAL (SELECT max(c.statement_id) AS statement_id FROM pgtrack._key_changes(%1$s) c
                       WHERE c.new_key = x.old_key AND c.statement_id > $1 AND c.xid = pg_current_xact_id()) a ON true
    WHERE coalesce(a.statement_id < i.statement_id, true)
      AND p.row_key = x.old_key AND p.row_key <> x.new_key AND p.until_id = coalesce(a.statement_id, 9223372036854775807)
      AND (SELECT s.operation IN ('D', 'T') FROM jsonb_to_record(x.old_key) AS k(%2$s) JOIN %3$s h ON %4$s
           JOIN pgtrack.statement s ON s.relation_id = %1$s AND s.statement_id = h.pgtrack_statement_id
           ORDER BY h.pgtrack_statement_id DESC LIMIT 1)$$,
    p_passed.relation_id, v_shape.key_record, v_shape.history, v_shape.history_is_key)
  USING p_passed.since_id, p_passed.left_keys, p_passed.returned_keys, p_passed.returned_since;
END
$_tell_of_returns$;
COMMENT ON FUNCTION pgtrack._tell_of_returns(pgtrack._passed_keys) IS
  'Notes that rows which an undo has inserted are those that had these keys and were deleted under others.';

-- What rows have gone where is the word of who calls this. So it is taken from an undo alone, which is told by what
-- _begin_call() has sealed, and for what was recorded since.
CREATE OR REPLACE FUNCTION pgtrack._tell_by_rows(p_passed pgtrack._passed_keys, p_call text) RETURNS void
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $_tell_by_rows$
DECLARE
  v_call  text := pgtrack._unsealed('reverts', p_call);
BEGIN
  IF v_call IS NULL THEN
    RAISE EXCEPTION 'only an undo says which rows have got which keys' USING
      ERRCODE = 'insufficient_privilege', DETAIL = 'This call does not belong to an undo of this transaction.';
  END IF;
  p_passed.since_id := greatest(p_passed.since_id, split_part(v_call, ' ', 1)::bigint);
  PERFORM pgtrack._tell_of_moves(p_passed) WHERE p_passed.old_keys <> '{}';
  PERFORM pgtrack._tell_of_returns(p_passed) WHERE p_passed.left_keys <> '{}';
END
$_tell_by_rows$;
COMMENT ON FUNCTION pgtrack._tell_by_rows(pgtrack._passed_keys, text) IS
  'Records by rows what an undo has done that has recorded its call. SECURITY DEFINER: nobody else writes history.';
