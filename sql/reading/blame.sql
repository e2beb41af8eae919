CREATE OR REPLACE FUNCTION pgtrack._blame(p_table regclass, p_key_as_given jsonb)
RETURNS TABLE ("column" text, value jsonb, ver integer, changed_at timestamptz, who text, xid bigint)
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp SET row_security = on SET quote_all_identifiers = off
BEGIN ATOMIC
  WITH version AS MATERIALIZED (
    SELECT h.* FROM pgtrack._history(p_table, p_key_as_given) h
  ), latest AS (
    SELECT v.ver, v.after FROM version v WHERE v.after IS NOT NULL ORDER BY v.ver DESC LIMIT 1
  )
  SELECT c.column_name, l.after -> c.column_name::text, b.ver, b.changed_at, b.who, b.xid
  FROM latest l
  CROSS JOIN pgtrack.relation r
  JOIN pgtrack.relation_column c ON c.relation_id = r.relation_id AND c.attnum IS NOT NULL
  LEFT JOIN LATERAL (
    SELECT v.ver, v.changed_at, v.who, v.xid FROM version v
    WHERE v.ver <= l.ver AND (v.op = 'INSERT' OR c.column_name::text = ANY (v.what))
    ORDER BY v.ver DESC LIMIT 1) b ON true
  WHERE r.relid = p_table
  ORDER BY c.attnum;
END;
COMMENT ON FUNCTION pgtrack._blame(regclass, jsonb) IS 'Does the work of pgtrack.blame().';
