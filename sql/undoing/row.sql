-- The version that a row shall be as after, 0 being before the first; null: before the latest.
CREATE OR REPLACE FUNCTION pgtrack._target_version(p_table regclass, p_shape pgtrack.relation_shape, p_key jsonb, p_version integer,
                                                   p_exists boolean)
RETURNS pgtrack._target
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $_target_version$
DECLARE
  v_row     text := format('%s (%s)', p_shape.name, pgtrack._key_text(p_key));
  v_target  pgtrack._target;
  v_purged  integer;
BEGIN
  SELECT max(v.ver), min(v.ver) - 1 INTO v_target.versions, v_purged FROM pgtrack._versions(p_table, p_shape, p_key) v;
  IF v_target.versions IS NULL THEN
    RAISE EXCEPTION 'no change of % is recorded', v_row USING
      ERRCODE = 'no_data_found',
      DETAIL = CASE WHEN p_exists THEN 'The row exists and has not changed since tracking began.'
                    ELSE 'There is no such row, and none was deleted since tracking began.' END,
      HINT = format('SELECT * FROM pgtrack.changes(%L) shows which rows changed.', p_shape.name);
  END IF;
  v_target.version := coalesce(p_version, v_target.versions - 1);
  IF v_target.version NOT BETWEEN 0 AND v_target.versions THEN
    RAISE EXCEPTION '% has no version %', v_row, v_target.version USING
      ERRCODE = 'invalid_parameter_value',
      DETAIL = format('Its versions are 1 to %s; 0 is the row before the first recorded change.', v_target.versions);
  ELSIF v_target.version < v_purged THEN
    RAISE EXCEPTION 'version % of % is no longer known', v_target.version, v_row USING
      ERRCODE = 'TK002',
      DETAIL = format('Versions before %s have been purged.', v_purged);
  END IF;
  SELECT v.operation IN ('D', 'T') INTO v_target.is_gone FROM pgtrack._versions(p_table, p_shape, p_key) v WHERE v.ver = v_target.version;
  SELECT v.operation IN ('D', 'T') INTO v_target.is_gone_now
  FROM pgtrack._versions(p_table, p_shape, p_key) v WHERE v.ver = v_target.versions;
  SELECT v.statement_id, v.handle, v.row_key, v.operation = 'I'
  INTO v_target.statement_id, v_target.handle, v_target.row_key, v_target.is_unborn
  FROM pgtrack._versions(p_table, p_shape, p_key) v WHERE v.ver = v_target.version + 1;
  IF NOT v_target.is_unborn AND pgtrack._is_erased(p_shape.relation_id, v_target.row_key, v_target.statement_id) THEN
    RAISE EXCEPTION 'version % of % is no longer known', v_target.version, v_row USING
      ERRCODE = 'TK002',
      DETAIL = 'Its recorded values have been erased.';
  END IF;
  RETURN v_target;
END
$_target_version$;
COMMENT ON FUNCTION pgtrack._target_version(regclass, pgtrack.relation_shape, jsonb, integer, boolean) IS
  'The version of a row that is wanted, and the change after it, or an error where it is not known.';

CREATE OR REPLACE FUNCTION pgtrack._row_action(p_table regclass, p_shape pgtrack.relation_shape, p_target pgtrack._target, p_key jsonb,
                                               p_live_key jsonb, p_before jsonb, p_columns text[],
                                               OUT action text, OUT after jsonb, OUT work pgtrack._work)
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $_row_action$
DECLARE
  v_differs  boolean;
