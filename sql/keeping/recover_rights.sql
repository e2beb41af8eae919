-- Who may do what with a table that comes back. Default privileges may have given rights on it that it did not have before,
-- so what it has now is taken away first. A policy that cannot be made again is replaced by one that shows nothing.

-- What was made, and the name it was given, can come apart: code of the owner's runs when rows are written. So tables are known
-- by their OIDs, and looked at before anything is done to them with rights that their owner does not have.

CREATE OR REPLACE FUNCTION pgtrack._refuse_other(p_name text) RETURNS void
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $_refuse_other$
BEGIN
  RAISE EXCEPTION '% is not what was created again', p_name USING
    ERRCODE = 'insufficient_privilege',
    DETAIL = 'Code that ran meanwhile, such as a check, a default or the function of an index, has altered it or put something else in its place. '
             'Nothing has been changed.',
    HINT = 'Look at the functions in the definition of the table; the copy of its rows stays.';
END
$_refuse_other$;
COMMENT ON FUNCTION pgtrack._refuse_other(text) IS 'Reports that a table is not the one that was created again under its name.';

CREATE OR REPLACE FUNCTION pgtrack._require_made(p_table regclass, p_name text, p_parent regclass, p_owner name) RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp SET quote_all_identifiers = off AS $_require_made$
BEGIN
  IF NOT EXISTS (
       SELECT FROM pg_class c LEFT JOIN pg_inherits i ON i.inhrelid = c.oid
       WHERE c.oid = p_table AND c.relkind IN ('r', 'p') AND pg_get_userbyid(c.relowner) = p_owner
         AND i.inhparent IS NOT DISTINCT FROM p_parent)
     OR pgtrack._name(p_table) IS DISTINCT FROM p_name THEN
    PERFORM pgtrack._refuse_other(p_name);
  END IF;
END
$_require_made$;
COMMENT ON FUNCTION pgtrack._require_made(regclass, text, regclass, name) IS
  'Refuses what is not a table of that name, parent and owner.';

-- With rules, triggers or indexes of its own, a table would lend its new owner's rights to whoever made them.
CREATE OR REPLACE FUNCTION pgtrack._give_to(p_table regclass, p_owner name) RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $_give_to$
DECLARE
  v_name    text := pgtrack._name(p_table);
  v_events  text;
BEGIN
  IF EXISTS (SELECT FROM pg_rewrite r WHERE r.ev_class = p_table)
     OR EXISTS (SELECT FROM pg_policy p WHERE p.polrelid = p_table)
     OR EXISTS (SELECT FROM pg_statistic_ext s WHERE s.stxrelid = p_table)
     OR EXISTS (SELECT FROM pg_trigger t WHERE t.tgrelid = p_table AND NOT t.tgisinternal AND t.tgparentid = 0)
     OR EXISTS (SELECT FROM pg_constraint k WHERE k.conrelid = p_table AND k.contype <> 'n' AND k.conislocal)
     OR EXISTS (SELECT FROM pg_index i JOIN pg_class x ON x.oid = i.indexrelid WHERE i.indrelid = p_table AND NOT x.relispartition) THEN
    PERFORM pgtrack._refuse_other(v_name);
  END IF;
  v_events := pgtrack._silence_event_triggers();
  PERFORM pgtrack._execute(format('ALTER TABLE %s OWNER TO %I', v_name, p_owner));
  PERFORM pgtrack._let_event_triggers_fire(v_events);
  IF pgtrack._owner_of(p_table) IS DISTINCT FROM p_owner THEN
    PERFORM pgtrack._refuse_other(v_name);
  END IF;
END
$_give_to$;
COMMENT ON FUNCTION pgtrack._give_to(regclass, name) IS 'Gives a partition that was created again to its owner, if it has nothing but what its parent gave it.';

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
    FROM pg_class c
    CROSS JOIN LATERAL (SELECT coalesce(c.relacl, acldefault('r', c.relowner)) AS acl
                        UNION ALL SELECT a.attacl FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attacl IS NOT NULL) g
    CROSS JOIN LATERAL aclexplode(g.acl) x
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
  FOREACH v_policy IN ARRAY ARRAY(SELECT p FROM jsonb_array_elements(p_rights -> 'policies') p) LOOP
    v_made := pgtrack._policy_sql(p_table, v_policy, false);
    CONTINUE WHEN v_made IS NULL OR pgtrack._try_as_role(p_owner, format('the policy %I', v_policy ->> 'name'), ARRAY[v_made]);
    PERFORM pgtrack._as_role(p_owner, ARRAY[pgtrack._policy_sql(p_table, v_policy, true)], NULL, pgtrack._noted_path());
  END LOOP;
  PERFORM pgtrack._as_role(p_owner, pgtrack._grants_sql(p_table, p_rights -> 'grants')
    || ARRAY(SELECT format('ALTER TABLE %s %s ROW LEVEL SECURITY', p_table, x.clause)
             FROM (VALUES ('ENABLE', 'row_security'), ('FORCE', 'forced')) AS x (clause, name) WHERE (p_rights ->> x.name)::boolean),
    NULL, pgtrack._noted_path());
  -- Names can change their meaning at any moment: what was done to another table is not done.
  IF NOT pgtrack._rights_of(p_table) -> 'grants' @> (
       SELECT coalesce(jsonb_agg(g - 'grantable'), '[]') FROM jsonb_array_elements(p_rights -> 'grants') g
       WHERE pgtrack._is_role(g ->> 'role')) THEN
    PERFORM pgtrack._refuse_other(pgtrack._name(p_table));
  END IF;
