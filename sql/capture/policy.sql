-- Whoever may read the table may read its history; under row security only that of the rows they can see.
CREATE OR REPLACE FUNCTION pgtrack._generate_policy(p_relation integer) RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $_generate_policy$
DECLARE
  v_history    name;
  v_key        text;
  v_condition  text;
BEGIN
  SELECT r.history_table INTO STRICT v_history FROM pgtrack.relation r WHERE r.relation_id = p_relation;
  SELECT string_agg(format('%L, %I', c.column_name, c.history_column), ', ' ORDER BY c.attnum) INTO v_key
  FROM pgtrack.relation r JOIN pgtrack.relation_column c USING (relation_id)
  WHERE r.relation_id = p_relation AND c.attnum IS NOT NULL AND c.column_name = ANY (r.key_columns);
  v_condition := format('(SELECT pgtrack._may_read(%s)) AND ((SELECT pgtrack._sees_every_row(%1$s)) OR pgtrack._sees_row(%1$s, jsonb_build_object(%2$s)))',
                        p_relation, coalesce(v_key, ''));
  -- The comment remembers what the policy was made from; to replace it takes a lock that everybody waits for.
  IF v_condition IS DISTINCT FROM (SELECT obj_description(p.oid, 'pg_policy') FROM pg_policy p
                                   WHERE p.polrelid = format('pgtrack_history.%I', v_history)::regclass AND p.polname = 'readers') THEN
    EXECUTE format('DROP POLICY IF EXISTS readers ON pgtrack_history.%I', v_history);
    EXECUTE format('CREATE POLICY readers ON pgtrack_history.%I FOR SELECT USING (%s)', v_history, v_condition);
    EXECUTE format('COMMENT ON POLICY readers ON pgtrack_history.%I IS %L', v_history, v_condition);
  END IF;
END
$_generate_policy$;
COMMENT ON FUNCTION pgtrack._generate_policy(integer) IS 'Lets those read a history table who may read its tracked table.';

CREATE OR REPLACE FUNCTION pgtrack._may_read(p_relation integer) RETURNS boolean
LANGUAGE sql STABLE PARALLEL SAFE
BEGIN ATOMIC
  SELECT coalesce((SELECT pg_catalog.has_table_privilege(r.relid, 'SELECT')
                   FROM pgtrack.relation r WHERE r.relation_id = p_relation), false);
END;
COMMENT ON FUNCTION pgtrack._may_read(integer) IS 'Whether the current user may read a tracked table.';

CREATE OR REPLACE FUNCTION pgtrack._sees_every_row(p_relation integer) RETURNS boolean
LANGUAGE sql STABLE PARALLEL SAFE
BEGIN ATOMIC
  SELECT coalesce((SELECT NOT pg_catalog.row_security_active(r.relid)
                   FROM pgtrack.relation r WHERE r.relation_id = p_relation), false);
END;
COMMENT ON FUNCTION pgtrack._sees_every_row(integer) IS 'Whether no row security hides rows of a tracked table from the current user.';

CREATE OR REPLACE FUNCTION pgtrack._sees_row(p_relation integer, p_key jsonb) RETURNS boolean
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $_sees_row$
DECLARE
  v_table  regclass;
  v_shape  record;
  v_seen   boolean;
BEGIN
  SELECT r.relid INTO v_table FROM pgtrack.relation r WHERE r.relation_id = p_relation;
  SELECT * INTO v_shape FROM pgtrack._shape(v_table);
  EXECUTE format('SELECT EXISTS (SELECT FROM jsonb_to_record($1) AS k(%s) JOIN %s t ON %s)',
                 v_shape.key_record, v_shape.live_table, v_shape.live_is_key)
  INTO v_seen USING p_key;
  RETURN v_seen;
END
$_sees_row$;
COMMENT ON FUNCTION pgtrack._sees_row(integer, jsonb) IS 'Whether the current user can see a row of a tracked table.';

CREATE OR REPLACE FUNCTION pgtrack._sync_rights(p_relation integer) RETURNS void LANGUAGE sql AS 'SELECT NULL::void';
CREATE OR REPLACE FUNCTION pgtrack._relations_with_other_rights() RETURNS TABLE (relation_id integer) LANGUAGE sql AS 'SELECT 1 WHERE false';