BEGIN
  work.relid := p_table;
  IF p_target.version = p_target.versions THEN
    action := CASE WHEN p_target.is_gone IS NOT DISTINCT FROM (p_before IS NULL) THEN 'nothing' ELSE 'delete' END;
    after := CASE action WHEN 'nothing' THEN p_before END;
    IF action = 'delete' AND p_before IS NULL THEN
      RAISE EXCEPTION '% (%) is missing, but its deletion is not recorded', p_shape.name, pgtrack._key_text(p_key) USING
        ERRCODE = 'object_not_in_prerequisite_state',
        HINT = 'Its last recorded values are those of an earlier version; name that one.';
    END IF;
  -- The next change says what there was, also where a deleted row had come back unrecorded.
  ELSIF p_target.is_unborn THEN
    action := CASE WHEN p_before IS NULL THEN 'nothing' ELSE 'delete' END;
  ELSE
    EXECUTE format('SELECT %s FROM %s h WHERE h.ctid = $1', p_shape.restored, p_shape.history) INTO after USING p_target.handle;
    action := CASE WHEN p_before IS NULL THEN 'insert' ELSE 'update' END;
  END IF;

  IF action = 'delete' THEN
    work.deleted_keys := ARRAY[p_live_key];
  ELSIF action = 'insert' THEN
    work.inserts := ARRAY[p_target.handle];
  ELSIF action = 'update' THEN
    EXECUTE format('SELECT %s FROM jsonb_to_record($1) AS k(%s) JOIN %s t ON %s JOIN %s h ON h.ctid = $2',
                   coalesce(p_shape.differs, 'false'), p_shape.key_record, p_shape.live_table, p_shape.live_is_key, p_shape.history)
    INTO v_differs USING p_live_key, p_target.handle;
    IF p_target.row_key <> p_live_key AND (p_columns IS NULL OR v_differs) THEN
      work.keyed_updates := ARRAY[p_target.handle];
      work.updated_keys := ARRAY[p_live_key];
    ELSIF v_differs THEN
      work.updates := ARRAY[p_target.handle];
    ELSE
      action := 'nothing';
    END IF;
    after := p_before || pgtrack._only(after, p_columns);
  END IF;
  IF action IN ('insert', 'delete') AND p_columns IS NOT NULL THEN
    PERFORM pgtrack._refuse_columns(p_shape.name, p_key, action);
  END IF;
END
$_row_action$;
COMMENT ON FUNCTION pgtrack._row_action(regclass, pgtrack.relation_shape, pgtrack._target, jsonb, jsonb, jsonb, text[]) IS
  'What has to happen to a row, or some of its columns, to make it what it was after a version.';

CREATE OR REPLACE FUNCTION pgtrack._live_row(p_shape pgtrack.relation_shape, p_key jsonb, p_lock boolean) RETURNS jsonb
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $_live_row$
DECLARE
  v_row  jsonb;
BEGIN
  IF p_lock THEN
    -- First the lock, then the look: nobody changes the row between what is decided and what is done.
    EXECUTE format('SELECT FROM jsonb_to_record($1) AS k(%s) JOIN %s t ON %s FOR UPDATE OF t',
                   p_shape.key_record, p_shape.live_table, p_shape.live_is_key) USING p_key;
    -- Its schema may have got another name while the row was waited for.
    p_shape := pgtrack._shape((SELECT r.relid FROM pgtrack.relation r WHERE r.relation_id = p_shape.relation_id));
  END IF;
  EXECUTE format('SELECT %s FROM jsonb_to_record($1) AS k(%s) JOIN %s t ON %s',
                 p_shape.live_image, p_shape.key_record, p_shape.live_table, p_shape.live_is_key)
  INTO v_row USING p_key;
  RETURN v_row;
END
$_live_row$;
COMMENT ON FUNCTION pgtrack._live_row(pgtrack.relation_shape, jsonb, boolean) IS 'The row that has a key now, locked if it is to be changed; null for none.';

CREATE OR REPLACE FUNCTION pgtrack._is_taken(p_shape pgtrack.relation_shape, p_key jsonb, p_live_key jsonb) RETURNS boolean
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $_is_taken$
DECLARE
  v_is_taken  boolean;
BEGIN
  EXECUTE format('SELECT EXISTS (SELECT FROM jsonb_to_record($1) AS k(%1$s) JOIN %2$s t ON %3$s WHERE (t.tableoid, t.ctid) NOT IN ('
                 'SELECT t.tableoid, t.ctid FROM jsonb_to_record($2) AS k(%1$s) JOIN %2$s t ON %3$s))',
                 p_shape.key_record, p_shape.live_table, p_shape.live_is_key)
  INTO v_is_taken USING p_key, coalesce(p_live_key, '{}');
  RETURN v_is_taken;
END
$_is_taken$;
COMMENT ON FUNCTION pgtrack._is_taken(pgtrack.relation_shape, jsonb, jsonb) IS
  'Whether a row has a key now that is not the one under p_live_key.';

