-- A reader of a history table holds a lock on it that DDL on the tracked table waits for. So nobody has the right to
-- read it who has none on the table.

CREATE OR REPLACE FUNCTION pgtrack._readers(p_class pg_class, p_owner oid) RETURNS oid[]
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
  SELECT coalesce(array_agg(DISTINCT a.grantee ORDER BY a.grantee), '{}')
  FROM aclexplode(coalesce((p_class).relacl, acldefault('r', (p_class).relowner))) a
  WHERE a.privilege_type = 'SELECT' AND a.grantee <> p_owner;
END;
COMMENT ON FUNCTION pgtrack._readers(pg_class, oid) IS
  'The roles but the owner of its history that were granted SELECT on a table; 0 is PUBLIC.';

CREATE OR REPLACE FUNCTION pgtrack._relations_with_other_rights() RETURNS SETOF integer
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
  SELECT r.relation_id
  FROM pgtrack.relation r
  JOIN pg_class h ON h.relname = r.history_table AND h.relnamespace = 'pgtrack_history'::regnamespace
  LEFT JOIN pg_class t ON t.oid = r.relid
  WHERE CASE WHEN t.oid IS NULL THEN '{}' ELSE pgtrack._readers(t.*, h.relowner) END <> pgtrack._readers(h.*, h.relowner);
END;
COMMENT ON FUNCTION pgtrack._relations_with_other_rights() IS 'The relations whose history other roles may read than their table.';

CREATE OR REPLACE FUNCTION pgtrack._sync_rights(p_relation integer) RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $_sync_rights$
DECLARE
  v_history  pg_class;
  v_wanted   oid[];
  v_right    record;
BEGIN
  SELECT h.* INTO STRICT v_history FROM pgtrack.relation r
  JOIN pg_class h ON h.relname = r.history_table AND h.relnamespace = 'pgtrack_history'::regnamespace
  WHERE r.relation_id = p_relation;
  v_wanted := coalesce((SELECT pgtrack._readers(t.*, v_history.relowner) FROM pgtrack.relation r JOIN pg_class t ON t.oid = r.relid
                        WHERE r.relation_id = p_relation), '{}');
  FOR v_right IN
    SELECT w.grantee IS NOT NULL AS is_wanted,
           CASE coalesce(w.grantee, p.grantee) WHEN 0 THEN 'PUBLIC'
                ELSE quote_ident(pg_get_userbyid(coalesce(w.grantee, p.grantee))) END AS role
    FROM unnest(v_wanted) AS w (grantee)
    FULL JOIN unnest(pgtrack._readers(v_history, v_history.relowner)) AS p (grantee) ON p.grantee = w.grantee
    WHERE w.grantee IS NULL OR p.grantee IS NULL
  LOOP
    EXECUTE format(CASE WHEN v_right.is_wanted THEN 'GRANT SELECT ON pgtrack_history.%I TO %s'
                        ELSE 'REVOKE SELECT ON pgtrack_history.%I FROM %s' END, v_history.relname, v_right.role);
  END LOOP;
END
$_sync_rights$;
COMMENT ON FUNCTION pgtrack._sync_rights(integer) IS
  'Lets those read a history table who were granted SELECT on its tracked table, and nobody else.';
