-- PostgreSQL refuses to retype or drop a column that a trigger's definition names ("cannot alter type of a column
-- used in a trigger definition"). The trigger for key changes must not stand in the way of its table's owner: it
-- steps aside before the command and comes back after it. What is altered is not known yet, so the text says. Which text
-- that is, and what it names, can mostly be told; then nothing else is touched. Otherwise every table of which the text
-- speaks is, unless somebody uses it.

-- Above our own line the context has the innermost text that runs, if any: of a function, DO or an extension's script.
CREATE OR REPLACE FUNCTION pgtrack._running_text(p_context text, OUT command text, OUT is_alone boolean, OUT is_whole boolean)
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $_running_text$
DECLARE
  c_space CONSTANT  text := $r$(\s|--[^\n]*\n|/\*([^*]|\*+[^*/])*\*+/)$r$;
  v_around          text := substring(p_context FROM E'^[^\\n]*\\n(.*)$');
BEGIN
  command := CASE WHEN v_around IS NULL THEN current_query()
                  ELSE substring(v_around FROM $r$^SQL statement "(.*?)"(?:\n(?:PL/|SQL |extension )|$)$r$) END;
  -- Comments, and identifiers in Unicode escapes, may hide a name.
  is_alone := command ~* format($r$^%s*alter\M$r$, c_space) AND command !~ $r$;.*\S$r$ AND command !~* $r$\mu&"$r$;
  is_whole := is_alone OR command !~* $r$(--|/\*|\mu&")$r$;
  IF command IS NULL THEN
    is_alone := false;
    is_whole := false;
    command := concat_ws(E'\n', current_query(), p_context,
      -- Of these the context has the names alone.
      (SELECT string_agg(p.prosrc, E'\n') FROM pg_proc p JOIN pg_language l ON l.oid = p.prolang
       WHERE l.lanname = 'sql' AND p.prosrc ~* $r$\malter\M$r$ AND strpos(p_context, p.proname) > 0));
  END IF;
END
$_running_text$;
COMMENT ON FUNCTION pgtrack._running_text(text) IS
  'The text that has the running command, by the context; whether that is the command alone, and whether all names in it can be read.';

CREATE OR REPLACE FUNCTION pgtrack._visible(p_name name, p_is_type boolean) RETURNS oid
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $_visible$
BEGIN
  PERFORM set_config('search_path', current_setting('pgtrack.search_path'), true);
  IF p_is_type THEN
    -- to_regtype() fails for a shell type before PostgreSQL 16.
    RETURN (SELECT t.typrelid FROM pg_catalog.pg_type t WHERE t.typname OPERATOR(pg_catalog.=) p_name AND pg_catalog.pg_type_is_visible(t.oid));
  END IF;
  RETURN pg_catalog.to_regclass(pg_catalog.quote_ident(p_name));
END
$_visible$;
COMMENT ON FUNCTION pgtrack._visible(name, boolean) IS
  'The relation, or that of a composite type, which a bare name means under the noted search_path; null for none.';

-- A name in quotes, or of letters, digits, _ and $, where what is not ASCII counts as a letter (src/backend/parser/scan.l).
-- The catalogs are asked: to_regclass() fails for a schema that the user may not use.
CREATE OR REPLACE FUNCTION pgtrack._altered_by(p_text text, p_is_alone boolean) RETURNS SETOF oid
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $_altered_by$
DECLARE
  c_space CONSTANT  text := $r$(?:\s|--[^\n]*\n|/\*(?:[^*]|\*+[^*/])*\*+/)$r$;
  c_name CONSTANT   text := $r$(?:"(?:[^"]|"")+"|[^\x01-\x40\x5b-\x5e\x60\x7b-\x7f][^\x01-\x23\x25-\x2f\x3a-\x40\x5b-\x5e\x60\x7b-\x7f]*)$r$;
  v_match           text[];
  v_name            text[];
  v_relation        oid;
