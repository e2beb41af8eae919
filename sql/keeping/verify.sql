-- It reads rows, in the plan that is best for them, whoever asks.
CREATE OR REPLACE FUNCTION pgtrack._gaps(p_table regclass, p_latest integer DEFAULT NULL) RETURNS TABLE (row_pk jsonb, is_missing boolean)
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp SET constraint_exclusion = off
SET enable_seqscan = on SET enable_hashjoin = on SET enable_mergejoin = on SET join_collapse_limit = 8 AS $_gaps$
DECLARE
  v_history  name := (SELECT r.history_table FROM pgtrack.relation r WHERE r.relid = p_table AND r.key_columns <> '{}');
  v_is_used  boolean := false;
  v_shape    record;
  v_latest   text;
  v_moved    text := '';
BEGIN
  -- Planning what follows takes longer than this.
  IF v_history IS NOT NULL THEN
    EXECUTE format('SELECT EXISTS (SELECT FROM pgtrack_history.%I)', v_history) INTO v_is_used;
  END IF;
  IF NOT v_is_used THEN
    RETURN;
  END IF;
  SELECT * INTO v_shape FROM pgtrack._shape(p_table);
  v_latest := format('(SELECT c.ctid, c.* FROM %s c WHERE c.pgtrack_statement_id >= (SELECT r.key_since FROM pgtrack.relation r WHERE r.relation_id = %s)%s)',
                     v_shape.history, v_shape.relation_id, ' ORDER BY c.pgtrack_statement_id DESC LIMIT ' || p_latest);
  IF EXISTS (SELECT FROM pgtrack.key_change c WHERE c.relation_id = v_shape.relation_id) THEN
    -- A row that moved to or from the key is somewhere else.
    v_moved := format($$
      AND NOT EXISTS (SELECT FROM pgtrack._key_changes(%s) a CROSS JOIN LATERAL (VALUES (a.old_key), (a.new_key)) x (key)
                      CROSS JOIN LATERAL jsonb_to_record(x.key) AS k(%s) WHERE a.statement_id >= h.pgtrack_statement_id AND %s)$$,
      v_shape.relation_id, v_shape.key_record, v_shape.history_is_key);
  END IF;
  -- LEFT JOIN, coalesce: statistics of statements that are older than the mistake would let the planner expect one row.
  RETURN QUERY EXECUTE format($$
    SELECT %1$s, s.operation NOT IN ('D', 'T')
    FROM (SELECT DISTINCT ON (%2$s) c.* FROM %3$s c ORDER BY %2$s, c.pgtrack_statement_id DESC, c.ctid DESC) h
    LEFT JOIN pgtrack.statement s ON s.relation_id = %4$s AND s.statement_id = h.pgtrack_statement_id
    WHERE coalesce(EXISTS (SELECT FROM %5$s t WHERE %6$s) = (s.operation IN ('D', 'T')), false)%7$s$$,
    v_shape.key_json, v_shape.change_keys, v_latest, v_shape.relation_id, v_shape.live_table, v_shape.live_is_history, v_moved);
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

CREATE OR REPLACE FUNCTION pgtrack._problems_of(p_relation pgtrack.relation, p_repair text) RETURNS TABLE (problem text, hint text)
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $_problems_of$
BEGIN
  RETURN QUERY
    SELECT CASE WHEN t.enabled IS NULL THEN format('the trigger %s is missing on %s', t.name, t.relid)
                ELSE format('the trigger %s on %s is %s', t.name, t.relid,
                            CASE WHEN NOT t.is_current THEN 'out of date'
                                 WHEN t.enabled = 'D' THEN 'disabled' ELSE 'enabled for other sessions only' END) END,
           p_repair
    FROM pgtrack._triggers(p_relation.relation_id) t
    WHERE t.event IS NOT NULL AND (NOT t.is_current OR t.enabled <> CASE WHEN t.is_always THEN 'A' ELSE 'O' END);
  RETURN QUERY
    SELECT 'triggers of other tables may write it: what they change may be shown before its cause', p_repair
    WHERE pgtrack._is_in_trigger_words(p_relation.relid) AND NOT pgtrack._may_nest(p_relation.relid);
  RETURN QUERY
    SELECT format('the owner of pg_track may not read %s: TRUNCATE fails', p_relation.relid), c.command || ';'
    FROM pgtrack._rights_to_read(p_relation.relid) c;
  RETURN QUERY
    SELECT format('its indexes, statistics or partition key need %s, whose code might run with the rights of the owner of pg_track: TRUNCATE fails', f),
           'Let a superuser own that, or use DELETE.'
    FROM pgtrack._foreign_expression(p_relation.relid) f WHERE f IS NOT NULL;