-- p_lock is true when the answer will be acted on.
CREATE OR REPLACE FUNCTION pgtrack._plan_row(
  p_table           regclass,
  p_key             jsonb,
  p_version         integer,
  p_verb            text,
  p_lock            boolean,
  p_columns         text[],
  OUT action        text,
  OUT before        jsonb,
  OUT after         jsonb,
  OUT conflict      text,
  OUT version       integer,
  OUT statement_id  bigint,
  OUT work          pgtrack._work
)
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $_plan_row$
DECLARE
  v_shape     pgtrack.relation_shape;
  v_live_key  jsonb := pgtrack._live_key(p_table, p_key);
  v_target    pgtrack._target;
  v_is_other  boolean;
  v_action    record;
BEGIN
  PERFORM pgtrack._require_select(p_table);
  PERFORM pgtrack._check_columns(ARRAY[p_table], p_columns);
  v_shape := pgtrack._shape(p_table, p_columns);
  IF p_verb = 'restore' THEN
    v_target := pgtrack._target_to_restore(p_table, v_shape, p_key);
    v_is_other := v_target.row_key IS DISTINCT FROM v_live_key;
  ELSE
    before := pgtrack._live_row(v_shape, v_live_key, p_lock);
    v_target := pgtrack._target_version(p_table, v_shape, p_key, p_version, before IS NOT NULL);
    -- What has the history of this key behind it, and lives under another now, is another row than the one that was deleted.
    v_is_other := coalesce(v_target.row_key <> v_live_key, false)
      AND EXISTS (SELECT FROM pgtrack._versions(p_table, v_shape, p_key) v
                  WHERE v.ver > v_target.version AND v.operation IN ('D', 'T') AND v.row_key <> v_live_key);
  END IF;
  IF v_is_other THEN
    v_live_key := v_target.row_key;
    before := CASE WHEN NOT v_target.is_unborn THEN pgtrack._live_row(v_shape, v_live_key, p_lock) END;
  END IF;
  version := v_target.version;
  statement_id := v_target.statement_id;
  SELECT * INTO v_action FROM pgtrack._row_action(p_table, v_shape, v_target, p_key, v_live_key, before, p_columns);
  action := v_action.action;
  after := v_action.after;
  work := v_action.work;
  -- Whose key another has got since cannot have it again, and is not that other.
  IF v_is_other AND action = 'update'
     OR action IN ('insert', 'update')
        AND pgtrack._is_taken(v_shape, coalesce(v_live_key, '{}') || pgtrack._only(v_target.row_key, p_columns), v_live_key) THEN
    PERFORM pgtrack._refuse_contested(v_shape.name, v_target.row_key);
  END IF;
  -- The live row is not what its last recorded change left: it was changed while nobody recorded.
  IF v_target.version < v_target.versions AND NOT v_is_other AND v_target.is_gone_now <> (before IS NULL) THEN
    conflict := CASE WHEN before IS NULL THEN 'the row is missing, but its deletion is not recorded'
                     ELSE 'a row with this key exists, but its insertion is not recorded' END;
  END IF;
END
$_plan_row$;
COMMENT ON FUNCTION pgtrack._plan_row(regclass, jsonb, integer, text, boolean, text[]) IS
  'What it takes to make one row, or some of its columns, what it was after one of its versions, or right before its deletion.';

CREATE OR REPLACE FUNCTION pgtrack._decide(p_table regclass, p_key jsonb, p_version integer, p_verb text, p_on_conflict text,
                                           p_columns text[] DEFAULT NULL)
RETURNS pgtrack._decision
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $_decide$
DECLARE
  v_row       text := format('%s (%s)', pgtrack._name(p_table), pgtrack._key_text(p_key));
  v_plan      record;
  v_what      text;
  v_decision  pgtrack._decision;