BEGIN
  FOR v_match IN
    SELECT m FROM regexp_matches(p_text, CASE WHEN p_is_alone THEN '^' || c_space || '*' ELSE $r$\m$r$ END || replace(replace(
      $r$alter_+(table|type)\M(?:_+if_+exists\M)?(?:_+only\M_*\(?)?_*(@(?:\s*\.\s*@){0,2})$r$, '_', c_space), '@', c_name), 'gi') m
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
      SELECT a FROM unnest(v_altered) a WHERE a IS NOT NULL
      -- Typed tables are altered with their type, on which they depend.
      UNION SELECT c.oid FROM pg_class o
      JOIN pg_depend d ON d.refclassid = 'pg_type'::regclass AND d.refobjid = o.reltype AND d.classid = 'pg_class'::regclass AND d.objsubid = 0
      JOIN pg_class c ON c.oid = d.objid AND c.reloftype = o.reltype
      WHERE o.oid = ANY (v_altered) AND o.relkind = 'c'
      -- What is done to a parent is done to those who inherit from it.
      UNION SELECT i.inhrelid FROM named n JOIN pg_inherits i ON i.inhparent = n.relid)
    SELECT n.relid FROM named n);
  v_owners   oid[] := ARRAY(SELECT c.relowner FROM pg_class c WHERE c.oid = ANY (v_named)
                            UNION SELECT r.oid FROM pg_roles r WHERE r.rolname = current_user);
  v_keywords text[] := '{}';
BEGIN
  -- Anybody may call a table like a word that most texts have.
  IF v_named = '{}' THEN
    v_keywords := ARRAY(SELECT k.word FROM pg_get_keywords() k);
  END IF;
  RETURN QUERY
  SELECT DISTINCT c.oid::regclass, m.relid, t.name, c.oid = ANY (v_named)
  FROM (SELECT o.* FROM pgtrack.relation o WHERE o.relid = ANY (v_named)
        -- All of them only where the text does not tell.
        UNION ALL SELECT o.* FROM pgtrack.relation o WHERE (v_altered = '{}' OR NOT p_is_whole) AND o.relid <> ALL (v_named)) r
  JOIN pg_class c ON c.oid = r.relid
  CROSS JOIN LATERAL pgtrack._members(r.relid) m
  JOIN pg_class l ON l.oid = m.relid
  CROSS JOIN LATERAL (
    SELECT t.tgname AS name FROM pg_trigger t
    WHERE t.tgrelid = l.oid AND t.tgname IN ('pgtrack_key', '!pgtrack_key', 'pgtrack_update_key') AND t.tgparentid = 0 OFFSET 0) t
  WHERE r.tracked_until IS NULL AND pg_has_role(current_user, c.relowner, 'USAGE') AND pg_has_role(current_user, l.relowner, 'USAGE')
    AND (c.oid = ANY (v_named)
         -- As a whole word, quoted or not. Of a typed table the type may be named.
         OR (v_altered = '{}' OR NOT p_is_whole) AND (v_named = '{}' OR c.relowner = ANY (v_owners)) AND EXISTS (
           SELECT FROM unnest(ARRAY[c.relname, (SELECT y.typname FROM pg_type y WHERE y.oid = c.reloftype)]) x
           WHERE x IS NOT NULL
             AND (c.relowner = ANY (v_owners) OR x <> ALL (v_keywords) OR strpos(p_text, format('"%s"', x)) > 0)
             AND p_text ~* format('(^|[^[:alnum:]_$])%s($|[^[:alnum:]_$])',
                                  regexp_replace(replace(x, '"', '""'), '([^[:alnum:]_])', $r$\\\1$r$, 'g'))));
END
$_in_the_way$;
COMMENT ON FUNCTION pgtrack._in_the_way(text, boolean, boolean) IS
  'The triggers for key changes on tables that a text alters, or may alter, with the rights of the current user; of the latter those of the '
  'owners of the former and of the current user, if there are any of the former.';

