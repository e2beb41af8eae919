-- Whoever may read a table may read its history; under row security those images that the table's policies would show.
-- Policies come and go, so they are asked when history is read, and nothing of them is kept.

CREATE OR REPLACE FUNCTION pgtrack._may_read(p_relation integer) RETURNS boolean
LANGUAGE sql STABLE PARALLEL SAFE
BEGIN ATOMIC
  SELECT coalesce((SELECT pg_catalog.has_table_privilege(r.relid, 'SELECT')
                   FROM pgtrack.relation r WHERE r.relation_id = p_relation), false);
END;
COMMENT ON FUNCTION pgtrack._may_read(integer) IS 'Whether the current user may read a tracked table.';

CREATE OR REPLACE FUNCTION pgtrack._sees_every_row(p_relation integer) RETURNS boolean
LANGUAGE sql STABLE PARALLEL SAFE
BEGIN ATOMIC
  SELECT coalesce((SELECT NOT pg_catalog.row_security_active(r.relid)
                   FROM pgtrack.relation r WHERE r.relation_id = p_relation), false);
END;
COMMENT ON FUNCTION pgtrack._sees_every_row(integer) IS 'Whether no row security hides rows of a tracked table from the current user.';

CREATE OR REPLACE FUNCTION pgtrack._acts_for_owner() RETURNS boolean
LANGUAGE sql STABLE PARALLEL SAFE
BEGIN ATOMIC
  SELECT pg_catalog.pg_has_role(n.nspowner, 'USAGE') FROM pg_catalog.pg_namespace n WHERE n.nspname = 'pgtrack';
END;
COMMENT ON FUNCTION pgtrack._acts_for_owner() IS 'Whether the current user may do what the owner of pg_track may.';

-- What an image says of each column of its table, $1 being the image. A type that is stored as text comes back through
-- its input function: a JSON string is fed to that, and to no cast. Few functions are called, as it is asked often.
CREATE OR REPLACE FUNCTION pgtrack._image_columns(p_relation integer)
RETURNS TABLE (attnum smallint, name name, value text, since bigint, may_fail boolean)
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $_image_columns$
BEGIN
  RETURN QUERY
    SELECT a.attnum, a.attname,
           CASE WHEN c.history_column IS NULL THEN format('NULL::%s', t.type)
                WHEN h.atttypid = 'text'::regtype AND t.type <> 'text'
                THEN format('(SELECT x.v FROM pg_catalog.jsonb_to_record(pg_catalog.jsonb_build_object(''v'', %s)) AS x (v %s))',
                            v.value, t.type)
                ELSE v.value END,
           least(c.since, g.since), g.since IS NOT NULL OR c.history_column IS NOT NULL AND h.type <> t.type
    FROM pgtrack.relation r
    JOIN pg_attribute a ON a.attrelid = r.relid AND a.attnum > 0 AND NOT a.attisdropped
    -- Numbers are from before a restore, names are not; but a rename may not have been followed yet.
    LEFT JOIN pgtrack.relation_column c ON c.relation_id = r.relation_id AND c.attnum IS NOT NULL AND c.history_column = (
      SELECT n.history_column FROM pgtrack.relation_column n
      WHERE n.relation_id = r.relation_id AND n.attnum IS NOT NULL AND (n.column_name = a.attname OR n.attnum = a.attnum)
      ORDER BY n.column_name = a.attname DESC LIMIT 1)
    LEFT JOIN LATERAL (
      SELECT b.atttypid, format_type(b.atttypid, b.atttypmod) AS type FROM pg_attribute b
      WHERE b.attrelid = to_regclass(format('pgtrack_history.%I', r.history_table)) AND b.attname = c.history_column) h ON true
    LEFT JOIN LATERAL (
      SELECT min(o.since) AS since FROM pgtrack.relation_column o WHERE o.relation_id = r.relation_id AND o.successor = c.attnum) g ON true
    CROSS JOIN LATERAL (SELECT format_type(y.type, y.typmod) FROM pgtrack._base_type(a.atttypid, a.atttypmod) y) t (type)
    CROSS JOIN LATERAL (
      SELECT CASE WHEN g.since IS NULL THEN format('($1).%I', c.history_column) ELSE pgtrack._recorded(c, '($1)') END AS value) v
    WHERE r.relation_id = p_relation
    UNION ALL
    -- No image says where in the table its row was, nor who wrote it; a table with no partition and no child is one place.
    SELECT a.attnum, a.attname, r.relid::oid || '::pg_catalog.oid',
           CASE WHEN a.attname = 'tableoid' AND c.relkind <> 'p' AND NOT c.relhassubclass THEN 0 END, false
    FROM pgtrack.relation r JOIN pg_class c ON c.oid = r.relid JOIN pg_attribute a ON a.attrelid = r.relid AND a.attnum < 0
    WHERE r.relation_id = p_relation;
