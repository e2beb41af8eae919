-- Which commands are followed (on_ddl.sql, drops.sql). Last, so that they do not fire for what the script itself defines.
DO $event_triggers$
DECLARE
  c_tags CONSTANT   text[] := ARRAY['ALTER TABLE', 'CREATE TABLE', 'CREATE TABLE AS', 'SELECT INTO', 'CREATE FOREIGN TABLE', 'CREATE TRIGGER',
                                    'ALTER TRIGGER', 'CREATE INDEX', 'ALTER INDEX', 'CREATE FUNCTION', 'ALTER FUNCTION', 'CREATE PROCEDURE',
                                    'ALTER PROCEDURE', 'ALTER ROUTINE', 'CREATE SCHEMA', 'ALTER SCHEMA',
                                    'ALTER TYPE', 'CREATE EXTENSION', 'ALTER EXTENSION'];
  -- What can take columns, defaults, keys or triggers of a table along.
  c_drops CONSTANT  text[] := ARRAY['DROP TYPE', 'DROP DOMAIN', 'DROP FUNCTION', 'DROP ROUTINE', 'DROP SEQUENCE', 'DROP COLLATION', 'DROP TABLE',
                                    'DROP FOREIGN TABLE', 'DROP VIEW', 'DROP MATERIALIZED VIEW', 'DROP SCHEMA', 'DROP EXTENSION', 'DROP OWNED', 'DROP TRIGGER',
                                    'DROP OPERATOR', 'DROP OPERATOR CLASS', 'DROP OPERATOR FAMILY'];
  v_trigger         record;
BEGIN
  PERFORM set_config('role', current_setting('pgtrack.installer'), true);
  -- Only superusers may create event triggers. Without them, pgtrack.follow_ddl() finds what they would have told.
  IF (SELECT r.rolsuper FROM pg_catalog.pg_roles r WHERE r.rolname OPERATOR(pg_catalog.=) current_user) THEN
    FOR v_trigger IN
      SELECT * FROM (VALUES
        ('pgtrack_before_ddl', 'ddl_command_start', ARRAY['ALTER TABLE', 'ALTER TYPE'], '_before_ddl', 'Takes the triggers for key changes out of the way of ALTER TABLE.'),
        ('pgtrack_ddl', 'ddl_command_end', c_tags || ARRAY['GRANT', 'REVOKE', 'DROP OWNED'], '_on_ddl', 'Follows DDL on tracked tables.'),
        ('pgtrack_ddl_triggers', 'ddl_command_end', c_tags || c_drops, '_on_ddl_triggers', 'Brings triggers in step with tracked tables.'),
        ('pgtrack_ddl_triggers_made', 'ddl_command_end', c_tags || c_drops, '_on_ddl_triggers_made', 'Takes back the right to make triggers.'),
        ('pgtrack_drop', 'sql_drop', NULL, '_on_drop', 'Notes dropped tables.')
      ) AS t (name, event, tags, function, comment)
    LOOP
      EXECUTE format('DROP EVENT TRIGGER IF EXISTS %I', v_trigger.name);
      EXECUTE format('CREATE EVENT TRIGGER %I ON %s %s EXECUTE FUNCTION pgtrack.%I()', v_trigger.name, v_trigger.event,
                     'WHEN TAG IN (' || (SELECT string_agg(quote_literal(t), ', ') FROM unnest(v_trigger.tags) t) || ')', v_trigger.function);
      EXECUTE format('COMMENT ON EVENT TRIGGER %I IS %L', v_trigger.name, v_trigger.comment);
    END LOOP;
  END IF;
  IF current_setting('pgtrack.owner') <> current_user THEN
    PERFORM set_config('role', current_setting('pgtrack.owner'), true);
  END IF;
END
$event_triggers$;
