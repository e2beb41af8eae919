-- A call that the proxy recorded has a record of its own in the database, too, if it was made and its transaction was
-- committed. A text may have more calls than the proxy sees in it, or several of one verb, so each of the two kinds of
-- records is taken once: in their order, by the proxy's name for the session, which no client chooses, and the time by
-- this server's clock. What cannot be taken together is shown twice rather than left out.
CREATE OR REPLACE FUNCTION pgtrack._proxy_record(p_entry bigint, p_session text, p_verb text, p_at timestamptz) RETURNS bigint
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
  WITH running AS (
    SELECT p.entry_id, p.at, p.call_number, coalesce(p.finished_at, 'infinity') AS finished_at
    FROM pgtrack.audit_entry p
    WHERE p.session = p_session AND p.source = 'proxy' AND p.verb = p_verb AND p.outcome <> 'denied'
      AND p.at <= p_at AND coalesce(p.finished_at, 'infinity') >= p_at
      -- A session is answered in order: where a later call has been, one whose outcome is not known was over.
      AND NOT EXISTS (SELECT FROM pgtrack.audit_entry l
                      WHERE l.session = p_session AND l.call_number > p.call_number AND l.outcome <> 'denied' AND l.finished_at < p_at)
  )
  SELECT r.entry_id FROM running r ORDER BY r.finished_at, r.call_number LIMIT 1
  -- Those of the database since the last of the session's calls was over, which come before.
  OFFSET (SELECT count(*) FROM pgtrack.audit_entry d
          WHERE d.session = p_session AND d.source = 'database' AND d.verb = p_verb AND d.entry_id < p_entry
            AND d.at >= (SELECT min(r.at) FROM running r)
            AND NOT EXISTS (SELECT FROM pgtrack.audit_entry l
                            WHERE l.session = p_session AND l.source = 'proxy' AND l.verb = p_verb AND l.outcome <> 'denied'
                              AND l.finished_at >= d.at AND l.finished_at < p_at));
END;
COMMENT ON FUNCTION pgtrack._proxy_record(bigint, text, text, timestamptz) IS 'The proxy''s record of a call that the database recorded.';

CREATE OR REPLACE FUNCTION pgtrack._database_record(p_entry bigint, p_session text, p_verb text, p_from timestamptz, p_to timestamptz)
RETURNS bigint
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
  SELECT min(d.entry_id) FROM pgtrack.audit_entry d
  WHERE d.session = p_session AND d.source = 'database' AND d.verb = p_verb AND d.at >= p_from AND d.at <= coalesce(p_to, 'infinity')
    AND pgtrack._proxy_record(d.entry_id, d.session, d.verb, d.at) = p_entry;
END;
COMMENT ON FUNCTION pgtrack._database_record(bigint, text, text, timestamptz, timestamptz) IS
  'The database''s own record of a call that the proxy recorded.';

CREATE OR REPLACE VIEW pgtrack.audit WITH (security_invoker = true) AS
SELECT e.entry_id, e.at, coalesce(nullif(e.actor, ''), nullif(d.actor, ''), e.user_name) AS who, e.verb,
       coalesce(d.arguments, e.arguments) AS arguments, e.outcome, e.sqlstate, e.row_count, e.finished_at - e.at AS duration, e.user_name, coalesce(e.role_name, d.role_name) AS role_name,
       nullif(e.application, '') AS application, pg_catalog.host(e.client_addr) AS client_addr, e.client_port, e.tls_identity,
       coalesce(nullif(e.actor, ''), nullif(d.actor, '')) AS actor, coalesce(e.message, d.message) AS message,
       -- Hidden by a table with redacted columns, or erased: what the proxy heard is not shown, either.
       CASE WHEN d.entry_id IS NULL OR d.statement IS NOT NULL THEN e.statement END AS statement,
       e.source = 'proxy' AS through_proxy, e.session, coalesce(e.xid, d.xid)::text::bigint AS xid
FROM pgtrack.audit_entry e
-- What the function itself knew better: its arguments where they were parameters, the role, the transaction.
LEFT JOIN pgtrack.audit_entry d
  ON e.source = 'proxy' AND d.entry_id = pgtrack._database_record(e.entry_id, e.session, e.verb, e.at, e.finished_at)
WHERE e.source = 'proxy' OR e.session IS NULL OR NOT EXISTS (
  SELECT FROM pgtrack.audit_entry p
  WHERE p.entry_id = pgtrack._proxy_record(e.entry_id, e.session, e.verb, e.at)
    AND pgtrack._database_record(p.entry_id, p.session, p.verb, p.at, p.finished_at) = e.entry_id);
COMMENT ON VIEW pgtrack.audit IS 'Every call of a pgtrack function that changes something: who, what, when, with which outcome.';
COMMENT ON COLUMN pgtrack.audit.entry_id IS 'Number.';
COMMENT ON COLUMN pgtrack.audit.at IS 'When the call was made.';
COMMENT ON COLUMN pgtrack.audit.who IS 'The actor if the application named one, else the session user.';
COMMENT ON COLUMN pgtrack.audit.verb IS 'The function, without its schema.';
COMMENT ON COLUMN pgtrack.audit.arguments IS 'Its arguments, as far as they are known.';
COMMENT ON COLUMN pgtrack.audit.outcome IS 'done, failed, denied, skipped after an error in its pipeline, or started: its outcome is not known (yet).';
COMMENT ON COLUMN pgtrack.audit.sqlstate IS 'The error''s SQLSTATE, if it failed.';
COMMENT ON COLUMN pgtrack.audit.row_count IS 'How many rows the statement returned.';
COMMENT ON COLUMN pgtrack.audit.duration IS 'How long it took, as the proxy saw it.';
COMMENT ON COLUMN pgtrack.audit.user_name IS 'The session user, who logged in.';
COMMENT ON COLUMN pgtrack.audit.role_name IS 'The role set with SET ROLE, if any.';
COMMENT ON COLUMN pgtrack.audit.application IS 'application_name.';
COMMENT ON COLUMN pgtrack.audit.client_addr IS 'The client''s address; null for a unix socket.';
COMMENT ON COLUMN pgtrack.audit.client_port IS 'The client''s port.';
COMMENT ON COLUMN pgtrack.audit.tls_identity IS 'The subject of the client''s certificate, if it showed one to the proxy.';
COMMENT ON COLUMN pgtrack.audit.actor IS 'The person the application named.';
COMMENT ON COLUMN pgtrack.audit.message IS 'The reason given.';
COMMENT ON COLUMN pgtrack.audit.statement IS 'The beginning of the query text.';
COMMENT ON COLUMN pgtrack.audit.through_proxy IS 'Whether the proxy recorded it, failed and denied calls included.';
COMMENT ON COLUMN pgtrack.audit.session IS 'The proxy''s name for the session.';
COMMENT ON COLUMN pgtrack.audit.xid IS 'The transaction, where the database recorded the call.';
