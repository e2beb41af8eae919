-- A reader of a history table holds a lock on it that DDL on the tracked table waits for. So nobody has the right to
-- read it who has none on the table.

CREATE OR REPLACE FUNCTION pgtrack._readers(p_rights aclitem[], p_table_owner oid, p_owner oid) RETURNS oid[]
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $_readers$
BEGIN
  RETURN (
  SELECT ARRAY(SELECT DISTINCT a.grantee FROM pg_catalog.aclexplode(coalesce(p_rights, pg_catalog.acldefault('r', p_table_owner))) a
               WHERE a.privilege_type = 'SELECT' AND a.grantee <> p_owner ORDER BY a.grantee));
END
$_readers$;
COMMENT ON FUNCTION pgtrack._readers(aclitem[], oid, oid) IS
  'The roles but the owner of its history that were granted SELECT on a table; 0 is PUBLIC.';

-- What this transaction has changed, and what came after it, is no older than the transaction itself.
CREATE OR REPLACE FUNCTION pgtrack._relations_with_other_rights() RETURNS SETOF integer
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp SET enable_seqscan = on SET plan_cache_mode = force_generic_plan
AS $_relations_with_other_rights$
DECLARE
  v_changed    oid[] := ARRAY(SELECT t.oid FROM pg_class t WHERE t.relkind IN ('r', 'p') AND age(t.xmin) <= 0);
  v_histories  name[] := ARRAY(SELECT h.relname FROM pg_class h WHERE h.oid = ANY (v_changed) AND h.relnamespace = 'pgtrack_history'::regnamespace);
BEGIN
  RETURN QUERY
    SELECT r.relation_id
    FROM (SELECT x.relation_id FROM pgtrack.relation x WHERE x.relid = ANY (v_changed)
          UNION SELECT x.relation_id FROM pgtrack.relation x WHERE x.history_table = ANY (v_histories)) x
    JOIN pgtrack.relation r ON r.relation_id = x.relation_id
    JOIN pg_class t ON t.oid = r.relid
    JOIN pg_class h ON h.relname = r.history_table AND h.relnamespace = 'pgtrack_history'::regnamespace
    WHERE pgtrack._readers(t.relacl, t.relowner, h.relowner) <> pgtrack._readers(h.relacl, h.relowner, h.relowner);
END
$_relations_with_other_rights$;
COMMENT ON FUNCTION pgtrack._relations_with_other_rights() IS 'The tables whose rights this transaction has changed, and whose history other roles may read than them.';

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
  v_wanted := coalesce((SELECT pgtrack._readers(t.relacl, t.relowner, v_history.relowner)
                        FROM pgtrack.relation r JOIN pg_class t ON t.oid = r.relid WHERE r.relation_id = p_relation), '{}');
  FOR v_right IN
    SELECT w.grantee IS NOT NULL AS is_wanted,
           CASE coalesce(w.grantee, p.grantee) WHEN 0 THEN 'PUBLIC'
                ELSE quote_ident(pg_get_userbyid(coalesce(w.grantee, p.grantee))) END AS role
    FROM unnest(v_wanted) AS w (grantee)
    FULL JOIN unnest(pgtrack._readers(v_history.relacl, v_history.relowner, v_history.relowner)) AS p (grantee) ON p.grantee = w.grantee
    WHERE w.grantee IS NULL OR p.grantee IS NULL
  LOOP
    EXECUTE format(CASE WHEN v_right.is_wanted THEN 'GRANT SELECT ON pgtrack_history.%I TO %s'
                        ELSE 'REVOKE SELECT ON pgtrack_history.%I FROM %s' END, v_history.relname, v_right.role);
  END LOOP;
END
$_sync_rights$;
COMMENT ON FUNCTION pgtrack._sync_rights(integer) IS
  'Lets those read a history table who were granted SELECT on its tracked table, and nobody else.';
