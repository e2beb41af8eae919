-- "My last" is what somebody did a moment ago where they are now: the same login and actor, program and address. A pool of
-- sessions, or people who share a login, look the same here: rather than guess, we refuse.
DO $types$
BEGIN
  IF pg_catalog.to_regtype('pgtrack._own_change') IS NULL THEN
    CREATE TYPE pgtrack._own_change AS (xid xid8, at timestamptz, place text, session text, application text, address inet);
  END IF;
END
$types$;
COMMENT ON TYPE pgtrack._own_change IS 'A change that the session user made.';
COMMENT ON COLUMN pgtrack._own_change.xid IS 'The transaction.';
COMMENT ON COLUMN pgtrack._own_change.at IS 'When.';
COMMENT ON COLUMN pgtrack._own_change.place IS 'The program and address, for people.';
COMMENT ON COLUMN pgtrack._own_change.session IS 'The proxy''s name for the session, if it came through one.';
COMMENT ON COLUMN pgtrack._own_change.application IS 'application_name.';
COMMENT ON COLUMN pgtrack._own_change.address IS 'The address that the server saw.';

CREATE OR REPLACE FUNCTION pgtrack._place(p_application text, p_address text) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
  SELECT format('%s from %s', coalesce(quote_literal(nullif(p_application, '')), 'a program without a name'), coalesce(p_address, 'a local socket'));
END;
COMMENT ON FUNCTION pgtrack._place(text, text) IS 'The program and address that a session has, for people.';

-- Only a comment is worth reading.
CREATE OR REPLACE FUNCTION pgtrack._is_of(p_actor text, p_query text, p_person text) RETURNS boolean
LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
  SELECT CASE WHEN coalesce(p_actor, '') OPERATOR(pg_catalog.=) '' AND pg_catalog.strpos(p_query, '*/') OPERATOR(pg_catalog.>) 0
              THEN coalesce(pgtrack._actor(p_actor, p_query), '') OPERATOR(pg_catalog.=) coalesce(p_person, '')
              ELSE coalesce(p_actor, '') OPERATOR(pg_catalog.=) coalesce(p_person, '') END;
END;
COMMENT ON FUNCTION pgtrack._is_of(text, text, text) IS 'Whether a statement was made on behalf of an actor; null or empty is of nobody but the user.';

-- One walk back through the statements, newest first, that ends as soon as enough is known. What has a higher number than a
-- transaction of this session was written after the session began, so what was written before ends the search for one.
CREATE OR REPLACE FUNCTION pgtrack._latest_changes(p_actor text, p_here text, OUT latest pgtrack._own_change, OUT other pgtrack._own_change)
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp SET enable_seqscan = off SET enable_bitmapscan = off SET enable_sort = off
AS $_latest_changes$
DECLARE
  v_began   timestamptz := (SELECT s.backend_start FROM pg_stat_get_activity(pg_backend_pid()) s);
  v_change  pgtrack._own_change;
BEGIN
  FOR v_change IN
    SELECT s.xid, s.at, pgtrack._place(s.application, pgtrack._client_addr(s.context, s.client_addr)), split_part(s.context, ' ', 4),
           s.application, s.client_addr
    FROM pgtrack.statement s
    WHERE s.user_name = session_user AND coalesce(s.reverts, '') = ''
      AND s.statement_id >= (SELECT coalesce(max(e.first_statement_id), 0) FROM pgtrack.epoch e)
      AND pgtrack._is_of(s.actor, s.query, p_actor)
    ORDER BY s.xid DESC
  LOOP
    IF v_change.place = p_here AND v_change.at >= v_began THEN
      latest := v_change;
      other := NULL;
      RETURN;
    ELSIF latest.xid IS NULL THEN
      latest := v_change;
    ELSIF other.xid IS NULL AND v_change.place <> latest.place AND v_change.at >= latest.at - interval '1 hour' THEN
      other := v_change;
    END IF;
    EXIT WHEN (v_change.at >= v_began) IS NOT TRUE AND (other.xid IS NOT NULL OR v_change.at < latest.at - interval '1 hour');
  END LOOP;
END
$_latest_changes$;
COMMENT ON FUNCTION pgtrack._latest_changes(text, text) IS
  'The latest change of the session user and an actor that is no undo: of this session, else from anywhere, and then the latest of '
  'the hour before it that was made elsewhere.';

CREATE OR REPLACE FUNCTION pgtrack._change_before(p_actor text, p_place text, p_before xid8) RETURNS xid8
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp SET enable_seqscan = off SET enable_bitmapscan = off SET enable_sort = off
BEGIN ATOMIC
  SELECT s.xid FROM pgtrack.statement s
  WHERE s.xid < p_before AND s.user_name = session_user AND coalesce(s.reverts, '') = ''
    AND s.statement_id >= (SELECT coalesce(max(e.first_statement_id), 0) FROM pgtrack.epoch e)
    AND pgtrack._is_of(s.actor, s.query, p_actor)
    AND pgtrack._place(s.application, pgtrack._client_addr(s.context, s.client_addr)) = p_place
  ORDER BY s.xid DESC LIMIT 1;
END;
COMMENT ON FUNCTION pgtrack._change_before(text, text, xid8) IS
  'The latest transaction of the session user and an actor, from a place, that is no undo and before another.';

