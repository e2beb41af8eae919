CREATE OR REPLACE FUNCTION pgtrack._made_by(p_actor text, p_application text, p_user text, p_from timestamptz, p_to timestamptz) RETURNS text
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $_made_by$
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

CREATE OR REPLACE FUNCTION pgtrack.undo_where(
  actor text DEFAULT NULL, application text DEFAULT NULL, "user" text DEFAULT NULL,
  "from" timestamptz DEFAULT NULL, "to" timestamptz DEFAULT NULL, on_conflict text DEFAULT 'error', message text DEFAULT NULL,
  columns text[] DEFAULT NULL)
RETURNS TABLE ("table" text, inserted bigint, updated bigint, deleted bigint, skipped bigint)
LANGUAGE sql VOLATILE SET search_path = pg_catalog, pg_temp AS $undo_where$
  SELECT u.* FROM pgtrack._undo_choice('undo_where', jsonb_build_object('actor', $1, 'application', $2, 'user', $3, 'from', $4, 'to', $5),
                                       $6, $7, $8) u
$undo_where$;
COMMENT ON FUNCTION pgtrack.undo_where(text, text, text, timestamptz, timestamptz, text, text, text[]) IS
  'Undoes everything that an actor, an application or a user did, in a time if given, in one step.';

CREATE OR REPLACE FUNCTION pgtrack.plan_undo_where(
  actor text DEFAULT NULL, application text DEFAULT NULL, "user" text DEFAULT NULL,
  "from" timestamptz DEFAULT NULL, "to" timestamptz DEFAULT NULL, columns text[] DEFAULT NULL)
RETURNS TABLE ("table" text, row_pk jsonb, action text, before jsonb, after jsonb, conflict text)
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $plan_undo_where$
  SELECT p.* FROM pgtrack._plan_choice(jsonb_build_object('actor', $1, 'application', $2, 'user', $3, 'from', $4, 'to', $5), $6) p
$plan_undo_where$;
COMMENT ON FUNCTION pgtrack.plan_undo_where(text, text, text, timestamptz, timestamptz, text[]) IS
  'What undo_where() would do, row by row, without doing it.';
