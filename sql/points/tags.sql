CREATE OR REPLACE FUNCTION pgtrack._committed() RETURNS pg_snapshot
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $_committed$
DECLARE
  v_snapshot  pg_snapshot := pg_current_snapshot();
  v_own       xid8 := pg_current_xact_id_if_assigned();
BEGIN
  -- A snapshot does not list its own transaction among those in progress.
  IF v_own IS NULL OR v_own >= pg_snapshot_xmax(v_snapshot) THEN
    RETURN v_snapshot;
  END IF;
  RETURN format('%s:%s:%s', least(v_own::text::bigint, pg_snapshot_xmin(v_snapshot)::text::bigint), pg_snapshot_xmax(v_snapshot),
                (SELECT string_agg(x::text, ',' ORDER BY x) FROM (SELECT pg_snapshot_xip(v_snapshot) UNION SELECT v_own) AS p (x)));
END
$_committed$;
COMMENT ON FUNCTION pgtrack._committed() IS 'A snapshot of what is committed, so without the present transaction.';

-- SECURITY DEFINER: nobody may write pgtrack.tag by hand, so that a tag is what its time and author say. Executable by
-- those to whom the owner grants it.
CREATE OR REPLACE FUNCTION pgtrack.tag(name text, message text DEFAULT NULL) RETURNS void
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $tag$
DECLARE
  v_call  text;
BEGIN
  IF coalesce(name, '') = '' OR name = 'now' OR name LIKE 'xid:%' THEN
    RAISE EXCEPTION 'a tag cannot be named %', coalesce(quote_literal(name), 'null') USING
      ERRCODE = 'invalid_parameter_value', DETAIL = 'now and xid:N are points themselves.';
  END IF;
  PERFORM pgtrack._begin_epoch();
  v_call := pgtrack._begin_call(jsonb_build_object('name', name), message);
  INSERT INTO pgtrack.tag (name, snapshot, at, who, message, statement_id)
  VALUES (tag.name, pgtrack._committed(), clock_timestamp(), session_user, tag.message, nextval('pgtrack.statement_id_seq'));
EXCEPTION WHEN unique_violation THEN
  RAISE EXCEPTION 'there is a tag "%" already', name USING
    ERRCODE = 'duplicate_object', HINT = format('SELECT pgtrack.untag(%L) removes it.', name);
END
$tag$;
COMMENT ON FUNCTION pgtrack.tag(text, text) IS
  'Names this moment: the state that all transactions committed by now have left. Waits for nobody, and cuts no transaction in half.';

CREATE OR REPLACE FUNCTION pgtrack.untag(name text) RETURNS void
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $untag$
DECLARE
  v_call  text;
BEGIN
  v_call := pgtrack._begin_call(jsonb_build_object('name', name));
  DELETE FROM pgtrack.tag t WHERE t.name = untag.name;
  IF NOT FOUND THEN
    RAISE EXCEPTION 'there is no tag "%"', name USING
      ERRCODE = 'undefined_object', HINT = 'SELECT * FROM pgtrack.tags() shows the tags.';
  END IF;
END
$untag$;
COMMENT ON FUNCTION pgtrack.untag(text) IS 'Removes a tag.';

CREATE OR REPLACE FUNCTION pgtrack.tags() RETURNS TABLE (name text, at timestamptz, who text, message text)
LANGUAGE sql STABLE
BEGIN ATOMIC
  SELECT t.name, t.at, t.who, t.message FROM pgtrack.tag t ORDER BY t.at DESC;
END;
COMMENT ON FUNCTION pgtrack.tags() IS 'All tags, newest first.';
