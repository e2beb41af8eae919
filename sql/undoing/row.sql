-- What has to happen to a row to make it what it was right after a version (0: before the first). p_version null
-- means: before the latest version. p_lock is true when the answer will be acted on. p_columns: only these.
CREATE OR REPLACE FUNCTION pgtrack._plan_row(
  p_table           regclass,
  p_key             jsonb,
  p_version         integer,
  p_lock            boolean,
  p_columns         text[],
  OUT action        text,
  OUT before        jsonb,
  OUT after         jsonb,
  OUT conflict      text,
  OUT version       integer,
  OUT versions      integer,
  OUT statement_id  bigint,
  OUT work          pgtrack._work
)
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $_plan_row$
DECLARE
  v_shape     pgtrack.relation_shape;
  v_live_key  jsonb := pgtrack._live_key(p_table, p_key);
  v_reached   record;
  v_next      record;
  v_differs   boolean;
  v_purged    integer;
BEGIN
  PERFORM pgtrack._require_select(p_table);
  PERFORM pgtrack._check_columns(ARRAY[p_table], p_columns);
  v_shape := pgtrack._shape(p_table, p_columns);
  IF p_lock THEN
    -- First the lock, then the look: nobody changes the row between what is decided and what is done.
    EXECUTE format('SELECT FROM jsonb_to_record($1) AS k(%s) JOIN %s t ON %s FOR UPDATE OF t',
                   v_shape.key_record, v_shape.live_table, v_shape.live_is_key) USING v_live_key;
  END IF;
  EXECUTE format('SELECT %s FROM jsonb_to_record($1) AS k(%s) JOIN %s t ON %s',
                 v_shape.live_image, v_shape.key_record, v_shape.live_table, v_shape.live_is_key)
  INTO before USING v_live_key;

  SELECT max(v.ver), min(v.ver) - 1 INTO versions, v_purged FROM pgtrack._versions(p_table, v_shape, p_key) v;
  IF versions IS NULL THEN
    RAISE EXCEPTION 'no change of % (%) is recorded', v_shape.name, pgtrack._key_text(p_key) USING
      ERRCODE = 'no_data_found',
      DETAIL = CASE WHEN before IS NULL THEN 'There is no such row, and none was deleted since tracking began.'
                    ELSE 'The row exists and has not changed since tracking began.' END,
      HINT = format('SELECT * FROM pgtrack.changes(%L) shows which rows changed.', v_shape.name);
  END IF;
  version := coalesce(p_version, versions - 1);
  IF version NOT BETWEEN 0 AND versions THEN
    RAISE EXCEPTION '% (%) has no version %', v_shape.name, pgtrack._key_text(p_key), version USING
      ERRCODE = 'invalid_parameter_value',
      DETAIL = format('Its versions are 1 to %s; 0 is the row before the first recorded change.', versions);
  ELSIF version < v_purged THEN
    RAISE EXCEPTION 'version % of % (%) is no longer known', version, v_shape.name, pgtrack._key_text(p_key) USING
      ERRCODE = 'TK002',
      DETAIL = format('Versions before %s have been purged.', v_purged);
  END IF;
  SELECT * INTO v_reached FROM pgtrack._versions(p_table, v_shape, p_key) v WHERE v.ver = version;
  SELECT * INTO v_next FROM pgtrack._versions(p_table, v_shape, p_key) v WHERE v.ver = version + 1;
  statement_id := v_next.statement_id;
  IF v_next.operation <> 'I' AND EXISTS (
       SELECT FROM pgtrack.erasure e
       WHERE e.relation_id = v_shape.relation_id AND e.row_key = v_next.row_key AND e.until_id >= v_next.statement_id) THEN
    RAISE EXCEPTION 'version % of % (%) is no longer known', version, v_shape.name, pgtrack._key_text(p_key) USING
      ERRCODE = 'TK002',
      DETAIL = 'Its recorded values have been erased.';
  END IF;

  work.relid := p_table;
  IF version = versions THEN
    action := CASE WHEN (v_reached.operation IN ('D', 'T')) = (before IS NULL) THEN 'nothing' ELSE 'delete' END;
    after := CASE action WHEN 'nothing' THEN before END;
    IF action = 'delete' AND before IS NULL THEN
      RAISE EXCEPTION '% (%) is missing, but its deletion is not recorded', v_shape.name, pgtrack._key_text(p_key) USING
        ERRCODE = 'object_not_in_prerequisite_state',
        HINT = 'Its last recorded values are those of an earlier version; name that one.';
    END IF;
  ELSIF v_reached.operation IN ('D', 'T') OR v_next.operation = 'I' THEN
    action := CASE WHEN before IS NULL THEN 'nothing' ELSE 'delete' END;
  ELSE
    EXECUTE format('SELECT %s FROM %s h WHERE h.ctid = $1', v_shape.restored, v_shape.history) INTO after USING v_next.handle;
    action := CASE WHEN before IS NULL THEN 'insert' ELSE 'update' END;
  END IF;

  IF action = 'delete' THEN
    work.deleted_keys := ARRAY[v_live_key];
  ELSIF action = 'insert' THEN
    work.inserts := ARRAY[v_next.handle];
  ELSIF action = 'update' THEN
    EXECUTE format('SELECT %s FROM jsonb_to_record($1) AS k(%s) JOIN %s t ON %s JOIN %s h ON h.ctid = $2',
                   coalesce(v_shape.differs, 'false'), v_shape.key_record, v_shape.live_table, v_shape.live_is_key, v_shape.history)
    INTO v_differs USING v_live_key, v_next.handle;
    IF v_next.row_key <> v_live_key AND (p_columns IS NULL OR v_differs) THEN
      work.keyed_updates := ARRAY[v_next.handle];
      work.updated_keys := ARRAY[v_live_key];
    ELSIF v_differs THEN
      work.updates := ARRAY[v_next.handle];
    ELSE
      action := 'nothing';
    END IF;
    after := before || pgtrack._only(after, p_columns);
  END IF;
  IF action IN ('insert', 'delete') AND p_columns IS NOT NULL THEN
    PERFORM pgtrack._refuse_columns(v_shape.name, p_key, action);
  END IF;

  -- The live row is not what its last recorded change left: it was changed while nobody recorded.
  SELECT * INTO v_next FROM pgtrack._versions(p_table, v_shape, p_key) v WHERE v.ver = versions;
  IF version < versions AND (v_next.operation IN ('D', 'T')) <> (before IS NULL) THEN
    conflict := CASE WHEN before IS NULL THEN 'the row is missing, but its deletion is not recorded'
                     ELSE 'a row with this key exists, but its insertion is not recorded' END;
  END IF;