END
$_image_columns$;
COMMENT ON FUNCTION pgtrack._image_columns(integer) IS
  'The columns of a tracked table, system columns too, as expressions of an image; since when they are recorded (null: they are not), '
  'and whether they can fail.';

-- Asked once for each query that reads a history table; what it answers is asked of each image. A policy that asks for
-- what an image does not know shows nothing of it. A row of the table's type, which whole rows ask for, has no system columns.
CREATE OR REPLACE FUNCTION pgtrack._image_check(p_relation integer) RETURNS text[]
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
SET quote_all_identifiers = off SET TimeZone = 'UTC' SET DateStyle = 'ISO' SET IntervalStyle = 'postgres' SET extra_float_digits = 1
SET bytea_output = 'hex' AS $_image_check$
DECLARE
  v_relation     pgtrack.relation;
  v_table        name;
  v_row          text;
  v_permissive   text;
  v_restrictive  text;
  v_values       text;
  v_columns      text;
  v_may_fail     boolean;
BEGIN
  SELECT * INTO v_relation FROM pgtrack.relation r WHERE r.relation_id = p_relation;
  PERFORM pgtrack._hold_table(v_relation.relid);
  SELECT c.relname, quote_ident(c.relname) || '.*' INTO v_table, v_row FROM pg_class c WHERE c.oid = v_relation.relid;
  WITH known AS MATERIALIZED (
    SELECT * FROM pgtrack._image_columns(p_relation)
  ), policy AS (
    SELECT p.oid, p.polpermissive, c.condition, bool_or(strpos(c.condition, v_row) > 0) OVER () AS row_is_asked
    FROM pg_policy p CROSS JOIN LATERAL (SELECT format('(%s)', pg_get_expr(p.polqual, p.polrelid))) AS c (condition)
    WHERE p.polrelid = v_relation.relid AND p.polcmd IN ('r', '*') AND p.polqual IS NOT NULL
      AND EXISTS (SELECT FROM unnest(p.polroles) o WHERE o = 0 OR pg_has_role(o, 'USAGE'))
  ), asked AS (
    SELECT p.polpermissive AS is_permissive,
           CASE WHEN bool_or(u.since IS NULL OR u.attnum < 0 AND p.row_is_asked) FILTER (WHERE u.attnum IS NOT NULL) THEN 'false'
                WHEN max(u.since) > 0
                THEN format('CASE WHEN ($1).pgtrack_statement_id <= %s THEN false ELSE %s END', max(u.since), p.condition)
                ELSE p.condition END AS condition
    FROM policy p
    LEFT JOIN known u ON u.attnum > 0 AND strpos(p.condition, v_row) > 0 OR u.attnum IN (
      SELECT d.refobjsubid FROM pg_depend d WHERE d.classid = 'pg_policy'::regclass AND d.objid = p.oid
      AND d.refclassid = 'pg_class'::regclass AND d.refobjid = v_relation.relid)
    GROUP BY p.oid, p.polpermissive, p.condition, p.row_is_asked
  )
  SELECT (SELECT string_agg(p.condition, ' OR ') FILTER (WHERE p.is_permissive) FROM asked p),
         (SELECT string_agg(' AND ' || p.condition, '') FILTER (WHERE NOT p.is_permissive) FROM asked p),
         string_agg(k.value, ', ' ORDER BY k.attnum) FILTER (WHERE k.attnum > 0),
         string_agg(format('%s AS %I', k.value, k.name), ', ' ORDER BY k.attnum) FILTER (WHERE k.attnum > 0 OR k.since = 0),
         bool_or(k.may_fail) INTO v_permissive, v_restrictive, v_values, v_columns, v_may_fail
  FROM known k;
  IF v_permissive IS NULL THEN
    RETURN NULL;
  END IF;
  v_columns := format('(SELECT %s)', v_columns);
  IF strpos(concat(v_permissive, v_restrictive), v_row) > 0 THEN
    -- Where a policy passes the whole row on, it has to be one of the table's type.
    v_columns := format('pg_catalog.unnest(ARRAY[ROW(%s)::%s])', v_values, v_relation.relid);
    v_may_fail := true;
  END IF;
  RETURN ARRAY[
    format('SELECT EXISTS (SELECT FROM %s AS %I WHERE (%s)%s)', v_columns, v_table, v_permissive, v_restrictive),
    CASE WHEN v_may_fail THEN 'may fail' END,
    CASE WHEN v_relation.key_columns <> '{}' THEN format('pgtrack_history.%I', v_relation.history_table) END,
    (SELECT format('SELECT EXISTS (SELECT FROM (SELECT ($1).*) AS h JOIN %s AS t ON %s)',
                   CASE WHEN s.live_table LIKE 'ONLY %' THEN 'ONLY ' ELSE '' END || pgtrack._name(v_relation.relid), s.live_is_history)
     FROM pgtrack.relation_shape s WHERE s.relation_id = p_relation AND v_relation.key_columns <> '{}')];
