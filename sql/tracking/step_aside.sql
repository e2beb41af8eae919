-- PostgreSQL refuses to retype or drop a column that a trigger's definition names ("cannot alter type of a column
-- used in a trigger definition"). The trigger for key changes must not stand in the way of its table's owner: it
-- steps aside before the command and comes back after it. What is altered is not known yet, so the text says. Which text
-- that is, and what it names, can mostly be told; then nothing else is touched. Otherwise every table of which the text
-- speaks is, unless somebody uses it.

-- Above our own line the context has the innermost text that runs, if any: of a function, DO or an extension's script.
CREATE OR REPLACE FUNCTION pgtrack._running_text(p_context text, OUT command text, OUT is_alone boolean, OUT is_whole boolean)
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $_running_text$
DECLARE
  c_space CONSTANT  text := '(\s|--[^\n]*\n|/\*([^*]|\*+[^*/])*\*+/)';
  v_around          text := substring(p_context FROM E'^[^\\n]*\\n(.*)$');
BEGIN
  command := CASE WHEN v_around IS NULL THEN current_query()
                  ELSE substring(v_around FROM '^SQL statement "(.*?)"(?:\n(?:PL/|SQL |extension )|$)') END;
  -- Comments, and identifiers in Unicode escapes, may hide a name.
  is_alone := command ~* format('^%s*alter\M', c_space) AND command !~ ';.*\S' AND command !~* '\mu&"';
  is_whole := is_alone OR command !~* '(--|/\*|\mu&")';
  IF command IS NULL THEN
    is_alone := false;
    is_whole := false;
    command := concat_ws(E'\n', current_query(), p_context,
      -- Of these the context has the names alone.
      (SELECT string_agg(p.prosrc, E'\n') FROM pg_proc p JOIN pg_language l ON l.oid = p.prolang
       WHERE l.lanname = 'sql' AND p.prosrc ~* '\malter\M' AND strpos(p_context, p.proname) > 0));
  END IF;
END
$_running_text$;
COMMENT ON FUNCTION pgtrack._running_text(text) IS
  'The text that has the running command, by the context; whether that is the command alone, and whether all names in it can be read.';

CREATE OR REPLACE FUNCTION pgtrack._visible(p_name name, p_is_type boolean) RETURNS oid
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $_visible$
DECLARE
  v_name  text := quote_ident(p_name);
BEGIN
  PERFORM set_config('search_path', current_setting('pgtrack.search_path'), true);
  IF p_is_type THEN
    RETURN (SELECT t.typrelid FROM pg_catalog.pg_type t WHERE t.oid OPERATOR(pg_catalog.=) pg_catalog.to_regtype(v_name));
  END IF;
  RETURN pg_catalog.to_regclass(v_name);
END
$_visible$;
COMMENT ON FUNCTION pgtrack._visible(name, boolean) IS
  'The relation, or that of a composite type, which a bare name means under the noted search_path; null for none.';

-- A name in quotes, or of letters, digits, _ and $, where what is not ASCII counts as a letter (src/backend/parser/scan.l).
-- The catalogs are asked: to_regclass() fails for a schema that the user may not use.
CREATE OR REPLACE FUNCTION pgtrack._altered_by(p_text text, p_is_alone boolean) RETURNS SETOF oid
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $_altered_by$
DECLARE
  c_space CONSTANT  text := '(?:\s|--[^\n]*\n|/\*(?:[^*]|\*+[^*/])*\*+/)';
  c_name CONSTANT   text := '(?:"(?:[^"]|"")+"|[^\x01-\x40\x5b-\x5e\x60\x7b-\x7f][^\x01-\x23\x25-\x2f\x3a-\x40\x5b-\x5e\x60\x7b-\x7f]*)';
  v_match           text[];
  v_name            text[];
  v_relation        oid;
BEGIN
  FOR v_match IN
    SELECT m FROM regexp_matches(p_text, CASE WHEN p_is_alone THEN '^' || c_space || '*' ELSE '\m' END || replace(replace(
      'alter_+(table|type)\M(?:_+if_+exists\M)?(?:_+only\M_*\(?)?_*(@(?:\s*\.\s*@){0,2})', '_', c_space), '@', c_name), 'gi') m
  LOOP
    v_name := parse_ident(v_match[2]);
    IF cardinality(v_name) = 1 THEN
      v_relation := pgtrack._visible(v_name[1], lower(v_match[1]) = 'type');
    ELSE
      v_relation := (SELECT c.oid FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
                     WHERE n.nspname = v_name[cardinality(v_name) - 1]::name AND c.relname = v_name[cardinality(v_name)]::name);
    END IF;
    RETURN NEXT v_relation;
  END LOOP;
END
$_altered_by$;
COMMENT ON FUNCTION pgtrack._altered_by(text, boolean) IS
  'The relations that a text names in ALTER TABLE or ALTER TYPE; null for a name without any.';

