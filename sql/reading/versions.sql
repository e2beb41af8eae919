CREATE OR REPLACE FUNCTION pgtrack._changed_columns(p_before jsonb, p_after jsonb) RETURNS text[]
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $_changed_columns$
BEGIN
  -- Compared as text: 1.0 and 1.00 are equal, but not the same value.
  RETURN (SELECT array_agg(b.key ORDER BY b.key)
          FROM jsonb_each(p_before) b
          WHERE p_after IS NOT NULL AND b.value::text IS DISTINCT FROM (p_after -> b.key)::text);
END
$_changed_columns$;
COMMENT ON FUNCTION pgtrack._changed_columns(jsonb, jsonb) IS 'The columns in which two images of a row differ; null unless both exist.';

CREATE OR REPLACE FUNCTION pgtrack._require_select(p_table regclass) RETURNS void
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $_require_select$
BEGIN
  IF NOT has_table_privilege(p_table, 'SELECT') THEN
    RAISE EXCEPTION 'permission denied for table %', pgtrack._name(p_table) USING
      ERRCODE = 'insufficient_privilege',
      DETAIL = 'Reading a table''s history needs SELECT on the table.';
  END IF;
END
$_require_select$;
COMMENT ON FUNCTION pgtrack._require_select(regclass) IS 'Refuses callers who may not read a table.';

CREATE OR REPLACE FUNCTION pgtrack._require_history(p_table regclass) RETURNS void
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $_require_history$
BEGIN
  PERFORM pgtrack._require_select(p_table);
  IF NOT coalesce((SELECT has_table_privilege(c.oid, 'SELECT') FROM pgtrack.relation r
                   JOIN pg_class c ON c.relname = r.history_table AND c.relnamespace = 'pgtrack_history'::regnamespace
                   WHERE r.relid = p_table), true) THEN
    RAISE EXCEPTION 'permission denied for the history of table %', pgtrack._name(p_table) USING
      ERRCODE = 'insufficient_privilege',
      DETAIL = 'The right to read the table was granted unnoticed.',
      HINT = 'SELECT * FROM pgtrack.follow_ddl() notices it.';
  END IF;
END
$_require_history$;
COMMENT ON FUNCTION pgtrack._require_history(regclass) IS 'Refuses callers who may not read a table and its history.';

-- Everything but the images is asked for with plans that the session keeps: planning is what takes time here.
CREATE OR REPLACE FUNCTION pgtrack._versions(p_table regclass, p_shape pgtrack.relation_shape, p_key jsonb)
RETURNS TABLE (ver integer, statement_id bigint, operation "char", row_key jsonb, handle tid, image jsonb)
LANGUAGE plpgsql STABLE ROWS 10 SET search_path = pg_catalog, pg_temp AS $_versions$
DECLARE
  v_after  bigint;
  v_until  bigint;
BEGIN
  ver := pgtrack._purged_versions(p_table, p_key);
  FOR row_key, v_after, v_until IN
    SELECT l.row_key, l.after_id, l.until_id FROM pgtrack._lineage(p_table, p_key, NULL, p_shape) l ORDER BY l.after_id
  LOOP
    FOR statement_id, handle, image IN EXECUTE format($$
      SELECT h.pgtrack_statement_id, h.ctid, %s
      FROM jsonb_to_record($1) AS k(%s) JOIN %s h ON %s
      WHERE h.pgtrack_statement_id > $2 AND h.pgtrack_statement_id <= $3
      ORDER BY h.pgtrack_statement_id, h.ctid$$,
      p_shape.image, p_shape.key_record, p_shape.history, p_shape.history_is_key)
    USING row_key, v_after, v_until
    LOOP
      SELECT s.operation INTO operation FROM pgtrack.statement s
      WHERE s.relation_id = p_shape.relation_id AND s.statement_id = _versions.statement_id;
      CONTINUE WHEN NOT FOUND;
      ver := ver + 1;
      RETURN NEXT;
    END LOOP;
  END LOOP;
END
$_versions$;
COMMENT ON FUNCTION pgtrack._versions(regclass, pgtrack.relation_shape, jsonb) IS
  'The recorded changes of one row, oldest first, each with the image it overwrote and where that is in the history table.';