END
$_recover_rights$;
COMMENT ON FUNCTION pgtrack._recover_rights(regclass, name, jsonb) IS
  'Gives a table that was created again its policies and grants, and no others.';

CREATE OR REPLACE FUNCTION pgtrack._recover_owners(p_made regclass[], p_name text, p_definition jsonb) RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp SET quote_all_identifiers = off AS $_recover_owners$
DECLARE
  v_owner  name := p_definition ->> 'owner';
  v_parts  jsonb[] := p_definition || ARRAY(SELECT t.part FROM jsonb_array_elements(p_definition -> 'partitions')
                                            WITH ORDINALITY AS t (part, n) ORDER BY t.n);
  v_names  text[] := p_name || ARRAY(SELECT p ->> 'name' FROM unnest(v_parts[2:]) p);
  -- What belonged to a role that is gone stays with the table's owner.
  v_owners name[] := ARRAY(SELECT CASE WHEN r.rolname IS NULL THEN v_owner ELSE r.rolname END
                           FROM unnest(v_parts) WITH ORDINALITY AS p (part, n) LEFT JOIN pg_roles r ON r.rolname = p.part ->> 'owner'
                           ORDER BY p.n);
BEGIN
  -- Each is looked at, and given away, before anything else is done.
  FOR n IN 2 .. cardinality(p_made) LOOP
    PERFORM pgtrack._require_made(p_made[n], v_names[n], p_made[array_position(v_names, v_parts[n] ->> 'parent')], v_owner);
    PERFORM pgtrack._give_to(p_made[n], v_owners[n]) WHERE v_owners[n] <> v_owner;
  END LOOP;
  FOR n IN 1 .. cardinality(p_made) LOOP
    PERFORM pgtrack._recover_rights(p_made[n], v_owners[n], CASE WHEN v_owners[n] = v_parts[n] ->> 'owner' THEN v_parts[n] -> 'rights'
                                                                 ELSE (v_parts[n] -> 'rights') - 'grants' END);
  END LOOP;
END
$_recover_owners$;
COMMENT ON FUNCTION pgtrack._recover_owners(regclass[], text, jsonb) IS
  'Gives a table that was created again, and its partitions, the owners, grants and policies that they had.';

-- A database that was restored from a dump has other OIDs: there the name has to do.
CREATE OR REPLACE FUNCTION pgtrack._same_table(p_name text, p_identity text) RETURNS regclass
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
  SELECT t.relid FROM (SELECT to_regclass(p_name) AS relid) t CROSS JOIN LATERAL (SELECT pgtrack._identity(t.relid) AS identity) i
  WHERE t.relid IS NOT NULL AND (i.identity = p_identity OR split_part(i.identity, '/', 1) <> split_part(p_identity, '/', 1));
END;
COMMENT ON FUNCTION pgtrack._same_table(text, text) IS 'The table of a name, if it is the one that had it.';

-- A foreign key is made as the owner of the other table, who may have more rights: it is added to that very table, or not at all.
CREATE OR REPLACE FUNCTION pgtrack._recover_attached(p_table regclass, p_owner name, p_part jsonb) RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp SET quote_all_identifiers = off AS $_recover_attached$
DECLARE
  v_is_others CONSTANT  boolean := p_part ->> 'owner' IS DISTINCT FROM p_owner;
  v_is_made             boolean;
  v_other               regclass;
BEGIN
  IF v_is_others THEN
    v_other := pgtrack._same_table(p_part ->> 'table', p_part ->> 'identity');
    IF v_other IS NULL OR pgtrack._owner_of(v_other) IS DISTINCT FROM p_part ->> 'owner' THEN
      RAISE WARNING '% is not recovered: that table is gone, or another''s', p_part ->> 'what' USING
        DETAIL = format('It was: %s', array_to_string(ARRAY(SELECT jsonb_array_elements_text(p_part -> 'statements')), '; '));
      RETURN;
    END IF;
  END IF;
  v_is_made := pgtrack._try_as_role((p_part ->> 'owner')::name, p_part ->> 'what',
                                    ARRAY(SELECT jsonb_array_elements_text(p_part -> 'statements')));
  IF v_is_made AND v_is_others AND NOT EXISTS (
       SELECT FROM pgtrack._foreign_keys_to(p_table) k WHERE k.conrelid = v_other) THEN
    PERFORM pgtrack._refuse_other(pgtrack._name(p_table));
  END IF;
END
$_recover_attached$;
COMMENT ON FUNCTION pgtrack._recover_attached(regclass, name, jsonb) IS
  'Makes again what was attached to a table: a trigger, a rule, a foreign key of another table.';
