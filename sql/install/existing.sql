-- What is there already, from an earlier installation

INSERT INTO pgtrack.epoch (first_statement_id, system_identifier)
SELECT 0, c.system_identifier FROM pg_control_system() c WHERE NOT EXISTS (SELECT FROM pgtrack.epoch);

INSERT INTO pgtrack.secret (inner_key, outer_key)
SELECT (SELECT decode(string_agg(lpad(to_hex(get_byte(k.key, i) # 54), 2, '0'), '' ORDER BY i), 'hex') FROM generate_series(0, 63) i),
       (SELECT decode(string_agg(lpad(to_hex(get_byte(k.key, i) # 92), 2, '0'), '' ORDER BY i), 'hex') FROM generate_series(0, 63) i)
-- A key of 32 random bytes, padded with zeros to the block of SHA-256.
FROM (SELECT sha256(uuid_send(gen_random_uuid()) || uuid_send(gen_random_uuid())) || decode(repeat('00', 32), 'hex') AS key) k
WHERE NOT EXISTS (SELECT FROM pgtrack.secret);

-- Revision 1 recorded signatures of the proxy where others could read them: what was signed with its key counts no more.
DELETE FROM pgtrack.proxy_key
WHERE (SELECT v.revision FROM pgtrack.installed_version v ORDER BY v.installed_at DESC LIMIT 1) < 2;

INSERT INTO pgtrack.proxy_key (key)
SELECT sha256(uuid_send(gen_random_uuid()) || uuid_send(gen_random_uuid())) WHERE NOT EXISTS (SELECT FROM pgtrack.proxy_key);

DO $upgrade$
DECLARE
  v_relation  pgtrack.relation;
BEGIN
  FOR v_relation IN SELECT r.* FROM pgtrack.relation r JOIN pg_class c ON c.oid = to_regclass(format('pgtrack_history.%I', r.history_table))
                    WHERE c.relreplident <> 'f' LOOP
    EXECUTE format('ALTER TABLE pgtrack_history.%I REPLICA IDENTITY FULL', v_relation.history_table);
  END LOOP;
  PERFORM pgtrack._convert_foreign_columns(r.relation_id) FROM pgtrack.relation r;
  PERFORM pgtrack._close_copy(k.kept_table)
  FROM pgtrack.kept k JOIN pg_class c ON c.oid = to_regclass(format('pgtrack_history.%I', k.kept_table)) WHERE NOT c.relrowsecurity;
  PERFORM pgtrack._follow_trigger_functions(true);
  FOR v_relation IN SELECT r.* FROM pgtrack.relation r WHERE r.tracked_until IS NULL ORDER BY r.relation_id LOOP
    UPDATE pgtrack.relation SET options = pgtrack._options(options) WHERE relation_id = v_relation.relation_id AND options <> pgtrack._options(options);
    PERFORM pgtrack._mark_if_written(v_relation.relation_id), pgtrack._sync(v_relation.relation_id);
  END LOOP;
  -- Those that are not tracked any more are still read; an earlier version named types of extensions in what that takes.
  FOR v_relation IN
    SELECT r.* FROM pgtrack.relation r JOIN pgtrack.relation_shape s USING (relation_id)
    WHERE r.tracked_until IS NOT NULL AND s.type_names IS NOT NULL AND s.fingerprint = pgtrack._fingerprint(r.relid)
  LOOP
    PERFORM pgtrack._make_own_names(v_relation.relation_id);
    DELETE FROM pgtrack.relation_shape WHERE relation_id = v_relation.relation_id;
    INSERT INTO pgtrack.relation_shape SELECT m.* FROM pgtrack._make_shape(v_relation.relid) m;
  END LOOP;
  FOR v_relation IN SELECT r.* FROM pgtrack.relation r WHERE to_regclass(format('pgtrack_history.%I', r.history_table)) IS NOT NULL LOOP
    PERFORM pgtrack._generate_policy(v_relation.relation_id);
    PERFORM pgtrack._sync_rights(v_relation.relation_id);
  END LOOP;
  -- The policies of an earlier version stood on the one; the other had no argument then.
  PERFORM pgtrack._drop_function(f.signature::regprocedure)
  FROM unnest('{"pgtrack._sees_row(integer, jsonb)",pgtrack.help(),"pgtrack._statement_id(integer, text, integer, boolean)",
       "pgtrack._path(integer, jsonb, bigint, jsonb)"}'::text[]) AS f (signature)
  WHERE to_regprocedure(f.signature) IS NOT NULL;
END
$upgrade$;

INSERT INTO pgtrack.installed_version (version, revision) VALUES ('1.0', 5)
ON CONFLICT (version) DO UPDATE SET revision = excluded.revision, installed_at = excluded.installed_at, installed_by = excluded.installed_by;

-- What belongs to the tables is done with the rights of whoever installs.
DO $triggers$
DECLARE
  v_relation  pgtrack.relation;
BEGIN
  PERFORM set_config('role', current_setting('pgtrack.installer'), true);
  FOR v_relation IN SELECT r.* FROM pgtrack.relation r WHERE r.tracked_until IS NULL ORDER BY r.relation_id LOOP
    PERFORM pgtrack._let_owner_read(v_relation.relid);
    PERFORM pgtrack._generate_triggers(v_relation.relation_id, false) WHERE NOT pgtrack._renew_open(v_relation.relation_id);
  END LOOP;
  PERFORM set_config('role', current_setting('pgtrack.owner'), true);
  PERFORM pgtrack._unmark_unfinished(ARRAY(SELECT r.relation_id FROM pgtrack.relation r WHERE r.is_written_nested));
  -- CREATE EXTENSION does not end the transaction.
  PERFORM set_config('role', current_setting('pgtrack.installer'), true);
END
$triggers$;

\echo 'pg_track 1.0 is installed. Next: SELECT * FROM pgtrack.track(''a schema or table'');' \\ COMMIT;
