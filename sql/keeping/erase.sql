-- The proxy records a message as an argument, by name or position.
CREATE OR REPLACE FUNCTION pgtrack._without_message(p_verb text, p_arguments jsonb) RETURNS jsonb
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
  SELECT p_arguments - array_append(ARRAY(
    SELECT array_position(p.proargnames, 'message')::text FROM pg_proc p
    WHERE p.pronamespace = 'pgtrack'::regnamespace AND p.proname = p_verb), 'message');
END;
COMMENT ON FUNCTION pgtrack._without_message(text, jsonb) IS 'The recorded arguments of a call, but for its message.';

-- What is erased with a row's images: what quotes its values elsewhere. Of each transaction that changed the row go the
-- texts of the query that did it and the reasons given; of calls on the row the statement, the reason and the key. Calls
-- with parameters have one text, whatever they are about: of those elsewhere only the text goes.
CREATE OR REPLACE FUNCTION pgtrack._erase_texts(p_shape pgtrack.relation_shape, p_key jsonb, p_after bigint, p_until bigint) RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $_erase_texts$
DECLARE
  v_change  record;
BEGIN
  FOR v_change IN EXECUTE format(
    'SELECT s.xid, bool_or(s.query IS NULL) AS is_any, array_agg(DISTINCT s.query) AS queries'
    ' FROM jsonb_to_record($1) AS k(%s) JOIN %s h ON %s'
    ' JOIN pgtrack.statement s ON s.relation_id = %s AND s.statement_id = h.pgtrack_statement_id'
    ' WHERE h.pgtrack_statement_id > $2 AND h.pgtrack_statement_id <= $3 GROUP BY s.xid',
    p_shape.key_record, p_shape.history, p_shape.history_is_key, p_shape.relation_id)
  USING p_key, p_after, p_until
  LOOP
    -- Where this table's record has no text, another table's may.
    UPDATE pgtrack.statement s
    SET message = NULL, query = CASE WHEN v_change.is_any OR s.query = ANY (v_change.queries) THEN NULL ELSE s.query END
    WHERE s.xid = v_change.xid;
    UPDATE pgtrack.audit_entry e SET statement = NULL, message = NULL, arguments = pgtrack._without_message(e.verb, e.arguments)
    WHERE e.xid = v_change.xid OR e.entry_id IN (
      SELECT pgtrack._proxy_record(d.entry_id, d.session, d.verb, d.at) FROM pgtrack.audit_entry d
      WHERE d.xid = v_change.xid AND d.session IS NOT NULL);
    UPDATE pgtrack.audit_entry e SET statement = NULL WHERE e.statement = ANY (v_change.queries);
  END LOOP;
END
$_erase_texts$;
COMMENT ON FUNCTION pgtrack._erase_texts(pgtrack.relation_shape, jsonb, bigint, bigint) IS
  'Erases the texts and messages that went with the changes of a row under one of its keys.';

-- The functions record arguments by name; the proxy by name or position, as they were written.
CREATE OR REPLACE FUNCTION pgtrack._is_call_on(p_arguments jsonb, p_shape pgtrack.relation_shape, p_key jsonb) RETURNS boolean
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $_is_call_on$
DECLARE
  v_name  text[];
  v_key   jsonb := coalesce(p_arguments -> 'key', p_arguments -> '2');
