-- Capture: the trigger functions and triggers of one tracked table, generated as static code

-- Who is behind a session cannot change while it lasts. So the function that tells claims to be IMMUTABLE: PostgreSQL
-- calls it once for each plan of a session, not once for each statement.
-- The proxy sends "1 address port session signature" in the startup packet. A client can overwrite the setting but not
-- its reset value, which set_config(…, NULL, …) returns. The signature is over that and the address and port that the
-- server sees the proxy's connection come from, so nobody can use it on a connection of their own.
CREATE OR REPLACE FUNCTION pgtrack._session_context() RETURNS text
LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $_session_context$
DECLARE
  v_context    text := set_config('pgtrack.ctx', NULL, true);
  v_signature  text := split_part(v_context, ' ', 5);
  v_signed     text := concat_ws(' ', split_part(v_context, ' ', 1), split_part(v_context, ' ', 2), split_part(v_context, ' ', 3),
                                 split_part(v_context, ' ', 4), coalesce(host(inet_client_addr()), '-'), coalesce(inet_client_port(), 0));
BEGIN
  IF v_context LIKE '1 %' AND EXISTS (
       SELECT FROM pgtrack.proxy_key k WHERE encode(pgtrack._hmac(k.key, convert_to(v_signed, 'UTF8')), 'hex') = v_signature) THEN
    RETURN v_context;
  END IF;
  RETURN NULL;
END
$_session_context$;
COMMENT ON FUNCTION pgtrack._session_context() IS 'What the proxy says about the client of this session; null if it did not come through one.';

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
