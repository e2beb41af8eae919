CREATE OR REPLACE FUNCTION pgtrack._client_addr(p_context text, p_client_addr inet) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
  SELECT CASE WHEN p_context ~ '^[12] ' THEN nullif(pg_catalog.split_part(p_context, ' ', 2), '-')
              ELSE pg_catalog.host(p_client_addr) END;
END;
COMMENT ON FUNCTION pgtrack._client_addr(text, inet) IS 'The client''s address: what the proxy said, else what the server saw.';

CREATE OR REPLACE FUNCTION pgtrack._operation(p_operation "char") RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
  SELECT CASE p_operation WHEN 'I' THEN 'INSERT' WHEN 'U' THEN 'UPDATE' WHEN 'D' THEN 'DELETE' WHEN 'T' THEN 'TRUNCATE' END;
END;
COMMENT ON FUNCTION pgtrack._operation("char") IS 'The SQL command behind a recorded operation.';

-- The view is not its reader's: row security on pgtrack.statement holds for its owner, a role without rights, and asks
-- what the current user may read. So texts can be shown in part, and the planner sees through the view all the same.
-- Only its owner can replace it.
DO $owner$
BEGIN
  IF (SELECT pg_get_userbyid(c.relowner) = 'pgtrack_activity' FROM pg_class c WHERE c.oid = to_regclass('pgtrack.activity')) THEN
    PERFORM set_config('role', current_setting('pgtrack.installer'), true);
    EXECUTE format('ALTER VIEW pgtrack.activity OWNER TO %I', current_setting('pgtrack.owner'));
    PERFORM set_config('role', current_setting('pgtrack.owner'), true);
  END IF;
END
$owner$;

CREATE OR REPLACE VIEW pgtrack.activity WITH (security_invoker = false) AS
SELECT s.statement_id,
       s.xid::text::bigint AS xid,
       s.at,
       pg_catalog.format('%I.%I', r.schema_name, r.table_name) AS table_name,
       pgtrack._operation(s.operation) AS operation,
       s.row_count,
       coalesce(pgtrack._actor(s.actor, s.query), s.user_name) AS who,
       s.user_name,
       nullif(s.role_name, 'none') AS role_name,
       nullif(s.application, '') AS application,
       pgtrack._client_addr(s.context, s.client_addr) AS client_addr,
       coalesce(s.context, '') <> '' AS through_proxy,
       pgtrack._actor(s.actor, s.query) AS actor,
       CASE WHEN (SELECT pgtrack._text_roles()) IS NULL OR ARRAY[s.user_name, s.role_name] && (SELECT pgtrack._text_roles())
            THEN pg_catalog.left(nullif(s.message, ''), 1000) END AS message,
       pg_catalog.left(nullif(s.reverts, ''), 1000) AS reverts,
       CASE WHEN ((SELECT pgtrack._text_roles()) IS NULL OR ARRAY[s.user_name, s.role_name] && (SELECT pgtrack._text_roles()))
                 AND NOT ((SELECT pgtrack._some_text_is_hidden()) AND pgtrack._concerns_hidden(s.xid))
            THEN s.query END AS query,
       s.relation_id,
       CASE WHEN s.reverts ~ '^xid:[0-9]{1,18}$' THEN pg_catalog.substr(s.reverts, 5)::bigint
            WHEN s.reverts ~ '^[0-9]{1,18}$' THEN (
              SELECT o.xid::text::bigint FROM pgtrack.statement o
              WHERE o.relation_id = s.relation_id AND o.statement_id = s.reverts::bigint) END AS reverts_xid,
       CASE WHEN ((SELECT pgtrack._text_roles()) IS NULL OR ARRAY[s.user_name, s.role_name] && (SELECT pgtrack._text_roles()))
                 AND NOT ((SELECT pgtrack._some_text_is_hidden()) AND pgtrack._concerns_hidden(s.xid))
            THEN pgtrack._comment_tags(s.query) END AS tags
-- LEFT, so that it is left out of queries that need nothing of it.
FROM pgtrack.statement s LEFT JOIN pgtrack.relation r USING (relation_id);