END
$_problems_of$;
COMMENT ON FUNCTION pgtrack._problems_of(pgtrack.relation, text) IS
  'What is wrong with the triggers of a tracked table, and with what the owner of pg_track may read of it.';

CREATE OR REPLACE FUNCTION pgtrack._unrecorded(p_table regclass) RETURNS TABLE (problem text, hint text)
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp SET lock_timeout = '1s' AS $_unrecorded$
BEGIN
  IF NOT pgtrack._may_look_into(p_table) THEN
    RETURN;
  END IF;
  RETURN QUERY
    SELECT format('%s rows were changed while nothing was recorded, for example: %s', count(*),
                  min(format('%s %s', pgtrack._key_text(g.row_pk),
                             CASE WHEN g.is_missing THEN 'is missing, but its deletion is not recorded' ELSE 'exists, but its insertion is not recorded' END))),
           'Triggers were disabled, or session_replication_role was "replica". Versions before that are to be taken with care.'
    FROM pgtrack._gaps(p_table) g HAVING count(*) > 0;
-- Somebody alters it, for who knows how long, and the other tables are to be looked at all the same.
EXCEPTION WHEN lock_not_available OR deadlock_detected THEN
  RETURN QUERY SELECT 'its rows were not looked at, as it is locked', 'Try again when that transaction has ended; pg_stat_activity shows it.';
WHEN data_exception THEN
  RETURN QUERY SELECT format('its rows were not looked at: %s', SQLERRM), 'A type of its key may take fewer values than it did.';
WHEN insufficient_privilege THEN
  RETURN QUERY SELECT 'its rows were not looked at, as you may not read them', 'Whoever may read the table can verify it.';
-- It was dropped while its lock was waited for. PostgreSQL's cache knows that, whatever the snapshot shows.
WHEN internal_error THEN
  IF has_table_privilege(p_table, 'SELECT') IS NOT NULL THEN
    RAISE;
  END IF;
END
$_unrecorded$;
COMMENT ON FUNCTION pgtrack._unrecorded(regclass) IS 'The rows of a table that changed while nothing was recorded, as a problem; nothing for none.';

CREATE OR REPLACE FUNCTION pgtrack._untracked() RETURNS TABLE ("table" text, problem text, hint text)
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $_untracked$
BEGIN
  RETURN QUERY
    SELECT pgtrack._name(c.oid), coalesce('it cannot be tracked, as its schema is: ' || w.reason, 'it is not tracked, but its schema is'),
           CASE WHEN w.reason IS NULL THEN format('SELECT * FROM pgtrack.track(%L) tracks it.', pgtrack._name(c.oid)) END
    FROM pgtrack.tracked_schema s JOIN pg_namespace n ON n.nspname = s.schema_name
    JOIN pg_class c ON c.relnamespace = n.oid AND c.relkind IN ('r', 'p') AND NOT c.relispartition
      AND NOT EXISTS (SELECT FROM pgtrack.relation r WHERE r.relid = c.oid AND r.tracked_until IS NULL)
    CROSS JOIN LATERAL (SELECT pgtrack._reason_not_to_track(c.oid)) w (reason)
    -- One that was untracked by itself is meant to be so.
    WHERE w.reason IS NOT NULL OR NOT EXISTS (SELECT FROM pgtrack.relation r WHERE r.relid = c.oid)
    ORDER BY 1;
