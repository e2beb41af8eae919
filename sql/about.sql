CREATE OR REPLACE FUNCTION pgtrack.version() RETURNS text
LANGUAGE sql STABLE PARALLEL SAFE
BEGIN ATOMIC
  SELECT v.version FROM pgtrack.installed_version v ORDER BY v.installed_at DESC LIMIT 1;
END;
COMMENT ON FUNCTION pgtrack.version() IS 'The installed version of pg_track.';

CREATE OR REPLACE FUNCTION pgtrack._functions() RETURNS TABLE (verb text, call text, description text)
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
  -- Two forms of a verb differ only in the key's type; one line for both.
  SELECT DISTINCT ON (f.verb, f.call) f.verb, f.call, f.description
  FROM (SELECT regexp_replace(coalesce((SELECT o.proname FROM pg_proc o WHERE o.pronamespace = p.pronamespace AND 'plan_' || o.proname = p.proname LIMIT 1),
                                       p.proname), '_pk$', '') AS verb,
               format('pgtrack.%s(%s)', p.proname,
                      regexp_replace(regexp_replace(pg_get_function_arguments(p.oid), $r$\mkey (anyelement|text)$r$, 'key'), $r$::[a-z ]+(\[\])?$r$, '', 'g')) AS call,
               obj_description(p.oid, 'pg_proc') AS description
        FROM pg_proc p
        WHERE p.pronamespace = 'pgtrack'::regnamespace AND p.proname NOT LIKE $r$\_%$r$) f
  ORDER BY f.verb, f.call;
END;
COMMENT ON FUNCTION pgtrack._functions() IS
  'Every function for people. Of one verb are also its twin that only plans, and its form for a key of several columns.';

CREATE OR REPLACE FUNCTION pgtrack._wrapped(p_text text, p_width integer) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
  SELECT rtrim(regexp_replace(p_text, format($r$(.{1,%s})(\s+|$)$r$, p_width), E'\\1\n', 'g'), E'\n');
END;
COMMENT ON FUNCTION pgtrack._wrapped(text, integer) IS 'A text in lines of a width.';

CREATE OR REPLACE FUNCTION pgtrack.help(verb text DEFAULT NULL) RETURNS TABLE (call text, description text)
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $help$
DECLARE
  c_first CONSTANT  text[] := '{track,untrack,log,show,changes,history,blame,deleted,undo_last,undo,undo_transaction,restore,revert,rollback_to}';
  v_verb            text := regexp_replace(lower(help.verb), $r$^pgtrack\.|\(.*$$r$, '', 'g');
BEGIN
  IF v_verb IS NULL THEN
    RETURN QUERY
      SELECT f.verb, CASE WHEN length(f.line) <= 76 THEN f.line ELSE regexp_replace(left(f.line, 73), $r$\s+\S*$$r$, '') || ' ...' END
      FROM (SELECT DISTINCT ON (a.verb) a.verb, rtrim(split_part(regexp_replace(a.description, '[:;.] ', E'\n'), E'\n', 1), '.') AS line
            FROM pgtrack._functions() a ORDER BY a.verb, a.call LIKE $r$pgtrack.plan\_%$r$) f
      ORDER BY array_position(c_first, f.verb), f.verb;
    RETURN;
  END IF;
  RETURN QUERY
    SELECT pgtrack._wrapped(f.call, 46), pgtrack._wrapped(f.description, 46)
    FROM pgtrack._functions() f WHERE v_verb IN (f.verb, substring(f.call, $r$pgtrack\.([a-z_]+)$r$)) ORDER BY f.call LIKE $r$pgtrack.plan\_%$r$, f.call;
  IF NOT FOUND THEN
    RAISE EXCEPTION 'there is no function "%"', help.verb USING
      ERRCODE = 'undefined_function', HINT = 'SELECT * FROM pgtrack.help() lists them.';
  END IF;
END
$help$;
COMMENT ON FUNCTION pgtrack.help(text) IS 'Every function in one line; all about one of them, named without pgtrack, such as help(''undo'').';

CREATE OR REPLACE FUNCTION pgtrack.info() RETURNS TABLE (property text, value text)
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp SET row_security = on SET quote_all_identifiers = off
BEGIN ATOMIC
  SELECT i.property, i.value FROM (VALUES
    ('version', pgtrack.version()),
    ('owner', (SELECT pg_get_userbyid(n.nspowner) || CASE WHEN n.nspowner = to_regrole('pgtrack_owner') THEN ''
                      ELSE ', not pgtrack_owner: install as a superuser, or as a role that may create roles' END
               FROM pg_namespace n WHERE n.nspname = 'pgtrack')),
    ('tracked tables', (SELECT count(*)::text FROM pgtrack.relation r WHERE r.tracked_until IS NULL)),
    ('tracked schemas', (SELECT coalesce(string_agg(t.schema_name, ', ' ORDER BY t.schema_name), 'none') FROM pgtrack.tracked_schema t)),
    ('recorded statements', (SELECT format('about %s', greatest(pg_stat_get_live_tuples(c.oid), c.reltuples)::bigint) FROM pg_class c
                             WHERE c.oid = 'pgtrack.statement'::regclass)),
    ('recorded row changes', (SELECT format('about %s', coalesce(sum(t.estimated_changes), 0)) FROM pgtrack.tracked_table t)),
    ('size of the history', (SELECT pg_size_pretty(coalesce(sum(t.history_bytes), 0) + pg_total_relation_size('pgtrack.statement'))
                             FROM pgtrack.tracked_table t)),
    ('oldest change', (SELECT min(s.at)::text FROM pgtrack.statement s
                       WHERE s.xid = (SELECT x.xid FROM pgtrack.statement x ORDER BY x.xid LIMIT 1))),
    ('DDL on tracked tables', CASE WHEN EXISTS (SELECT FROM pg_event_trigger e WHERE e.evtname = 'pgtrack_ddl' AND e.evtenabled <> 'D')
                                   THEN 'followed' ELSE 'shapes are followed at the next write, all else by pgtrack.follow_ddl()' END)
  ) AS i (property, value);
END;
COMMENT ON FUNCTION pgtrack.info() IS 'The state of pg_track in this database. Counts are what the statistics say.';
