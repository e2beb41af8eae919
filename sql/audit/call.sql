-- A function's own record commits and rolls back with what it did. Everybody may add one, but say nothing in it about
-- who they are: those columns take their defaults.
CREATE OR REPLACE FUNCTION pgtrack._audit(p_verb text, p_arguments jsonb, p_message text DEFAULT NULL) RETURNS void
LANGUAGE sql VOLATILE SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
  INSERT INTO pgtrack.audit_entry (verb, arguments, statement, message)
  VALUES (p_verb, jsonb_strip_nulls(p_arguments), left(current_query(), 4000),
          coalesce(p_message, nullif(current_setting('pgtrack.message', true), '')));
END;
COMMENT ON FUNCTION pgtrack._audit(text, jsonb, text) IS 'Records a call of a changing function.';