END
$_untracked$;
COMMENT ON FUNCTION pgtrack._untracked() IS 'The tables of tracked schemas that are not tracked, as problems.';

CREATE OR REPLACE FUNCTION pgtrack.verify(gaps boolean DEFAULT true) RETURNS TABLE ("table" text, problem text, hint text)
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp SET row_security = on SET quote_all_identifiers = off
SET jit = off SET enable_nestloop = on SET enable_hashjoin = off SET enable_mergejoin = off SET enable_seqscan = off SET enable_indexscan = on SET join_collapse_limit = 1
SET plan_cache_mode = force_generic_plan AS $verify$
DECLARE
  v_relation  pgtrack.relation;
  v_kind      "char";
BEGIN
  FOR v_relation IN SELECT r.* FROM pgtrack.relation r WHERE r.tracked_until IS NULL ORDER BY r.schema_name, r.table_name LOOP
    "table" := format('%I.%I', v_relation.schema_name, v_relation.table_name);
    hint := format('SELECT * FROM pgtrack.track(%L, %L) repairs it.', "table", v_relation.options);
    v_kind := (SELECT c.relkind FROM pg_class c WHERE c.oid = v_relation.relid);
    -- It has been dropped meanwhile.
    CONTINUE WHEN v_kind IS NOT NULL AND has_table_privilege(v_relation.relid, 'SELECT') IS NULL;
    IF v_kind IS NULL THEN
      problem := 'the table was dropped unnoticed';
      hint := 'Its history stays, under its number in pgtrack.relation.';
      RETURN NEXT;
      CONTINUE;
    ELSIF v_kind NOT IN ('r', 'p') THEN
      problem := 'it is no table any more';
      hint := format('Its history stays. SELECT * FROM pgtrack.untrack(%L) ends the tracking.', "table");
      RETURN NEXT;
      CONTINUE;
    END IF;
    RETURN QUERY SELECT verify."table", p.* FROM pgtrack._problems_of(v_relation, verify.hint) p;
    IF NOT EXISTS (SELECT FROM pgtrack.generated g WHERE g.function_name = format('record_update_%s', v_relation.relation_id)
                   AND g.fingerprint = pgtrack._fingerprint(v_relation.relid)) THEN
      problem := 'the table has changed its shape unnoticed';
      RETURN NEXT;
    ELSIF gaps THEN
      RETURN QUERY SELECT verify."table", u.* FROM pgtrack._unrecorded(v_relation.relid) u;
    END IF;
  END LOOP;
  RETURN QUERY SELECT * FROM pgtrack._untracked();
  -- So it is after a restore where the roles were missing.
  RETURN QUERY
    SELECT NULL, 'pg_track belongs to a superuser',
           'Its functions run with that role''s rights, and its views show everything. pgtrack install gives it to pgtrack_owner.'
    WHERE EXISTS (SELECT FROM pg_roles o
                  WHERE o.rolsuper AND o.oid IN ((SELECT n.nspowner FROM pg_namespace n WHERE n.nspname = 'pgtrack'),
                                                 (SELECT c.relowner FROM pg_class c WHERE c.oid = 'pgtrack.activity'::regclass)));
  RETURN QUERY
    SELECT NULL, 'DDL on tracked tables is not followed at once',
           'Event triggers need a superuser: install pg_track again as one. Until then, shapes are followed at the next write, and all else by pgtrack.follow_ddl().'
    WHERE NOT EXISTS (SELECT FROM pg_event_trigger e WHERE e.evtname = 'pgtrack_ddl' AND e.evtenabled <> 'D');
END
$verify$;
COMMENT ON FUNCTION pgtrack.verify(boolean) IS
  'What is wrong with the tracking: triggers missing or disabled, shapes out of step, rows changed unrecorded (gaps => false skips these, they take a scan). No row: all is well.';