BEGIN
  v_name := parse_ident(coalesce(p_arguments ->> 'table', p_arguments ->> '1'));
  IF v_key IS NULL OR NOT EXISTS (
       SELECT FROM pgtrack.relation r
       WHERE r.relation_id = p_shape.relation_id AND r.table_name = v_name[cardinality(v_name)]
         AND (cardinality(v_name) = 1 OR r.schema_name = v_name[1])) THEN
    RETURN false;
  ELSIF v_key = p_key OR cardinality(p_shape.keys) = 1 AND v_key #>> '{}' = p_key ->> p_shape.keys[1]::text THEN
    RETURN true;
  END IF;
  BEGIN
    IF pgtrack._is_same_key(p_shape.relation_id, pgtrack._key(p_shape, v_key), p_key) THEN
      RETURN true;
    END IF;
  -- It named no row.
  EXCEPTION WHEN invalid_parameter_value THEN
    NULL;
  END;
  RETURN pgtrack._same_key((v_key #>> '{}')::jsonb, p_key);
-- Anybody may have called with anything.
EXCEPTION WHEN data_exception OR program_limit_exceeded THEN
  RETURN false;
END
$_is_call_on$;
COMMENT ON FUNCTION pgtrack._is_call_on(jsonb, pgtrack.relation_shape, jsonb) IS 'Whether a recorded call of a verb named this row.';

CREATE OR REPLACE FUNCTION pgtrack._erase_calls(p_shape pgtrack.relation_shape, p_key jsonb) RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $_erase_calls$
BEGIN
  UPDATE pgtrack.audit_entry e
  SET statement = NULL, message = NULL,
      arguments = pgtrack._without_message(e.verb, e.arguments)
                  || jsonb_build_object(CASE WHEN e.arguments ? 'key' THEN 'key' ELSE '2' END, '[erased]')
  WHERE e.verb ~ '^(plan_)?(undo|revert|rollback_to|restore|erase)(_pk)?$'
    AND pgtrack._is_call_on(e.arguments, p_shape, p_key);
END
$_erase_calls$;
COMMENT ON FUNCTION pgtrack._erase_calls(pgtrack.relation_shape, jsonb) IS 'Erases what the records of calls on a row say of it.';

-- An empty row would come back as one, with nulls where the table has none, so the row is removed. In a copy from when
-- another row may have had the key, or was told by another primary key, it cannot be told.
CREATE OR REPLACE FUNCTION pgtrack._erase_copies(p_shape pgtrack.relation_shape, p_key jsonb, p_after bigint, p_until bigint) RETURNS text[]
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $_erase_copies$
DECLARE
  v_copy  record;
  v_rows  bigint;
  v_left  text[] := '{}';
BEGIN
  FOR v_copy IN
    SELECT k.kept_id, h.oid::regclass AS name, k.statement_id > p_after AND k.statement_id <= p_until OR k.statement_id = 0 AS is_of_row,
           CASE WHEN k.statement_id >= r.key_since AND c.count = cardinality(p_shape.keys) THEN c.is_key END AS is_key
    FROM pgtrack.kept k
    JOIN pgtrack.relation r USING (relation_id)
    JOIN pg_class h ON h.relname = k.kept_table AND h.relnamespace = 'pgtrack_history'::regnamespace
    CROSS JOIN LATERAL (
      -- Values of foreign types are text in a copy, but for one from before they were. And a key may have got another type.
      SELECT count(*), string_agg(
        CASE WHEN e.atttypid = p.type THEN pgtrack._live_is_sql(x.t, p.type, x.k, p.operator, p.equality)
             ELSE pgtrack._stored_is_sql(p.kind, p.operator, p.equality,
                    CASE WHEN e.atttypid = p.stored THEN x.t ELSE pgtrack._converted_sql(x.t, e.atttypid, p.stored_type) END, x.k) END, ' AND ') AS is_key
      FROM pgtrack._key_parts(r.relation_id) p
      JOIN pg_attribute e ON e.attrelid = h.oid AND e.attname = p.column_name
      CROSS JOIN LATERAL (SELECT format('t.%I', p.column_name) AS t, format('k.%I', p.column_name) AS k) x) c
    WHERE k.relation_id = p_shape.relation_id
    ORDER BY k.kept_id
  LOOP
    BEGIN
      EXECUTE format(CASE WHEN v_copy.is_of_row THEN 'DELETE FROM %s t USING' ELSE 'SELECT FROM %s t CROSS JOIN' END
                     || ' jsonb_to_record($1) AS k(%s) WHERE %s', v_copy.name, p_shape.key_record, coalesce(v_copy.is_key, 'false')) USING p_key;
      GET DIAGNOSTICS v_rows = ROW_COUNT;
    EXCEPTION WHEN data_exception THEN
      v_copy.is_key := NULL;
    END;
    IF v_copy.is_key IS NULL OR v_rows > 0 AND NOT v_copy.is_of_row THEN
      v_left := v_left || v_copy.name::text;
    ELSIF v_rows > 0 THEN
      UPDATE pgtrack.kept SET row_count = row_count - v_rows WHERE kept_id = v_copy.kept_id;
    END IF;
  END LOOP;
  RETURN v_left;
END
$_erase_copies$;
COMMENT ON FUNCTION pgtrack._erase_copies(pgtrack.relation_shape, jsonb, bigint, bigint) IS
  'Removes a row, under one of its keys, from the copies of its table that pgtrack.keep() made; returns those in which it cannot be told.';

-- What is recorded already, but not committed, is to be seen first, and nothing is recorded meanwhile. A statement changes
-- rows before it records them; but whoever erases may have no right to lock the table, and all may lock its history. New
-- writers wait behind the attempt, so it gives way and tries again, unless the caller has said how long it may wait.
CREATE OR REPLACE FUNCTION pgtrack._wait_for_writers(p_shape pgtrack.relation_shape) RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $_wait_for_writers$
DECLARE
  v_is_unlimited CONSTANT  boolean := current_setting('lock_timeout') = '0';
BEGIN
  FOR attempt IN 1 .. 5 LOOP
    BEGIN
      PERFORM set_config('lock_timeout', '1s', true) WHERE v_is_unlimited;
      IF has_table_privilege(p_shape.name::regclass, 'UPDATE, DELETE, TRUNCATE') THEN
        EXECUTE format('LOCK TABLE %s IN SHARE ROW EXCLUSIVE MODE', p_shape.live_table);
      END IF;
      EXECUTE format('LOCK TABLE %s IN SHARE ROW EXCLUSIVE MODE', p_shape.history);
      PERFORM set_config('lock_timeout', '0', true) WHERE v_is_unlimited;
      EXIT;
    EXCEPTION WHEN lock_not_available OR deadlock_detected THEN
      IF attempt = 5 OR NOT v_is_unlimited THEN
        RAISE EXCEPTION 'could not lock % to erase what is recorded of it', p_shape.name USING
          ERRCODE = 'lock_not_available',
          DETAIL = 'Transactions that have changed it did not end in time; what they record would not be erased.',
          HINT = 'Try again when they have ended; pg_stat_activity shows them. With a lock_timeout it waits as long as that says, and whoever changes the table waits, too.';
      END IF;
      PERFORM pg_sleep(0.2 * attempt);
    END;
  END LOOP;
  IF pgtrack._snapshot_lasts() THEN
    PERFORM pgtrack._require_present_snapshot(p_shape.name::regclass);
  END IF;
END
$_wait_for_writers$;
COMMENT ON FUNCTION pgtrack._wait_for_writers(pgtrack.relation_shape) IS
  'Waits for the transactions that have changed a table, and keeps others from it; refuses where they would not be seen.';

CREATE OR REPLACE FUNCTION pgtrack._not_erased(p_shape pgtrack.relation_shape, p_keys jsonb[], p_erased bigint, p_copies text[]) RETURNS text
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $_not_erased$
DECLARE
  v_since   bigint := (SELECT r.key_since FROM pgtrack.relation r WHERE r.relation_id = p_shape.relation_id);
  v_under   bigint;
  v_former  bigint;
BEGIN
  EXECUTE format('SELECT count(*) FROM (SELECT DISTINCT u.key FROM unnest($1) u (key)) d CROSS JOIN LATERAL jsonb_to_record(d.key) AS k(%s)'
                 ' JOIN %s h ON %s WHERE h.pgtrack_statement_id >= %s', p_shape.key_record, p_shape.history, p_shape.history_is_key, v_since)
  INTO v_under USING p_keys;
  EXECUTE format('SELECT count(*) FROM %s h WHERE h.pgtrack_statement_id < %s', p_shape.history, v_since) INTO v_former;
  RETURN concat_ws('; ',
    CASE WHEN v_under > p_erased THEN format('%s changes of other rows under the same key', v_under - p_erased) END,
    CASE WHEN v_former > 0 THEN format('%s changes of rows that were told by another primary key', v_former) END,
    'copies of such rows in ' || (SELECT string_agg(DISTINCT c, ', ') FROM unnest(p_copies) c));
END
$_not_erased$;
COMMENT ON FUNCTION pgtrack._not_erased(pgtrack.relation_shape, jsonb[], bigint, text[]) IS
  'What may be of the same person, but is not of the row that was erased, as far as it can be told; empty for nothing.';

CREATE OR REPLACE FUNCTION pgtrack._erase(p_table regclass, p_key jsonb, p_reason text) RETURNS text
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp SET row_security = on SET quote_all_identifiers = off AS $_erase$
DECLARE
  v_shape   pgtrack.relation_shape;
  v_values  text;
  v_part    record;
  v_rows    bigint;
  v_erased  bigint := 0;
  v_keys    jsonb[] := '{}';
  v_copies  text[] := '{}';
  v_call    text;
BEGIN
  PERFORM pgtrack._require_owner('erase the past of rows of');
  -- The texts of other tables' statements are erased, too, in whatever order: so nobody else purges or erases meanwhile.
  PERFORM pgtrack._lock_installation();
  v_shape := pgtrack._shape(p_table);
  IF coalesce(p_reason, '') = '' THEN
    RAISE EXCEPTION 'say why the past of % (%) is to be erased', v_shape.name, pgtrack._key_text(p_key) USING
      ERRCODE = 'invalid_parameter_value', DETAIL = 'The reason is kept, with who did it and when.';
  END IF;
  PERFORM pgtrack._wait_for_writers(v_shape);
  SELECT string_agg(format('%I = NULL', c.history_column), ', ') INTO v_values
  FROM pgtrack.relation_column c
  WHERE c.relation_id = v_shape.relation_id AND NOT (c.attnum IS NOT NULL AND c.column_name = ANY (v_shape.keys));
  FOR v_part IN SELECT l.* FROM pgtrack._lineage(p_table, p_key) l LOOP
    v_keys := v_keys || v_part.row_key;
    PERFORM pgtrack._erase_texts(v_shape, v_part.row_key, v_part.after_id, v_part.until_id);
    PERFORM pgtrack._erase_calls(v_shape, v_part.row_key);
    v_copies := v_copies || pgtrack._erase_copies(v_shape, v_part.row_key, v_part.after_id, v_part.until_id);
    EXECUTE format('UPDATE %s h SET %s FROM jsonb_to_record($1) AS k(%s)'
                   ' WHERE %s AND h.pgtrack_statement_id > $2 AND h.pgtrack_statement_id <= $3',
                   v_shape.history, coalesce(v_values, 'pgtrack_statement_id = h.pgtrack_statement_id'),
                   v_shape.key_record, v_shape.history_is_key)
    USING v_part.row_key, v_part.after_id, v_part.until_id;
    GET DIAGNOSTICS v_rows = ROW_COUNT;
    v_erased := v_erased + v_rows;
    INSERT INTO pgtrack.erasure (relation_id, row_key, until_id, at, who, reason)
    VALUES (v_shape.relation_id, v_part.row_key, nextval('pgtrack.statement_id_seq'), clock_timestamp(), session_user, p_reason);
  END LOOP;
  -- This call's own record says which row it was, as pgtrack.erasure does.
  v_call := pgtrack._begin_call(jsonb_build_object('table', v_shape.name, 'key', p_key), p_reason);
  RETURN concat_ws('; not reached: ',
    format('%s (%s): the values of %s recorded changes erased', v_shape.name, pgtrack._key_text(p_key), v_erased),
    nullif(pgtrack._not_erased(v_shape, v_keys, v_erased, v_copies), ''));
END
$_erase$;
COMMENT ON FUNCTION pgtrack._erase(regclass, jsonb, text) IS 'Does the work of pgtrack.erase().';
