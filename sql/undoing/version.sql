CREATE OR REPLACE FUNCTION pgtrack._refuse_purged(p_table regclass, p_point text) RETURNS void
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $_refuse_purged$
BEGIN
  RAISE EXCEPTION 'the state of % at % is no longer known', pgtrack._name(p_table), p_point USING
    ERRCODE = 'TK002',
    DETAIL = format('Changes before %s have been purged.', (SELECT r.purged_until FROM pgtrack.relation r WHERE r.relid = p_table));
END
$_refuse_purged$;
COMMENT ON FUNCTION pgtrack._refuse_purged(regclass, text) IS 'Refuses a point in time that needs purged history.';

CREATE OR REPLACE FUNCTION pgtrack._version_at(p_table regclass, p_key jsonb, p_when timestamptz) RETURNS integer
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp SET row_security = on SET quote_all_identifiers = off AS $_version_at$
DECLARE
  v_since    timestamptz := (SELECT r.tracked_since FROM pgtrack.relation r WHERE r.relid = p_table);
  v_shape    pgtrack.relation_shape := pgtrack._shape(p_table);
  v_version  integer;
  v_first    text;
BEGIN
  IF p_when IS NULL THEN
    RAISE EXCEPTION 'the point in time must not be null' USING ERRCODE = 'null_value_not_allowed';
  END IF;
  -- A transaction happened when it made its last change: one with changes on both sides of the moment is after it.
  SELECT coalesce(min(v.ver) FILTER (WHERE s.last_at > p_when) - 1, max(v.ver)), min(v.operation::text) FILTER (WHERE v.ver = 1)
  INTO v_version, v_first
  FROM pgtrack._versions(p_table, v_shape, p_key) v
  CROSS JOIN LATERAL (
    SELECT max(o.at) AS last_at FROM pgtrack.statement o
    WHERE o.xid = (SELECT x.xid FROM pgtrack.statement x WHERE x.relation_id = v_shape.relation_id AND x.statement_id = v.statement_id)) s;
  IF p_when < (SELECT r.purged_until FROM pgtrack.relation r WHERE r.relid = p_table) THEN
    PERFORM pgtrack._refuse_purged(p_table, p_when::text);
  END IF;
  IF v_version = 0 AND (v_first = 'I' OR p_when < v_since) THEN
    RAISE EXCEPTION '% (%) has no recorded state at %', pgtrack._name(p_table), pgtrack._key_text(p_key), p_when USING
      ERRCODE = 'invalid_parameter_value',
      DETAIL = CASE v_first WHEN 'I' THEN 'The row did not exist then.' ELSE format('Tracking began at %s.', v_since) END,
      HINT = CASE v_first WHEN 'I' THEN 'To remove it, undo its INSERT.' ELSE 'Version 0 is the row before its first recorded change.' END;
  END IF;
  RETURN v_version;
END
$_version_at$;
COMMENT ON FUNCTION pgtrack._version_at(regclass, jsonb, timestamptz) IS 'The version a row had at a moment.';

-- Whoever restores an order wants its items back, too.
CREATE OR REPLACE FUNCTION pgtrack._tell_company(p_relation integer, p_statement bigint) RETURNS void
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $_tell_company$
DECLARE
  v_xid      bigint;
  v_company  text;
BEGIN
  SELECT s.xid::text::bigint INTO v_xid FROM pgtrack.statement s WHERE s.relation_id = p_relation AND s.statement_id = p_statement;
  SELECT string_agg(format('%s %s, %s', c.operation, c.table_name, CASE c.row_count WHEN 1 THEN '1 row' ELSE c.row_count || ' rows' END), '; '
                    ORDER BY c.first)
  INTO v_company
  FROM (SELECT pgtrack._operation(s.operation) AS operation, format('%I.%I', r.schema_name, r.table_name) AS table_name,
               sum(s.row_count) - CASE WHEN bool_or(s.relation_id = p_relation AND s.statement_id = p_statement) THEN 1 ELSE 0 END AS row_count,
               min(s.statement_id) AS first
        FROM pgtrack.statement s JOIN pgtrack.relation r USING (relation_id)
        WHERE s.xid = v_xid::text::xid8 GROUP BY 1, 2) c
  WHERE c.row_count > 0;
  IF v_company IS NOT NULL THEN
    RAISE NOTICE 'more went in the same transaction, %: %', v_xid, v_company USING
      HINT = format('SELECT * FROM pgtrack.undo_transaction(%s) brings all of it back.', v_xid);
  END IF;
