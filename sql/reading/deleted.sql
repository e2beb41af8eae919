CREATE OR REPLACE FUNCTION pgtrack._deleted(p_table regclass, p_max integer)
RETURNS TABLE (row_pk jsonb, deleted_at timestamptz, who text, data jsonb, xid bigint, statement_id bigint)
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp SET row_security = on SET quote_all_identifiers = off AS $_deleted$
DECLARE
  v_shape  pgtrack.relation_shape;
BEGIN
  PERFORM pgtrack._require_history(p_table);
  SELECT * INTO v_shape FROM pgtrack._shape(p_table);
  IF v_shape.keys = '{}' THEN
    RAISE EXCEPTION 'table % has no primary key', v_shape.name USING
      ERRCODE = 'object_not_in_prerequisite_state',
      DETAIL = 'Whether a deleted row is still missing cannot be told.',
      HINT = format('SELECT * FROM pgtrack.changes(%L) shows what was deleted.', v_shape.name);
  END IF;
  -- Of several deletions of one key the latest counts.
  RETURN QUERY EXECUTE format($$
    SELECT d.key, a.at, a.who, d.image, a.xid, a.statement_id
    FROM (SELECT c.pgtrack_statement_id AS statement_id, %1$s AS key, %2$s AS image
          FROM pgtrack.statement s
          JOIN %3$s c ON c.pgtrack_statement_id = s.statement_id
          CROSS JOIN LATERAL (SELECT c.*) h
          WHERE s.relation_id = %4$s AND s.operation IN ('D', 'T')
            AND s.statement_id >= (SELECT r.key_since FROM pgtrack.relation r WHERE r.relation_id = %4$s)
            AND NOT EXISTS (SELECT FROM %5$s t WHERE %6$s)
            AND NOT EXISTS (SELECT FROM %3$s h JOIN pgtrack.statement n ON n.relation_id = %4$s AND n.statement_id = h.pgtrack_statement_id
                            WHERE %7$s AND h.pgtrack_statement_id > c.pgtrack_statement_id AND n.operation IN ('D', 'T'))%8$s
          ORDER BY s.statement_id DESC, 2 LIMIT $1) d
    JOIN pgtrack.activity a ON a.relation_id = %4$s AND a.statement_id = d.statement_id
    ORDER BY a.statement_id DESC, d.key$$,
    v_shape.key_json, v_shape.image, v_shape.history, v_shape.relation_id, v_shape.live_table, v_shape.live_is_history, v_shape.same_row,
    -- An undo may have brought the row back under another key (_tell_of_returns).
    CASE WHEN EXISTS (SELECT FROM pgtrack.key_change k WHERE k.relation_id = v_shape.relation_id) THEN format($$
            AND NOT EXISTS (SELECT FROM pgtrack._key_changes(%1$s) k WHERE k.old_key = %2$s AND k.statement_id >= s.statement_id
                            AND NOT EXISTS (SELECT FROM %3$s h WHERE %4$s AND h.pgtrack_statement_id > s.statement_id AND h.pgtrack_statement_id <= k.statement_id))$$,
      v_shape.relation_id, pgtrack._row_key_sql(v_shape, v_shape.key_json), v_shape.history, v_shape.same_row) END)
  USING p_max;
END
$_deleted$;
COMMENT ON FUNCTION pgtrack._deleted(regclass, integer) IS 'Does the work of pgtrack.deleted().';

CREATE OR REPLACE FUNCTION pgtrack.deleted("table" text, max integer DEFAULT 20, schema text DEFAULT NULL)
RETURNS TABLE (row_pk jsonb, deleted_at timestamptz, who text, data jsonb, xid bigint, statement_id bigint)
LANGUAGE sql STABLE
BEGIN ATOMIC
  SELECT d.* FROM pgtrack._deleted(pgtrack._table("table", schema), max) d;
END;
COMMENT ON FUNCTION pgtrack.deleted(text, integer, text) IS 'Rows that were deleted or truncated and are still missing, newest first.';
