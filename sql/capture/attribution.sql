CREATE OR REPLACE FUNCTION pgtrack.set_actor(actor text, is_local boolean DEFAULT false) RETURNS void
LANGUAGE sql VOLATILE
BEGIN ATOMIC
  SELECT pg_catalog.set_config('pgtrack.actor', coalesce(actor, ''), is_local);
END;
COMMENT ON FUNCTION pgtrack.set_actor(text, boolean) IS
  'Names the person on whose behalf this session, or with is_local this transaction, makes changes. Null takes it back.';

CREATE OR REPLACE FUNCTION pgtrack.set_message(message text, is_local boolean DEFAULT true) RETURNS void
LANGUAGE sql VOLATILE
BEGIN ATOMIC
  SELECT pg_catalog.set_config('pgtrack.message', coalesce(message, ''), is_local);
END;
COMMENT ON FUNCTION pgtrack.set_message(text, boolean) IS
  'Says why this transaction, or without is_local this session, makes changes: a commit message. Null takes it back.';
