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

CREATE OR REPLACE FUNCTION pgtrack._note_path(p_path text) RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $_note_path$
BEGIN
  PERFORM set_config('pgtrack.path', p_path, true);
END
$_note_path$;
COMMENT ON FUNCTION pgtrack._note_path(text) IS 'Notes the search_path of a caller, for _execute().';

-- A command that is executed here names everything in full, so that no path misleads it.
CREATE OR REPLACE FUNCTION pgtrack._execute(p_command text) RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $_execute$
BEGIN
  PERFORM set_config('search_path', current_setting('pgtrack.path', true), true) WHERE current_setting('pgtrack.path', true) <> '';
  EXECUTE p_command;
END
$_execute$;
COMMENT ON FUNCTION pgtrack._execute(text) IS 'Executes a command under the search_path of the caller, for event triggers of the application.';
