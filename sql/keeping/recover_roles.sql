-- The roles of a definition, as they are now: a role that was renamed has its new name, and one that is gone none. Whoever made
-- a role of the same name since gets nothing. A database that was restored from a dump has other OIDs: there names have to do,
-- as in a copy that an older version made.

CREATE OR REPLACE FUNCTION pgtrack._renamed_roles(p_roles jsonb) RETURNS jsonb
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
  SELECT jsonb_object_agg(x.name, r.rolname)
  FROM (SELECT k.key AS name, split_part(k.value, '/', 1) AS cluster, split_part(k.value, '/', 2)::oid AS role
        FROM jsonb_each_text(p_roles) k) x
  LEFT JOIN pg_roles r ON r.oid = x.role
  WHERE r.rolname IS DISTINCT FROM x.name AND x.cluster = split_part(pgtrack._identity('pgtrack.kept'::regclass), '/', 1);
END;
COMMENT ON FUNCTION pgtrack._renamed_roles(jsonb) IS
  'Of the roles of a definition, those that have another name now, with that, or null if they are gone; null for none.';

CREATE OR REPLACE FUNCTION pgtrack._rename_roles(p_value jsonb, p_names jsonb) RETURNS jsonb
LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $_rename_roles$
BEGIN
  RETURN CASE jsonb_typeof(p_value)
    WHEN 'object' THEN (
      SELECT coalesce(jsonb_object_agg(e.key, CASE
               WHEN e.key IN ('owner', 'role') THEN coalesce(p_names -> (e.value #>> '{}'), e.value)
               WHEN e.key = 'roles' AND jsonb_typeof(e.value) = 'array' THEN (
                 SELECT jsonb_agg(coalesce(p_names -> r.name, to_jsonb(r.name))) FROM jsonb_array_elements_text(e.value) AS r (name))
               ELSE pgtrack._rename_roles(e.value, p_names) END), '{}')
      FROM jsonb_each(p_value) e)
    WHEN 'array' THEN (
      SELECT coalesce(jsonb_agg(pgtrack._rename_roles(e.value, p_names) ORDER BY e.n), '[]')
      FROM jsonb_array_elements(p_value) WITH ORDINALITY AS e (value, n))
    ELSE p_value END;
END
$_rename_roles$;
COMMENT ON FUNCTION pgtrack._rename_roles(jsonb, jsonb) IS 'A definition with other names of roles.';

CREATE OR REPLACE FUNCTION pgtrack._with_present_roles(p_definition jsonb) RETURNS jsonb
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $_with_present_roles$
DECLARE
  v_names  jsonb := pgtrack._renamed_roles(p_definition -> 'roles');
BEGIN
  RETURN CASE WHEN v_names IS NULL THEN p_definition ELSE pgtrack._rename_roles(p_definition, v_names) END;
END
$_with_present_roles$;
COMMENT ON FUNCTION pgtrack._with_present_roles(jsonb) IS 'The definition of a table, with its roles as they are now.';

CREATE OR REPLACE FUNCTION pgtrack._require_roles(p_definition jsonb, p_owner text, p_name text) RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $_require_roles$
DECLARE
  v_gone  text := (SELECT string_agg(n.key, ', ') FROM jsonb_each_text(pgtrack._renamed_roles(p_definition -> 'roles')) n
                   WHERE n.value IS NULL);
BEGIN
  IF NOT EXISTS (SELECT FROM pg_roles r WHERE r.rolname = p_owner) THEN
    RAISE EXCEPTION '% belonged to %, and that role is gone', p_name, p_definition ->> 'owner' USING
      ERRCODE = 'undefined_object',
      DETAIL = 'A table comes back as its owner''s. A role that has the name now is another one.',
      HINT = 'The copy stays in schema pgtrack_history; pgtrack.kept names it.';
  ELSIF v_gone IS NOT NULL THEN
    RAISE WARNING 'what % had of % is not recovered: there are no such roles', v_gone, p_name USING
      DETAIL = 'Roles that have these names now are other ones.';
  END IF;
END
$_require_roles$;
COMMENT ON FUNCTION pgtrack._require_roles(jsonb, text, text) IS
  'Refuses to bring back a table whose owner is gone; warns of other roles of its definition that are.';
