CREATE OR REPLACE FUNCTION pgtrack._made_by(p_actor text, p_application text, p_user text, p_from timestamptz, p_to timestamptz) RETURNS text
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp SET DateStyle = 'ISO' AS $_made_by$
BEGIN
  IF num_nonnulls(p_actor, p_application, p_user) = 0 THEN
    RAISE EXCEPTION 'say whose changes shall be undone' USING
      ERRCODE = 'invalid_parameter_value',
      HINT = 'Name an actor, an application or a user: undo_where(application => ''nightly-import'', "from" => now() - interval ''1 hour'').';
  END IF;
  RETURN concat_ws(' AND ', CASE WHEN p_actor IS NOT NULL THEN format('s.actor = %L', p_actor) END,
    CASE WHEN p_application IS NOT NULL THEN format('s.application = %L', p_application) END,
    CASE WHEN p_user IS NOT NULL THEN format('%L IN (s.user_name, s.role_name)', p_user) END,
    CASE WHEN p_from IS NOT NULL THEN format('s.at >= %L', p_from) END,
    CASE WHEN p_to IS NOT NULL THEN format('s.at < %L', p_to) END);
END
$_made_by$;
COMMENT ON FUNCTION pgtrack._made_by(text, text, text, timestamptz, timestamptz) IS 'The condition for statements of one actor, application or user, in a time.';
