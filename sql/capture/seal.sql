-- Settings are the only state that lasts from one function call to the next within a transaction, and a client can write
-- every setting. So what travels in one carries a digest, with a key that no client can read, of what it is for, the
-- server process and the transaction.

CREATE OR REPLACE FUNCTION pgtrack._digest(p_purpose text, p_text text) RETURNS text
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $_digest$
DECLARE
  v_secret  pgtrack.secret;
BEGIN
  SELECT s.* INTO STRICT v_secret FROM pgtrack.secret s;
  RETURN encode(sha256(v_secret.outer_key || sha256(v_secret.inner_key || convert_to(
    concat_ws(' ', p_purpose, pg_backend_pid(), pg_current_xact_id(), p_text), 'UTF8'))), 'hex');
END
$_digest$;
COMMENT ON FUNCTION pgtrack._digest(text, text) IS
  'HMAC-SHA-256 (RFC 2104) of a text, for this transaction. SECURITY DEFINER: nobody else reads the key.';

CREATE OR REPLACE FUNCTION pgtrack._sealed(p_purpose text, p_text text) RETURNS text
LANGUAGE sql VOLATILE SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
  SELECT concat(p_text, ' ', pgtrack._digest(p_purpose, p_text));
END;
COMMENT ON FUNCTION pgtrack._sealed(text, text) IS 'A text with its digest behind it, to be kept in a setting.';

CREATE OR REPLACE FUNCTION pgtrack._unsealed(p_purpose text, p_sealed text) RETURNS text
LANGUAGE plpgsql VOLATILE STRICT SET search_path = pg_catalog, pg_temp AS $_unsealed$
DECLARE
  -- 64 digits and a space.
  v_text  text := left(p_sealed, -65);
BEGIN
  IF length(p_sealed) > 65 AND p_sealed = pgtrack._sealed(p_purpose, v_text) THEN
    RETURN v_text;
  END IF;
  RETURN NULL;
END
$_unsealed$;
COMMENT ON FUNCTION pgtrack._unsealed(text, text) IS 'What _sealed() sealed in this transaction; null if anybody else made it.';
