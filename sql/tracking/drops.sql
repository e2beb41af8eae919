-- What is dropped takes rows along that are in no history, and may take along what histories are made of.

CREATE OR REPLACE FUNCTION pgtrack._refuse_drop(p_relation integer, p_what text) RETURNS void
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $_refuse_drop$
DECLARE
  v_name  text := (SELECT format('%I.%I', r.schema_name, r.table_name) FROM pgtrack.relation r WHERE r.relation_id = p_relation);
BEGIN
  RAISE EXCEPTION 'cannot % %: it is tracked with on_drop "refuse"', p_what, v_name USING
    ERRCODE = 'object_not_in_prerequisite_state',
    DETAIL = 'Its present rows are in no history.',
    HINT = format('SELECT pgtrack.keep(%L) saves them; then allow it: SELECT pgtrack.track(%1$L, ''{"on_drop": "allow"}'').', v_name);
END
$_refuse_drop$;
COMMENT ON FUNCTION pgtrack._refuse_drop(integer, text) IS 'Refuses DDL that would lose rows or values of a protected table.';

-- A history has columns of extensions' types, and keys of collations that compare in a way of their own. To drop one of
-- these with CASCADE would take the columns along, values and all.
CREATE OR REPLACE FUNCTION pgtrack._refuse_loss_of_history() RETURNS void
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $_refuse_loss_of_history$
DECLARE
  v_lost    text;
  v_for     text;
BEGIN
  -- Where something of ours was named, or the extension, that is what was meant.
  SELECT string_agg(d.object_identity, ', ' ORDER BY d.object_identity) FILTER (WHERE d.is_ours AND d.object_type IN ('table column', 'table', 'function', 'index')
                                                                                              AND d.object_identity !~ '^pgtrack_history.equal_'),
         string_agg(format('%s %s', d.object_type, d.object_identity), ', ') FILTER (WHERE d.original)
  INTO v_lost, v_for
  FROM (SELECT d.*, d.schema_name IN ('pgtrack', 'pgtrack_history')
               -- A column that is left to what stands on it (_retype_history_column) holds nothing that is needed.
               AND NOT (d.object_type = 'table column' AND EXISTS (
                 SELECT FROM pgtrack.relation r WHERE r.history_table = d.address_names[2]::name AND d.address_names[1] = 'pgtrack_history'
                   AND d.address_names[3] <> 'pgtrack_statement_id' AND NOT EXISTS (
                     SELECT FROM pgtrack.relation_column c
                     WHERE c.relation_id = r.relation_id AND c.history_column = d.address_names[3]))) AS is_ours
        FROM pg_event_trigger_dropped_objects() d) d
  HAVING NOT coalesce(bool_or(d.original AND (d.is_ours OR d.object_type = 'schema' AND d.address_names[1] IN ('pgtrack', 'pgtrack_history')
                                                  OR d.object_type = 'extension' AND d.address_names[1] = 'pg_track')), false);
  IF v_lost IS NOT NULL THEN
    RAISE EXCEPTION 'cannot drop %: the history of tables needs it', v_for USING
      ERRCODE = 'dependent_objects_still_exist',
      DETAIL = format('With it would go: %s.', v_lost),
      HINT = 'Drop the columns of that type first; then SELECT pgtrack.release_type(''the type'') makes their recorded values text. '
             'A collation is released by ALTER TABLE ... ALTER COLUMN ... TYPE text COLLATE "default" on the columns that are named here.';
  END IF;
END
$_refuse_loss_of_history$;
COMMENT ON FUNCTION pgtrack._refuse_loss_of_history() IS 'In an event trigger: refuses to drop what would take recorded values along.';

-- One that was a partition and is tracked by itself is both.
CREATE OR REPLACE FUNCTION pgtrack._drop_recorders() RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $_drop_recorders$
DECLARE
  v_dropped  record;
BEGIN
  FOR v_dropped IN
    SELECT x.*, r.options ->> 'on_drop' AS on_drop
    FROM (SELECT d.objsubid, r.relation_id, NULL::name AS recorder,
                 CASE WHEN d.objsubid > 0 THEN format('drop column %I of', d.address_names[3]) ELSE 'drop' END AS what
          FROM pg_event_trigger_dropped_objects() d JOIN pgtrack.relation r ON r.relid = d.objid WHERE d.classid = 'pg_class'::regclass
          UNION ALL
          -- A partition is known by the function that records its TRUNCATE.
          SELECT d.objsubid, g.relation_id, g.function_name,
                 CASE WHEN d.objsubid > 0 THEN format('drop column %I of', d.address_names[3]) ELSE format('drop partition %s of', d.object_identity) END
          FROM pg_event_trigger_dropped_objects() d JOIN pgtrack.generated g ON g.leaf = d.objid WHERE d.classid = 'pg_class'::regclass) x
    JOIN pgtrack.relation r ON r.relation_id = x.relation_id AND r.tracked_until IS NULL
    ORDER BY x.objsubid
  LOOP
    IF v_dropped.on_drop = 'refuse' THEN
      PERFORM pgtrack._refuse_drop(v_dropped.relation_id, v_dropped.what);
    ELSIF v_dropped.recorder IS NOT NULL AND v_dropped.objsubid = 0 THEN
      PERFORM pgtrack._drop_function(format('pgtrack_history.%I()', v_dropped.recorder)::regprocedure);
      DELETE FROM pgtrack.generated WHERE function_name = v_dropped.recorder;
    END IF;
  END LOOP;
