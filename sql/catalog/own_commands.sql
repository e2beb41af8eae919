-- Commands of ours fire the event triggers of the application like its own commands. Theirs shall find what they name, and
-- may do what they do, as without us. So they do not fire for ours where the current user may turn them off: superusers,
-- and the owner of pg_track, whom a superuser installed. What is done as whoever alters a table is executed under that
-- session's search_path otherwise.

CREATE OR REPLACE FUNCTION pgtrack._silence_event_triggers() RETURNS text
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $_silence_event_triggers$
DECLARE
  -- Before PostgreSQL 17 there is no setting for these alone. To change this one makes the session plan its queries anew.
  c_setting CONSTANT  text := CASE WHEN current_setting('server_version_num')::integer >= 170000 THEN 'event_triggers' ELSE 'session_replication_role' END;
  v_before            text := current_setting(c_setting);
BEGIN
  IF c_setting = 'session_replication_role' AND NOT EXISTS (
       SELECT FROM pg_event_trigger e JOIN pg_proc p ON p.oid = e.evtfoid WHERE e.evtenabled IN ('O', 'A') AND p.pronamespace <> 'pgtrack'::regnamespace)
     OR v_before IN ('off', 'replica') OR NOT has_parameter_privilege(c_setting, 'SET') THEN
    RETURN NULL;
  END IF;
  PERFORM set_config(c_setting, CASE c_setting WHEN 'event_triggers' THEN 'off' ELSE 'replica' END, true);
  RETURN v_before;
END
$_silence_event_triggers$;
COMMENT ON FUNCTION pgtrack._silence_event_triggers() IS
  'Keeps event triggers from firing, if that is needed and the current user may; what _let_event_triggers_fire() takes.';

CREATE OR REPLACE FUNCTION pgtrack._let_event_triggers_fire(p_before text) RETURNS void
LANGUAGE plpgsql VOLATILE STRICT SET search_path = pg_catalog, pg_temp AS $_let_event_triggers_fire$
BEGIN
  PERFORM set_config(CASE WHEN p_before IN ('on', 'off') THEN 'event_triggers' ELSE 'session_replication_role' END, p_before, true);
END
$_let_event_triggers_fire$;
COMMENT ON FUNCTION pgtrack._let_event_triggers_fire(text) IS 'Ends what _silence_event_triggers() began.';

-- Triggers, checks and defaults of the application run in an undo as in any other statement, and its event triggers for a
-- command of ours as for one of its own: names that they do not qualify are found through the caller's search_path, and
-- some more settings are the caller's, too. What is called first notes them, as everything after that has its own.
CREATE OR REPLACE FUNCTION pgtrack._note_path() RETURNS void
LANGUAGE sql VOLATILE
BEGIN ATOMIC
  SELECT pg_catalog.set_config('pgtrack.search_path', pg_catalog.current_setting('search_path'), true),
         pg_catalog.set_config('pgtrack.row_security', pg_catalog.current_setting('row_security'), true),
         pg_catalog.set_config('pgtrack.quote_all_identifiers', pg_catalog.current_setting('quote_all_identifiers'), true);
END;
COMMENT ON FUNCTION pgtrack._note_path() IS 'Notes the caller''s search_path and other settings, for code of the application that runs because of the call.';

-- What is bare in our own text is found in pg_catalog first, whatever the path says.
CREATE OR REPLACE FUNCTION pgtrack._noted_path() RETURNS text
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $_noted_path$
BEGIN
  RETURN (
  SELECT 'pg_catalog, ' || coalesce(nullif(btrim(current_setting('pgtrack.search_path', true), E' \t\n\r\f\v'), ''), 'pg_temp'));
END
$_noted_path$;
COMMENT ON FUNCTION pgtrack._noted_path() IS 'The search_path for what runs code of the application.';

CREATE OR REPLACE FUNCTION pgtrack._noted_settings() RETURNS TABLE (name text, value text)
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
  SELECT n.name, coalesce(nullif(current_setting('pgtrack.' || n.name, true), ''), current_setting(n.name))
  FROM unnest('{row_security,quote_all_identifiers}'::text[]) AS n (name);
END;
COMMENT ON FUNCTION pgtrack._noted_settings() IS 'What the caller has set of the settings that our functions need to be others.';

-- A command that is executed here names everything in full, so that no path misleads it.
CREATE OR REPLACE FUNCTION pgtrack._execute(p_command text, p_path text DEFAULT pgtrack._noted_path()) RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $_execute$
BEGIN
  PERFORM set_config('search_path', p_path, true);
  EXECUTE p_command;
END
$_execute$;
COMMENT ON FUNCTION pgtrack._execute(text, text) IS 'Executes a command under the noted search_path, for event triggers of the application.';
