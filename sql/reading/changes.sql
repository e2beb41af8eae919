-- The latest changes of a table, or all those of one of its transactions. The row after a change is the image of its
-- next change, or the live row; where keys have changed, its lineage has to be followed.
CREATE OR REPLACE FUNCTION pgtrack._changes(p_table regclass, p_max bigint, p_which text)
RETURNS TABLE (row_pk jsonb, ver integer, op text, changed_at timestamptz, who text, what text[], before jsonb, after jsonb,
               xid bigint, statement_id bigint, application text, client_addr text, actor text, message text, query text)
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $_changes$
DECLARE
  v_shape    record;
  v_version  text;
  v_first    bigint;
  v_last     bigint;
  v_all      boolean;
  v_later    text;
BEGIN
  PERFORM pgtrack._require_select(p_table);
  SELECT * INTO v_shape FROM pgtrack._shape(p_table);
  v_all := pgtrack._sees_every_row(v_shape.relation_id);
  v_later := v_shape.same_row || ' AND (h.pgtrack_statement_id, h.ctid) > (c.pgtrack_statement_id, c.pgtrack_handle)';
  IF v_shape.keys = '{}' THEN
    v_version := format('SELECT NULL::integer AS ver, CASE s.operation WHEN ''I'' THEN %s END AS after', v_shape.image);
  ELSIF EXISTS (SELECT FROM pgtrack.key_change k WHERE k.relation_id = v_shape.relation_id) THEN
    v_version := format('SELECT x.ver, x.after FROM pgtrack._history($1, %s) x '
                        'WHERE x.statement_id = c.pgtrack_statement_id', v_shape.key_json);
  ELSE
    v_version := format($$
      SELECT (SELECT count(*)::integer FROM %1$s h
              WHERE %2$s AND (h.pgtrack_statement_id, h.ctid) <= (c.pgtrack_statement_id, c.pgtrack_handle)) + %8$s AS ver,
             CASE WHEN s.operation NOT IN ('D', 'T') THEN
               CASE WHEN %9$s
                 THEN (SELECT CASE WHEN n.operation <> 'I' THEN %3$s END
                       FROM %1$s h JOIN pgtrack.statement n ON n.relation_id = %4$s AND n.statement_id = h.pgtrack_statement_id
                       WHERE %10$s LIMIT 1)
                 ELSE (SELECT %5$s FROM %6$s t WHERE %7$s)
               END
             END AS after
      %11$s$$,
      v_shape.history, v_shape.same_row, v_shape.image, v_shape.relation_id,
      v_shape.live_image, v_shape.live_table, v_shape.live_is_history,
      CASE WHEN EXISTS (SELECT FROM pgtrack.relation r WHERE r.relation_id = v_shape.relation_id AND r.purged_until IS NOT NULL)
           THEN format('pgtrack._purged_versions_of(%s, pgtrack._canonical_key(%s, %L))::integer',
                       v_shape.relation_id, v_shape.key_json, v_shape.key_record)
           ELSE '0' END,
      CASE WHEN v_all THEN format('EXISTS (SELECT FROM %s h WHERE %s)', v_shape.history, v_later) ELSE 'e.next_handle IS NOT NULL' END,
      -- The next change may be hidden from the caller, but is the next all the same.
      CASE WHEN v_all THEN v_later || ' ORDER BY h.pgtrack_statement_id, h.ctid' ELSE 'h.ctid = e.next_handle AND h.pgtrack_statement_id = e.next_statement' END,
      CASE WHEN v_all THEN '' ELSE format('FROM pgtrack._entry(%s, c.pgtrack_statement_id, c.pgtrack_handle, false) e', v_shape.relation_id) END);
  END IF;
  -- One scan of the history from the statement on in which the wanted number of rows is reached.
  EXECUTE format($$
    SELECT min(x.statement_id), max(x.statement_id)
    FROM (SELECT s.statement_id, sum(s.row_count) OVER (ORDER BY s.statement_id DESC) - s.row_count AS later
          FROM pgtrack.statement s
          WHERE s.relation_id = %s AND %s
          ORDER BY s.statement_id DESC LIMIT $1) x
    WHERE x.later < $1$$, v_shape.relation_id, p_which)
  INTO v_first, v_last USING p_max;
  RETURN QUERY EXECUTE format($$
    SELECT l.key, l.ver, a.operation, a.at, a.who, pgtrack._changed_columns(l.before, l.after), l.before, l.after,
           a.xid, a.statement_id, a.application, a.client_addr, a.actor, a.message, a.query
    FROM (SELECT c.pgtrack_statement_id, %1$s AS key, v.ver, CASE WHEN s.operation <> 'I' THEN %2$s END AS before, v.after
          FROM (SELECT n.ctid AS pgtrack_handle, n.* FROM %3$s n WHERE n.pgtrack_statement_id BETWEEN $2 AND $4 ORDER BY n.pgtrack_statement_id DESC) c
          CROSS JOIN LATERAL (SELECT c.*) h
          JOIN pgtrack.statement s ON s.relation_id = %4$s AND s.statement_id = c.pgtrack_statement_id AND %6$s
          CROSS JOIN LATERAL (%5$s) v
          ORDER BY c.pgtrack_statement_id DESC LIMIT $3) l
    JOIN pgtrack.activity a ON a.relation_id = %4$s AND a.statement_id = l.pgtrack_statement_id
    ORDER BY l.pgtrack_statement_id DESC, l.key$$,
    CASE v_shape.keys WHEN '{}' THEN 'NULL::jsonb' ELSE v_shape.key_json END, v_shape.image, v_shape.history,
    v_shape.relation_id, v_version, p_which)
  USING p_table, v_first, p_max, v_last;
END
$_changes$;
COMMENT ON FUNCTION pgtrack._changes(regclass, bigint, text) IS 'The latest changes of a table by statements that meet a condition, newest first.';

CREATE OR REPLACE FUNCTION pgtrack.changes("table" text, max integer DEFAULT 20, schema text DEFAULT NULL)
RETURNS TABLE (row_pk jsonb, ver integer, op text, changed_at timestamptz, who text, what text[], before jsonb, after jsonb,
               xid bigint, statement_id bigint, application text, client_addr text, actor text, message text, query text)
LANGUAGE sql STABLE
BEGIN ATOMIC
  SELECT c.* FROM pgtrack._changes(pgtrack._table("table", schema), max, 'true') c;
END;
COMMENT ON FUNCTION pgtrack.changes(text, integer, text) IS 'The latest row changes of a table, newest first.';
