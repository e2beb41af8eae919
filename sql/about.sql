CREATE OR REPLACE FUNCTION pgtrack.version() RETURNS text
LANGUAGE sql STABLE PARALLEL SAFE
BEGIN ATOMIC
  SELECT v.version FROM pgtrack.installed_version v ORDER BY v.installed_at DESC LIMIT 1;
END;
COMMENT ON FUNCTION pgtrack.version() IS 'The installed version of pg_track.';

CREATE OR REPLACE FUNCTION pgtrack.help() RETURNS TABLE (call text, description text)
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
  -- Two forms of a verb differ only in the key's type; one line for both.
  SELECT DISTINCT ON (h.call, h.position) h.call, h.description
  FROM (SELECT format('pgtrack.%s(%s)', p.proname,
                      regexp_replace(regexp_replace(pg_get_function_arguments(p.oid), '\mkey (anyelement|text)', 'key'), '::[a-z ]+(\[\])?', '', 'g')) AS call,
               obj_description(p.oid, 'pg_proc') AS description,
               array_position('{track,untrack,log,show,changes,history,history_pk,deleted,undo,revert,rollback_to,restore,undo_transaction}'::text[], p.proname::text) AS position
        FROM pg_proc p
        WHERE p.pronamespace = 'pgtrack'::regnamespace AND p.proname NOT LIKE '\_%') h
  ORDER BY h.position NULLS LAST, h.call;
END;
COMMENT ON FUNCTION pgtrack.help() IS 'Every function with what it does.';

CREATE OR REPLACE FUNCTION pgtrack.info() RETURNS TABLE (property text, value text)
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
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