GRANT SELECT ON pgtrack.activity TO PUBLIC;
COMMENT ON VIEW pgtrack.activity IS 'Every recorded statement, with who made it and from where.';
COMMENT ON COLUMN pgtrack.activity.statement_id IS 'The statement''s number.';
COMMENT ON COLUMN pgtrack.activity.xid IS 'The transaction.';
COMMENT ON COLUMN pgtrack.activity.at IS 'When the statement had made its changes.';
COMMENT ON COLUMN pgtrack.activity.table_name IS 'The table, with its schema.';
COMMENT ON COLUMN pgtrack.activity.operation IS 'INSERT, UPDATE, DELETE or TRUNCATE.';
COMMENT ON COLUMN pgtrack.activity.row_count IS 'How many rows the statement changed.';
COMMENT ON COLUMN pgtrack.activity.who IS 'The actor if the application named one, else the session user.';
COMMENT ON COLUMN pgtrack.activity.user_name IS 'The session user, who logged in.';
COMMENT ON COLUMN pgtrack.activity.role_name IS 'The role set with SET ROLE, if any.';
COMMENT ON COLUMN pgtrack.activity.application IS 'application_name.';
COMMENT ON COLUMN pgtrack.activity.client_addr IS 'The client''s address: through the proxy the real client''s; null for a unix socket.';
COMMENT ON COLUMN pgtrack.activity.through_proxy IS 'Whether the session said that it came through the proxy.';
COMMENT ON COLUMN pgtrack.activity.actor IS 'The person the application named, with pgtrack.set_actor() or as actor or user in a sqlcommenter comment.';
COMMENT ON COLUMN pgtrack.activity.message IS
  'The reason given with pgtrack.set_message() or with a revert; null for those who may not read texts.';
COMMENT ON COLUMN pgtrack.activity.reverts IS 'For a revert: the statement it undoes, or xid:N for a whole transaction.';
COMMENT ON COLUMN pgtrack.activity.query IS
  'The beginning of the query text, for the role that ran it, its members and those of pgtrack_reader and pg_read_all_stats; '
  'null for others, and where the transaction changed a table with redacted columns.';
COMMENT ON COLUMN pgtrack.activity.relation_id IS 'Our number for the table, in pgtrack.relation.';
COMMENT ON COLUMN pgtrack.activity.reverts_xid IS 'For a revert: the transaction that it undoes, or a change of which it undoes.';
COMMENT ON COLUMN pgtrack.activity.tags IS 'What the query''s sqlcommenter comment says: route, controller, traceparent and the like.';

-- Row security of the table is asked for the view's owner, but with the reader as current_user. The table's owner may go
-- round it, so the view belongs to a role of its own; where there is none, row security holds for the table's owner, too.
DO $viewer$
DECLARE
  v_is_owner_s  boolean := to_regrole('pgtrack_activity') IS NULL OR current_setting('pgtrack.owner') <> 'pgtrack_owner';
  v_policy      record;
BEGIN
  FOR v_policy IN SELECT * FROM (VALUES ('writers', 'INSERT'), ('changers', 'UPDATE'), ('removers', 'DELETE')) AS p (name, command) LOOP
    IF v_is_owner_s THEN
      PERFORM pgtrack._set_policy('pgtrack.statement', v_policy.name, v_policy.command, 'true', current_setting('pgtrack.owner')::name);
    ELSE
      PERFORM pgtrack._drop_policy('pgtrack.statement', v_policy.name);
    END IF;
  END LOOP;
  IF v_is_owner_s THEN
    ALTER TABLE pgtrack.statement FORCE ROW LEVEL SECURITY;
    RETURN;
  ELSIF (SELECT c.relforcerowsecurity FROM pg_class c WHERE c.oid = 'pgtrack.statement'::regclass) THEN
    ALTER TABLE pgtrack.statement NO FORCE ROW LEVEL SECURITY;
  END IF;
  GRANT SELECT ON pgtrack.statement, pgtrack.relation TO pgtrack_activity;
  -- A view's new owner has to have the right to create one, at that moment.
  GRANT USAGE, CREATE ON SCHEMA pgtrack TO pgtrack_activity;
  PERFORM set_config('role', current_setting('pgtrack.installer'), true);
  ALTER VIEW pgtrack.activity OWNER TO pgtrack_activity;
  PERFORM set_config('role', current_setting('pgtrack.owner'), true);
  REVOKE CREATE ON SCHEMA pgtrack FROM pgtrack_activity;
END
$viewer$;