END
$_image_check$;
COMMENT ON FUNCTION pgtrack._image_check(integer) IS
  'How to tell which images of a table the current user may see: the question to ask of an image, whether it can fail, '
  'and for a table with a key its history table and the question whether the row is visible now; null where no policy shows anything.';

CREATE OR REPLACE FUNCTION pgtrack._entry(p_relation integer, p_statement bigint, p_handle tid, p_only_of_insertion boolean,
                                          OUT is_insertion boolean, OUT next_statement bigint, OUT next_handle tid)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $_entry$
DECLARE
  v_history   text;
  v_same_row  text;
BEGIN
  SELECT s.operation = 'I' INTO is_insertion FROM pgtrack.statement s WHERE s.relation_id = p_relation AND s.statement_id = p_statement;
  IF p_only_of_insertion AND is_insertion IS NOT TRUE THEN
    RETURN;
  END IF;
  SELECT s.history, s.same_row INTO v_history, v_same_row FROM pgtrack.relation_shape s WHERE s.relation_id = p_relation;
  EXECUTE format('SELECT h.pgtrack_statement_id, h.ctid FROM %s c JOIN %1$s h ON %s'
                 ' WHERE c.ctid = $2 AND c.pgtrack_statement_id = $1 AND (h.pgtrack_statement_id, h.ctid) > ($1, $2)'
                 ' ORDER BY h.pgtrack_statement_id, h.ctid LIMIT 1', v_history, v_same_row)
  INTO next_statement, next_handle USING p_statement, p_handle;
END
$_entry$;
COMMENT ON FUNCTION pgtrack._entry(integer, bigint, tid, boolean) IS
  'Whether an entry of a history table is of an INSERT, and which entry of the same key is the next. '
  'SECURITY DEFINER: it must be found where the caller cannot see it; numbers are all that is told of it.';

-- With the caller's rights, as the table's policies are asked.
CREATE OR REPLACE FUNCTION pgtrack._sees_image(p_relation integer, p_check text[], p_handle tid, p_image anyelement) RETURNS boolean
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $_sees_image$
DECLARE
  v_entry  record;
  v_seen   boolean := false;
BEGIN
  IF p_check IS NULL THEN
    RETURN false;
  END IF;
  IF p_check[3] IS NOT NULL THEN
    SELECT * INTO v_entry FROM pgtrack._entry(p_relation, p_image.pgtrack_statement_id, p_handle, true);
    IF v_entry.is_insertion IS NULL THEN
      RETURN false;
    ELSIF v_entry.is_insertion AND v_entry.next_handle IS NOT NULL THEN
      -- Only the key is recorded. What was inserted is what the next change found.
      EXECUTE format('SELECT EXISTS (SELECT FROM %s h WHERE h.ctid = $1 AND h.pgtrack_statement_id = $2)', p_check[3])
      INTO v_seen USING v_entry.next_handle, v_entry.next_statement;
      RETURN v_seen;
    ELSIF v_entry.is_insertion THEN
      EXECUTE p_check[4] INTO v_seen USING p_image;
      RETURN v_seen;
    END IF;
  END IF;
  IF p_check[2] IS NULL THEN
    EXECUTE p_check[1] INTO v_seen USING p_image;
    RETURN v_seen;
  END IF;
  BEGIN
    EXECUTE p_check[1] INTO v_seen USING p_image;
  -- A value that its type does not know any more, or that a domain does not take.
  EXCEPTION WHEN data_exception OR datatype_mismatch OR check_violation OR not_null_violation THEN
    NULL;
  END;
  RETURN v_seen;
