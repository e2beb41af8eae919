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

-- https://google.github.io/sqlcommenter/spec: keys and values are URL-encoded, quotes in values escaped; the last comment counts.
CREATE OR REPLACE FUNCTION pgtrack._comment_tags(p_query text) RETURNS jsonb
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $_comment_tags$
DECLARE
  v_comment  text;
BEGIN
  IF p_query IS NULL OR strpos(p_query, '=''') = 0 OR strpos(p_query, '*/') = 0 THEN
    RETURN NULL;
  END IF;
  v_comment := substring(p_query FROM '.*/\*(.*?)\*/');
  RETURN (SELECT jsonb_object_agg(pgtrack._url_decoded(m[1]), pgtrack._url_decoded(replace(m[2], '\''', '''')))
          FROM regexp_matches(v_comment, '([^,=''\s]+)=''((?:[^''\\]|\\.)*)''', 'g') m);
END
$_comment_tags$;
COMMENT ON FUNCTION pgtrack._comment_tags(text) IS 'The key-value pairs of a query''s sqlcommenter comment; null if it has none.';

CREATE OR REPLACE FUNCTION pgtrack._url_decoded(p_text text) RETURNS text
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $_url_decoded$
BEGIN
  RETURN (SELECT convert_from(string_agg(CASE WHEN m[1] ~ '^%..' THEN decode(substr(m[1], 2), 'hex') ELSE convert_to(m[1], 'UTF8') END, ''), 'UTF8')
          FROM regexp_matches(p_text, '%[0-9A-Fa-f]{2}|[^%]+|%', 'g') m);
EXCEPTION WHEN character_not_in_repertoire OR untranslatable_character THEN
  RETURN p_text;
END
$_url_decoded$;
COMMENT ON FUNCTION pgtrack._url_decoded(text) IS 'A URL-encoded text decoded; itself if it is not UTF-8.';

CREATE OR REPLACE FUNCTION pgtrack._actor(p_actor text, p_query text) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
  SELECT coalesce(nullif(p_actor, ''), pgtrack._comment_tags(p_query) ->> 'actor', pgtrack._comment_tags(p_query) ->> 'user');
END;
COMMENT ON FUNCTION pgtrack._actor(text, text) IS 'The person the application named, by a setting or in the query''s comment.';

CREATE OR REPLACE VIEW pgtrack.activity WITH (security_invoker = true) AS
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
       nullif(s.message, '') AS message,
       nullif(s.reverts, '') AS reverts,
       s.query,
       s.relation_id,
       CASE WHEN s.reverts ~ '^xid:[0-9]{1,18}$' THEN pg_catalog.substr(s.reverts, 5)::bigint
            WHEN s.reverts ~ '^[0-9]{1,18}$' THEN (
              SELECT o.xid::text::bigint FROM pgtrack.statement o
              WHERE o.relation_id = s.relation_id AND o.statement_id = s.reverts::bigint) END AS reverts_xid,
       pgtrack._comment_tags(s.query) AS tags
-- LEFT, so that it is left out of queries that need nothing of it.
FROM pgtrack.statement s LEFT JOIN pgtrack.relation r USING (relation_id);
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
COMMENT ON COLUMN pgtrack.activity.message IS 'The reason given with pgtrack.set_message() or with a revert.';
COMMENT ON COLUMN pgtrack.activity.reverts IS 'For a revert: the statement it undoes, or xid:N for a whole transaction.';
COMMENT ON COLUMN pgtrack.activity.query IS 'The beginning of the query text.';
COMMENT ON COLUMN pgtrack.activity.relation_id IS 'Our number for the table, in pgtrack.relation.';
COMMENT ON COLUMN pgtrack.activity.reverts_xid IS 'For a revert: the transaction that it undoes, or a change of which it undoes.';
COMMENT ON COLUMN pgtrack.activity.tags IS 'What the query''s sqlcommenter comment says: route, controller, traceparent and the like.';
