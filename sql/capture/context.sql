-- Capture: the trigger functions and triggers of one tracked table, generated as static code

-- Who is behind a session cannot change while it lasts. So the functions that tell claim to be IMMUTABLE: PostgreSQL
-- calls them once for each plan of a session, not once for each statement.
-- The proxy sends "2 address port session moment signature" in the startup packet. A client can overwrite the setting but
-- not its reset value, which set_config(..., NULL, ...) returns. The signature is over that and the address and port that the
-- server sees the proxy's connection come from, so nobody can use it on a connection of their own. The moment, in
-- milliseconds by this server's clock, is when the proxy had its connection: a later one from the same port, or over the
-- same unix socket, began too late for a copy. A server under load may take up a connection seconds after it was made.
-- Whoever may not see when the session began does not believe it: our owner has to be a member of pg_read_all_stats.
-- What is returned, and recorded, is without the moment and the signature.
CREATE OR REPLACE FUNCTION pgtrack._session_context() RETURNS text
LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $_session_context$
DECLARE
  v_field   text[] := string_to_array(set_config('pgtrack.ctx', NULL, true), ' ');
  v_signed  text := array_to_string(v_field[1:5] || ARRAY[coalesce(host(inet_client_addr()), '-'), coalesce(inet_client_port(), 0)::text], ' ');
  v_moment  timestamptz;
BEGIN
  IF v_field[1] IS DISTINCT FROM '2' OR NOT EXISTS (
       SELECT FROM pgtrack.proxy_key k WHERE encode(pgtrack._hmac(k.key, convert_to(v_signed, 'UTF8')), 'hex') = v_field[6]) THEN
    RETURN NULL;
  END IF;
  v_moment := to_timestamp(v_field[5]::double precision / 1000);
  IF EXISTS (SELECT FROM pg_stat_get_activity(pg_backend_pid()) s
             WHERE s.backend_start BETWEEN v_moment - interval '10 seconds' AND v_moment + interval '30 seconds') THEN
    RETURN array_to_string(v_field[1:4], ' ');
  END IF;
  RETURN NULL;
END
$_session_context$;
COMMENT ON FUNCTION pgtrack._session_context() IS 'What the proxy says about the client of this session; null if it did not come through one.';

CREATE OR REPLACE FUNCTION pgtrack._client_addr() RETURNS inet
LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $_client_addr$
BEGIN
  RETURN inet_client_addr();
END
$_client_addr$;
COMMENT ON FUNCTION pgtrack._client_addr() IS 'The address from which the server sees this session''s client connected; null for a unix socket.';

CREATE OR REPLACE FUNCTION pgtrack._hmac(p_key bytea, p_message bytea) RETURNS bytea
LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $_hmac$
DECLARE
  v_inner  bytea := decode(repeat('36', 64), 'hex');
  v_outer  bytea := decode(repeat('5c', 64), 'hex');
BEGIN
  FOR i IN 0 .. length(p_key) - 1 LOOP
    v_inner := set_byte(v_inner, i, get_byte(v_inner, i) # get_byte(p_key, i));
    v_outer := set_byte(v_outer, i, get_byte(v_outer, i) # get_byte(p_key, i));
  END LOOP;
  RETURN sha256(v_outer || sha256(v_inner || p_message));
END
$_hmac$;
COMMENT ON FUNCTION pgtrack._hmac(bytea, bytea) IS 'HMAC-SHA-256 (RFC 2104) with a key of at most 64 bytes.';