END
$_sees_image$;
COMMENT ON FUNCTION pgtrack._sees_image(integer, text[], tid, anyelement) IS
  'Whether the policies of a tracked table show the row of an entry of its history table to the current user.';

CREATE OR REPLACE FUNCTION pgtrack._sees_key_change(p_change pgtrack.key_change) RETURNS boolean
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $_sees_key_change$
DECLARE
  v_shape      pgtrack.relation_shape;
  v_statement  bigint := p_change.statement_id;
  v_seen       boolean;
BEGIN
  IF v_statement IS NULL THEN
    SELECT min(s.statement_id) INTO v_statement FROM pgtrack.statement s
    WHERE s.xid = p_change.xid AND s.relation_id = p_change.relation_id AND s.operation = 'U' AND s.statement_id > p_change.change_id;
  END IF;
  SELECT * INTO v_shape FROM pgtrack.relation_shape s WHERE s.relation_id = p_change.relation_id;
  EXECUTE format('SELECT EXISTS (SELECT FROM jsonb_to_record($1) AS k(%s) JOIN %s h ON %s WHERE h.pgtrack_statement_id = $2)',
                 v_shape.key_record, v_shape.history, v_shape.history_is_key)
  INTO v_seen USING p_change.old_key, v_statement;
  IF v_seen THEN
    EXECUTE format('SELECT EXISTS (SELECT FROM jsonb_to_record($1) AS k(%1$s) JOIN %2$s h ON %3$s WHERE h.pgtrack_statement_id > $2)'
                   ' OR EXISTS (SELECT FROM jsonb_to_record($1) AS k(%1$s) JOIN %4$s t ON %5$s)',
                   v_shape.key_record, v_shape.history, v_shape.history_is_key, v_shape.live_table, v_shape.live_is_key)
    INTO v_seen USING p_change.new_key, v_statement;
  END IF;
  RETURN v_seen;
END
$_sees_key_change$;
COMMENT ON FUNCTION pgtrack._sees_key_change(pgtrack.key_change) IS
  'Whether the current user may see the row whose key was changed, as it was before, and a row with the new key.';

CREATE OR REPLACE FUNCTION pgtrack._is_granted(p_table regclass, p_right text) RETURNS boolean
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $_is_granted$
BEGIN
  RETURN EXISTS (
    SELECT FROM (SELECT c.relacl AS acl FROM pg_class c WHERE c.oid = p_table
                 -- Who reads all data would read the other columns as well.
                 UNION ALL SELECT a.attacl FROM pg_attribute a
                 WHERE a.attrelid = p_table AND a.attnum > 0 AND (p_right <> 'SELECT' OR NOT has_table_privilege(p_table, p_right))) x
    CROSS JOIN LATERAL aclexplode(x.acl) g
    WHERE g.privilege_type = p_right AND (g.grantee = 0 OR pg_has_role(g.grantee, 'USAGE')));
END
$_is_granted$;
COMMENT ON FUNCTION pgtrack._is_granted(regclass, text) IS
  'Whether the current user was granted a right on this very table, or on columns of it.';

-- The comment remembers what the policy was made from; to replace it takes a lock that everybody waits for.
CREATE OR REPLACE FUNCTION pgtrack._set_policy(p_table regclass, p_name name, p_command text, p_condition text, p_role name DEFAULT NULL) RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $_set_policy$
DECLARE
  v_made_from CONSTANT  text := concat_ws(' TO ', p_condition, quote_ident(p_role));
BEGIN
  IF NOT EXISTS (SELECT FROM pg_policy p JOIN pg_description d ON d.classoid = 'pg_policy'::regclass AND d.objoid = p.oid AND d.objsubid = 0
                 WHERE p.polrelid = p_table AND p.polname = p_name AND d.description = v_made_from) THEN
    PERFORM pgtrack._drop_policy(p_table, p_name);
    EXECUTE format('CREATE POLICY %I ON %s FOR %s TO %s %s (%s)', p_name, p_table, p_command, coalesce(quote_ident(p_role), 'PUBLIC'),
                   CASE p_command WHEN 'INSERT' THEN 'WITH CHECK' ELSE 'USING' END, p_condition);
    EXECUTE format('COMMENT ON POLICY %I ON %s IS %L', p_name, p_table, v_made_from);
  END IF;