BEGIN
  PERFORM pgtrack._check_on_conflict(p_on_conflict);
  SELECT * INTO v_plan FROM pgtrack._plan_row(p_table, p_key, p_version, p_verb, true, p_columns);
  v_decision.has_work := false;
  IF v_plan.conflict IS NOT NULL THEN
    IF p_on_conflict = 'error' THEN
      RAISE EXCEPTION 'cannot % %: %',
        CASE p_verb WHEN 'undo' THEN 'undo the last change of' WHEN 'rollback_to' THEN 'roll back' ELSE p_verb END,
        v_row, v_plan.conflict USING
        ERRCODE = 'TK001',
        HINT = 'on_conflict => ''force'' does it all the same, ''skip'' leaves the row as it is.';
    ELSIF p_on_conflict = 'skip' THEN
      v_decision.answer := format('%s: skipped, %s', v_row, v_plan.conflict);
      RETURN v_decision;
    END IF;
  END IF;
  IF v_plan.action = 'nothing' THEN
    v_decision.answer := format('%s: nothing to do, %s as after version %s already', v_row,
                                CASE WHEN p_columns IS NULL THEN 'it is' ELSE 'these columns are' END, v_plan.version);
    RETURN v_decision;
  END IF;
  v_what := CASE v_plan.action
    WHEN 'insert' THEN 'row inserted again'
    WHEN 'delete' THEN 'row deleted'
    ELSE 'row updated: ' || coalesce(array_to_string(pgtrack._changed_columns(v_plan.after, v_plan.before), ', '), '')
  END;
  RETURN ROW(format('%s: %s%s', v_row, v_what, CASE WHEN v_plan.action = 'delete' THEN ''
                                                    WHEN p_columns IS NOT NULL THEN '; the other columns stay'
                                                    WHEN v_plan.version IS NULL THEN ', now as before its deletion'
                                                    WHEN v_plan.version = 0 THEN ', now as before its first recorded change'
                                                    ELSE format(', now as after version %s', v_plan.version) END),
             true, v_plan.work, v_plan.statement_id::text,
             jsonb_build_object('table', pgtrack._name(p_table), 'key', p_key, 'version', p_version, 'on_conflict', p_on_conflict)
               || pgtrack._columns_argument(p_columns))::pgtrack._decision;
END
$_decide$;
COMMENT ON FUNCTION pgtrack._decide(regclass, jsonb, integer, text, text, text[]) IS
  'What making one row, or some of its columns, what it was after one of its versions is going to do; the row is locked.';

CREATE OR REPLACE FUNCTION pgtrack._check_on_conflict(p_on_conflict text) RETURNS void
LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $_check_on_conflict$
BEGIN
  IF p_on_conflict IS NULL OR p_on_conflict NOT IN ('error', 'force', 'skip', 'merge', 'delta') THEN
    RAISE EXCEPTION 'on_conflict must be error, force, skip, merge or delta, not %', coalesce(quote_literal(p_on_conflict), 'null') USING
      ERRCODE = 'invalid_parameter_value',
      DETAIL = 'error: stop (the default). force: overwrite newer changes. skip: leave rows that changed since. '
               'merge: revert only the columns that nobody changed since. delta: also numbers that somebody did, by the difference.';
  END IF;
END
$_check_on_conflict$;
COMMENT ON FUNCTION pgtrack._check_on_conflict(text) IS 'Refuses unknown values of on_conflict.';

CREATE OR REPLACE FUNCTION pgtrack._plan(p_table regclass, p_key jsonb, p_version integer, p_verb text, p_columns text[],
                                         p_on_conflict text)
RETURNS TABLE ("table" text, row_pk jsonb, action text, before jsonb, after jsonb, conflict text, version integer, statement_id bigint)
LANGUAGE sql VOLATILE SET search_path = pg_catalog, pg_temp SET row_security = on SET quote_all_identifiers = off
BEGIN ATOMIC
  SELECT pgtrack._check_on_conflict(p_on_conflict);
  SELECT pgtrack._name(p_table), p_key, CASE WHEN s.is_left THEN 'nothing' ELSE p.action END, p.before, CASE WHEN s.is_left THEN p.before ELSE p.after END,
         p.conflict, p.version, p.statement_id
  FROM pgtrack._plan_row(p_table, p_key, p_version, p_verb, false, p_columns) p
  CROSS JOIN LATERAL (SELECT p.conflict IS NOT NULL AND p_on_conflict = 'skip' AS is_left) s;
END;
COMMENT ON FUNCTION pgtrack._plan(regclass, jsonb, integer, text, text[], text) IS 'Does the work of the plan_ functions for one row.';
