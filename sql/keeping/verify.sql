CREATE OR REPLACE FUNCTION pgtrack._gaps(p_table regclass, p_latest integer DEFAULT NULL) RETURNS TABLE (row_pk jsonb, is_missing boolean)
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp SET constraint_exclusion = off AS $_gaps$
DECLARE
  v_shape  record;
BEGIN
  SELECT * INTO v_shape FROM pgtrack._shape(p_table);
  IF v_shape.keys = '{}' THEN
    RETURN;
  END IF;
  RETURN QUERY EXECUTE format($$
    SELECT %1$s, s.operation NOT IN ('D', 'T')
    FROM (SELECT DISTINCT ON (%2$s) c.* FROM %8$s c ORDER BY %2$s, c.pgtrack_statement_id DESC, c.ctid DESC) h
    JOIN pgtrack.statement s ON s.relation_id = %4$s AND s.statement_id = h.pgtrack_statement_id
    WHERE EXISTS (SELECT FROM %5$s t WHERE %6$s) = (s.operation IN ('D', 'T'))
      -- A row that moved to or from the key is somewhere else.
      AND NOT EXISTS (SELECT FROM pgtrack._key_changes(%4$s) a CROSS JOIN LATERAL (VALUES (a.old_key), (a.new_key)) x (key)
                      CROSS JOIN LATERAL jsonb_to_record(x.key) AS k(%7$s) WHERE a.statement_id >= h.pgtrack_statement_id AND %9$s)$$,
    v_shape.key_json, v_shape.change_keys, v_shape.history, v_shape.relation_id, v_shape.live_table, v_shape.live_is_history,
    v_shape.key_record,
    format('(SELECT c.ctid, c.* FROM %s c WHERE c.pgtrack_statement_id >= (SELECT r.key_since FROM pgtrack.relation r WHERE r.relation_id = %s)%s)',
           v_shape.history, v_shape.relation_id, ' ORDER BY c.pgtrack_statement_id DESC LIMIT ' || p_latest),
    v_shape.history_is_key);
END
$_gaps$;
COMMENT ON FUNCTION pgtrack._gaps(regclass, integer) IS
  'Rows that are missing, or there, other than their latest recorded change left them; only among the latest changes if a number is given.';

-- VOLATILE, so that it sees what was made while the lock was waited for. To look into a table may run code of its owner, which
-- verify() says; at REPEATABLE READ such code may have come unseen.
CREATE OR REPLACE FUNCTION pgtrack._may_look_into(p_table regclass) RETURNS boolean
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $_may_look_into$
BEGIN
  -- Who has few rights has little to lose.
  IF NOT pgtrack._hold_definition(p_table) AND (SELECT r.rolsuper FROM pg_roles r WHERE r.rolname = current_user) THEN
    RETURN false;
  END IF;
  RETURN pgtrack._foreign_expression(p_table) IS NULL
     AND (NOT pgtrack._snapshot_lasts() OR pgtrack._owner_of(p_table) = current_user
          OR (SELECT r.rolsuper FROM pg_roles r WHERE r.rolname = pgtrack._owner_of(p_table)));
END
$_may_look_into$;
COMMENT ON FUNCTION pgtrack._may_look_into(regclass) IS 'Whether reading a table runs no code but the current user''s and superusers''; keeps it what it is.';

CREATE OR REPLACE FUNCTION pgtrack.verify(gaps boolean DEFAULT true) RETURNS TABLE ("table" text, problem text, hint text)
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp SET jit = off SET enable_nestloop = on SET plan_cache_mode = force_generic_plan AS $verify$
DECLARE
  v_relation  pgtrack.relation;
  v_count     bigint;
  v_example   text;
