-- What is written for a table belongs to the owner of pg_track, whoever tracks it.
CREATE OR REPLACE FUNCTION pgtrack._enroll(p_table regclass, p_options jsonb, OUT relation_id integer, OUT status text)
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET client_min_messages = warning SET lock_timeout = '1s' AS $_enroll$
DECLARE
  v_events    text;
  v_relation  pgtrack.relation;
  v_class     record;
  v_taken     name[] := '{}';
BEGIN
  v_events := pgtrack._silence_event_triggers();
  SELECT n.nspname, c.relname INTO v_class
  FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.oid = p_table;
  SELECT * INTO v_relation FROM pgtrack.relation WHERE relid = p_table;
  status := 'tracked';
  IF v_relation.relation_id IS NULL THEN
    v_relation.relation_id := nextval(pg_get_serial_sequence('pgtrack.relation', 'relation_id'));
    LOOP
      v_relation.history_table := pgtrack._free_name(left(v_class.relname::text, 50) || '_' || v_relation.relation_id, v_taken);
      -- Nor is it what the table of a partitioned table's moves is called.
      EXIT WHEN to_regclass(format('pgtrack_history.%I', v_relation.history_table)) IS NULL
                AND to_regtype(format('pgtrack_history.%I', v_relation.history_table)) IS NULL
                AND v_relation.history_table <> format('moves_%s', v_relation.relation_id);
      v_taken := v_taken || v_relation.history_table;
    END LOOP;
    INSERT INTO pgtrack.relation (relation_id, relid, schema_name, table_name, history_table, key_columns, key_equality, options, tracked_since)
    VALUES (v_relation.relation_id, p_table, v_class.nspname, v_class.relname, v_relation.history_table, '{}', '{}', p_options, clock_timestamp());
    PERFORM pgtrack._sync_identity(v_relation.relation_id), pgtrack._create_history(v_relation.relation_id);
  ELSIF v_relation.tracked_until IS NULL THEN
    status := 'already tracked';
  ELSE
    status := 'tracked again; changes in between are not known';
    UPDATE pgtrack.relation SET tracked_since = clock_timestamp(), tracked_until = NULL WHERE relid = p_table;
  END IF;
  PERFORM pgtrack._lock_relation(v_relation.relation_id);
  IF status <> 'tracked' THEN
    PERFORM pgtrack._sync_identity(v_relation.relation_id);
    UPDATE pgtrack.relation SET options = p_options, identity = NULL WHERE relid = p_table AND options <> p_options;
  END IF;
  PERFORM pgtrack._mark_if_written(v_relation.relation_id), pgtrack._sync(v_relation.relation_id);
  relation_id := v_relation.relation_id;
  status := status || (
    SELECT CASE WHEN r.key_columns <> '{}' AND EXISTS (SELECT FROM pg_constraint c WHERE c.conrelid = p_table AND c.contype = 'p' AND c.condeferred)
                THEN '; its primary key is checked at COMMIT, and two rows that have the same until then are taken for one'
                WHEN r.key_columns <> '{}' THEN ''
                WHEN EXISTS (SELECT FROM pg_index i WHERE i.indrelid = p_table AND i.indisprimary)
                THEN ' without its primary key, which has a type with a cast to json: single rows cannot be reverted'
                ELSE ' without a primary key: single rows cannot be reverted' END
    FROM pgtrack.relation r WHERE r.relation_id = _enroll.relation_id);
  PERFORM pgtrack._let_event_triggers_fire(v_events);
END
$_enroll$;
COMMENT ON FUNCTION pgtrack._enroll(regclass, jsonb) IS
  'Begins or resumes the history of one table. SECURITY DEFINER: history belongs to the owner of pg_track.';