CREATE OR REPLACE FUNCTION pgtrack._in_the_way(p_text text, p_is_alone boolean, p_is_whole boolean)
RETURNS TABLE (tracked regclass, relid regclass, trigger name, is_named boolean)
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $_in_the_way$
DECLARE
  v_altered  oid[] := ARRAY(SELECT a FROM pgtrack._altered_by(p_text, p_is_alone) a);
  v_named    oid[] := ARRAY(
    WITH RECURSIVE named (relid) AS (
      SELECT c.oid FROM pg_class o JOIN pg_class c ON c.oid = o.oid OR o.relkind = 'c' AND c.reloftype = o.reltype
      WHERE o.oid = ANY (v_altered)
      -- What is done to a parent is done to those who inherit from it.
      UNION SELECT i.inhrelid FROM named n JOIN pg_inherits i ON i.inhparent = n.relid)
    SELECT n.relid FROM named n);
BEGIN
  RETURN QUERY
  SELECT DISTINCT c.oid::regclass, m.relid, t.tgname, c.oid = ANY (v_named)
  FROM pgtrack.relation r
  JOIN pg_class c ON c.oid = r.relid
  CROSS JOIN LATERAL pgtrack._members(r.relid) m
  JOIN pg_class l ON l.oid = m.relid
  JOIN pg_trigger t ON t.tgrelid = l.oid AND t.tgname IN ('pgtrack_key', '!pgtrack_key') AND t.tgparentid = 0
  WHERE r.tracked_until IS NULL AND pg_has_role(current_user, c.relowner, 'USAGE') AND pg_has_role(current_user, l.relowner, 'USAGE')
    AND (c.oid = ANY (v_named)
         -- As a whole word, quoted or not. Of a typed table the type may be named.
         OR (v_altered = '{}' OR NOT p_is_whole) AND EXISTS (
           SELECT FROM unnest(ARRAY[c.relname, (SELECT y.typname FROM pg_type y WHERE y.oid = c.reloftype)]) x
           WHERE x IS NOT NULL AND p_text ~* format('(^|[^[:alnum:]_$])%s($|[^[:alnum:]_$])',
                                                    regexp_replace(replace(x, '"', '""'), '([^[:alnum:]_])', '\\\1', 'g'))));
END
$_in_the_way$;
COMMENT ON FUNCTION pgtrack._in_the_way(text, boolean, boolean) IS
  'The triggers for key changes on tables that a text alters, or may alter, with the rights of the current user.';

CREATE OR REPLACE FUNCTION pgtrack._step_aside(p_context text) RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp SET jit = off SET enable_nestloop = on AS $_step_aside$
DECLARE
  v_running  record;
  v_trigger  record;
  v_timeout  text := current_setting('lock_timeout');
  v_events   text;
BEGIN
  PERFORM set_config('pgtrack.stepped_aside', '', true);
  -- Our own ALTER TABLE, while a table is followed or its triggers are made, retypes and drops no column of it.
  IF p_context ~ '\mpgtrack\._(on_ddl|generate_triggers)\(' THEN
    RETURN;
  END IF;
  SELECT * INTO v_running FROM pgtrack._running_text(p_context);
  IF v_running.command !~* '\m(type|drop)\M' THEN
    RETURN;
  END IF;
  v_events := pgtrack._silence_event_triggers();
  FOR v_trigger IN SELECT w.* FROM pgtrack._in_the_way(v_running.command, v_running.is_alone, v_running.is_whole) w LOOP
    -- One that the command names is waited for as the command itself would do; of another the text may only speak.
    PERFORM set_config('lock_timeout', CASE WHEN v_trigger.is_named THEN v_timeout ELSE '200ms' END, true);
    BEGIN
      -- In the order of writers: a partitioned table before its partitions.
      PERFORM pgtrack._execute(format('LOCK TABLE %s IN ACCESS EXCLUSIVE MODE', v_trigger.tracked)) WHERE v_trigger.relid <> v_trigger.tracked;
      PERFORM pgtrack._execute(format('DROP TRIGGER %I ON %s', v_trigger.trigger, v_trigger.relid));
    EXCEPTION WHEN lock_not_available THEN
      IF v_trigger.is_named THEN
        RAISE;
      END IF;
      CONTINUE;
    END;
    PERFORM set_config('pgtrack.stepped_aside', concat_ws(' ', current_setting('pgtrack.stepped_aside'), v_trigger.tracked::oid), true);
  END LOOP;
  PERFORM set_config('lock_timeout', v_timeout, true);
  PERFORM pgtrack._let_event_triggers_fire(v_events);
END
$_step_aside$;
COMMENT ON FUNCTION pgtrack._step_aside(text) IS 'Does the work of pgtrack._before_ddl().';

-- It has no path of its own: the caller's is the one to be noted.
CREATE OR REPLACE FUNCTION pgtrack._before_ddl() RETURNS event_trigger
LANGUAGE plpgsql AS $_before_ddl$
DECLARE
  v_context  text;
BEGIN
  GET DIAGNOSTICS v_context = PG_CONTEXT;
  IF pg_catalog.has_schema_privilege('pgtrack', 'USAGE') THEN
    PERFORM pgtrack._note_path(), pgtrack._step_aside(v_context);
  END IF;
END
$_before_ddl$;
COMMENT ON FUNCTION pgtrack._before_ddl() IS 'Takes the trigger for key changes out of the way of ALTER TABLE, as whoever runs that.';