BEGIN
  FOR v_relation IN SELECT r.* FROM pgtrack.relation r WHERE r.tracked_until IS NULL ORDER BY r.schema_name, r.table_name LOOP
    "table" := format('%I.%I', v_relation.schema_name, v_relation.table_name);
    hint := format('SELECT * FROM pgtrack.track(%L, %L) repairs it.', "table", v_relation.options);
    IF v_relation.relid IS NULL OR NOT EXISTS (SELECT FROM pg_class c WHERE c.oid = v_relation.relid) THEN
      problem := 'the table was dropped unnoticed';
      hint := 'Its history stays, under its number in pgtrack.relation.';
      RETURN NEXT;
      CONTINUE;
    ELSIF (SELECT c.relkind NOT IN ('r', 'p') FROM pg_class c WHERE c.oid = v_relation.relid) THEN
      problem := 'it is no table any more';
      hint := format('Its history stays. SELECT * FROM pgtrack.untrack(%L) ends the tracking.', "table");
      RETURN NEXT;
      CONTINUE;
    END IF;
    RETURN QUERY
      SELECT verify."table", CASE WHEN p.name IS NULL THEN format('the trigger %s is missing on %s', w.name, w.relid)
                                  ELSE format('the trigger %s on %s is %s', w.name, w.relid,
                                              CASE WHEN p.made_from IS DISTINCT FROM md5(w.event || w.action) THEN 'out of date'
                                                   WHEN p.enabled = 'D' THEN 'disabled' ELSE 'enabled for other sessions only' END) END,
             verify.hint
      FROM pgtrack._wanted_triggers(v_relation.relation_id) w
      LEFT JOIN pgtrack._present_triggers(v_relation.relation_id) p USING (relid, name)
      WHERE p.name IS NULL OR p.made_from IS DISTINCT FROM md5(w.event || w.action)
         OR p.enabled <> CASE WHEN w.is_always THEN 'A' ELSE 'O' END;
    RETURN QUERY
      SELECT verify."table", format('the owner of pg_track may not read %s: TRUNCATE fails', v_relation.relid), c.command || ';'
      FROM pgtrack._rights_to_read(v_relation.relid) c;
    RETURN QUERY
      SELECT verify."table", format('its indexes, statistics or partition key need %s, whose code might run with the rights of the owner of pg_track: TRUNCATE fails', f),
             'Let a superuser own that, or use DELETE.'
      FROM pgtrack._foreign_expression(v_relation.relid) f WHERE f IS NOT NULL;
    IF NOT EXISTS (SELECT FROM pgtrack.generated g WHERE g.function_name = format('record_update_%s', v_relation.relation_id)
                   AND g.fingerprint = pgtrack._fingerprint(v_relation.relid)) THEN
      problem := 'the table has changed its shape unnoticed';
      RETURN NEXT;
    ELSIF gaps AND pgtrack._may_look_into(v_relation.relid) THEN
      SELECT count(*), min(format('%s %s', pgtrack._key_text(g.row_pk),
                                  CASE WHEN g.is_missing THEN 'is missing, but its deletion is not recorded'
                                       ELSE 'exists, but its insertion is not recorded' END)) INTO v_count, v_example FROM pgtrack._gaps(v_relation.relid) g;
      IF v_count > 0 THEN
        problem := format('%s rows were changed while nothing was recorded, for example: %s', v_count, v_example);
        hint := 'Triggers were disabled, or session_replication_role was "replica". Versions before that are to be taken with care.';
        RETURN NEXT;
      END IF;
    END IF;
  END LOOP;
  FOR "table", problem, hint IN
    SELECT pgtrack._name(c.oid), coalesce('it cannot be tracked, as its schema is: ' || w.reason, 'it is not tracked, but its schema is'),
           CASE WHEN w.reason IS NULL THEN format('SELECT * FROM pgtrack.track(%L) tracks it.', pgtrack._name(c.oid)) END
    FROM pgtrack.tracked_schema s JOIN pg_namespace n ON n.nspname = s.schema_name
    JOIN pg_class c ON c.relnamespace = n.oid AND c.relkind IN ('r', 'p') AND NOT c.relispartition
    CROSS JOIN LATERAL (SELECT pgtrack._reason_not_to_track(c.oid)) w (reason)
    -- One that was untracked by itself is meant to be so.
    WHERE NOT EXISTS (SELECT FROM pgtrack.relation r WHERE r.relid = c.oid AND (r.tracked_until IS NULL OR w.reason IS NULL))
    ORDER BY 1
  LOOP
    RETURN NEXT;
  END LOOP;
  -- So it is after a restore where the roles were missing.
  IF EXISTS (SELECT FROM pg_roles o
             WHERE o.rolsuper AND o.oid IN ((SELECT n.nspowner FROM pg_namespace n WHERE n.nspname = 'pgtrack'),
                                            (SELECT c.relowner FROM pg_class c WHERE c.oid = 'pgtrack.activity'::regclass))) THEN
    "table" := NULL;
    problem := 'pg_track belongs to a superuser';
    hint := 'Its functions run with that role''s rights, and its views show everything. pgtrack install gives it to pgtrack_owner.';
    RETURN NEXT;
  END IF;
  IF NOT EXISTS (SELECT FROM pg_event_trigger e WHERE e.evtname = 'pgtrack_ddl' AND e.evtenabled <> 'D') THEN
    "table" := NULL;
    problem := 'DDL on tracked tables is not followed at once';
    hint := 'Event triggers need a superuser: install pg_track again as one. Until then, shapes are followed at the next write, and all else by pgtrack.follow_ddl().';
    RETURN NEXT;
  END IF;
END
$verify$;
COMMENT ON FUNCTION pgtrack.verify(boolean) IS
  'What is wrong with the tracking: triggers missing or disabled, shapes out of step, rows changed unrecorded (gaps => false skips these, they take a scan). No row: all is well.';
