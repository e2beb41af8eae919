-- What clients say is bounded, or one of them could fill the pages and the memory of everybody who reads it.
CREATE OR REPLACE FUNCTION pgtrack._bounded(p_name text, p_text text, p_most integer) RETURNS text
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $_bounded$
BEGIN
  IF length(p_text) > p_most THEN
    RAISE EXCEPTION 'the % is too long', p_name USING
      ERRCODE = 'string_data_right_truncation',
      DETAIL = format('It has %s characters; %s is the most.', length(p_text), p_most),
      HINT = 'Name what says more, such as a ticket.';
  END IF;
  RETURN coalesce(p_text, '');
END
$_bounded$;
COMMENT ON FUNCTION pgtrack._bounded(text, text, integer) IS 'A text that is not too long, or an error.';

CREATE OR REPLACE FUNCTION pgtrack.set_actor(actor text, is_local boolean DEFAULT false) RETURNS void
LANGUAGE sql VOLATILE
BEGIN ATOMIC
  SELECT pg_catalog.set_config('pgtrack.actor', pgtrack._bounded('actor', actor, 256), is_local);
END;
COMMENT ON FUNCTION pgtrack.set_actor(text, boolean) IS
  'Names the person on whose behalf this session, or with is_local this transaction, makes changes, in at most 256 characters. '
  'Null takes it back.';

CREATE OR REPLACE FUNCTION pgtrack.set_message(message text, is_local boolean DEFAULT true) RETURNS void
LANGUAGE sql VOLATILE
BEGIN ATOMIC
  SELECT pg_catalog.set_config('pgtrack.message', pgtrack._bounded('message', message, 1000), is_local);
END;
COMMENT ON FUNCTION pgtrack.set_message(text, boolean) IS
  'Says why this transaction, or without is_local this session, makes changes: a commit message, of at most 1,000 characters. '
  'Null takes it back.';
