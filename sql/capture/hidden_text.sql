-- A query text may quote values of redacted columns, and it is recorded with each table that the query changes. So the
-- recorder of a table with redacted columns takes it away from those before it, and leaves word for those after it:
-- the time at which the client sent the query, which is the same for all of it. A setting of the session, as a query
-- may hold several transactions.

-- A schema's option counts although none of its tables has such a column yet: whoever makes the first is not to write the
-- functions of other owners' tables anew.
CREATE OR REPLACE FUNCTION pgtrack._some_text_is_hidden() RETURNS boolean
LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $_some_text_is_hidden$
BEGIN
  RETURN (
  SELECT EXISTS (SELECT FROM pgtrack.relation r WHERE r.options -> 'redact' <> '[]')
      OR EXISTS (SELECT FROM pgtrack.tracked_schema s WHERE s.options -> 'redact' <> '[]'));
END
$_some_text_is_hidden$;
COMMENT ON FUNCTION pgtrack._some_text_is_hidden() IS
  'Whether a table here has redacted columns, or may get some, which hide the texts of queries.';

CREATE OR REPLACE FUNCTION pgtrack._hide_text(p_sent text) RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $_hide_text$
BEGIN
  PERFORM set_config('pgtrack.hidden_text', p_sent, false);
  IF current_setting('pgtrack.shown_text', true) = p_sent THEN
    UPDATE pgtrack.statement s SET query = NULL
    WHERE s.xid = pg_current_xact_id() AND s.query = current_query()::varchar(4000);
  END IF;
  -- Calls of ours in the same query. Whoever writes the setting by hand reaches none but their own.
  IF starts_with(current_setting('pgtrack.shown_calls', true), p_sent || ' ') THEN
    UPDATE pgtrack.audit_entry e SET statement = NULL
    WHERE e.entry_id = ANY ((string_to_array(current_setting('pgtrack.shown_calls', true), ' '))[2:]::bigint[]) AND e.xid = pg_current_xact_id();
  END IF;
END
$_hide_text$;
COMMENT ON FUNCTION pgtrack._hide_text(text) IS 'Keeps the text of this query from being recorded; p_sent is when it was sent.';

CREATE OR REPLACE FUNCTION pgtrack._hiding_sql(p_relation integer) RETURNS text
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $_hiding_sql$
BEGIN
  RETURN (
  SELECT $$
          IF coalesce(pg_catalog.current_setting('pgtrack.hidden_text', true), '') OPERATOR(pg_catalog.<>)
             pg_catalog.extract('epoch', pg_catalog.statement_timestamp())::pg_catalog.text THEN
            PERFORM pgtrack._hide_text(pg_catalog.extract('epoch', pg_catalog.statement_timestamp())::pg_catalog.text);
          END IF;$$
  FROM pgtrack.relation r WHERE r.relation_id = p_relation AND r.options -> 'redact' <> '[]');
END
$_hiding_sql$;
COMMENT ON FUNCTION pgtrack._hiding_sql(integer) IS
  'The part of a recorder that hides the text of the query; null for tables that hide none.';

CREATE OR REPLACE FUNCTION pgtrack._text_sql(p_relation integer) RETURNS text
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $_text_sql$
BEGIN
  RETURN (
  -- The cast cuts as left() does, but does not count the characters of a text that is short enough in bytes.
  SELECT CASE
    WHEN NOT (r.options ->> 'query')::boolean OR r.options -> 'redact' <> '[]' THEN 'NULL'
    WHEN NOT pgtrack._some_text_is_hidden() THEN 'pg_catalog.current_query()::pg_catalog.varchar(4000)'
    ELSE $$CASE
              WHEN pg_catalog.current_setting('pgtrack.hidden_text', true) OPERATOR(pg_catalog.=)
                   pg_catalog.extract('epoch', pg_catalog.statement_timestamp())::pg_catalog.text THEN NULL
              WHEN pg_catalog.set_config('pgtrack.shown_text',
                     pg_catalog.extract('epoch', pg_catalog.statement_timestamp())::pg_catalog.text, true) IS NOT NULL
              THEN pg_catalog.current_query()::pg_catalog.varchar(4000) END$$ END
  FROM pgtrack.relation r WHERE r.relation_id = p_relation);
END
$_text_sql$;
COMMENT ON FUNCTION pgtrack._text_sql(integer) IS 'The query text as the recorder of a table writes it.';

-- For track() alone: it writes functions of all owners' tables. Whoever alters one of these meanwhile waits, and does not fail;
-- where they do not end, it gives way.
CREATE OR REPLACE FUNCTION pgtrack._regenerate_all() RETURNS void
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET client_min_messages = warning SET lock_timeout = '1s' AS $_regenerate_all$
DECLARE
  v_events    text := pgtrack._silence_event_triggers();
  v_relation  integer;
BEGIN
  FOR attempt IN 1 .. 5 LOOP
    BEGIN
      FOR v_relation IN SELECT r.relation_id FROM pgtrack.relation r JOIN pg_class c ON c.oid = r.relid
                        WHERE r.tracked_until IS NULL ORDER BY r.relation_id LOOP
        PERFORM pgtrack._lock_relation(v_relation), pgtrack._generate_functions(v_relation);
      END LOOP;
      EXIT;
    -- "tuple concurrently updated" is an internal error.
    EXCEPTION WHEN lock_not_available OR deadlock_detected OR internal_error THEN
      IF attempt = 5 THEN
        RAISE EXCEPTION 'could not write the trigger functions of all tables again' USING
          ERRCODE = 'lock_not_available',
          DETAIL = format('Redacted columns hide the texts of queries that change other tables, too. One of these is just altered: %s.', SQLERRM),
          HINT = 'Try again when that transaction has ended; pg_stat_activity shows it.';
      END IF;
      PERFORM pg_sleep(0.2 * attempt);
    END;
  END LOOP;
  PERFORM pgtrack._let_event_triggers_fire(v_events);
END
$_regenerate_all$;
COMMENT ON FUNCTION pgtrack._regenerate_all() IS
  'Writes the trigger functions of all tables again: for when the first table gets redacted columns, or the last has none any more. '
  'SECURITY DEFINER: they belong to the owner of pg_track.';

CREATE OR REPLACE FUNCTION pgtrack._concerns_hidden(p_xid xid8) RETURNS boolean
LANGUAGE plpgsql STABLE PARALLEL SAFE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $_concerns_hidden$
BEGIN
  -- The recorders hide a text that is another table's, too. This is for what an earlier version recorded, and for the
  -- other texts of the transaction; of a very long one it looks at the first.
  RETURN EXISTS (SELECT FROM (SELECT s.relation_id FROM pgtrack.statement s WHERE s.xid = p_xid LIMIT 1000) s
                 JOIN pgtrack.relation r USING (relation_id) WHERE r.options -> 'redact' <> '[]');
END
$_concerns_hidden$;
COMMENT ON FUNCTION pgtrack._concerns_hidden(xid8) IS
  'Whether a transaction changed a table with redacted columns. SECURITY DEFINER: the caller may not be able to read that table.';
