-- A point is a set of committed transactions. What happened after it is chosen by a condition on pgtrack.statement s;
-- the state at the point is what is left when that is undone, on paper or in fact.

CREATE OR REPLACE FUNCTION pgtrack._after_snapshot(p_snapshot pg_snapshot) RETURNS text
LANGUAGE sql IMMUTABLE
BEGIN ATOMIC
  -- Those that had not begun, and those that were running: in this form an index finds them.
  SELECT format('(s.xid >= %L::xid8 OR s.xid = ANY (%L::xid8[]))', pg_snapshot_xmax(p_snapshot), ARRAY(SELECT pg_snapshot_xip(p_snapshot)));
END;
COMMENT ON FUNCTION pgtrack._after_snapshot(pg_snapshot) IS 'The condition for statements of transactions that a snapshot does not see.';

CREATE OR REPLACE FUNCTION pgtrack._after_in_epoch(p_condition text, p_statement bigint) RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
  SELECT CASE WHEN e.first_id = 0 AND e.last_id = 9223372036854775807 THEN p_condition
              ELSE format('(s.statement_id > %s OR s.statement_id >= %s AND (%s))', e.last_id, e.first_id, p_condition) END
  FROM pgtrack._in_epoch(p_statement) e;
END;
COMMENT ON FUNCTION pgtrack._after_in_epoch(text, bigint) IS
  'The condition for statements after a point of an epoch: of that epoch those that meet a condition, and all of later epochs.';

-- In ISO style, as in others a zone's name may mean another zone when it is read.
CREATE OR REPLACE FUNCTION pgtrack._after_time(p_when timestamptz) RETURNS text
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp SET DateStyle = 'ISO' AS $_after_time$
DECLARE
  v_epoch  record;
BEGIN
  IF NOT isfinite(p_when) THEN
    RAISE EXCEPTION 'the point in time must be finite' USING ERRCODE = 'invalid_parameter_value';
  ELSIF p_when > clock_timestamp() THEN
    RAISE EXCEPTION '% is in the future', p_when USING ERRCODE = 'invalid_parameter_value';
  END IF;
  SELECT i.* INTO v_epoch
  FROM pgtrack._in_epoch(coalesce((SELECT max(e.first_statement_id) FROM pgtrack.epoch e WHERE e.began_at <= p_when), 0)) i;
  IF v_epoch.is_here AND current_setting('track_commit_timestamp')::boolean THEN
    -- Of the transactions with changes up to then, those still running had not ended when the last of these looked.
    RETURN pgtrack._after_in_epoch(format($$(s.at > %1$L OR s.xid >= (SELECT pg_snapshot_xmin(n.snapshot) FROM pgtrack.statement n
      WHERE n.relation_id = s.relation_id AND n.at <= %1$L ORDER BY n.statement_id DESC LIMIT 1)
      AND coalesce(pg_xact_commit_timestamp(s.xid::xid), s.at) > %1$L)$$, p_when), v_epoch.first_id);
  END IF;
  -- A transaction happened when it made its last change. As a later writer of a row waits for the end of the earlier
  -- one, no transaction is before the point without those that it builds upon.
  RETURN pgtrack._after_in_epoch(
    format('s.xid IN (SELECT n.xid FROM pgtrack.statement n WHERE n.at > %L AND n.statement_id <= %s)', p_when, v_epoch.last_id), v_epoch.first_id);
END
$_after_time$;
COMMENT ON FUNCTION pgtrack._after_time(timestamptz) IS 'The condition for statements of transactions that happened after a moment.';

CREATE OR REPLACE FUNCTION pgtrack._after(p_point text, OUT which text, OUT at timestamptz)
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $_after$
DECLARE
  v_snapshot  pg_snapshot;
  v_xid       xid8;
  v_id        bigint;
BEGIN
  IF p_point IS NULL THEN
    RAISE EXCEPTION 'the point in time must not be null' USING ERRCODE = 'null_value_not_allowed';
  END IF;
  SELECT t.snapshot, t.at, t.statement_id INTO v_snapshot, at, v_id FROM pgtrack.tag t WHERE t.name = p_point;
  IF FOUND THEN
    which := pgtrack._after_in_epoch(pgtrack._after_snapshot(v_snapshot), v_id);
  ELSIF p_point = 'now' THEN
    which := 'false';
    at := clock_timestamp();
  ELSIF p_point ~ '^xid:[0-9]{1,19}$' THEN
    v_xid := substr(p_point, 5)::xid8;
    SELECT s.snapshot, s.at, s.statement_id INTO v_snapshot, at, v_id
    FROM pgtrack.statement s WHERE s.xid = v_xid ORDER BY s.statement_id DESC LIMIT 1;
    IF NOT FOUND THEN
      RAISE EXCEPTION 'no change of transaction % is recorded', v_xid USING
        ERRCODE = 'no_data_found', HINT = 'SELECT * FROM pgtrack.log() shows the latest transactions.';
    END IF;
    -- What the transaction saw, and what it left.
    which := pgtrack._after_in_epoch(format('s.xid <> %L::xid8 AND %s', v_xid, pgtrack._after_snapshot(v_snapshot)), v_id);
  ELSE
    BEGIN
      at := p_point::timestamptz;
    EXCEPTION WHEN invalid_datetime_format OR datetime_field_overflow OR invalid_parameter_value THEN
      RAISE EXCEPTION 'there is no point "%"', p_point USING
        ERRCODE = 'undefined_object',
        DETAIL = 'It is neither a tag nor xid:N nor a timestamp.',
        HINT = 'SELECT * FROM pgtrack.tags() shows the tags, pgtrack.log() the transactions.';
    END;
    which := pgtrack._after_time(at);
  END IF;
END
$_after$;
COMMENT ON FUNCTION pgtrack._after(text) IS 'The condition for statements after a point (a tag, a timestamp, xid:N, or now), and the point''s time.';

CREATE OR REPLACE FUNCTION pgtrack._after_in(p_table regclass, p_point text) RETURNS text
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $_after_in$
DECLARE
  v_point  record;
  v_since  timestamptz := (SELECT r.tracked_since FROM pgtrack.relation r WHERE r.relid = p_table);
BEGIN
  PERFORM pgtrack._require_select(p_table);
  PERFORM pgtrack._require_key(p_table);
  SELECT * INTO v_point FROM pgtrack._after(p_point);
  IF v_point.at < (SELECT r.purged_until FROM pgtrack.relation r WHERE r.relid = p_table) THEN
    PERFORM pgtrack._refuse_purged(p_table, p_point);
  ELSIF v_point.at < v_since THEN
    RAISE EXCEPTION 'the state of % at % is not known', pgtrack._name(p_table), p_point USING
      ERRCODE = 'TK002', DETAIL = format('Tracking began at %s.', v_since);
  END IF;
  PERFORM pgtrack._refuse_former_key(p_table, v_point.which);
  RETURN v_point.which;
END
$_after_in$;
COMMENT ON FUNCTION pgtrack._after_in(regclass, text) IS 'The condition for statements after a point that the history of a table reaches back to.';
