-- A call that the proxy recorded is not counted again where the function recorded it. The two are known to be one by
-- the server process, the verb and the time by this server's clock, none of which a client chooses.
CREATE OR REPLACE VIEW pgtrack.audit WITH (security_invoker = true) AS
SELECT e.entry_id, e.at, coalesce(nullif(e.actor, ''), nullif(d.actor, ''), e.user_name) AS who, e.verb, coalesce(d.arguments, e.arguments) AS arguments,
       e.outcome, e.sqlstate, e.row_count, e.finished_at - e.at AS duration, e.user_name, coalesce(e.role_name, d.role_name) AS role_name,
       nullif(e.application, '') AS application, pg_catalog.host(e.client_addr) AS client_addr, e.client_port, e.tls_identity,
       coalesce(nullif(e.actor, ''), nullif(d.actor, '')) AS actor, coalesce(e.message, d.message) AS message, e.statement,
       e.source = 'proxy' AS through_proxy, e.session, coalesce(e.xid, d.xid)::text::bigint AS xid
FROM pgtrack.audit_entry e
-- What the function itself knew better: its arguments where they were parameters, the role, the transaction.
LEFT JOIN LATERAL (
  SELECT f.arguments, f.role_name, f.actor, f.message, f.xid
  FROM pgtrack.audit_entry f
  WHERE e.source = 'proxy' AND f.source = 'database' AND f.backend_pid = e.backend_pid AND f.verb = e.verb
    AND f.at >= e.at AND f.at <= coalesce(e.finished_at, 'infinity')
    -- Of several calls in one statement it cannot be said which is which.
    AND NOT EXISTS (SELECT FROM pgtrack.audit_entry o
                    WHERE o.source = 'proxy' AND o.entry_id <> e.entry_id AND o.backend_pid = e.backend_pid AND o.verb = e.verb
                      AND o.at <= f.at AND f.at <= coalesce(o.finished_at, 'infinity'))
  ORDER BY f.at LIMIT 1) d ON true
WHERE e.source = 'proxy' OR NOT EXISTS (
  SELECT FROM pgtrack.audit_entry p
  WHERE p.source = 'proxy' AND p.backend_pid = e.backend_pid AND p.verb = e.verb
    AND e.at >= p.at AND e.at <= coalesce(p.finished_at, 'infinity'));
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