END
$_drop_recorders$;
COMMENT ON FUNCTION pgtrack._drop_recorders() IS 'In an event trigger: drops what was written for partitions that are dropped; refuses the drop where on_drop says so.';

-- DROP TYPE ... CASCADE and its like take columns, defaults and triggers of tables along, of which no other event tells.
CREATE OR REPLACE FUNCTION pgtrack._tables_of_drop() RETURNS regclass[]
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $_tables_of_drop$
BEGIN
  RETURN (
    -- The catalogs are asked: to_regclass() fails for a schema that the owner of pg_track may not use.
    SELECT coalesce(array_agg(DISTINCT c.oid::regclass), '{}')
    FROM pg_event_trigger_dropped_objects() d
    -- Looked up one by one, by the catalog's indexes.
    CROSS JOIN LATERAL (
      SELECT c.oid FROM pg_class c WHERE d.classid = 'pg_class'::regclass AND c.oid = d.objid
      UNION ALL
      SELECT c.oid FROM pg_namespace n JOIN pg_class c ON c.relname = d.address_names[2]::name AND c.relnamespace = n.oid
      WHERE d.classid <> 'pg_class'::regclass AND n.nspname = d.address_names[1]::name
      OFFSET 0) c
    WHERE d.object_type IN ('table column', 'default value', 'table constraint', 'trigger')
      AND d.address_names[1] NOT IN ('pgtrack', 'pgtrack_history')
      -- Those we drop ourselves.
      AND (d.object_type <> 'trigger' OR d.address_names[3] !~ '^[!~]?pgtrack_'));
END
$_tables_of_drop$;
COMMENT ON FUNCTION pgtrack._tables_of_drop() IS 'In an event trigger: the tables that are still there and have lost something by a drop.';

CREATE OR REPLACE FUNCTION pgtrack._follow_drop(p_tag text, p_dropped oid[], p_rights jsonb) RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $_follow_drop$
DECLARE
  v_tables  regclass[];
  v_events  text;
BEGIN
  PERFORM pgtrack._refuse_loss_of_history();
  v_events := pgtrack._silence_event_triggers();
  PERFORM pgtrack._drop_recorders();
  IF p_dropped <> '{}' THEN
    UPDATE pgtrack.kept k SET definition = k.definition || jsonb_build_object('last', r.value)
    FROM jsonb_each(p_rights) r WHERE k.relation_id = r.key::integer;
    -- Rights on its history are those on the table, of which there are none any more.
    PERFORM pgtrack._sync_rights(r.relation_id), pgtrack._drop_moves(r.relation_id) FROM pgtrack.relation r WHERE r.relid = ANY (p_dropped);
    UPDATE pgtrack.relation r SET relid = NULL, tracked_until = coalesce(r.tracked_until, clock_timestamp()) WHERE r.relid = ANY (p_dropped);
  END IF;
  -- ALTER TABLE tells itself what it was about.
  IF p_tag LIKE 'DROP %' THEN
    v_tables := pgtrack._tables_of_drop();
    PERFORM set_config('pgtrack.altered', CASE WHEN v_tables <> '{}' THEN array_to_string(pgtrack._follow_tables(v_tables), ' ') ELSE '' END, true);
  END IF;
  PERFORM pgtrack._let_event_triggers_fire(v_events);
END
$_follow_drop$;
COMMENT ON FUNCTION pgtrack._follow_drop(text, oid[], jsonb) IS 'In an event trigger: does the work of _on_drop().';

-- STABLE, so that what it looks up itself is as the command found it: who owned a table shows nowhere afterwards. What it calls
-- that is VOLATILE sees, and does, what is to be done now.
CREATE OR REPLACE FUNCTION pgtrack._on_drop() RETURNS event_trigger
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET quote_all_identifiers = off
SET jit = off SET max_parallel_workers_per_gather = 0
SET enable_nestloop = on SET enable_hashjoin = off SET enable_mergejoin = off SET enable_seqscan = off SET enable_indexscan = on SET join_collapse_limit = 1
SET plan_cache_mode = force_generic_plan
AS $_on_drop$
DECLARE
  v_dropped  oid[] := ARRAY(SELECT d.objid FROM pg_event_trigger_dropped_objects() d WHERE d.classid = 'pg_class'::regclass AND d.objsubid = 0);
  v_rights   jsonb;
BEGIN
  IF v_dropped <> '{}' THEN
    v_rights := pgtrack._last_rights(v_dropped);
  END IF;
  PERFORM pgtrack._follow_drop(TG_TAG, v_dropped, v_rights);
END
$_on_drop$;
COMMENT ON FUNCTION pgtrack._on_drop() IS
  'Notes that a tracked table was dropped, or refuses it; its history stays. SECURITY DEFINER: whoever drops it needs no rights on pg_track.';