CREATE OR REPLACE FUNCTION pgtrack._sessions_like(p_application text, p_address inet, p_at timestamptz) RETURNS bigint
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
  -- What may not be seen of a session may be the same.
  SELECT count(*) FROM pg_stat_activity a
  WHERE a.datname = current_database() AND a.usename = session_user AND a.pid <> pg_backend_pid()
    AND coalesce(a.backend_type, 'client backend') = 'client backend'
    AND (a.backend_start IS NULL
         OR a.backend_start <= p_at AND a.application_name = p_application AND a.client_addr IS NOT DISTINCT FROM p_address);
END;
COMMENT ON FUNCTION pgtrack._sessions_like(text, inet, timestamptz) IS
  'How many other sessions of this login and program, from an address, were there at a moment and still are.';

CREATE OR REPLACE FUNCTION pgtrack._refuse_last(p_problem text, p_detail text, p_hint text, p_is_none boolean) RETURNS void
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $_refuse_last$
BEGIN
  RAISE EXCEPTION '%', p_problem USING
    ERRCODE = CASE WHEN p_is_none THEN 'no_data_found' ELSE 'object_not_in_prerequisite_state' END, DETAIL = p_detail, HINT = p_hint;
END
$_refuse_last$;
COMMENT ON FUNCTION pgtrack._refuse_last(text, text, text, boolean) IS 'Refuses to say which transaction is somebody''s latest.';

CREATE OR REPLACE FUNCTION pgtrack._find_last(p_actor text, p_back integer) RETURNS bigint
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $_find_last$
DECLARE
  c_hint CONSTANT  text := 'SELECT * FROM pgtrack.log() shows the latest transactions; pgtrack.undo_transaction(xid) undoes one of them.';
  v_person         text := session_user || coalesce(' on behalf of ' || nullif(p_actor, ''), '');
  v_session        text := split_part(pgtrack._session_context(), ' ', 4);
  v_here           text := pgtrack._place(current_setting('application_name'),
                                          pgtrack._client_addr(pgtrack._session_context(), inet_client_addr()));
  v_found          record;
  v_last           pgtrack._own_change;
  v_other          pgtrack._own_change;
  v_xid            xid8;
BEGIN
  SELECT * INTO v_found FROM pgtrack._latest_changes(p_actor, v_here);
  v_last := v_found.latest;
  v_other := v_found.other;
  IF v_last.xid IS NULL THEN
    PERFORM pgtrack._refuse_last(format('no change of %s is recorded', v_person),
      'Undos do not count, nor do changes from before a restore of this database.', c_hint, true);
  ELSIF v_last.xid = pg_current_xact_id_if_assigned() THEN
    PERFORM pgtrack._refuse_last('your latest changes are those of this transaction',
      'It has not ended.', 'ROLLBACK takes them back.', false);
  ELSIF v_other.xid IS NOT NULL THEN
    PERFORM pgtrack._refuse_last('it is not clear which transaction is your latest',
      format('As %s, %s made transaction %s at %s, and %s transaction %s at %s.',
             v_person, v_last.place, v_last.xid, v_last.at, v_other.place, v_other.xid, v_other.at), c_hint, false);
  -- A session of the proxy's has a name of its own.
  ELSIF (v_session <> '' AND v_last.session = v_session) IS NOT TRUE
        AND pgtrack._sessions_like(v_last.application, v_last.address, v_last.at) > (CASE v_last.place WHEN v_here THEN 0 ELSE 1 END) THEN
    PERFORM pgtrack._refuse_last('it is not clear which transaction is your latest',
      format('Transaction %s was made at %s as %s by %s, and more than one session like that is connected: it may be another''s.',
             v_last.xid, v_last.at, v_person, v_last.place), c_hint, false);
  END IF;
  v_xid := v_last.xid;
  FOR i IN 1 .. p_back LOOP
    v_xid := pgtrack._change_before(p_actor, v_last.place, v_xid);
  END LOOP;
  IF v_xid IS NULL THEN
    PERFORM pgtrack._refuse_last(format('%s made fewer transactions than that', v_person),
      'Those that count were made by the same program, from the same address, and are no undos.', c_hint, true);
  END IF;
  RETURN v_xid::text::bigint;
END
$_find_last$;
COMMENT ON FUNCTION pgtrack._find_last(text, integer) IS
  'The latest transaction of the session user and an actor that is no undo, or one before it; an error where that is not clear. '
  'SECURITY DEFINER: what somebody did counts where they may not read it, and a function of the proxy''s says who is here. '
  'It tells of the session user''s own transactions alone.';

CREATE OR REPLACE FUNCTION pgtrack._my_last() RETURNS bigint
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp SET row_security = on SET quote_all_identifiers = off AS $_my_last$
DECLARE
  v_xid  bigint := pgtrack._find_last(current_setting('pgtrack.actor', true), 0);
  v_log  record;
BEGIN
  SELECT max(a.at) AS at,
         coalesce((array_agg(left(regexp_replace(a.query, $r$\s+$r$, ' ', 'g'), 200) ORDER BY a.statement_id))[1],
                  string_agg(DISTINCT a.table_name, ', ')) AS what INTO v_log
  FROM pgtrack.activity a
  WHERE (a.relation_id, a.statement_id) IN (SELECT s.relation_id, s.statement_id FROM pgtrack.statement s WHERE s.xid = v_xid::text::xid8);
  RAISE NOTICE 'your latest is transaction % of %: %', v_xid, v_log.at, v_log.what;
  RETURN v_xid;
END
$_my_last$;
COMMENT ON FUNCTION pgtrack._my_last() IS 'The transaction that undo_last() undoes; says which in a notice.';
