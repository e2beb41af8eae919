CREATE OR REPLACE FUNCTION pgtrack._history(p_table regclass, p_key_as_given jsonb)
RETURNS TABLE (ver integer, op text, changed_at timestamptz, who text, what text[], before jsonb, after jsonb,
               xid bigint, statement_id bigint, application text, client_addr text, actor text, message text, query text)
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $_history$
DECLARE
  v_shape  pgtrack.relation_shape;
  v_key    jsonb;
  v_live   jsonb;
  v_all    boolean;
BEGIN
  PERFORM pgtrack._require_history(p_table);
  v_shape := pgtrack._shape(p_table);
  v_key := pgtrack._key(v_shape, p_key_as_given);
  v_all := pgtrack._sees_every_row(v_shape.relation_id);
  EXECUTE format('SELECT %s FROM jsonb_to_record($1) AS k(%s) JOIN %s t ON %s',
                 v_shape.live_image, v_shape.key_record, v_shape.live_table, v_shape.live_is_key)
  INTO v_live USING pgtrack._live_key(p_table, v_key);
  RETURN QUERY
    SELECT c.ver, a.operation, a.at, a.who, pgtrack._changed_columns(c.before, c.after), c.before, c.after,
           a.xid, a.statement_id, a.application, a.client_addr, a.actor, a.message, a.query
    FROM (SELECT v.ver, v.statement_id,
                 CASE WHEN v.operation <> 'I' THEN v.image END AS before,
                 CASE WHEN v.operation IN ('D', 'T') OR lead(v.operation) OVER w = 'I' THEN NULL
                      -- What the next change found may be hidden from the caller.
                      WHEN n.next_handle <> lead(v.handle) OVER w AND v.row_key = lead(v.row_key) OVER w THEN NULL
                      WHEN lead(v.ver) OVER w IS NOT NULL THEN lead(v.image) OVER w
                      WHEN n.next_handle IS NULL THEN v_live END AS after
          FROM pgtrack._versions(p_table, v_shape, v_key) v
          LEFT JOIN LATERAL (SELECT e.next_handle FROM pgtrack._entry(v_shape.relation_id, v.statement_id, v.handle, false) e
                             WHERE NOT v_all) n ON true
          WINDOW w AS (ORDER BY v.ver)) c
    JOIN pgtrack.activity a ON a.relation_id = v_shape.relation_id AND a.statement_id = c.statement_id
    ORDER BY c.ver;
END
$_history$;
COMMENT ON FUNCTION pgtrack._history(regclass, jsonb) IS 'The recorded changes of the row that a key leads to, oldest first.';