END
$_set_policy$;
COMMENT ON FUNCTION pgtrack._set_policy(regclass, name, text, text, name) IS
  'Creates a policy on a table of ours, for a role or for everybody, unless it is there.';

CREATE OR REPLACE FUNCTION pgtrack._drop_policy(p_table regclass, p_name name) RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $_drop_policy$
BEGIN
  IF EXISTS (SELECT FROM pg_policy p WHERE p.polrelid = p_table AND p.polname = p_name) THEN
    EXECUTE format('DROP POLICY %I ON %s', p_name, p_table);
  END IF;
END
$_drop_policy$;
COMMENT ON FUNCTION pgtrack._drop_policy(regclass, name) IS 'Drops a policy on a table of ours, if it is there.';

CREATE OR REPLACE FUNCTION pgtrack._generate_policy(p_relation integer) RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $_generate_policy$
DECLARE
  v_history  name;
BEGIN
  SELECT r.history_table INTO STRICT v_history FROM pgtrack.relation r WHERE r.relation_id = p_relation;
  PERFORM pgtrack._set_policy(format('pgtrack_history.%I', v_history)::regclass, 'readers', 'SELECT',
    format('(SELECT pgtrack._may_read(%1$s)) AND ((SELECT pgtrack._sees_every_row(%1$s))'
           ' OR pgtrack._sees_image(%1$s, (SELECT pgtrack._image_check(%1$s)), %2$I.ctid, %2$I.*))', p_relation, v_history));
END
$_generate_policy$;
COMMENT ON FUNCTION pgtrack._generate_policy(integer) IS 'Lets those read a history table who may read its tracked table.';

DO $policies$
DECLARE
  c_readable CONSTANT  text := 'relation_id IN (SELECT r.relation_id FROM pgtrack.relation r'
                               ' WHERE pg_catalog.has_table_privilege(r.relid, ''SELECT'')';
  -- As query texts (_text_roles), a call belongs to who made it, and is asked for by the current user: code of another's that
  -- runs in their session reads nothing of theirs.
  c_own CONSTANT       text := 'user_name = current_user OR (SELECT pgtrack._acts_for_owner())'
                               ' OR EXISTS (SELECT FROM pg_catalog.pg_roles r'
                               '            WHERE r.rolname = ''pgtrack_reader'' AND pg_catalog.pg_has_role(r.oid, ''USAGE''))'
                               ' OR ARRAY[user_name, role_name] && ARRAY('
                               '      SELECT r.rolname::text FROM pg_catalog.pg_roles r WHERE pg_catalog.pg_has_role(r.oid, ''USAGE''))';
  v_policy             record;
BEGIN
  FOR v_policy IN
    SELECT * FROM (VALUES
      ('pgtrack.audit_entry'::regclass, 'readers', 'SELECT', c_own),
      -- For the view pgtrack.activity, too, whoever owns it: its reader is the current user.
      ('pgtrack.statement', 'readers', 'SELECT', format('(SELECT pgtrack._acts_for_owner()) OR %s)', c_readable)),
      ('pgtrack.key_change', 'readers', 'SELECT',
       format('%s AND NOT pg_catalog.row_security_active(r.relid)) OR (%1$s) AND pgtrack._sees_key_change(key_change.*))', c_readable)),
      ('pgtrack.purged_version', 'readers', 'SELECT', format('%s AND NOT pg_catalog.row_security_active(r.relid))', c_readable)),
      ('pgtrack.erasure', 'readers', 'SELECT', format('%s AND NOT pg_catalog.row_security_active(r.relid))', c_readable))
    ) AS p (relation, name, command, condition)
  LOOP
    IF NOT (SELECT c.relrowsecurity FROM pg_class c WHERE c.oid = v_policy.relation) THEN
      EXECUTE format('ALTER TABLE %s ENABLE ROW LEVEL SECURITY', v_policy.relation);
    END IF;
    PERFORM pgtrack._set_policy(v_policy.relation, v_policy.name, v_policy.command, v_policy.condition);
  END LOOP;
END
$policies$;