CREATE OR REPLACE FUNCTION pgtrack._step_aside(p_context text) RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp SET quote_all_identifiers = off
SET jit = off SET max_parallel_workers_per_gather = 0
SET enable_nestloop = on SET enable_hashjoin = off SET enable_mergejoin = off SET enable_seqscan = off SET enable_indexscan = on SET join_collapse_limit = 1 AS $_step_aside$
DECLARE
  v_running  record;
  v_table    record;
  v_command  text;
  v_since    timestamptz;
  v_aside    oid[] := '{}';
  v_timeout  text := current_setting('lock_timeout');
  v_events   text;
BEGIN
  PERFORM set_config('pgtrack.stepped_aside', '', true);
  -- Our own ALTER TABLE, while a table is followed or its triggers are made, retypes and drops no column of it.
  IF p_context ~ $r$\mpgtrack\._(on_ddl|generate_triggers)\($r$ THEN
    RETURN;
  END IF;
  SELECT * INTO v_running FROM pgtrack._running_text(p_context);
  IF v_running.command !~* $r$\m(type|drop)\M$r$ THEN
    RETURN;
  END IF;
  v_events := pgtrack._silence_event_triggers();
  -- One that the command names is waited for as the command itself would do. Of others the text may only speak: those that nobody
  -- uses step aside, and then it is waited for the rest, a while for all of them together. Anybody may have made many.
  FOR v_table IN
    SELECT w.tracked, w.is_named, round, bool_or(w.relid <> w.tracked) AS is_tree,
           array_agg(format('DROP TRIGGER %I ON %s', w.trigger, w.relid)) AS commands
    FROM pgtrack._in_the_way(v_running.command, v_running.is_alone, v_running.is_whole) w
    CROSS JOIN LATERAL generate_series(1, CASE WHEN w.is_named THEN 1 ELSE 2 END) round
    GROUP BY w.tracked, w.is_named, round
    ORDER BY w.is_named DESC, round, (SELECT pg_get_userbyid(c.relowner) = current_user FROM pg_class c WHERE c.oid = w.tracked) DESC
  LOOP
    CONTINUE WHEN v_table.tracked = ANY (v_aside);
    IF v_table.round = 2 THEN
      v_since := coalesce(v_since, clock_timestamp());
      EXIT WHEN clock_timestamp() > v_since + interval '0.4 s';
    END IF;
    PERFORM set_config('lock_timeout', CASE WHEN v_table.is_named THEN v_timeout WHEN v_table.round = 1 THEN '1ms' ELSE '200ms' END, true);
    BEGIN
      -- In the order of writers: a partitioned table before its partitions.
      PERFORM pgtrack._execute(format('LOCK TABLE %s IN ACCESS EXCLUSIVE MODE', v_table.tracked)) WHERE v_table.is_tree;
      FOREACH v_command IN ARRAY v_table.commands LOOP
        PERFORM pgtrack._execute(v_command);
      END LOOP;
    EXCEPTION WHEN lock_not_available THEN
      IF v_table.is_named THEN
        RAISE;
      END IF;
      CONTINUE;
    END;
    v_aside := v_aside || v_table.tracked::oid;
  END LOOP;
  PERFORM set_config('pgtrack.stepped_aside', array_to_string(v_aside, ' '), true);
  PERFORM set_config('lock_timeout', v_timeout, true);
  PERFORM pgtrack._let_event_triggers_fire(v_events);
END
$_step_aside$;
COMMENT ON FUNCTION pgtrack._step_aside(text) IS 'Does the work of pgtrack._before_ddl().';

-- It has no path of its own: the caller's is the one to be noted.
CREATE OR REPLACE FUNCTION pgtrack._before_ddl() RETURNS event_trigger
LANGUAGE plpgsql AS $_before_ddl$
DECLARE
  v_context  pg_catalog.text;
BEGIN
  GET DIAGNOSTICS v_context = PG_CONTEXT;
  IF pg_catalog.has_schema_privilege('pgtrack', 'USAGE') THEN
    PERFORM pgtrack._note_path(), pgtrack._step_aside(v_context);
  END IF;
END
$_before_ddl$;
COMMENT ON FUNCTION pgtrack._before_ddl() IS 'Takes the trigger for key changes out of the way of ALTER TABLE, as whoever runs that.';