END
$_tell_company$;
COMMENT ON FUNCTION pgtrack._tell_company(integer, bigint) IS 'Tells, in a notice, what else was done by the transaction that deleted a row.';

CREATE OR REPLACE FUNCTION pgtrack._refuse_existing(p_shape pgtrack.relation_shape, p_key jsonb) RETURNS void
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $_refuse_existing$
BEGIN
  IF pgtrack._is_taken(p_shape, p_key, NULL) THEN
    RAISE EXCEPTION '% (%) exists', p_shape.name, pgtrack._key_text(p_key) USING
      ERRCODE = 'unique_violation',
      DETAIL = 'Only a row that was deleted can be restored.',
      HINT = 'To bring back older values of an existing row, use pgtrack.revert().';
  END IF;
END
$_refuse_existing$;
COMMENT ON FUNCTION pgtrack._refuse_existing(pgtrack.relation_shape, jsonb) IS 'Refuses to restore a row whose key a row has.';

-- What pgtrack.deleted() lists under the key. Others may have had the key since, whose versions then are those that count.
-- Where nothing was deleted under it, the row that it names may have been deleted under another.
CREATE OR REPLACE FUNCTION pgtrack._target_to_restore(p_table regclass, p_shape pgtrack.relation_shape, p_key jsonb) RETURNS pgtrack._target
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $_target_to_restore$
DECLARE
  v_target   pgtrack._target;
  v_version  integer;
BEGIN
  PERFORM pgtrack._refuse_existing(p_shape, p_key);
  EXECUTE format('SELECT h.pgtrack_statement_id, h.ctid FROM jsonb_to_record($1) AS k(%s) JOIN %s h ON %s'
                 ' JOIN pgtrack.statement s ON s.relation_id = %s AND s.statement_id = h.pgtrack_statement_id'
                 ' WHERE s.operation IN (''D'', ''T'')'
                 ' AND s.statement_id >= (SELECT r.key_since FROM pgtrack.relation r WHERE r.relation_id = %4$s)'
                 ' ORDER BY h.pgtrack_statement_id DESC, h.ctid DESC LIMIT 1',
                 p_shape.key_record, p_shape.history, p_shape.history_is_key, p_shape.relation_id)
  INTO v_target.statement_id, v_target.handle USING p_key;
  SELECT max(v.ver) - 1 INTO v_version FROM pgtrack._versions(p_table, p_shape, p_key) v
  WHERE v.operation IN ('D', 'T') AND (v_target.handle IS NULL OR v.statement_id = v_target.statement_id AND v.handle = v_target.handle);
  IF v_version IS NOT NULL THEN
    v_target := pgtrack._target_version(p_table, p_shape, p_key, v_version, false);
    PERFORM pgtrack._refuse_existing(p_shape, v_target.row_key);
  ELSIF v_target.handle IS NULL THEN
    RAISE EXCEPTION 'no deletion of % (%) is recorded', p_shape.name, pgtrack._key_text(p_key) USING
      ERRCODE = 'no_data_found',
      HINT = format('SELECT * FROM pgtrack.deleted(%L) shows the rows that can be restored.', p_shape.name);
  ELSE
    v_target.row_key := p_key;
    v_target.is_unborn := false;
    IF pgtrack._is_erased(p_shape.relation_id, p_key, v_target.statement_id) THEN
      RAISE EXCEPTION 'what % (%) was is no longer known', p_shape.name, pgtrack._key_text(p_key) USING
        ERRCODE = 'TK002',
        DETAIL = 'Its recorded values have been erased.';
    END IF;
  END IF;
  PERFORM pgtrack._tell_company(p_shape.relation_id, v_target.statement_id);
  RETURN v_target;
END
$_target_to_restore$;
COMMENT ON FUNCTION pgtrack._target_to_restore(regclass, pgtrack.relation_shape, jsonb) IS
  'A deleted row right before its deletion; its version is null where the key has been another row''s since.';
