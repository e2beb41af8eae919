-- Who may do what with a table that comes back. Default privileges may have given rights on it that it did not have before,
-- so what it has now is taken away first. A policy that cannot be made again is replaced by one that shows nothing.

CREATE OR REPLACE FUNCTION pgtrack._try_as_role(p_role name, p_what text, p_statements text[]) RETURNS boolean
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $_try_as_role$
BEGIN
  PERFORM pgtrack._as_role(p_role, p_statements, NULL, pgtrack._noted_path());
  RETURN true;
EXCEPTION
  -- All of these classes: what is missing or not allowed, rows that do not meet a constraint, what cannot be done with the table.
  WHEN syntax_error_or_access_rule_violation OR integrity_constraint_violation OR object_not_in_prerequisite_state
    OR feature_not_supported THEN
    RAISE WARNING '% is not recovered: %', p_what, SQLERRM USING DETAIL = format('It was: %s', array_to_string(p_statements, '; '));
    RETURN false;
END
$_try_as_role$;
COMMENT ON FUNCTION pgtrack._try_as_role(name, text, text[]) IS
  'Executes statements with the rights of a role, or says in a warning why that cannot be done.';

CREATE OR REPLACE FUNCTION pgtrack._role_sql(p_role text) RETURNS text
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
  -- No role can have this name.
  SELECT CASE p_role WHEN 'public' THEN 'PUBLIC' ELSE quote_ident(p_role) END;
END;
COMMENT ON FUNCTION pgtrack._role_sql(text) IS 'A role as it stands in GRANT and CREATE POLICY.';

CREATE OR REPLACE FUNCTION pgtrack._is_role(p_role text) RETURNS boolean
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
  SELECT p_role = 'public' OR to_regrole(quote_ident(p_role)) IS NOT NULL;
END;
COMMENT ON FUNCTION pgtrack._is_role(text) IS 'Whether there is such a role, or it is everybody.';

CREATE OR REPLACE FUNCTION pgtrack._grants_sql(p_table regclass, p_grants jsonb) RETURNS text[]
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
  SELECT ARRAY(
    SELECT DISTINCT format('REVOKE ALL ON TABLE %s FROM %s', p_table,
                           CASE x.grantee WHEN 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(x.grantee)) END)
    FROM pg_class c CROSS JOIN LATERAL aclexplode(coalesce(c.relacl, acldefault('r', c.relowner))) x
    WHERE c.oid = p_table AND (p_grants IS NOT NULL OR x.grantee <> c.relowner))
  || ARRAY(
    SELECT format('GRANT %s%s ON TABLE %s TO %s%s', g."right", ' (' || quote_ident(g."column") || ')', p_table, pgtrack._role_sql(g.role),
                  CASE WHEN g.grantable THEN ' WITH GRANT OPTION' ELSE '' END)
    FROM jsonb_to_recordset(p_grants) AS g (role text, "right" text, "column" text, grantable boolean)
    WHERE pgtrack._is_role(g.role));
END;
COMMENT ON FUNCTION pgtrack._grants_sql(regclass, jsonb) IS
  'The statements that give a table these grants and no others; where they are not known, to nobody but the owner.';

CREATE OR REPLACE FUNCTION pgtrack._policy_sql(p_table regclass, p_policy jsonb, p_is_closed boolean) RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
  SELECT concat(format('CREATE POLICY %I ON %s AS %s FOR %s TO %s', p_policy ->> 'name', p_table, p_policy ->> 'kind', p_policy ->> 'command',
                       string_agg(pgtrack._role_sql(r.role), ', ')),
                ' USING (' || CASE WHEN p_is_closed AND p_policy ->> 'using' IS NOT NULL THEN 'false' ELSE p_policy ->> 'using' END || ')',
                ' WITH CHECK (' || CASE WHEN p_is_closed AND p_policy ->> 'check' IS NOT NULL THEN 'false' ELSE p_policy ->> 'check' END || ')')
  FROM jsonb_array_elements_text(p_policy -> 'roles') AS r (role)
  WHERE pgtrack._is_role(r.role)
  HAVING count(*) > 0;
END;
COMMENT ON FUNCTION pgtrack._policy_sql(regclass, jsonb, boolean) IS
  'The statement that makes a policy again, or one in its place that shows and admits nothing; null if its roles are gone.';

CREATE OR REPLACE FUNCTION pgtrack._recover_rights(p_table regclass, p_owner name, p_rights jsonb) RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $_recover_rights$
DECLARE
  v_policy  jsonb;
  v_made    text;
  v_gone    text;
BEGIN
  SELECT string_agg(DISTINCT x.role, ', ') INTO v_gone
  FROM (SELECT g ->> 'role' AS role FROM jsonb_array_elements(p_rights -> 'grants') g
        UNION SELECT jsonb_array_elements_text(p -> 'roles') FROM jsonb_array_elements(p_rights -> 'policies') p) x
  WHERE NOT pgtrack._is_role(x.role);
  IF v_gone IS NOT NULL THEN
    RAISE WARNING 'grants and policies of % for % are not recovered: there are no such roles', pgtrack._name(p_table), v_gone;
  ELSIF p_rights IS NULL THEN
    RAISE WARNING 'nobody but % has rights on %', p_owner, pgtrack._name(p_table) USING
      DETAIL = 'An older version made the copy, without grants, policies, triggers and comments.';
  END IF;
  FOR v_policy IN SELECT p FROM jsonb_array_elements(p_rights -> 'policies') p LOOP
    v_made := pgtrack._policy_sql(p_table, v_policy, false);
    CONTINUE WHEN v_made IS NULL OR pgtrack._try_as_role(p_owner, format('the policy %I', v_policy ->> 'name'), ARRAY[v_made]);
    PERFORM pgtrack._as_role(p_owner, ARRAY[pgtrack._policy_sql(p_table, v_policy, true)], NULL, pgtrack._noted_path());
  END LOOP;
  PERFORM pgtrack._as_role(p_owner, pgtrack._grants_sql(p_table, p_rights -> 'grants')
    || ARRAY(SELECT format('ALTER TABLE %s %s ROW LEVEL SECURITY', p_table, x.clause)
             FROM (VALUES ('ENABLE', 'row_security'), ('FORCE', 'forced')) AS x (clause, name) WHERE (p_rights ->> x.name)::boolean),
    NULL, pgtrack._noted_path());
END
$_recover_rights$;
COMMENT ON FUNCTION pgtrack._recover_rights(regclass, name, jsonb) IS
  'Gives a table that was created again its policies and grants, and no others.';