END
$_plan_row$;
COMMENT ON FUNCTION pgtrack._plan_row(regclass, jsonb, integer, boolean, text[]) IS
  'What it takes to make one row, or some of its columns, what it was after one of its versions.';

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
  SELECT * INTO v_plan FROM pgtrack._plan_row(p_table, p_key, p_version, true, p_columns);
  v_decision.has_work := false;
  IF v_plan.conflict IS NOT NULL THEN
    IF p_on_conflict = 'error' THEN
      RAISE EXCEPTION 'cannot % %: %',
        CASE p_verb WHEN 'undo' THEN 'undo the last change of' WHEN 'rollback_to' THEN 'roll back' ELSE p_verb END, v_row, v_plan.conflict USING
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
  IF p_on_conflict IS NULL OR p_on_conflict NOT IN ('error', 'force', 'skip', 'merge') THEN
    RAISE EXCEPTION 'on_conflict must be error, force, skip or merge, not %', coalesce(quote_literal(p_on_conflict), 'null') USING
      ERRCODE = 'invalid_parameter_value',
      DETAIL = 'error: stop (the default). force: overwrite newer changes. skip: leave rows that changed since. '
               'merge: revert only the columns that nobody changed since.';
  END IF;
END
$_check_on_conflict$;
COMMENT ON FUNCTION pgtrack._check_on_conflict(text) IS 'Refuses unknown values of on_conflict.';

CREATE OR REPLACE FUNCTION pgtrack._plan(p_table regclass, p_key jsonb, p_version integer, p_columns text[] DEFAULT NULL)
RETURNS TABLE ("table" text, row_pk jsonb, action text, before jsonb, after jsonb, conflict text, version integer, statement_id bigint)
LANGUAGE sql VOLATILE SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
  SELECT pgtrack._name(p_table), p_key, p.action, p.before, p.after, p.conflict, p.version, p.statement_id
  FROM pgtrack._plan_row(p_table, p_key, p_version, false, p_columns) p;
END;
COMMENT ON FUNCTION pgtrack._plan(regclass, jsonb, integer, text[]) IS 'Does the work of the plan_ functions for one row.';