-- TRUNCATE shows no rows to its triggers, so the owner of pg_track reads them from the table; and keep() copies it.
CREATE OR REPLACE FUNCTION pgtrack._rights_to_read(p_table regclass) RETURNS TABLE (schema oid, command text)
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $_rights_to_read$
#variable_conflict use_column
BEGIN
  RETURN QUERY
  -- The schema of the table, and those of its columns' types and collations, which compare keys.
  SELECT n.oid, format('GRANT USAGE ON SCHEMA %I TO %s', n.nspname, o.nspowner::regrole)
  FROM pg_namespace n JOIN pg_namespace o ON o.nspname = 'pgtrack'
  WHERE NOT has_schema_privilege(o.nspowner, n.oid, 'USAGE')
    AND n.oid IN (SELECT c.relnamespace FROM pg_class c WHERE c.oid = p_table
                  UNION ALL SELECT t.typnamespace FROM pg_attribute a JOIN pg_type t ON t.oid = a.atttypid
                  WHERE a.attrelid = p_table AND a.attnum > 0 AND NOT a.attisdropped AND a.atttypid >= 16384
                  UNION ALL SELECT l.collnamespace FROM pg_attribute a JOIN pg_collation l ON l.oid = a.attcollation
                  WHERE a.attrelid = p_table AND a.attnum > 0 AND NOT a.attisdropped AND a.attcollation >= 16384)
  UNION ALL
  SELECT NULL, format('GRANT SELECT ON %s TO %s', m.relid, o.nspowner::regrole)
  FROM pgtrack._members(p_table) m JOIN pg_namespace o ON o.nspname = 'pgtrack'
  WHERE NOT has_table_privilege(o.nspowner, m.relid, 'SELECT');
END
$_rights_to_read$;
COMMENT ON FUNCTION pgtrack._rights_to_read(regclass) IS 'What the owner of pg_track lacks to read a table and its partitions, as commands.';

CREATE OR REPLACE FUNCTION pgtrack._let_owner_read(p_table regclass) RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp SET client_min_messages = error AS $_let_owner_read$
DECLARE
  v_command  text;
BEGIN
  FOR v_command IN
    -- Who may not grant on a schema would write the row of the schema all the same, and keep others waiting for it. verify()
    -- says what is missing.
    SELECT c.command FROM pgtrack._rights_to_read(p_table) c
    WHERE c.schema IS NULL OR has_schema_privilege(c.schema, 'USAGE WITH GRANT OPTION')
  LOOP
    FOR attempt IN 1 .. 5 LOOP
      BEGIN
        PERFORM pgtrack._execute(v_command);
        EXIT;
      EXCEPTION WHEN insufficient_privilege THEN
        RAISE DEBUG '%', SQLERRM;
        EXIT;
      -- "tuple concurrently updated": somebody else, who was waited for, has granted something there.
      WHEN internal_error THEN
        CONTINUE WHEN attempt < 5;
        RAISE;
      END;
    END LOOP;
  END LOOP;
END
$_let_owner_read$;
COMMENT ON FUNCTION pgtrack._let_owner_read(regclass) IS
  'Lets the owner of pg_track read a table and its partitions, with the rights of whoever tracks or alters it.';

CREATE OR REPLACE FUNCTION pgtrack._track_table(p_table regclass, p_options jsonb) RETURNS text
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp SET client_min_messages = warning SET lock_timeout = '1s' AS $_track_table$
DECLARE
  v_events   text;
  v_tracked  record;
BEGIN
  v_events := pgtrack._silence_event_triggers();
  PERFORM pgtrack._hold_definition(p_table);
  PERFORM pgtrack._let_owner_read(p_table);
  SELECT * INTO v_tracked FROM pgtrack._enroll(p_table, p_options);
  PERFORM pgtrack._generate_triggers(v_tracked.relation_id, true);
  PERFORM pgtrack._let_event_triggers_fire(v_events);
  RETURN v_tracked.status;
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
  DELETE FROM pgtrack.relation_shape WHERE relation_id = p_relation;
  PERFORM pgtrack._sync_key(p_relation, pgtrack._sync_columns(p_relation));
  PERFORM pgtrack._make_own_names(p_relation);
  PERFORM pgtrack._generate_policy(p_relation);
  PERFORM pgtrack._sync_rights(p_relation);
  PERFORM pgtrack._generate_functions(p_relation);
  INSERT INTO pgtrack.relation_shape
  SELECT m.* FROM pgtrack.relation r CROSS JOIN LATERAL pgtrack._make_shape(r.relid) m WHERE r.relation_id = p_relation;
  PERFORM pgtrack._digest_purged_keys(p_relation);
  PERFORM pgtrack._drop_own_names();
END
$_sync$;
COMMENT ON FUNCTION pgtrack._sync(integer) IS 'Brings everything generated for a tracked table in step with the table''s present shape.';
