CREATE OR REPLACE FUNCTION pgtrack._track_table(p_table regclass, p_options jsonb) RETURNS text
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp SET client_min_messages = warning SET lock_timeout = '1s' AS $_track_table$
DECLARE
  v_relation  pgtrack.relation;
  v_class     record;
  v_owner_name  name := (SELECT pg_get_userbyid(n.nspowner) FROM pg_namespace n WHERE n.nspname = 'pgtrack');
  v_object      text;
  v_hides       boolean := pgtrack._some_text_is_hidden();
  v_status      text := 'tracked';
BEGIN
  -- What follows is not DDL to be followed.
  PERFORM set_config('pgtrack.following', 'on', true);
  SELECT n.nspname, c.relname INTO v_class
  FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.oid = p_table;
  SELECT * INTO v_relation FROM pgtrack.relation WHERE relid = p_table;
  IF v_relation.relation_id IS NULL THEN
    v_relation.relation_id := nextval(pg_get_serial_sequence('pgtrack.relation', 'relation_id'));
    v_relation.history_table := pgtrack._free_name(
      left(v_class.relname::text, 50) || '_' || v_relation.relation_id,
      (SELECT array_agg(c.relname) FROM pg_class c WHERE c.relnamespace = 'pgtrack_history'::regnamespace));
    INSERT INTO pgtrack.relation (relation_id, relid, schema_name, table_name, history_table, key_columns, key_equality, options, tracked_since)
    VALUES (v_relation.relation_id, p_table, v_class.nspname, v_class.relname, v_relation.history_table, '{}', '{}', p_options, clock_timestamp());
    PERFORM pgtrack._create_history(v_relation.relation_id);
  ELSIF v_relation.tracked_until IS NULL THEN
    v_status := 'already tracked';
  ELSE
    v_status := 'tracked again; changes in between are not known';
    UPDATE pgtrack.relation SET tracked_since = clock_timestamp(), tracked_until = NULL WHERE relid = p_table;
  END IF;
  PERFORM pgtrack._sync_identity(v_relation.relation_id);
  UPDATE pgtrack.relation SET options = p_options, identity = NULL WHERE relid = p_table AND options <> p_options;
  PERFORM pgtrack._sync(v_relation.relation_id);
  PERFORM pgtrack._generate_triggers(v_relation.relation_id, true);
  IF v_hides <> pgtrack._some_text_is_hidden() THEN
    PERFORM pgtrack._regenerate_all();
  END IF;

  -- Whoever of the owner's group or the superusers called: what is written belongs to the owner.
  FOR v_object IN
    SELECT format('FUNCTION %s', p.oid::regprocedure) FROM pg_proc p
    WHERE p.pronamespace = 'pgtrack_history'::regnamespace AND pg_get_userbyid(p.proowner) <> v_owner_name
      AND p.proname ~ format('^(record_[a-z]+|key)_%s(_\d+)?$', v_relation.relation_id)
    UNION ALL
    SELECT format('TABLE %s', c.oid::regclass) FROM pg_class c
    WHERE c.oid = format('pgtrack_history.%I', v_relation.history_table)::regclass AND pg_get_userbyid(c.relowner) <> v_owner_name
  LOOP
    EXECUTE format('ALTER %s OWNER TO %I', v_object, v_owner_name);
  END LOOP;
  PERFORM pgtrack._sync_rights(v_relation.relation_id);

  PERFORM set_config('pgtrack.following', '', true);
  SELECT * INTO STRICT v_relation FROM pgtrack.relation WHERE relation_id = v_relation.relation_id;
  RETURN v_status || CASE v_relation.key_columns WHEN '{}' THEN ' without a primary key: single rows cannot be reverted' ELSE '' END;
END
$_track_table$;
COMMENT ON FUNCTION pgtrack._track_table(regclass, jsonb) IS 'Begins or resumes the tracking of one table.';

-- To create a trigger waits for the table's writers, while new ones wait behind it. So it gives way and tries again.
CREATE OR REPLACE FUNCTION pgtrack._track_patiently(p_table regclass, p_options jsonb, p_or_fail boolean) RETURNS text
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $_track_patiently$
BEGIN
  FOR attempt IN 1 .. 5 LOOP
    BEGIN
      RETURN pgtrack._track_table(p_table, p_options);
    EXCEPTION WHEN lock_not_available OR deadlock_detected THEN
      IF attempt = 5 AND p_or_fail THEN
        RAISE EXCEPTION 'could not lock % to track it', pgtrack._name(p_table) USING
          ERRCODE = 'lock_not_available',
          DETAIL = 'Transactions that write to it did not end for 5 seconds.',
          HINT = 'Try again when they have ended; pg_stat_activity shows them.';
      END IF;
      PERFORM pg_sleep(0.2 * attempt);
    END;
  END LOOP;
  RETURN 'not tracked: transactions that write to it did not end; try again';
END
$_track_patiently$;
COMMENT ON FUNCTION pgtrack._track_patiently(regclass, jsonb, boolean) IS 'Tracks a table, without making its writers wait for long.';

CREATE OR REPLACE FUNCTION pgtrack._sync(p_relation integer) RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $_sync$
BEGIN
  PERFORM pgtrack._sync_columns(p_relation);
  PERFORM pgtrack._sync_key(p_relation);
  PERFORM pgtrack._generate_policy(p_relation);
  PERFORM pgtrack._generate_functions(p_relation);
  DELETE FROM pgtrack.relation_shape WHERE relation_id = p_relation;
  INSERT INTO pgtrack.relation_shape
  SELECT m.* FROM pgtrack.relation r CROSS JOIN LATERAL pgtrack._make_shape(r.relid) m WHERE r.relation_id = p_relation;
END
$_sync$;
COMMENT ON FUNCTION pgtrack._sync(integer) IS 'Brings everything generated for a tracked table in step with the table''s present shape.';
