-- In REPEATABLE READ a transaction keeps its snapshot, and yet takes keys that others, whom it does not see, took and left
-- since. What they did under such a key is after the point xid:N, and before what the point shows there. It is rare, so
-- it is looked for first.
CREATE OR REPLACE FUNCTION pgtrack._retaken(p_table regclass, p_which text, p_point text) RETURNS text
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $_retaken$
DECLARE
  v_shape  pgtrack.relation_shape;
  v_own    text;
  v_first  bigint;
  v_last   bigint;
  v_ids    bigint[];
  v_keys   jsonb[];
  v_left   boolean[];
BEGIN
  IF p_point IS NULL OR p_point NOT LIKE 'xid:%' THEN
    RETURN NULL;
  END IF;
  SELECT * INTO v_shape FROM pgtrack._shape(p_table);
  v_own := pgtrack._of_transaction(substr(p_point, 5)::bigint);
  EXECUTE format('SELECT max(s.statement_id) FROM pgtrack.statement s WHERE s.relation_id = %s AND %s', v_shape.relation_id, v_own)
  INTO v_last;
  EXECUTE format('SELECT min(s.statement_id) FROM pgtrack.statement s WHERE s.relation_id = %s AND s.statement_id < $1 AND (%s)',
                 v_shape.relation_id, p_which)
  INTO v_first USING v_last;
  IF v_first IS NULL THEN
    RETURN NULL;
  END IF;
  -- A key is taken by a change under it, and by a change of another key to it.
  EXECUTE format($$
    WITH own AS MATERIALIZED (
      SELECT s.statement_id FROM pgtrack.statement s WHERE s.relation_id = %1$s AND s.statement_id BETWEEN $1 AND $2 AND (%2$s)
    ), others AS MATERIALIZED (
      SELECT s.statement_id FROM pgtrack.statement s WHERE s.relation_id = %1$s AND s.statement_id BETWEEN $1 AND $2 AND (%3$s)
    ), used AS MATERIALIZED (
      SELECT c.pgtrack_statement_id, false AS pgtrack_arrives, %4$s FROM %5$s c WHERE c.pgtrack_statement_id BETWEEN $1 AND $2
      UNION ALL
      SELECT a.statement_id, true, k.* FROM pgtrack._key_changes(%1$s) a CROSS JOIN LATERAL jsonb_to_record(a.new_key) AS k(%6$s)
      WHERE a.statement_id BETWEEN $1 AND $2
    )
    SELECT array_agg(u.id), array_agg(u.key), array_agg(u.is_left)
    FROM (SELECT h.pgtrack_statement_id AS id, n.key,
                 NOT first_value(l.leaves) OVER (PARTITION BY %4$s ORDER BY h.pgtrack_statement_id DESC, l.leaves) AS is_left
          FROM used h
          CROSS JOIN LATERAL (SELECT h.*) c
          JOIN pgtrack.statement s ON s.relation_id = %1$s AND s.statement_id = h.pgtrack_statement_id
          CROSS JOIN LATERAL (SELECT %7$s AS key) n
          CROSS JOIN LATERAL (SELECT s.operation IN ('D', 'T') OR NOT h.pgtrack_arrives AND EXISTS (
            SELECT FROM pgtrack._key_changes(%1$s) a WHERE a.statement_id = h.pgtrack_statement_id AND a.old_key = n.key) AS leaves) l
          WHERE h.pgtrack_statement_id IN (SELECT o.statement_id FROM own o)
            AND EXISTS (SELECT FROM used c WHERE c.pgtrack_statement_id IN (SELECT o.statement_id FROM others o)
                                             AND c.pgtrack_statement_id < h.pgtrack_statement_id AND %8$s)) u$$,
    v_shape.relation_id, v_own, p_which, v_shape.change_keys, v_shape.history, v_shape.key_record,
    pgtrack._row_key_sql(v_shape, v_shape.key_json), v_shape.same_row)
  INTO v_ids, v_keys, v_left USING v_first, v_last;
  IF v_ids IS NOT NULL THEN
    -- The columns have the names of the history's.
    RETURN format('(SELECT c.pgtrack_statement_id, NULL::jsonb AS pgtrack_key, NULL::boolean AS pgtrack_is_left, %s'
                  ' FROM %s c WHERE false UNION ALL SELECT x.id, x.key, x.is_left, k.*'
                  ' FROM unnest(%L::bigint[], %L::jsonb[], %L::boolean[]) AS x (id, key, is_left) CROSS JOIN LATERAL jsonb_to_record(x.key) AS k(%s)) AS h',
                  v_shape.change_keys, v_shape.history, v_ids, v_keys, v_left, v_shape.key_record);
  END IF;
  RETURN NULL;
END
$_retaken$;
COMMENT ON FUNCTION pgtrack._retaken(regclass, text, text) IS
  'The query part h, if any, for the keys that the transaction of a point took after others who come after the point, each with the statement and whether a row was left there.';
